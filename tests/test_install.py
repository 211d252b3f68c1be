"""What the installer says before it downloads."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def install() -> Any:
    specification = importlib.util.spec_from_file_location("install", ROOT / "install.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


SIZES = {
    "torch": 900_000_000, "nvidia-cudnn-cu13": 400_000_000, "triton": 150_000_000, "rich": 300_000,
    "numpy": None,
}  # fmt: skip


def test_a_download_is_told_with_its_largest_packages(install: Any) -> None:
    assert install.download(SIZES) == (
        "5 packages to fetch, 1450 MB in all and 1 of unknown size: torch 900 MB, "
        "nvidia-cudnn-cu13 400 MB, triton 150 MB, rich 0 MB"
    )


def test_what_only_a_gpu_needs_is_told_with_how_to_do_without(install: Any) -> None:
    told = install.needless(SIZES)
    assert told.startswith("2 of these, 550 MB, are CUDA libraries: PyTorch's ordinary package")
    assert f"the CPU build of {install.pinned('torch')} into .venv" in told
    assert install.needless({"torch": 200_000_000, "rich": 1}) == ""


def test_lines_fit_a_terminal(install: Any, capsys: pytest.CaptureFixture[str]) -> None:
    install.say(install.needless(SIZES))
    install.say("")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("scones: 2 of these")
    assert all(line.startswith(" " * 8) for line in lines[1:])
    assert max(map(len, lines)) <= 80
