"""What the local cloud is made of: each service, and what it is given. The one file of wiring."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scones.local.identity import Identity
from scones.local.processes import Processes
from scones.local.services.iam import Iam
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


def build(ground: Ground) -> dict[str, Any]:
    """Services by boto3's names, in the order in which those with a life are entered."""
    services: dict[str, Any] = {}
    services["sts"] = Sts(ground.identity, ground.clock)
    services["iam"] = Iam(ground.identity, ground.home, ground.clock)
    return services
