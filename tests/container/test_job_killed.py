"""A training job killed with no time to tidy up, and started again."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LayOut = Callable[..., Path]


def start(base: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scones.container.job"],
        env={**os.environ, "SAGEMAKER_BASE_DIR": str(base), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.slow
def test_a_killed_job_started_again_ends_with_the_same_graph_as_an_unbroken_one(
    lay_out: LayOut,
) -> None:
    base = lay_out(epochs=12, mini_batch_size=10)
    graph = base / "model" / "model.onnx"
    assert start(base).communicate()[0].count("Validation-accuracy=") == 12
    unbroken = graph.read_bytes()
    graph.unlink()
    (base / "checkpoints" / "scones.pt").unlink()

    with start(base) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if "Epoch[2] Validation-accuracy=" in line:
                child.kill()
                break
    assert child.returncode != 0
    assert not graph.exists()

    said = start(base).communicate()[0]
    assert "Going on from a checkpoint after" in said
    assert 9 <= said.count("Validation-accuracy=") <= 10
    assert graph.read_bytes() == unbroken
