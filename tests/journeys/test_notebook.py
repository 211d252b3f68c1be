"""notebooks/scones.ipynb: the whole course, run from its first cell to its last."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from scones.cli.connection import CONTAINERS

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = ROOT / "notebooks" / "scones.ipynb"
REAL = ROOT.parent / "shared" / "data" / "cifar-100-python-two-classes.tar.gz"
INVOCATIONS = 24
MAX_BYTES = 400_000
"""Chosen: what a page on a code host still opens at once."""


def cells(notebook: Path) -> list[dict[str, Any]]:
    """The code cells."""
    found: list[dict[str, Any]] = json.loads(notebook.read_text("utf-8"))["cells"]
    return [each for each in found if each["cell_type"] == "code"]


def said(cell: dict[str, Any]) -> str:
    """What a cell printed and answered, as text."""
    outputs = cell["outputs"]
    streams = ["".join(each["text"]) for each in outputs if each["output_type"] == "stream"]
    answers = ["".join(each["data"].get("text/plain", "")) for each in outputs if "data" in each]
    return "".join(streams + answers)


def num_pictures(cell: dict[str, Any]) -> int:
    return sum("image/png" in each.get("data", {}) for each in cell["outputs"])


def test_it_is_committed_with_its_outputs() -> None:
    assert NOTEBOOK.stat().st_size < MAX_BYTES
    code = cells(NOTEBOOK)
    assert [each["execution_count"] for each in code] == list(range(1, len(code) + 1))
    outputs = [output for each in code for output in each["outputs"]]
    assert {each["output_type"] for each in outputs} == {"stream", "display_data", "execute_result"}
    assert sum(num_pictures(each) for each in code) == 5
    assert "cifar100: 1000 pictures to learn from, 200 to test" in "".join(map(said, code))


def test_its_outputs_name_no_one_computer() -> None:
    everything = "".join(map(said, cells(NOTEBOOK)))
    for word in ("site-packages", "/home/", "/Users/", "/root", str(ROOT), "Traceback"):
        assert word not in everything


@pytest.mark.slow
def test_it_runs_under_scones_exec(start_cloud: Any, tmp_path: Path) -> None:
    for needed in ("sagemaker", "nbclient", "ipykernel", "awscli"):
        if find_spec(needed) is None:
            pytest.skip(f"needs {needed}, of the extras sdk, notebook and dev")
    cloud = start_cloud(containers=CONTAINERS, arguments=("--capture-window-s", "3"))
    shutil.copy(NOTEBOOK, tmp_path / "scones.ipynb")
    left_out = ("AWS_", "SAGEMAKER_", "SCONES_")
    around = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    scones = [sys.executable, "-c", "from scones.cli import main; main()"]
    jupyter = str(Path(sys.executable).with_name("jupyter"))
    ran = subprocess.run(
        [*scones, "exec", "--home", str(cloud.home), "--",
         jupyter, "execute", "--inplace", "--timeout=600", str(tmp_path / "scones.ipynb")],
        cwd=tmp_path,
        env={
            **around,
            "SCONES_DATA": str(REAL) if REAL.is_file() else "sample",
            "SCONES_HOME": str(tmp_path),
            "SCONES_HYPERPARAMETERS": "epochs=2",
            "SCONES_INVOCATIONS": str(INVOCATIONS),
        },
        capture_output=True,
        text=True,
        timeout=1500,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    code = cells(tmp_path / "scones.ipynb")
    told = "".join(map(said, code))
    assert f"{INVOCATIONS + 2} records in " in told
    assert "0 lines could not be read" in told
    assert "Completed - Training job completed" in told
    assert "Fisher's exact p = " in told
    assert num_pictures(code[-4]) == 1
    assert [each["EndpointName"] for each in endpoints(cloud)] == []


def endpoints(cloud: Any) -> list[dict[str, Any]]:
    """Those that are not on their way out."""
    listed = cloud.client("sagemaker").list_endpoints()["Endpoints"]
    return [each for each in listed if each["EndpointStatus"] != "Deleting"]
