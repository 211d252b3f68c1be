"""Clients of AWS or of the local cloud, and which command stands for which container image."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scones.local import control

if TYPE_CHECKING:
    from scones.clients import Clients
    from scones.settings import Settings

CONTAINERS = {
    "image-classification": {
        "train": [sys.executable, "-m", "scones.container.job"],
        "serve": [sys.executable, "-m", "scones.container.endpoint"],
    },
    "pytorch-training": {"train": [sys.executable, "-m", "scones.container.script_job"]},
    "pytorch-inference": {"serve": [sys.executable, "-m", "scones.container.script_endpoint"]},
}
"""Which command stands for which container image: the local cloud knows nothing of ours."""


@contextmanager
def connected(settings: "Settings", *, begun: bool = False) -> Iterator["Clients"]:
    """Clients of AWS, or of the local cloud on the settings' home.

    Where none runs there, one is started on a free port and stopped again afterwards. ValueError
    where the one that runs there belongs to another command and will end with it, or stands in
    another region than was asked for; and, of what asks after something `begun`, where no cloud
    ever ran on that home, instead of making an empty one.
    """
    from dataclasses import replace

    from scones.clients import connect

    if not settings.local or settings.endpoint_url is not None:
        yield connect(settings)
        return
    if begun and not control.begun(settings.home):
        raise ValueError(
            f"home is {str(settings.home)!r}, where no local cloud has run; begin with "
            "`scones run`, or give the folder of one with --home"
        )
    running = control.status(settings.home)
    if running is not None and running.parent is not None:
        raise ValueError(
            f"home {str(settings.home)!r} is in use by another scones command (process "
            f"{running.parent}); wait for it, or end it and begin with `scones up --home "
            f"{settings.home}`, on which commands run side by side"
        )
    if settings.region is not None:
        _check_region(settings.region, settings.home, running)
    started = running is None
    if running is None:
        containers = ["--containers", json.dumps(CONTAINERS)]
        place = ["--region", settings.region] if settings.region else []
        only_with_us = ["--with-parent", str(os.getpid())]
        try:
            running = control.start(
                settings.home, arguments=["--port", "0", *containers, *place, *only_with_us]
            )
        except OSError as error:
            raise ValueError(
                f"home is {str(settings.home)!r}, which cannot be written ({error.strerror}); "
                "choose another with --home"
            ) from error
    try:
        yield connect(replace(settings, endpoint_url=running.url, region=running.region))
    finally:
        if started:
            control.stop(settings.home)


def alone(settings: "Settings") -> bool:
    """Whether a command would start a cloud for itself, so that no other one could use the home."""
    return (
        settings.local and settings.endpoint_url is None and control.status(settings.home) is None
    )


def _check_region(region: str, home: Path, running: control.Running | None) -> None:
    from scones.local.protocol import regions

    regions.check(region)
    if running is not None and running.region != region:
        raise ValueError(
            f"region is {region!r}; the local cloud that runs on home {str(home)!r} stands in "
            f"{running.region}; leave --region out, or stop it with: scones down"
        )
