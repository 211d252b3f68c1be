"""What a person sees at a terminal of 80 columns: help, questions, errors."""

import contextlib
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pty = pytest.importorskip("pty", reason="needs a pseudo-terminal, which this system has not")

SCONES = [sys.executable, "-c", "from scones.cli import main; main()"]


def at_terminal(folder: Path, *words: str, typed: str = "") -> tuple[int, str]:
    """Exit status of `scones ...` and all that it showed, with `typed` on the keyboard."""
    ours, theirs = pty.openpty()
    around = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    options: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
    with subprocess.Popen([*SCONES, *words], cwd=folder, env=around, **options) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
            while piece := os.read(ours, 4096):
                shown += piece
    os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def test_the_version_is_told(tmp_path: Path) -> None:
    assert at_terminal(tmp_path, "--version") == (0, f"scones {version('scones')}\n")


def test_help_tells_what_is_so_without_an_option(tmp_path: Path) -> None:
    status, shown = at_terminal(tmp_path, "run", "--help")
    assert status == 0
    told = " ".join(shown.replace("│", " ").split())
    for default in (
        "[auto]", "[bicycle,motorcycle]", "[quick]", "[0.05]", "[0.95]", "[200]", "[8]", "[0]",
        "[.scones]", "[report]", "[local]", "[the certified one; 0.8 where none is]",
    ):  # fmt: skip
        assert default in told
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("command", ["up", "tune", "run"])
def test_help_has_one_way_to_tell_a_default(tmp_path: Path, command: str) -> None:
    status, shown = at_terminal(tmp_path, command, "--help")
    assert status == 0
    assert "[default:" not in shown and "--no-" not in shown


def test_an_error_is_broken_between_words(tmp_path: Path) -> None:
    words = ("run", "--data", "somewhere/else/where/no/archive/lies/cifar-100-python.tar.gz")
    status, shown = at_terminal(tmp_path, *words)
    assert status == 2
    assert len(shown.splitlines()) == 3
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.parametrize(("typed", "ended"), [("n\n", 1), ("\n", 1), ("\x04", 1), ("y\n", 0)])
def test_destroying_asks_first(tmp_path: Path, typed: str, ended: int) -> None:
    status, shown = at_terminal(tmp_path, "destroy", typed=typed)
    assert status == ended, shown
    assert "Delete all that is tagged scones:project=scones in home .scones? [y/N]" in shown
    assert ("Nothing to delete" in shown) == (ended == 0)
    assert "Traceback" not in shown


@pytest.mark.slow
def test_nobody_is_asked_who_says_yes_beforehand(tmp_path: Path) -> None:
    status, shown = at_terminal(tmp_path, "destroy", "--yes")
    assert (status, "[y/N]" in shown, "Nothing to delete" in shown) == (0, False, True)
