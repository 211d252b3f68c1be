"""Training jobs through boto3: what goes in, what comes out, and what is said meanwhile."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

LOGS = "/aws/sagemaker/TrainingJobs"


def heard(lines: list[str], word: str) -> Any:
    """What the container printed after `word`, as JSON."""
    (line,) = [each for each in lines if each.startswith(f"{word}: ")]
    return json.loads(line.removeprefix(f"{word}: "))


def refused(call: Callable[..., Any], *arguments: Any, **members: Any) -> tuple[str, str, int]:
    """Code, message and status of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **members)
    answer = caught.value.response
    return (
        answer["Error"]["Code"],
        answer["Error"]["Message"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_a_job_trains_and_leaves_its_model(hosted: Any) -> None:
    arn = hosted.job("whole", HyperParameters={"epochs": "2", "output": "a note"})
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:training-job/whole"
    hosted.sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="whole", WaiterConfig={"Delay": 1}
    )
    job = hosted.ended("whole")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Completed"
    assert job["ModelArtifacts"] == {
        "S3ModelArtifacts": "s3://data/models/whole/output/model.tar.gz"
    }
    model = hosted.archive("models/whole/output/model.tar.gz")
    assert model == {"weights.bin": b"weights", "deep/shape.json": b"{}"}
    assert hosted.archive("models/whole/output/output.tar.gz") == {"notes.txt": b"a note"}
    said = [each["StatusMessage"] for each in job["SecondaryStatusTransitions"]]
    assert said == [
        "Preparing the instances for training",
        "Downloading input data",
        "Training image download completed. Training in progress.",
        "Uploading generated training model",
        "Training job completed",
    ]
    assert all("EndTime" in each for each in job["SecondaryStatusTransitions"])
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["TrainingTimeInSeconds"] == job["BillableTimeInSeconds"] >= 1
    metrics = {each["MetricName"]: each["Value"] for each in job["FinalMetricDataList"]}
    assert metrics == pytest.approx({"train:accuracy": 0.608871, "validation:accuracy": 0.75})


def test_channels_lie_where_a_container_looks_for_them(hosted: Any) -> None:
    channels = [
        hosted.channel("train", "s3://data/train", ContentType="application/x-image"),
        hosted.channel("train_lst", "s3://data/train.lst"),
        hosted.channel("lists", "s3://data/lists/"),
    ]
    hosted.job("channels", InputDataConfig=channels)
    assert hosted.ended("channels")["TrainingJobStatus"] == "Completed"
    lines = hosted.lines(LOGS, "channels/")
    assert heard(lines, "files") == [
        "lists/test.lst",
        "train/a.png",
        "train/c.png",
        "train/more/b.png",
        "train/train.lst",  # S3Prefix is a prefix of keys, not a folder
        "train_lst/train.lst",
    ]
    config = heard(lines, "inputdataconfig")
    assert config["train"] == {
        "ContentType": "application/x-image",
        "RecordWrapperType": "None",
        "S3DistributionType": "FullyReplicated",
        "TrainingInputMode": "File",
    }
    assert heard(lines, "resourceconfig")["hosts"] == ["algo-1"]


def test_a_job_s_environment_is_its_own_and_points_at_the_cloud(hosted: Any) -> None:
    names = "AWS_ENDPOINT_URL TRAINING_JOB_NAME TRAINING_JOB_ARN COLOUR"
    hosted.job(
        "around",
        HyperParameters={"show": names},
        Environment={"COLOUR": "red", "identity": "x", "TRAINING_JOB_NAME": "mine"},
    )
    hosted.ended("around")
    shown = heard(hosted.lines(LOGS, "around/"), "environment")
    assert shown == {
        "AWS_ENDPOINT_URL": hosted.cloud.url,
        "TRAINING_JOB_NAME": "around",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:000000000000:training-job/around",
        "COLOUR": "red",
    }


def test_the_same_model_gives_the_same_bytes(hosted: Any) -> None:
    etags = []
    for name in ("twin-1", "twin-2"):
        hosted.job(name)
        hosted.ended(name)
        key = f"models/{name}/output/model.tar.gz"
        etags.append(hosted.s3.head_object(Bucket="data", Key=key)["ETag"])
    assert etags[0] == etags[1]


def test_given_metric_definitions_are_read_from_the_log(hosted: Any) -> None:
    specification = {
        "TrainingImage": hosted.image,
        "TrainingInputMode": "File",
        "MetricDefinitions": [
            {"Name": "loss", "Regex": "loss: ([-0-9.e]+)"},
            {"Name": "never", "Regex": "never: ([0-9]+)"},
        ],
    }
    hosted.job("metrics", AlgorithmSpecification=specification)
    metrics = hosted.ended("metrics")["FinalMetricDataList"]
    assert [(each["MetricName"], each["Value"]) for each in metrics] == [("loss", -0.0015)]


def test_a_failed_job_quotes_its_failure_file(hosted: Any) -> None:
    hosted.job("failing", HyperParameters={"failure": "epochs must be a number " + "x" * 2000,
                                           "exit": "3"})  # fmt: skip
    job = hosted.ended("failing")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: epochs must be a number xxx")
    assert job["FailureReason"].endswith("x, exit code: 3")
    assert len(job["FailureReason"]) == 1024


def test_a_failed_job_without_a_failure_file_quotes_its_last_words(hosted: Any) -> None:
    hosted.job("raising", HyperParameters={"raise": "the loss is not a number"})
    reason = hosted.ended("raising")["FailureReason"]
    assert reason.startswith("AlgorithmError: ")
    assert reason.endswith("RuntimeError: the loss is not a number, exit code: 1")


def test_a_job_ended_by_a_signal_has_a_container_s_exit_code(hosted: Any) -> None:
    hosted.job("killed", HyperParameters={"signal": "9"})
    assert hosted.ended("killed")["FailureReason"].endswith(", exit code: 137")


def test_what_is_no_file_stays_out_of_the_model(hosted: Any) -> None:
    hosted.job("piping", HyperParameters={"pipe": "yes"})
    job = hosted.ended("piping")
    assert job["TrainingJobStatus"] == "Completed"
    model = hosted.archive("models/piping/output/model.tar.gz")
    assert sorted(model) == ["deep/shape.json", "weights.bin"]


@pytest.mark.parametrize("manner", ["leave", "ignore"])
def test_a_stopped_job_keeps_what_it_has(make_short: Any, manner: str) -> None:
    hosted, name = make_short, f"stopped-{manner}"
    hosted.job(name, HyperParameters={"sleep_s": "60", "on_sigterm": manner})
    hosted.training(name)
    hosted.sagemaker.stop_training_job(TrainingJobName=name)
    stopping = hosted.sagemaker.describe_training_job(TrainingJobName=name)
    assert stopping["TrainingJobStatus"] in ("Stopping", "Stopped")
    job = hosted.ended(name)
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    key = f"models/{name}/output/model.tar.gz"
    if manner == "leave":
        assert hosted.archive(key) == {"half": b"half a model"}
        assert "asked to leave" in hosted.lines(LOGS, f"{name}/")
    else:
        assert hosted.s3.list_objects_v2(Bucket="data", Prefix=key)["KeyCount"] == 0
    code, message, _ = refused(hosted.sagemaker.stop_training_job, TrainingJobName=name)
    assert code == "ValidationException"
    assert "is in status Stopped" in message


def test_a_job_ends_at_its_maximum_runtime(make_short: Any) -> None:
    make_short.job(
        "slow", HyperParameters={"sleep_s": "60"}, StoppingCondition={"MaxRuntimeInSeconds": 1}
    )
    job = make_short.ended("slow")
    assert job["TrainingJobStatus"] == "Stopped"
    assert job["SecondaryStatus"] == "MaxRuntimeExceeded"


@pytest.fixture(scope="module")
def make_short(make_hosted: Any) -> Any:
    """A cloud that gives a stopped job one second instead of 120."""
    return make_hosted(arguments=("--stop-grace-s", "1"))


def test_checkpoints_go_to_s3_and_come_back(hosted: Any) -> None:
    checkpoints = {"S3Uri": "s3://data/checkpoints/run-1"}
    hosted.job("first-part", CheckpointConfig=checkpoints)
    hosted.ended("first-part")
    assert heard(hosted.lines(LOGS, "first-part/"), "checkpoints") == []
    found = hosted.s3.list_objects_v2(Bucket="data", Prefix="checkpoints/")["Contents"]
    assert [each["Key"] for each in found] == ["checkpoints/run-1/step"]
    hosted.job("second-part", CheckpointConfig=checkpoints)
    hosted.ended("second-part")
    assert heard(hosted.lines(LOGS, "second-part/"), "checkpoints") == ["step"]


def test_jobs_are_listed_by_what_is_asked(hosted: Any) -> None:
    for number in range(3):
        hosted.job(f"listed-{number}")
    for number in range(3):
        hosted.ended(f"listed-{number}")
    hosted.job("listed-bad", HyperParameters={"exit": "1"})
    hosted.ended("listed-bad")

    def names(**asked: Any) -> list[str]:
        pages = hosted.sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains="listed", PaginationConfig={"PageSize": 2}, **asked
        )
        return [e["TrainingJobName"] for page in pages for e in page["TrainingJobSummaries"]]

    assert names() == ["listed-0", "listed-1", "listed-2", "listed-bad"]
    assert names(SortBy="Name", SortOrder="Descending")[0] == "listed-bad"
    assert names(StatusEquals="Failed") == ["listed-bad"]
    first = hosted.sagemaker.describe_training_job(TrainingJobName="listed-0")["CreationTime"]
    assert names(CreationTimeAfter=first)[0] == "listed-1"


def test_what_cannot_be_trained_is_refused_at_creation(hosted: Any) -> None:
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"AlgorithmSpecification": {"TrainingImage": "xgboost:1", "TrainingInputMode": "File"}},
         "ValidationException", "xgboost:1. Known images: image-classification"),
        ({"AlgorithmSpecification": {"TrainingImage": "xgboost:1", "TrainingInputMode": "File"}},
         "ValidationException", '. To register one, write {"xgboost": {"train": ["python", '),
        ({"AlgorithmSpecification": {"TrainingImage": hosted.image, "TrainingInputMode": "Pipe"}},
         "NotImplemented", "TrainingInputMode Pipe"),
        ({"InputDataConfig": [hosted.channel("train", "s3://data/nothing/")]},
         "ValidationException", 'No S3 objects found under S3 URL "s3://data/nothing/"'),
        ({"InputDataConfig": [hosted.channel("train", "s3://no-such-bucket/a")]},
         "ValidationException", "No S3 objects found"),
        ({"InputDataConfig": [hosted.channel("t", "s3://data/t", RecordWrapperType="RecordIO")]},
         "NotImplemented", "RecordWrapperType RecordIO"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2,
                             "VolumeSizeInGB": 1}},
         "ResourceLimitExceeded", "request delta of 2 Instances"),
        ({"OutputDataConfig": {"S3OutputPath": "https://example.com/x"}},
         "ValidationException", "is no place in S3"),
        ({"TrainingJobName": "under_score"},
         "ValidationException", "failed to satisfy constraint"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
         "NotImplemented", "VpcConfig"),
        ({"EnableNetworkIsolation": True}, "NotImplemented", "EnableNetworkIsolation"),
        ({"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}},
         "NotImplemented", "AlgorithmName"),
        ({"AlgorithmSpecification": {
            "TrainingImage": hosted.image, "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(["}]}},
         "ValidationException", "Invalid Regex of metric loss"),
    ]  # fmt: skip
    for members, expected_code, words in cases:
        code, message, status = refused(hosted.job, **{"name": "refused", **_named(members)})
        assert (code, words in message) == (expected_code, True), message
        assert status == (501 if code == "NotImplemented" else 400)
    listed = hosted.sagemaker.list_training_jobs(NameContains="refused")
    assert listed["TrainingJobSummaries"] == []


def _named(members: dict[str, Any]) -> dict[str, Any]:
    name = members.pop("TrainingJobName", None)
    return members if name is None else {"name": name, **members}


def test_a_name_is_used_once(hosted: Any) -> None:
    hosted.job("unique")
    code, message, _ = refused(hosted.job, "unique")
    assert code == "ResourceInUse"
    assert re.search("must be unique .* already exists", message)
    hosted.ended("unique")


def test_an_unknown_job_is_not_found(hosted: Any) -> None:
    for call in (hosted.sagemaker.describe_training_job, hosted.sagemaker.stop_training_job):
        code, message, _ = refused(call, TrainingJobName="nobody")
        assert (code, message) == ("ValidationException", "Requested resource not found.")


def test_a_key_cannot_lead_out_of_its_channel(hosted: Any) -> None:
    hosted.s3.put_object(Bucket="data", Key="evil/../../../../etc/owned", Body=b"x")
    hosted.job("evil", InputDataConfig=[hosted.channel("train", "s3://data/evil/")])
    job = hosted.ended("evil")
    assert job["TrainingJobStatus"] == "Failed"
    assert "leads out of its folder" in job["FailureReason"]


def test_an_image_is_registered_by_a_file_in_the_home_folder(hosted: Any) -> None:
    echo = ["sh", "-c", "echo trained by a shell > $SAGEMAKER_BASE_DIR/model/m"]
    (hosted.cloud.home / "containers.json").write_text(json.dumps({"my/shell": {"train": echo}}))
    image = "localhost:5000/my/shell:latest"
    specification = {"TrainingImage": image, "TrainingInputMode": "File"}
    hosted.job("shell", AlgorithmSpecification=specification)
    assert hosted.ended("shell")["TrainingJobStatus"] == "Completed"
    assert hosted.archive("models/shell/output/model.tar.gz") == {"m": b"trained by a shell\n"}


@pytest.mark.slow
def test_a_killed_cloud_s_jobs_are_failed_with_a_reason(make_hosted: Any) -> None:
    before = make_hosted()
    before.job(
        "orphan",
        HyperParameters={"sleep_s": "60"},
        CheckpointConfig={"S3Uri": "s3://data/saved"},
    )
    before.training("orphan")
    before.job("done")
    before.ended("done")
    before.cloud.kill()
    after = make_hosted(before.cloud.home)
    job = after.sagemaker.describe_training_job(TrainingJobName="orphan")
    assert job["TrainingJobStatus"] == "Failed"
    assert "the local cloud was stopped while the training job was running" in job["FailureReason"]
    assert after.s3.head_object(Bucket="data", Key="saved/step")["ContentLength"] == 1
    done = after.sagemaker.describe_training_job(TrainingJobName="done")
    assert done["TrainingJobStatus"] == "Completed"
    assert not (after.cloud.home / "sagemaker" / "jobs").exists()
    assert after.cloud.stop() == 0


def test_a_third_job_waits_for_room_and_can_be_stopped_meanwhile(make_short: Any) -> None:
    for number in range(3):
        make_short.job(f"crowd-{number}", HyperParameters={"sleep_s": "60"})
    about = make_short.until(
        lambda: make_short.sagemaker.describe_training_job(TrainingJobName="crowd-2"),
        lambda job: job["SecondaryStatus"] == "Pending",
    )
    waiting = about["SecondaryStatusTransitions"][-1]["StatusMessage"]
    assert waiting == "Training job waiting for capacity"
    make_short.sagemaker.stop_training_job(TrainingJobName="crowd-2")
    assert make_short.ended("crowd-2")["TrainingJobStatus"] == "Stopped"
    for name in ("crowd-0", "crowd-1"):
        make_short.sagemaker.stop_training_job(TrainingJobName=name)
        make_short.ended(name)
