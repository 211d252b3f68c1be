"""Services as the gateway sees them: the operations a class carries, checked against its model."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from botocore.model import OperationModel, ServiceModel
from botocore.validate import ParamValidator

from scones.local.errors import ServiceError
from scones.local.protocol.constraints import Constraints
from scones.local.protocol.messages import Value
from scones.local.protocol.models import operations, service_model
from scones.local.protocol.routes import Routes
from scones.local.protocol.wire import Wire, wire

Brief = Mapping[str, Callable[[dict[str, Value]], bool]]
"""Methods, and whether a call with such arguments is over sooner than a thread would begin."""


@dataclass
class Operation:
    """One public method of a service and the model of the operation that it is."""

    model: OperationModel
    method: Callable[..., Any]
    parameters: frozenset[str]
    """The members of the input that the method takes."""
    is_brief: Callable[[dict[str, Value]], bool]
    """Whether a call with such arguments runs on the event loop although it blocks."""

    @cached_property
    def is_async(self) -> bool:
        """Runs on the event loop; otherwise in a thread."""
        return inspect.iscoroutinefunction(self.method)

    @cached_property
    def wire(self) -> Wire:
        """How it is read and written; made at its first request."""
        return wire(self.model)

    @cached_property
    def constraints(self) -> Constraints:
        """What the model demands of its input."""
        return Constraints(self.model.service_model.service_name, self.model.input_shape)

    def refuse_types(self, arguments: dict[str, Value]) -> None:
        """ServiceError for arguments that did not come through the wire and are no such values."""
        if self.model.input_shape is not None:
            report = ParamValidator().validate(arguments, self.model.input_shape)
            if report.has_errors():
                raise ServiceError("ValidationException", report.generate_report())

    def refuse(self, arguments: dict[str, Value]) -> None:
        """ServiceError for members that we do not carry and values that the model forbids."""
        if not self.parameters.issuperset(arguments):
            unknown = ", ".join(sorted(arguments.keys() - self.parameters))
            message = f"The local cloud does not carry {unknown} of {self.model.name}."
            raise ServiceError("NotImplemented", message, 501)
        self.constraints.refuse_violations(arguments)


class Carried:
    """One service: its model, and those of its operations that its class has methods for."""

    def __init__(self, name: str, service: Any, brief: Brief | None = None) -> None:
        """`name` is boto3's, `brief` are methods that may need no thread.

        Raises ValueError if class and model do not agree.
        """
        self.name = name
        self.model: ServiceModel = service_model(name)
        self.protocol = str(self.model.metadata["protocol"])
        aws_names = operations(name)
        self.by_method = {
            method: _operation(self.model, aws_names, service, method, brief or {})
            for method in _public_names(service)
        }
        self.by_name = {each.model.name: each for each in self.by_method.values()}

    @cached_property
    def routes(self) -> Routes:
        """Paths to operation names, for the REST protocols."""
        return Routes(self.model, frozenset(self.by_name))

    def operation(self, name: str) -> Operation:
        """By AWS's name; ServiceError if we do not carry it."""
        try:
            return self.by_name[name]
        except KeyError:
            message = (
                f"The local cloud does not carry {name} of {self.model.metadata['serviceId']}."
            )
            raise ServiceError("NotImplemented", message, 501) from None


def _public_names(service: Any) -> list[str]:
    names = {*dir(type(service)), *vars(service)}
    return sorted(name for name in names if not name.startswith("_"))


def _operation(
    model: ServiceModel, aws_names: dict[str, str], service: Any, method: str, brief: Brief
) -> Operation:
    where = f"{type(service).__name__}.{method}"
    if method not in aws_names:
        raise ValueError(f"{where} is no operation of {model.service_name}")
    operation = model.operation_model(aws_names[method])
    shape = operation.input_shape
    function = getattr(service, method)
    parameters = inspect.signature(function).parameters
    unknown = parameters.keys() - (shape.members.keys() if shape else ())
    if unknown:
        raise ValueError(f"{where}: {sorted(unknown)} are no members of its input")
    required = set(shape.required_members) if shape else set()
    demanded = {each.name for each in parameters.values() if each.default is each.empty}
    if not demanded <= required <= parameters.keys():
        raise ValueError(f"{where}: required are {sorted(required)}, demanded {sorted(demanded)}")
    return Operation(operation, function, frozenset(parameters), brief.get(method, _never))


def _never(_: dict[str, Value]) -> bool:
    return False
