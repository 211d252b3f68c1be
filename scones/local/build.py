"""What the local cloud is made of: each service, and what it is given. The one file of wiring."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scones.local.errors import ServiceError
from scones.local.functions.workers import Options
from scones.local.gateway import Page
from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.protocol.messages import Request, Response
from scones.local.sagemaker.capture import WINDOW_S, Captures
from scones.local.sagemaker.containers import Containers
from scones.local.sagemaker.endpoints import Endpoints
from scones.local.sagemaker.resources import Resources
from scones.local.sagemaker.training import STOP_GRACE_S, Training
from scones.local.sagemaker.tuning import Tuning
from scones.local.services.iam import Iam
from scones.local.services.lambda_ import Lambda, code
from scones.local.services.logs import Logs
from scones.local.services.s3 import S3
from scones.local.services.s3.brief import brief as brief_of_s3
from scones.local.services.sagemaker import SageMaker
from scones.local.services.sagemaker_runtime import SageMakerRuntime
from scones.local.services.stepfunctions import StepFunctions
from scones.local.services.sts import Sts


@dataclass(frozen=True)
class Ground:
    """What services stand on."""

    home: Path
    identity: Identity
    processes: Processes
    containers: dict[str, dict[str, list[str]]]
    """Image name -> {"train": argv, "serve": argv}."""
    call: Callable[[str, str, dict[str, Any]], Awaitable[dict[str, Any]]]
    """Any carried operation, by boto3's names: `Gateway.call`."""
    clock: Callable[[], float] = time.time
    pages: dict[str, Page] = field(default_factory=dict)
    """Our own addresses under /_scones/, by path: services add theirs."""
    capture_window_s: float = WINDOW_S
    """How long a capture file is filled before it goes to S3."""
    stop_grace_s: float = STOP_GRACE_S
    """How long a training job may take to stop."""
    functions: Options = field(default_factory=Options)
    """How Lambda functions are run."""


def brief(services: dict[str, Any]) -> dict[str, dict[str, Callable[[dict[str, Any]], bool]]]:
    """Methods, by service, that may run on the event loop although they block."""
    return {"s3": brief_of_s3(services["s3"])}


def build(ground: Ground) -> dict[str, Any]:
    """Services by boto3's names, in the order in which those with a life are entered."""
    state: dict[str, Any] = {
        "home": ground.home,
        "identity": ground.identity,
        "clock": ground.clock,
    }
    services: dict[str, Any] = {}
    services["sts"] = Sts(identity=ground.identity, clock=ground.clock)
    services["iam"] = Iam(**state)
    services["s3"] = S3(**state)
    services["logs"] = Logs(**state)
    services |= _sagemaker(ground, services["s3"], services["logs"])
    services["lambda"] = Lambda(
        **state,
        processes=ground.processes,
        s3=services["s3"],
        logs=services["logs"],
        options=ground.functions,
    )
    ground.pages[code.PATH] = code.page(services["lambda"]._ledger.packages)
    # The last: on entry it goes on with executions, which call all the others.
    services["stepfunctions"] = StepFunctions(**state, call=ground.call)
    return services


def _sagemaker(ground: Ground, s3: Any, logs: Any) -> dict[str, Any]:
    home = ground.home / "sagemaker"
    resources = Resources(ground.home / "sagemaker.sqlite", ground.clock)
    around = {
        "identity": ground.identity,
        "s3": s3,
        "logs": logs,
        "processes": ground.processes,
        "containers": Containers(ground.containers, ground.home / "containers.json"),
        "resources": resources,
        "clock": ground.clock,
    }
    endpoints = Endpoints(home=home / "endpoints", **around)
    training = Training(home=home / "jobs", stop_grace_s=ground.stop_grace_s, **around)
    tuning = Tuning(
        home=home / "tuning", processes=ground.processes, resources=resources, training=training
    )
    captures = Captures(
        home=home / "captures", s3=s3, clock=ground.clock, window_s=ground.capture_window_s
    )
    ground.pages["/_scones/flush"] = _flush(captures)
    return {
        "sagemaker": SageMaker(
            identity=ground.identity,
            s3=s3,
            containers=around["containers"],
            resources=resources,
            training=training,
            tuning=tuning,
            endpoints=endpoints,
        ),
        "sagemaker-runtime": SageMakerRuntime(
            identity=ground.identity, endpoints=endpoints, captures=captures
        ),
    }


def _flush(captures: Captures) -> Page:
    """POST /_scones/flush: what was captured goes to S3 now."""

    async def flush(request: Request) -> Response:
        if request.method != "POST":
            raise ServiceError("MethodNotAllowed", "Flush with POST", 405)
        delivered = json.dumps({"delivered": await captures.flush()})
        return Response(200, {"content-type": "application/json"}, delivered.encode())

    return flush
