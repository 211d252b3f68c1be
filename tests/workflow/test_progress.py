"""How a long step tells what it is doing."""

import io

import pytest
from rich.console import Console

from scones.workflow.progress import Bars, Lines, silent


def test_lines_tell_start_quarters_and_end() -> None:
    stream = io.StringIO()
    with Lines(stream)("train") as step:
        step.total(8)
        for epoch in range(8):
            step.say(f"epoch {epoch}")
            step.advance()
    assert stream.getvalue().splitlines() == [
        "train     started",
        "train     2/8 epoch 1",
        "train     4/8 epoch 3",
        "train     6/8 epoch 5",
        "train     8/8 epoch 7",
        "train     done",
    ]


def test_a_step_that_fails_is_never_called_done() -> None:
    stream = io.StringIO()
    with pytest.raises(OSError, match="broken"), Lines(stream)("train"):
        raise OSError("broken")
    assert stream.getvalue().splitlines() == ["train     started", "train     failed"]


def test_bars_fit_eighty_columns_and_end_full() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system=None)
    with Bars(console)("classify") as step:
        step.total(3)
        step.say("x" * 200)
        step.advance()
        step.advance(2)
    with Bars(console)("deploy"):
        pass
    last = stream.getvalue().split("\n")
    assert any("3/3" in line for line in last)
    assert any("1/1" in line for line in last)


def test_a_full_bar_is_green_and_says_no_more_what_is_being_done() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, force_terminal=True, color_system="standard")
    with Bars(console)("report") as step:
        step.total(2)
        step.say("pictures and page")
        step.advance(2)
    last = stream.getvalue().split("report")[-1]
    green = "\x1b[32m"
    assert f"{green}{18 * '━'}" in last
    assert "pictures and page" not in last


def test_silence_is_a_step_too() -> None:
    with silent("stage") as step:
        step.total(1)
        step.say("nothing")
        step.advance()
