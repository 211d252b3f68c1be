"""docs/local-cloud.md is true: its commands run, and it names every option and address."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer.main

from scones.cli import app
from scones.cli.connection import CONTAINERS
from scones.local import control

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "local-cloud.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_every_option_address_and_image_is_named() -> None:
    up = typer.main.get_command(app).commands["up"]  # type: ignore[attr-defined]
    for option in up.params:
        assert f"`{option.opts[0]}`" in PAGE
    for word in (*CONTAINERS, "/_scones/health", "/_scones/flush"):
        assert word in PAGE


@pytest.mark.slow
def test_its_commands_and_programs_run(tmp_path: Path) -> None:
    if not Path(sys.executable).with_name("aws").exists():
        pytest.skip("needs the AWS command line, which is absent")
    programs = tmp_path / "bin"
    programs.mkdir()
    # A port of our own: the page's may be taken.
    scones = f"{sys.executable} -c 'from scones.cli import main; main()'"
    (programs / "scones").write_text(
        f'#!/bin/sh\ntest "$1" = up && set -- up --port 0\nexec {scones} "$@"\n'
    )
    (programs / "scones").chmod(0o755)
    left_out = ("AWS_", "SCONES_")
    around = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), around["PATH"]])
    run: Callable[..., Any] = lambda *command: subprocess.run(  # noqa: E731
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**around, "PATH": path, "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    try:
        for block in blocks("sh"):
            done = run("sh", "-ec", block)
            assert done.returncode == 0, f"{block}\n{done.stderr}"
        running = control.status(tmp_path / ".scones")
        assert running is not None
        for block in blocks("python"):
            done = run(sys.executable, "-c", block.replace("http://127.0.0.1:4566", running.url))
            assert done.stdout == "['notes/note.txt', 'notes/second.txt']\n", done.stderr
    finally:
        control.stop(tmp_path / ".scones")
