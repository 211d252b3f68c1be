"""SageMaker's hosting: models, endpoint configs and endpoints."""

from datetime import datetime
from typing import Any

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.sagemaker import hosting
from scones.local.sagemaker.admission import check_capture, check_isolation, invalid, not_carried
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.endpoints import Endpoints
from scones.local.sagemaker.resources import Resources, given_members, listed
from scones.local.sagemaker.transfer import Objects

MODEL, CONFIG, ENDPOINT = "model", "endpoint-config", "endpoint"
WORDS = {MODEL: "model", CONFIG: "endpoint configuration", ENDPOINT: "endpoint"}


class Hosting:
    """Of `SageMaker`: what was asked for is kept in `resources`; `endpoints` makes it so."""

    _identity: Identity
    _s3: Objects
    _containers: Containers
    _resources: Resources
    _endpoints: Endpoints

    # Models.

    def create_model(
        self,
        ModelName: str,
        PrimaryContainer: dict[str, Any] | None = None,
        Containers: list[dict[str, Any]] | None = None,
        ExecutionRoleArn: str | None = None,
        Tags: list[dict[str, str]] | None = None,
        EnableNetworkIsolation: bool = False,
    ) -> dict[str, Any]:
        """One container, given either way."""
        given = [PrimaryContainer] if PrimaryContainer is not None else Containers or []
        if len(given) != 1:
            not_carried(f"a model of {len(given)} containers; give one, as PrimaryContainer")
        check_isolation(EnableNetworkIsolation)
        hosting.check_container(given[0], self._containers, self._s3)
        shape = {"PrimaryContainer": given[0]} if PrimaryContainer else {"Containers": given}
        about = {
            "ModelName": ModelName,
            **shape,
            **given_members(ExecutionRoleArn=ExecutionRoleArn),
            "EnableNetworkIsolation": False,
        }
        return {"ModelArn": self._create(MODEL, ModelName, "ModelArn", about, Tags)}

    def describe_model(self, ModelName: str) -> dict[str, Any]:
        return self._describe(MODEL, ModelName)

    def list_models(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("ModelName", "ModelArn", "CreationTime")
        return listed("Models", members, self._resources.page(MODEL, **asked))

    def delete_model(self, ModelName: str) -> None:
        self._delete(MODEL, ModelName)

    # Endpoint configs.

    def create_endpoint_config(
        self,
        EndpointConfigName: str,
        ProductionVariants: list[dict[str, Any]],
        DataCaptureConfig: dict[str, Any] | None = None,
        Tags: list[dict[str, str]] | None = None,
        KmsKeyId: str | None = None,
        ExecutionRoleArn: str | None = None,
        EnableNetworkIsolation: bool = False,
    ) -> dict[str, Any]:
        """The key is kept and shown; nothing on this computer is encrypted with it."""
        check_isolation(EnableNetworkIsolation)
        hosting.check_variants(self._resources, self._arn(MODEL, ""), ProductionVariants)
        check_capture(DataCaptureConfig)
        about = {
            "EndpointConfigName": EndpointConfigName,
            "ProductionVariants": [{"InitialVariantWeight": 1.0, **e} for e in ProductionVariants],
            **given_members(
                DataCaptureConfig=DataCaptureConfig,
                KmsKeyId=KmsKeyId,
                ExecutionRoleArn=ExecutionRoleArn,
            ),
            "EnableNetworkIsolation": False,
        }
        arn = self._create(CONFIG, EndpointConfigName, "EndpointConfigArn", about, Tags)
        return {"EndpointConfigArn": arn}

    def describe_endpoint_config(self, EndpointConfigName: str) -> dict[str, Any]:
        return self._describe(CONFIG, EndpointConfigName)

    def list_endpoint_configs(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return listed("EndpointConfigs", members, self._resources.page(CONFIG, **asked))

    def delete_endpoint_config(self, EndpointConfigName: str) -> None:
        self._delete(CONFIG, EndpointConfigName)

    # Endpoints.

    async def create_endpoint(
        self,
        EndpointName: str,
        EndpointConfigName: str,
        Tags: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        plan = hosting.plan(self._resources, self._describe(CONFIG, EndpointConfigName))
        about = {
            "EndpointName": EndpointName,
            "EndpointConfigName": plan["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "LastModifiedTime": self._resources.now(),
        }
        arn = self._create(ENDPOINT, EndpointName, "EndpointArn", about, Tags)
        self._endpoints.create(EndpointName, plan)
        return {"EndpointArn": arn}

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        return self._describe(ENDPOINT, EndpointName)

    def list_endpoints(
        self,
        SortBy: str | None = None,
        SortOrder: str | None = None,
        NextToken: str | None = None,
        MaxResults: int | None = None,
        NameContains: str | None = None,
        CreationTimeBefore: datetime | None = None,
        CreationTimeAfter: datetime | None = None,
        LastModifiedTimeBefore: datetime | None = None,
        LastModifiedTimeAfter: datetime | None = None,
        StatusEquals: str | None = None,
    ) -> dict[str, Any]:
        asked = {key: value for key, value in locals().items() if key != "self"}
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime",
                   "EndpointStatus")  # fmt: skip
        return listed("Endpoints", members, self._resources.page(ENDPOINT, **asked))

    async def update_endpoint(
        self,
        EndpointName: str,
        EndpointConfigName: str,
        RetainAllVariantProperties: bool = False,
        ExcludeRetainedVariantProperties: list[dict[str, str]] | None = None,
    ) -> dict[str, Any]:
        about = self._settled(EndpointName, "InService", "Failed")
        plan = hosting.plan(self._resources, self._describe(CONFIG, EndpointConfigName))
        if RetainAllVariantProperties:
            excluded = {e["VariantPropertyType"] for e in ExcludeRetainedVariantProperties or []}
            hosting.retain(plan, about, excluded)
        self._endpoints.update(about["EndpointName"], plan)
        return {"EndpointArn": about["EndpointArn"]}

    async def update_endpoint_weights_and_capacities(
        self, EndpointName: str, DesiredWeightsAndCapacities: list[dict[str, Any]]
    ) -> dict[str, Any]:
        """Weights at once; a number of instances is refused, since one child serves a variant."""
        about = self._settled(EndpointName, "InService")
        served = {each["VariantName"] for each in about["ProductionVariants"]}
        for each in DesiredWeightsAndCapacities:
            if each["VariantName"] not in served:
                raise invalid(f'Could not find variant "{each["VariantName"]}".')
            if each.get("DesiredInstanceCount") is not None:
                not_carried("DesiredInstanceCount; give DesiredWeight only")
        weights = {e["VariantName"]: e["DesiredWeight"] for e in DesiredWeightsAndCapacities}
        self._endpoints.weigh(about["EndpointName"], weights)
        return {"EndpointArn": about["EndpointArn"]}

    async def delete_endpoint(self, EndpointName: str) -> None:
        about = self._settled(EndpointName, "InService", "Failed")
        self._endpoints.delete(about["EndpointName"])

    # What several operations share.

    def _arn(self, kind: str, name: str) -> str:
        return self._identity.arn("sagemaker", f"{kind}/{name.lower()}")  # as AWS writes them

    def _create(
        self,
        kind: str,
        name: str,
        arn_member: str,
        about: dict[str, Any],
        tags: list[dict[str, str]] | None,
    ) -> str:
        arn = self._arn(kind, name)
        about = {**about, arn_member: arn, "CreationTime": self._resources.now()}
        status = about.get("EndpointStatus", "")
        if not self._resources.create(kind, name, arn, about, status=status, tags=tags):
            raise invalid(f'Cannot create already existing {WORDS[kind]} "{arn}".')
        return arn

    def _describe(self, kind: str, name: str) -> dict[str, Any]:
        about = self._resources.find(kind, name)
        if about is None:
            raise self._unknown(kind, name)
        return about

    def _delete(self, kind: str, name: str) -> None:
        if not self._resources.delete(kind, name):
            raise self._unknown(kind, name)

    def _unknown(self, kind: str, name: str) -> ServiceError:
        return invalid(f'Could not find {WORDS[kind]} "{self._arn(kind, name)}".')

    def _settled(self, name: str, *statuses: str) -> dict[str, Any]:
        """An endpoint that is not changing just now."""
        about = self._describe(ENDPOINT, name)
        if about["EndpointStatus"] not in statuses:
            raise invalid(f'Cannot update in-progress endpoint "{about["EndpointArn"]}".')
        return about
