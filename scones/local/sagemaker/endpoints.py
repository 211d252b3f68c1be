"""Endpoints that are being served: brought up, replaced without dropping a request, taken down."""

import asyncio
import contextlib
import logging
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.sagemaker.capture import Rule
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.logstream import Logs
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.serving import STOP_GRACE_S, Surroundings, UnhealthyError, Variant
from scones.local.sagemaker.transfer import Objects

KIND = "endpoint"
DRAIN_S = 60.0
"""That requests under way may take after an update; AWS ends one after 60 s."""

_log = logging.getLogger(__name__)


class Deployment:
    """What answers for an endpoint: its variants, their weights, what is captured of them."""

    def __init__(
        self, around: Surroundings, endpoint: str, plan: dict[str, Any], home: Path
    ) -> None:
        """`plan`: Id, Variants, Weights (by variant), DataCaptureConfig; see `SageMaker`."""
        self.endpoint = endpoint
        self.weights: dict[str, float] = dict(plan["Weights"])
        self.rule = Rule.read(plan["DataCaptureConfig"])
        self.folder = home / plan["Id"]
        self.variants = {
            each["VariantName"]: Variant(around, endpoint, each, self.folder / each["VariantName"])
            for each in plan["Variants"]
        }

    async def start(self) -> None:
        """Bring every variant up, or none."""
        tasks = [asyncio.create_task(variant.start()) for variant in self.variants.values()]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.stop()
            raise

    async def stop(self, grace_s: float = 0.0) -> None:
        await asyncio.gather(*(variant.stop(grace_s) for variant in self.variants.values()))

    async def retire(self) -> None:
        """Let requests under way finish, then end it and remove its files."""

        async def drained() -> None:
            while any(variant.in_flight for variant in self.variants.values()):
                await asyncio.sleep(0.02)

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(drained(), DRAIN_S)
        await self.stop(STOP_GRACE_S)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)

    def pick(self, target: str | None) -> Variant | None:
        """The variant asked for, or one by weight; None if there is none of that name."""
        if target is not None:
            return self.variants.get(target)
        names = list(self.weights)
        if len(names) == 1:
            return self.variants[names[0]]
        weights = list(self.weights.values())
        chosen = random.choices(names, weights if any(weights) else None)[0]
        return self.variants[chosen]


class Endpoints:
    """Every endpoint's deployment, as `resources` says it should be."""

    def __init__(
        self,
        *,
        home: Path,
        identity: Identity,
        s3: Objects,
        logs: Logs,
        processes: Processes,
        containers: Containers,
        resources: Resources,
        clock: Callable[[], float],
    ) -> None:
        self._home = home
        self._home.mkdir(parents=True, exist_ok=True)
        self._around = Surroundings(identity, s3, logs, processes, containers, clock)
        self._resources = resources
        self._live: dict[str, Deployment] = {}
        self._changes: dict[str, asyncio.Task[None]] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Endpoints":
        """Serve again what an earlier cloud served, in the background."""
        kept = set()
        for name in self._resources.with_status(KIND, *_SERVED):
            plans = self._resources.plan(KIND, name)
            kept |= {plan["Id"] for plan in plans.values()}
            if self.status(name) in ("InService", "Updating"):
                self._tell(name, EndpointStatus="SystemUpdating")
            self._change(name, self._bring_back(name, plans))
        for name in self._resources.with_status(KIND, "Deleting"):
            self._resources.delete(KIND, name)
        for folder in self._home.iterdir():
            if folder.name not in kept:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return self

    async def __aexit__(self, *failure: object) -> None:
        changes = list(self._changes.values())
        for task in [*changes, *self._retiring]:
            task.cancel()
        stopping = [deployment.stop(STOP_GRACE_S) for deployment in self._live.values()]
        await asyncio.gather(*changes, *self._retiring, *stopping, return_exceptions=True)

    async def live(self, name: str) -> Deployment | None:
        """What answers for an endpoint now; one that is coming back after a restart is awaited."""
        deployment = self._live.get(name)
        change = self._changes.get(name)
        if deployment is None and change is not None and self.status(name) == "SystemUpdating":
            await asyncio.wait([change])
            deployment = self._live.get(name)
        return deployment

    def status(self, name: str) -> str | None:
        """An endpoint's status; None if there is no such endpoint."""
        about = self._resources.find(KIND, name)
        return None if about is None else str(about["EndpointStatus"])

    def create(self, name: str, plan: dict[str, Any]) -> None:
        """Begin to serve a new endpoint."""
        self._change(name, self._bring_up(name, {**plan, "Id": str(uuid4())}))

    def update(self, name: str, plan: dict[str, Any]) -> None:
        """Begin to replace what answers for an endpoint."""
        plans = self._resources.plan(KIND, name)
        self._tell(name, EndpointStatus="Updating")
        coming = {**plan, "Id": str(uuid4())}
        self._keep_plan(name, {**plans, "next": coming})
        self._change(name, self._replace(name, {**plans, "next": coming}))

    def weigh(self, name: str, weights: dict[str, float]) -> None:
        """Give variants another share of the requests."""
        plan = self._resources.plan(KIND, name)["now"]
        plan["Weights"].update(weights)
        self._keep_plan(name, {"now": plan})
        self._live[name].weights.update(weights)
        self._tell(name, **_described(plan, self._resources.now()))

    def delete(self, name: str) -> None:
        """Begin to take an endpoint down."""
        self._tell(name, EndpointStatus="Deleting")
        self._change(name, self._take_down(name))

    async def settled(self) -> None:
        """Wait until no endpoint is changing."""
        while self._changes:
            await asyncio.wait(list(self._changes.values()))

    def _change(self, name: str, work: Awaitable[None]) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                _log.exception("endpoint %s", name)
                self._tell(name, EndpointStatus="Failed", FailureReason=repr(error))
            finally:
                self._changes.pop(name, None)

        self._changes[name] = asyncio.create_task(run())

    async def _bring_up(self, name: str, plan: dict[str, Any]) -> None:
        self._keep_plan(name, {"now": plan})
        reason = await self._try(name, plan)
        if reason is None:
            self._serves(name, plan)
        else:
            self._tell(name, EndpointStatus="Failed", FailureReason=reason)

    async def _replace(self, name: str, plans: dict[str, dict[str, Any]]) -> None:
        old = self._live.get(name)
        reason = await self._try(name, plans["next"])
        if reason is None:
            self._serves(name, plans["next"])
            if old is not None:
                self._retire(old)
        else:  # AWS rolls back: the old variants go on
            self._keep_plan(name, {"now": plans["now"]})
            status = "Failed" if old is None else "InService"
            self._tell(name, EndpointStatus=status, FailureReason=reason)

    async def _bring_back(self, name: str, plans: dict[str, dict[str, Any]]) -> None:
        """After a restart: what was coming, or else what was there."""
        reason: str | None = None
        for plan in reversed(plans.values()):
            reason = await self._try(name, plan)
            if reason is None:
                self._serves(name, plan)
                return
        self._tell(name, EndpointStatus="Failed", FailureReason=reason)

    async def _try(self, name: str, plan: dict[str, Any]) -> str | None:
        """Bring a plan up and let it answer; the reason if that fails."""
        deployment = Deployment(self._around, name, plan, self._home)
        try:
            await deployment.start()
        except (UnhealthyError, ServiceError, ValueError, OSError, LookupError) as error:
            await asyncio.to_thread(shutil.rmtree, deployment.folder, ignore_errors=True)
            return str(error)
        self._live[name] = deployment
        return None

    async def _take_down(self, name: str) -> None:
        deployment = self._live.pop(name, None)
        if deployment is not None:
            await deployment.retire()
        self._resources.delete(KIND, name)

    def _retire(self, deployment: Deployment) -> None:
        task = asyncio.create_task(deployment.retire())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    def _serves(self, name: str, plan: dict[str, Any]) -> None:
        self._keep_plan(name, {"now": plan})
        self._tell(
            name,
            EndpointStatus="InService",
            FailureReason=None,
            EndpointConfigName=plan["EndpointConfigName"],
            **_described(plan, self._resources.now()),
        )

    def _find(self, name: str) -> dict[str, Any]:
        about = self._resources.find(KIND, name)
        assert about is not None, f"endpoint {name} is not deleted while it is served"
        return about

    def _tell(self, name: str, **members: Any) -> None:
        about = {**self._find(name), **members, "LastModifiedTime": self._resources.now()}
        about = {member: value for member, value in about.items() if value is not None}
        self._resources.update(KIND, name, about, about["EndpointStatus"])

    def _keep_plan(self, name: str, plans: dict[str, Any]) -> None:
        about = self._find(name)
        self._resources.update(KIND, name, about, about["EndpointStatus"], plans)


_SERVED = ("Creating", "InService", "Updating", "SystemUpdating")


def _described(plan: dict[str, Any], now: Any) -> dict[str, Any]:
    """What DescribeEndpoint says of a plan that is served."""
    capture = plan["DataCaptureConfig"]
    members: dict[str, Any] = {
        "ProductionVariants": [_variant(plan, each, now) for each in plan["Variants"]],
        "DataCaptureConfig": None,
    }
    if capture is not None:
        enabled = capture.get("EnableCapture", True)
        members["DataCaptureConfig"] = {
            "EnableCapture": enabled,
            "CaptureStatus": "Started" if enabled else "Stopped",
            "CurrentSamplingPercentage": capture["InitialSamplingPercentage"],
            "DestinationS3Uri": capture["DestinationS3Uri"],
            "KmsKeyId": capture.get("KmsKeyId", ""),
        }
    return members


def _variant(plan: dict[str, Any], variant: dict[str, Any], now: Any) -> dict[str, Any]:
    weight = plan["Weights"][variant["VariantName"]]
    image = {
        "SpecifiedImage": variant["Image"],
        "ResolvedImage": variant["Image"],
        "ResolutionTime": now,
    }
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [image],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": variant["InitialInstanceCount"],
        "DesiredInstanceCount": variant["InitialInstanceCount"],
    }
