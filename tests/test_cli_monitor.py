"""What `scones monitor` prints of a folder of captures, where it writes, and how it exits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def captured(folder: Path, firsts: list[float]) -> Path:
    """A folder of captures, a minute apart, with these probabilities of the first class."""
    lines = [
        json.dumps(
            {
                "captureData": {
                    "endpointOutput": {"encoding": "JSON", "data": json.dumps([p, 1 - p])}
                },
                "eventMetadata": {
                    "eventId": f"event-{place}",
                    "inferenceTime": f"2026-11-20T{place // 60:02}:{place % 60:02}:00Z",
                },
            }
        )
        for place, p in enumerate(firsts)
    ]
    (folder / "captures").mkdir()
    (folder / "captures" / "a.jsonl").write_text("\n".join([*lines, ""]))
    return folder / "captures"


def monitor(folder: Path, *words: str) -> tuple[int, list[str]]:
    """Exit status and lines of standard output; the report goes to `out`."""
    command = [sys.executable, "-c", "from scones.cli import main; main()", "monitor", "captures"]
    ran = subprocess.run(
        [*command, "--report-dir", "out", *words], cwd=folder, capture_output=True, text=True
    )
    assert "Traceback" not in ran.stderr
    return ran.returncode, ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "status", "last"),
    [
        (
            ["--fail-on", "suspended,drift"],
            3,
            "exit 3        drift: raised, and named by --fail-on",
        ),
        (["--fail-on", "suspended,biased"], 0, "report        out/monitor/monitor.html"),
        ([], 0, "report        out/monitor/monitor.html"),
    ],
)
def test_the_last_line_names_the_alarm_that_set_the_exit_status(
    tmp_path: Path, words: list[str], status: int, last: str
) -> None:
    captured(tmp_path, [0.9 + i % 7 / 100 for i in range(200)] + [0.55] * 100)
    returned, lines = monitor(tmp_path, *words)
    assert (returned, Path(lines[-1]).as_posix()) == (status, last)
    assert (tmp_path / "out" / "monitor" / "monitor.html").exists()


def test_one_record_is_told_as_one_and_called_neither_well_nor_ill(tmp_path: Path) -> None:
    captured(tmp_path, [0.9])
    status, lines = monitor(tmp_path, "--fail-on", "drift")
    shown = " ".join(" ".join(lines).split())
    assert status == 0
    assert "read 1 record at" in shown
    assert "Too few to say: 1 record, and even a coarse drift would show only after 30." in shown
    for wrong in ("1 records", "1 pictures", "No drift", "no drift"):
        assert wrong not in shown


def test_a_webhook_that_fails_takes_nothing_from_what_is_printed(tmp_path: Path) -> None:
    captured(tmp_path, [0.9 + i % 7 / 100 for i in range(200)] + [0.55] * 100)
    hook = ["--webhook", "http://127.0.0.1:9/"]
    told = [monitor(tmp_path, *words) for words in (hook, hook, [], [])]
    changed = "changed       confidence: drift"
    assert [(status, changed in lines) for status, lines in told] == [
        (2, True), (2, False), (0, True), (0, False),
    ]  # fmt: skip
    assert all(lines[-1].startswith("report ") for _, lines in told)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fail-on", "bias"], "--fail-on is 'bias'; it should be among suspended, biased, drift"),
        (["--every", "often"], "every is 'often'; it should be a time such as 30s"),
        (["--webhook", "ftp://x"], "webhook is 'ftp://x'; it should begin with http"),
        (["--report-dir", "/dev/null/x"], "cannot be written; choose another with --report-dir"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_typed(
    tmp_path: Path, words: list[str], said: str
) -> None:
    captured(tmp_path, [0.9])
    command = [sys.executable, "-c", "from scones.cli import main; main()", "monitor", "captures"]
    ran = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert said in line


@pytest.mark.parametrize("command", ["simulate", "monitor", "review", "retrain"])
def test_the_help_tells_what_is_so_without_an_option_in_one_way(command: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", "from scones.cli import main; main()", command, "--help"],
        capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}, check=True,
    )  # fmt: skip
    assert "[default" not in ran.stdout
    assert "[0.5]" in ran.stdout or command != "simulate"
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_why_lines_cannot_be_read_is_told(tmp_path: Path) -> None:
    captured(tmp_path, [0.9, 0.8])
    _, lines = monitor(tmp_path, "--classes", "a,b,c")
    shown = " ".join(" ".join(lines).split())
    assert "2 lines could not be read, the first: a.jsonl:1: 2 probabilities for 3 classes" in shown
