"""From an endpoint config and its models to the plan by which an endpoint is served.

A plan is plain JSON and holds all that is needed, since AWS lets an endpoint live on after its
config and models are deleted (the SageMaker SDK deletes the config before the endpoint).
"""

from typing import Any

from scones.local.sagemaker.admission import check_image, invalid, not_carried
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.transfer import Objects, exists

STARTUP_TIMEOUT_S = 480
"""Until a container must answer GET /ping: 8 min (SageMaker developer guide, health check)."""


def plan(resources: Resources, config: dict[str, Any]) -> dict[str, Any]:
    """The plan of an endpoint config's description."""
    variants = config["ProductionVariants"]
    return {
        "EndpointConfigName": config["EndpointConfigName"],
        "DataCaptureConfig": config.get("DataCaptureConfig"),
        "Variants": [_variant(resources, each) for each in variants],
        "Weights": {
            each["VariantName"]: each.get("InitialVariantWeight", 1.0) for each in variants
        },
    }


def _variant(resources: Resources, variant: dict[str, Any]) -> dict[str, Any]:
    model = resources.find("model", variant["ModelName"])
    if model is None:
        raise invalid(f'Could not find model "{variant["ModelName"]}".')
    container = model.get("PrimaryContainer") or model["Containers"][0]
    source, is_prefix = model_data(container)
    return {
        "VariantName": variant["VariantName"],
        "InitialInstanceCount": variant.get("InitialInstanceCount", 1),
        "Image": container["Image"],
        "ModelDataUrl": source,
        "ModelIsPrefix": is_prefix,
        "Environment": container.get("Environment", {}),
        "StartupTimeout": variant.get(
            "ContainerStartupHealthCheckTimeoutInSeconds", STARTUP_TIMEOUT_S
        ),
    }


def model_data(container: dict[str, Any]) -> tuple[str | None, bool]:
    """Where a container's model is, and whether as loose files under a prefix."""
    if "ModelDataSource" not in container:
        return container.get("ModelDataUrl"), False
    source = container["ModelDataSource"].get("S3DataSource", {})
    return source.get("S3Uri"), source.get("CompressionType") == "None"


def check_container(container: dict[str, Any], containers: Containers, s3: Objects) -> None:
    """Refuse a model's container that could not be served."""
    for member in ("ModelPackageName", "MultiModelConfig", "AdditionalModelDataSources"):
        if container.get(member):
            not_carried(f"a container's {member}")
    if container.get("Mode", "SingleModel") != "SingleModel":
        not_carried(f"a container's Mode {container['Mode']}; use SingleModel")
    check_image(containers, container.get("Image"), "serve")
    uri, _ = model_data(container)
    if uri is not None and not exists(s3, uri):
        raise invalid(f"Could not find model data at {uri}.")


def check_variants(resources: Resources, identity_arn: str, variants: list[dict[str, Any]]) -> None:
    """Refuse variants without a model, or with the same name; `identity_arn` ends in `model/`."""
    names = [each["VariantName"] for each in variants]
    if len(names) != len(set(names)):
        raise invalid(f"Duplicate variant names in ProductionVariants: {', '.join(names)}")
    for variant in variants:
        if variant.get("ServerlessConfig") is not None:
            not_carried("a variant's ServerlessConfig; use an InstanceType")
        if variant.get("ModelName") is None:
            not_carried("a variant without ModelName")
        if resources.find("model", variant["ModelName"]) is None:
            raise invalid(f'Could not find model "{identity_arn}{variant["ModelName"].lower()}".')


def retain(plan: dict[str, Any], endpoint: dict[str, Any], excluded: set[str]) -> None:
    """Give a plan what its endpoint has now, but for the `excluded` VariantPropertyTypes."""
    now = {each["VariantName"]: each for each in endpoint.get("ProductionVariants", [])}
    for variant in plan["Variants"]:
        name = variant["VariantName"]
        if name in now and "DesiredInstanceCount" not in excluded:
            variant["InitialInstanceCount"] = now[name]["DesiredInstanceCount"]
        if name in now and "DesiredWeight" not in excluded:
            plan["Weights"][name] = now[name]["DesiredWeight"]
