"""The whole journey as a person makes it: `scones run`, again, `scones up`, `scones destroy`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest

from scones.images import png
from scones.local import control

pytestmark = pytest.mark.slow

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL = SHARED / "data" / "cifar-100-python-two-classes.tar.gz"
STEPS = ["stage", "train", "deploy", "classify", "report", "total"]


@dataclass(frozen=True)
class Ran:
    """One command that is over."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Journey:
    """A home, and reports made from it."""

    home: Path
    first: Ran
    second: Ran

    def report(self, name: str) -> dict[str, Any]:
        text = (self.home.parent / name / "report.json").read_text()
        told: dict[str, Any] = json.loads(text)
        return told

    def names(self, name: str) -> set[str]:
        return {path.name for path in (self.home.parent / name).iterdir()}


def scones(*arguments: str) -> Ran:
    """`scones ...` in a process of its own, with nothing of the caller's AWS."""
    around = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SCONES_"))}
    command = [sys.executable, "-c", "from scones.cli import main; main()", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, env=around, timeout=600)
    return Ran(ran.returncode, ran.stdout, ran.stderr)


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """Two runs on one home: on real pictures where there are any, else on the sample."""
    folder = tmp_path_factory.mktemp("journey")
    data = str(REAL) if REAL.is_file() else "sample"

    def run(report: str, invocations: int, threshold: str) -> Ran:
        return scones(
            "run", "--home", str(folder / "home"), "--data", data, "--hyperparameter", "epochs=4",
            "--report-dir", str(folder / report), "--invocations", str(invocations),
            "--threshold", threshold, "--hyperparameter", "certify=0",
        )  # fmt: skip

    yield Journey(folder / "home", run("first", 60, "0.8"), run("second", 20, "0.99"))
    control.stop(folder / "home")


def test_a_run_ends_well_and_says_so_in_eighty_columns(journey: Journey) -> None:
    assert (journey.first.status, journey.second.status) == (0, 0), journey.first.err
    lines = journey.first.out.splitlines()
    texts = [line for line in lines if str(journey.home.parent) not in line]
    assert max(len(line) for line in texts) <= 80  # a path is as long as it is
    words = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert {"accuracy", "executions", "gate", "bias", "seconds", "report"} <= set(words)
    for step in STEPS[:-1]:
        assert f"{step:<9} done" in journey.first.err


def test_the_report_holds_what_it_promises(journey: Journey) -> None:
    told = journey.report("first")
    assert told["dataset"] == ("cifar100" if REAL.is_file() else "sample")
    assert told["classes"] == ["bicycle", "motorcycle"]
    assert told["threshold"] == 0.8
    accuracy = told["accuracy"]
    assert accuracy["n"] == 60
    assert 0.5 < accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    executions = told["executions"]
    assert executions["started"] == 60 == executions["succeeded"] + executions["failed"]
    assert executions["errors"] == {"ThresholdConfidenceNotMet": executions["failed"]}
    assert 0 < executions["succeeded"] < 60
    assert list(told["seconds"]) == STEPS
    assert told["seconds"]["total"] == pytest.approx(
        sum(told["seconds"][step] for step in STEPS[:-1])
    )
    assert told["captured"] == {"records": 60, "unreadable": 0, "history": 60}
    passed = told["gate"]["by_decision"]["passed"].values()
    assert sum(passed) == executions["succeeded"]
    assert sum(told["gate"]["by_truth"]["passed"].values()) == executions["succeeded"]
    balanced = told["gate"]["by_truth"]
    for name in told["classes"]:
        assert balanced["passed"][name] + balanced["refused"][name] == 30
    assert journey.names("first") == {
        "report.html", "report.json", "confidence.png", "confidence.svg", "machine-failed.png",
        "machine-failed.svg", "machine-succeeded.png", "machine-succeeded.svg", "training.png",
        "training.svg", "risk-coverage.png", "risk-coverage.svg",
    }  # fmt: skip


def test_a_second_run_adds_to_the_first(journey: Journey) -> None:
    first, second = journey.report("first"), journey.report("second")
    for name in ("bucket", "endpoint", "state_machine", "classes"):
        assert first[name] == second[name]
    assert first["training_job"] != second["training_job"]
    assert second["captured"] == {"records": 20, "unreadable": 0, "history": 80}
    assert second["executions"]["started"] == 20
    assert second["threshold"] == 0.99
    assert second["executions"]["succeeded"] <= second["executions"]["started"] / 2


def test_nothing_runs_afterwards(journey: Journey) -> None:
    assert control.status(journey.home) is None
    assert list((journey.home / "processes").iterdir()) == []


@pytest.fixture(scope="module")
def up(journey: Journey) -> Iterator[str]:
    """The same home, served again."""
    assert scones("up", "--home", str(journey.home), "--port", "0").status == 0
    running = control.status(journey.home)
    assert running is not None
    yield running.url
    control.stop(journey.home)


def client(url: str, service: str) -> Any:
    return boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id="x",
        aws_secret_access_key="x",
    )  # fmt: skip


def test_everything_is_there_when_the_home_is_served_again(journey: Journey, up: str) -> None:
    told = journey.report("first")
    classified = scones("classify", "--home", str(journey.home), "--invocations", "4")
    assert classified.status == 0, classified.err
    assert classified.out.startswith("4 executions: ")
    pages = client(up, "stepfunctions").get_paginator("list_executions")
    found = pages.paginate(stateMachineArn=told["state_machine"])
    assert sum(len(page["executions"]) for page in found) == 84
    s3 = client(up, "s3")
    key = s3.list_objects_v2(Bucket=told["bucket"], Prefix="test/", MaxKeys=1)["Contents"][0]["Key"]
    picture = s3.get_object(Bucket=told["bucket"], Key=key)["Body"].read()
    answer = client(up, "sagemaker-runtime").invoke_endpoint(
        EndpointName=told["endpoint"], ContentType="image/png", Body=picture
    )
    assert len(json.load(answer["Body"])) == 2


def execute(url: str, machine: str, bucket: str, key: str, picture: bytes) -> dict[str, Any]:
    """How the machine ends over one picture that is put there first."""
    client(url, "s3").put_object(Bucket=bucket, Key=key, Body=picture)
    machines = client(url, "stepfunctions")
    told = json.dumps({"s3_bucket": bucket, "s3_key": key})
    arn = machines.start_execution(stateMachineArn=machine, input=told)["executionArn"]
    while True:
        answer: dict[str, Any] = machines.describe_execution(executionArn=arn)
        if answer["status"] != "RUNNING":
            return answer
        time.sleep(0.1)


def test_a_picture_too_large_for_a_state_goes_all_the_way(journey: Journey, up: str) -> None:
    told = journey.report("first")
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), np.uint8)
    picture = png.encode(noise)
    assert len(picture) > 1_000_000
    answer = execute(up, told["state_machine"], told["bucket"], "visitors/large.png", picture)
    if answer["status"] == "SUCCEEDED":
        assert set(json.loads(answer["output"])) == {
            "s3_bucket", "s3_key", "inference_id", "inferences", "class", "confidence", "route",
        }  # fmt: skip
    else:
        assert answer["error"] == "ThresholdConfidenceNotMet"


def test_a_picture_that_is_no_picture_fails_as_the_model_says(journey: Journey, up: str) -> None:
    told = journey.report("first")
    answer = execute(up, told["state_machine"], told["bucket"], "visitors/x.png", b"no picture")
    assert (answer["status"], answer["error"]) == ("FAILED", "ModelError")
    assert "unable to evaluate payload provided" in answer["cause"]


def test_a_report_can_be_made_anew(journey: Journey, up: str) -> None:
    made = scones(
        "report", "--home", str(journey.home), "--report-dir", str(journey.home.parent / "third")
    )
    assert made.status == 0, made.err
    told = journey.report("third")
    assert told["captured"]["records"] >= 24
    assert list(told["seconds"]) == ["report"]


def test_everything_under_a_place_is_classified(journey: Journey, up: str) -> None:
    bucket = journey.report("first")["bucket"]
    ran = scones("classify", f"s3://{bucket}/test/", "--home", str(journey.home))
    assert ran.status == 0, ran.err
    assert "200 pictures: " in ran.out
    assert f"listed in s3://{bucket}/classified/" in ran.out
    nothing = scones("classify", f"s3://{bucket}/none/", "--home", str(journey.home))
    assert nothing.status == 2
    assert f"there is nothing under s3://{bucket}/none/" in nothing.err


def test_destroying_names_what_goes_and_leaves_nothing(journey: Journey, up: str) -> None:
    told = journey.report("first")
    ran = scones("destroy", "--home", str(journey.home))
    assert ran.status == 0, ran.err
    for words in (
        "state machine scones", "function serializeImageData", "function imageClassification",
        "function filterLowInferenceConfidence", "endpoint scones", f"bucket {told['bucket']}",
    ):  # fmt: skip
        assert f"deleted {words}" in ran.out
    assert client(up, "s3").list_buckets()["Buckets"] == []
    assert client(up, "lambda").list_functions()["Functions"] == []
    assert client(up, "sagemaker").list_endpoints()["Endpoints"] == []
    assert client(up, "sagemaker").list_models()["Models"] == []
    assert client(up, "stepfunctions").list_state_machines()["stateMachines"] == []
    again = scones("destroy", "--home", str(journey.home)).out
    assert again.startswith("Nothing to delete: nothing is tagged scones:project=scones in home")
    assert client(up, "logs").describe_log_groups()["logGroups"] == []


def test_three_classes_of_somebodys_own_pictures(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for place, name in enumerate(("red", "green", "blue")):
        for number in range(40):
            pixels = random.integers(0, 90, (24, 40, 3), np.uint8)
            pixels[:, :, place] += 150
            path = tmp_path / "doors" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png.encode(pixels))
    ran = scones(
        "run", "--data", str(tmp_path / "doors"), "--classes", "red,green,blue", "--home",
        str(tmp_path / "home"), "--report-dir", str(tmp_path / "report"), "--invocations", "9",
        "--hyperparameter", "epochs=4", "--hyperparameter", "certify=0", "--threshold", "0.34",
        "--bays", "green=back door:2",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    told = json.loads((tmp_path / "report" / "report.json").read_text())
    assert told["classes"] == ["red", "green", "blue"]
    assert told["executions"]["started"] == 9
    assert told["accuracy"]["value"] > 0.6
