"""botocore's service models, loaded once, without their documentation."""

from functools import cache
from typing import Any

from botocore import xform_name
from botocore.loaders import Loader
from botocore.model import ServiceModel

_loader = Loader()
"""One for all: it lists the four hundred services of botocore's data folder only once."""


@cache
def service_model(name: str) -> ServiceModel:
    """The newest model of a service, by boto3's name for it ("stepfunctions")."""
    raw = _loader.load_service_model(name, "service-2")
    _forget_documentation(raw)
    return ServiceModel(raw, name)


@cache
def operations(name: str) -> dict[str, str]:
    """boto3's method names of a service to AWS's operation names."""
    return {xform_name(each): each for each in service_model(name).operation_names}


def _forget_documentation(raw: Any) -> None:
    # Nine tenths of a model's memory is prose: SageMaker's alone is 4 MB.
    for shape in raw["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
    for operation in raw["operations"].values():
        operation.pop("documentation", None)
