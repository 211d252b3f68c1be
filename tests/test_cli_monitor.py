"""What `scones monitor` prints of a folder of captures, where it writes, and how it exits."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest

from scones.local import control


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
            "exit 3         drift: raised, and named by --fail-on",
        ),
        (["--fail-on", "suspended,biased"], 0, "report         out/monitor/monitor.html"),
        ([], 0, "report         out/monitor/monitor.html"),
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
    assert "Too few to say: 1 record, and even a coarse drift would show only after 33." in shown
    for wrong in ("1 records", "1 pictures", "No drift", "no drift"):
        assert wrong not in shown


def test_a_webhook_that_fails_takes_nothing_from_what_is_printed(tmp_path: Path) -> None:
    captured(tmp_path, [0.9 + i % 7 / 100 for i in range(200)] + [0.55] * 100)
    hook = ["--webhook", "http://127.0.0.1:9/"]
    told = [monitor(tmp_path, *words) for words in (hook, hook, [], [])]
    changed = "changed        confidence: drift"
    assert [(status, changed in lines) for status, lines in told] == [
        (2, True), (2, False), (0, True), (0, False),
    ]  # fmt: skip
    assert all(lines[-1].startswith("report ") for _, lines in told)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--fail-on", "bias"],
            "--fail-on is 'bias'; it should be among suspended, biased, drift, "
            "inaccurate, unbalanced",
        ),
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
    path = captured(tmp_path, [0.9, 0.8]) / "a.jsonl"
    path.write_text(path.read_text().replace("[0.8,", "[-0.8,") + "{\n")
    (tmp_path / "truth").mkdir()
    label = '{"groundTruthData": {"data": "0"}, "eventMetadata": {"eventId": "event-0"}}'
    (tmp_path / "truth" / "b.jsonl").write_text(f"{label}\n{{\n")
    _, lines = monitor(tmp_path, "--truth", "truth")
    shown = " ".join(" ".join(lines).split())
    assert "; 2 lines could not be read, the first: a.jsonl:2: no probability in the" in shown
    assert "truth 1 label; 1 line of ground truth could not be read: b.jsonl:2: no line" in shown


def refused(folder: Path, *words: str) -> str:
    """The one line of a command that ends with status 2 and writes no report."""
    command = [sys.executable, "-c", "from scones.cli import main; main()", *words]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert not (folder / "report").exists()
    (line,) = [each for each in ran.stderr.splitlines() if each.startswith("scones: ")]
    return line


def test_captures_of_other_classes_than_assumed_are_refused_in_one_line(tmp_path: Path) -> None:
    path = captured(tmp_path, [0.9, 0.8]) / "a.jsonl"
    path.write_text(path.read_text().replace("[0.", "[0.0, 0."))
    line = refused(tmp_path, "monitor", "captures", "--fail-on", "suspended,biased,drift")
    assert line.endswith("hold 3 probabilities a record; name the classes with --classes a,b,c")
    line = refused(tmp_path, "monitor", "captures", "--classes", "a,b")
    assert "captures could be read; the first: a.jsonl" in line
    assert monitor(tmp_path, "--classes", "a,b,c")[0] == 0


def test_where_no_cloud_has_run_none_is_left_behind(tmp_path: Path) -> None:
    others = [["simulate"], ["review"], ["retrain"]]
    for words in (["monitor"], ["monitor", "s3://bucket/x/"], ["monitor", "--home", "y"], *others):
        assert "where no local cloud has run; begin with `scones run`" in refused(tmp_path, *words)
    assert list(tmp_path.iterdir()) == []


def test_what_is_assumed_of_captures_is_noted(tmp_path: Path) -> None:
    captured(tmp_path, [0.9])
    shown = " ".join(" ".join(monitor(tmp_path)[1]).split())
    assert "NOTE Not given, so assumed: the class names bicycle, motorcycle (--classes" in shown
    told = json.loads((tmp_path / "out" / "monitor" / "monitor.json").read_text())
    assert told["notes"][0].startswith("Not given, so assumed: ")
    given = ["--classes", "bicycle,motorcycle", "--threshold", "0.8"]
    assert "NOTE" not in " ".join(monitor(tmp_path, *given)[1])


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_looks_go_on_after_an_alarm_and_end_with_its_status(tmp_path: Path) -> None:
    path = captured(tmp_path, [0.9 + i % 7 / 100 for i in range(200)] + [0.55] * 100)
    command = [sys.executable, "-c", "from scones.cli import main; main()", "monitor", "captures"]
    process = subprocess.Popen(
        [*command, "--every", "0.1s", "--fail-on", "drift"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    hangs = threading.Timer(60, process.kill)
    hangs.start()
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    alarm = next(line for line in lines if line.startswith("alarm "))
    assert alarm.startswith("alarm          drift: raised, and named by --fail-on. The looks go on")
    # What is drawn from now on has not drifted; the alarm counts all the same.
    (path / "a.jsonl").unlink()
    (path / "b.jsonl").write_text("")
    next(line for line in lines if line.startswith("changed ") and "confidence: drift ->" in line)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    hangs.cancel()
    assert process.returncode == 3
    assert rest.splitlines()[-1] == "exit 3         drift: raised, and named by --fail-on"
    assert "alarm " not in rest


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_looks_that_keep_the_home_to_themselves_say_so(tmp_path: Path) -> None:
    scones = [sys.executable, "-c", "from scones.cli import main; main()"]
    home = tmp_path / "home"
    up = control.start(home, arguments=["--port", "0"])
    s3 = boto3.client(
        "s3", endpoint_url=up.url, region_name="us-east-1", aws_access_key_id="a",
        aws_secret_access_key="b",
    )  # fmt: skip
    s3.create_bucket(Bucket="others")
    content = captured(tmp_path, [0.9]).joinpath("a.jsonl").read_bytes()
    s3.put_object(Bucket="others", Key="x/a.jsonl", Body=content)
    control.stop(home)
    looks = subprocess.Popen(
        [*scones, "monitor", "s3://others/x/", "--follow", "--home", str(home)],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    hangs = threading.Timer(60, looks.kill)
    hangs.start()
    assert looks.stdout is not None
    said = iter(looks.stdout.readline, "")
    assert any("no other command can use the home" in line for line in said)
    other = subprocess.run(
        [*scones, "simulate", "--home", str(home)], capture_output=True, text=True
    )
    looks.send_signal(signal.SIGINT)
    looks.communicate()
    hangs.cancel()
    assert other.returncode == 2
    assert f"end it and begin with `scones up --home {home}`" in other.stderr
