"""The loop as a person makes it: simulate, monitor, review, retrain, and back again."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scones.local import control

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class World:
    """A home whose endpoint serves a model that hardly learnt anything."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def scones(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        """`scones ...` on this home, with nothing of the caller's AWS."""
        around = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SCONES_"))}
        command = [sys.executable, "-c", "from scones.cli import main; main()", *arguments]
        return subprocess.run(
            [*command, "--home", str(self.home)], capture_output=True, text=True, env=around,
            input=typed, timeout=600, cwd=self.folder,
        )  # fmt: skip

    def told(self) -> dict[str, Any]:
        text = (self.folder / "report" / "monitor" / "monitor.json").read_text()
        told: dict[str, Any] = json.loads(text)
        return told


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("loop"))
    up = made.scones("up", "--port", "0")
    assert up.returncode == 0, up.stderr
    ran = made.scones(
        "run", "--data", "sample", "--hyperparameter", "epochs=1", "--hyperparameter",
        "learning_rate=0.000001", "--hyperparameter", "certify=0", "--invocations", "2",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    yield made
    control.stop(made.home)


def test_the_loop(world: World) -> None:
    # Through the machine: the execution's name joins truth and record.
    sent = world.scones("simulate", "--count", "30", "--rate", "50/s")
    assert sent.returncode == 0, sent.stderr
    assert re.match(r"sent +30 requests \(.*/s\ntruth +s3://", sent.stdout, re.DOTALL)
    seen = world.scones("monitor", "--fail-on", "drift")
    assert seen.returncode == 0, seen.stdout + seen.stderr
    for words in ("dataset: sample", "gate", "bias", "confidence", "pictures", "accuracy"):
        assert words in seen.stdout
    assert max(len(line) for line in seen.stdout.splitlines() if "s3://" not in line) <= 80
    assert (world.told()["records"], world.told()["labelled"]) == (32, 32)

    # Drift is found, told once, and sets the exit status.
    night = world.scones("simulate", "--count", "250", "--drift", "dark", "--straight")
    assert night.returncode == 0, night.stderr
    seen = world.scones("monitor", "--fail-on", "suspended,drift")
    assert seen.returncode == 3, seen.stdout
    assert "changed        pictures: too few to say -> drift" in seen.stdout
    last = seen.stdout.splitlines()[-1]
    assert last == "exit 3         drift: raised, and named by --fail-on"
    assert "brightness" in seen.stdout
    assert (world.told()["records"], world.told()["labelled"]) == (282, 282)
    assert "changed" not in world.scones("monitor").stdout
    by_hand = world.scones("monitor", "--truth", "none", "--no-pictures")
    assert (by_hand.returncode, world.told()["labelled"]) == (0, 0)

    # Labels of dark pictures are learnt from; the new model is better and serves.
    listed = world.scones("review", "--list", "--count", "10").stdout.splitlines()
    assert len(listed) == 10
    labelled = world.scones("review", "--count", "10", typed="1\n" * 8 + "\n2\n")
    assert labelled.returncode == 0, labelled.stderr
    assert "9 labelled; their truth is in s3://" in labelled.stdout
    again = world.scones("retrain", "--hyperparameter", "epochs=4", "--hyperparameter", "certify=0")
    assert again.returncode == 0, again.stderr
    assert "The new one serves now" in again.stdout, again.stdout
    fresh = world.scones("monitor")
    assert fresh.returncode == 0, fresh.stderr
    assert world.told()["records"] == 0
    assert "exit 3" not in fresh.stdout
    new = world.told()["model"]

    returned = world.scones("retrain", "--back")
    assert returned.returncode == 0, returned.stderr
    assert f"serves {new}" not in returned.stdout
    assert f"{new} is set aside" in " ".join(returned.stdout.split())
    deployed = world.scones("deploy")
    assert deployed.returncode == 0, deployed.stderr
    assert f"{new} is passed over: retrain --back left it" in " ".join(deployed.stdout.split())
    assert f"serves {new}" not in deployed.stdout
    assert world.scones("monitor").returncode == 0
    old = world.told()["model"]
    assert old != new
    insisted = world.scones("deploy", "--job", new)
    assert insisted.returncode == 0, insisted.stderr
    assert f"serves {new}\n  in place of {old}\n" in insisted.stdout
    assert "passed over" not in world.scones("deploy").stdout


def test_what_cannot_be_is_refused_in_one_line(world: World) -> None:
    for arguments, said in (
        (["simulate", "--drift", "rain"], "drift is 'rain'"),
        (["simulate", "--for", "10m"], "it goes with --rate"),
        (["simulate", "--rate", "5"], "rate is '5'"),
        (["monitor", "nowhere"], "there is no folder 'nowhere'"),
        (["monitor", "--fail-on", "bias"], "--fail-on is 'bias'"),
        (["monitor", "--every", "soon"], "every is 'soon'"),
        (["monitor", "--webhook", "here"], "webhook is 'here'"),
        (["review", "--count", "0"], "count is 0"),
    ):
        ran = world.scones(*arguments)
        lines = [line for line in ran.stderr.splitlines() if line.startswith("scones: ")]
        assert (ran.returncode, len(lines)) == (2, 1), ran.stderr
        assert said in lines[0]
        assert "Traceback" not in ran.stderr
