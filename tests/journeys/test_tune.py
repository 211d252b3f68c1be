"""`scones tune` as a person uses it: to its end, killed and gone on with, by Optuna and SageMaker.

The container is a small program, so that a trial takes a moment; everything else is real.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from PIL import Image

from scones.images import png
from scones.local import control

pytestmark = pytest.mark.slow

PROGRAM = Path(__file__).parent / "programs" / "judged_train.py"
SCONES = [sys.executable, "-c", "from scones.cli import main; main()"]
SEARCH = ["--search", "learning_rate=0.001:1:log", "--search", "optimizer=muon,sgd"]
PICTURES = 12
"""Of each of two classes."""


@dataclass
class Workshop:
    """A folder with pictures staged on a home whose training container is the small program."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        around = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SCONES_"))}
        return subprocess.Popen(
            [*SCONES, *arguments, "--home", str(self.home)], cwd=self.folder, env=around,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=180)
        return process.returncode, out, err

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "report" / "tune.json").read_text())
        return told

    def client(self, service: str) -> Any:
        """Of the local cloud, which `up` starts."""
        running = control.status(self.home)
        assert running is not None
        return boto3.client(
            service, endpoint_url=running.url, region_name="us-east-1", aws_access_key_id="x",
            aws_secret_access_key="x",
        )  # fmt: skip

    def jobs(self) -> list[dict[str, Any]]:
        """Every training job there was."""
        assert self.run("up", "--port", "0")[0] == 0
        sagemaker = self.client("sagemaker")
        pages = sagemaker.get_paginator("list_training_jobs").paginate()
        names = [each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]]
        return [sagemaker.describe_training_job(TrainingJobName=name) for name in names]


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    random = np.random.default_rng(0)
    for name in ("red", "blue"):
        for number in range(2 * PICTURES):
            path = tmp_path / "doors" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(random.integers(0, 255, (32, 32, 3), np.uint8)))
    made.home.mkdir()
    command = {"image-classification": {"train": [sys.executable, str(PROGRAM)]}}
    (made.home / "containers.json").write_text(json.dumps(command))
    status, _, err = made.run("stage", "--data", str(tmp_path / "doors"), "--classes", "red,blue")
    assert status == 0, err
    yield made
    control.stop(made.home)


def needs_optuna() -> None:
    if find_spec("optuna") is None:
        pytest.skip("needs Optuna, which the extra `tune` brings")


def test_a_search_ends_with_a_command_figures_and_charts(workshop: Workshop) -> None:
    needs_optuna()
    asked = ["tune", "--trials", "4", "--folds", "3", *SEARCH, "--hyperparameter", "epochs=2"]
    status, out, err = workshop.run(*asked)
    assert status == 0, err
    told = workshop.told()
    best = told["best"]
    assert [trial["number"] for trial in told["trials"]] == [1, 2, 3, 4]
    assert best["value"] == max(trial["value"] for trial in told["trials"])
    assert len(best["folds"]) == 3 and set(best["values"]) == {"learning_rate", "optimizer"}
    values = " ".join(f"--hyperparameter {k}={v}" for k, v in best["values"].items())
    assert told["command"] == f"scones train --hyperparameter epochs=2 {values}"
    lines = out.splitlines()
    assert lines[0].startswith("4 trials (4 complete): the best, number ")
    told_first = lines[: lines.index(told["command"])]
    assert max(len(line) for line in told_first) <= 80
    assert f"n = {told['n']}" in " ".join(told_first)
    with Image.open(workshop.folder / "report" / "tune.png") as picture:
        assert picture.width > 1000
    assert "<svg" in (workshop.folder / "report" / "tune.svg").read_text()
    # Once more, it has nothing left to do; asked for one more, it does one.
    assert workshop.run(*asked)[0] == 0
    assert workshop.told()["trials"] == told["trials"]
    asked[2] = "5"
    assert workshop.run(*asked)[0] == 0
    assert workshop.told()["trials"][:4] == told["trials"]
    jobs = workshop.jobs()
    assert len(jobs) == sum(len(trial["folds"]) for trial in workshop.told()["trials"])
    judged_by_folds(workshop, jobs[:3], told["n"])


def judged_by_folds(workshop: Workshop, jobs: list[dict[str, Any]], n: int) -> None:
    """The three folds of one trial judge every training picture once, and no test picture."""
    logs = workshop.client("logs")
    seen: list[str] = []
    for job in jobs:
        assert job["Environment"]["SCONES_CERTIFY"] == "0"
        (stream,) = logs.describe_log_streams(
            logGroupName="/aws/sagemaker/TrainingJobs",
            logStreamNamePrefix=job["TrainingJobName"],
        )["logStreams"]
        events = logs.get_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream["logStreamName"],
            startFromHead=True,
        )["events"]  # fmt: skip
        (line,) = [e["message"] for e in events if e["message"].startswith("pictures: ")]
        seen += json.loads(line.removeprefix("pictures: "))["judged"]
    assert len(seen) == len(set(seen)) == n


def until_trained(process: subprocess.Popen[str], workshop: Workshop, jobs: int) -> None:
    """Wait until so many training jobs have been begun."""
    give_up_at = time.monotonic() + 60
    while True:
        running = control.status(workshop.home)
        if running is not None:
            summaries = workshop.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
            if len(summaries) >= jobs:
                return
        assert process.poll() is None and time.monotonic() < give_up_at
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_search_that_is_broken_off_goes_on_and_ends_as_if_it_had_not_been(
    workshop: Workshop, number: signal.Signals
) -> None:
    needs_optuna()
    asked = ["tune", "--trials", "3", "--folds", "3", *SEARCH, "--hyperparameter", "pause_s=0.4"]
    process = workshop.start(*asked)
    until_trained(process, workshop, 5)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on" in err
    give_up_at = time.monotonic() + 20
    while control.status(workshop.home) is not None:  # it ends with the command that started it
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    status, _, err = workshop.run(*asked)
    assert status == 0, err
    resumed = workshop.told()
    jobs = workshop.jobs()
    control.stop(workshop.home)
    completed = [job for job in jobs if job["TrainingJobStatus"] == "Completed"]
    assert len(completed) == sum(len(trial["folds"]) for trial in resumed["trials"]) == 9
    assert len(jobs) <= 10  # with the one that was broken off
    # In a home of its own, the same question and no interruption. The name tells of the question.
    (workshop.home / "tune").rename(workshop.folder / "of-before")
    assert workshop.run(*asked)[0] == 0
    unbroken = workshop.told()
    assert unbroken["name"] == resumed["name"]
    assert unbroken["trials"] == resumed["trials"]


def test_bad_trials_are_pruned_and_failed_ones_told(workshop: Workshop) -> None:
    needs_optuna()
    status, out, err = workshop.run(
        "tune", "--trials", "12", "--folds", "2", "--objective", "log_loss", *SEARCH,
        "--hyperparameter", "burst_above=0.6",
    )  # fmt: skip
    assert status == 0, err
    told = workshop.told()
    states = [trial["state"] for trial in told["trials"]]
    assert len(states) == 12 and "pruned" in states
    for trial in told["trials"]:
        if trial["state"] == "pruned":
            assert len(trial["folds"]) == 1
        if trial["state"] == "failed":
            assert "the loss is nan" in trial["reason"]
            assert float(trial["values"]["learning_rate"]) > 0.6
    complete = [trial["value"] for trial in told["trials"] if trial["state"] == "complete"]
    assert told["best"]["value"] == min(complete)
    assert "log loss" in " ".join(out.split())


def test_a_search_in_which_all_fails_ends_with_the_reason(workshop: Workshop) -> None:
    needs_optuna()
    status, out, err = workshop.run(
        "tune", "--trials", "9", "--folds", "2", *SEARCH, "--hyperparameter", "burst_above=0"
    )
    assert (status, out) == (1, "")
    assert "scones: all 3 trials failed" in err and "the loss is nan" in err


def test_sagemaker_searches_by_a_tuning_job(workshop: Workshop) -> None:
    status, out, err = workshop.run(
        "tune", "--by", "sagemaker", "--trials", "6", "--folds", "3", *SEARCH
    )
    assert status == 0, err
    told = workshop.told()
    assert told["by"] == "sagemaker" and len(told["trials"]) == 6
    assert told["best"]["value"] == max(
        trial["value"] for trial in told["trials"] if trial["state"] == "complete"
    )
    assert "on one split" in " ".join(out.split()) and told["command"] in out
    assert workshop.run("up", "--port", "0")[0] == 0
    about = workshop.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=told["name"]
    )
    assert about["HyperParameterTuningJobStatus"] == "Completed"
    assert about["BestTrainingJob"]["TunedHyperParameters"] == told["best"]["values"]


def test_a_tuning_job_under_way_is_followed_not_begun_again(workshop: Workshop) -> None:
    asked = [
        "tune", "--by", "sagemaker", "--trials", "4", "--folds", "3", *SEARCH,
        "--hyperparameter", "pause_s=0.6",
    ]  # fmt: skip
    process = workshop.start(*asked)
    until_trained(process, workshop, 2)
    process.kill()
    process.communicate()
    status, _, err = workshop.run(*asked)
    assert status == 0, err
    assert len([t for t in workshop.told()["trials"] if t["state"] != "failed"]) == 4
    assert workshop.run("up", "--port", "0")[0] == 0
    listed = workshop.client("sagemaker").list_hyper_parameter_tuning_jobs()
    assert len(listed["HyperParameterTuningJobSummaries"]) == 1


def test_two_searches_do_not_go_on_with_the_same_study(workshop: Workshop) -> None:
    needs_optuna()
    assert workshop.run("up", "--port", "0")[0] == 0
    asked = ["tune", "--trials", "2", "--folds", "2", *SEARCH, "--hyperparameter", "pause_s=1.5"]
    first = workshop.start(*asked)
    until_trained(first, workshop, 1)
    status, _, err = workshop.run(*asked)
    assert status == 2 and "goes on with the same search" in err
    assert first.wait(60) == 0
    first.communicate()
