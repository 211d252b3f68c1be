"""Models, configs and endpoints through boto3, and requests to endpoints."""

import io
import json
import os
import signal
import tarfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

ARN = "arn:aws:sagemaker:us-east-1:000000000000:"


def refused(call: Callable[..., Any], **members: Any) -> tuple[str, str, int]:
    """Code, message and status of the error that a call ends in."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    answer = caught.value.response
    return (
        answer["Error"]["Code"],
        answer["Error"]["Message"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
    )


def capture(destination: str, **members: Any) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": destination,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
        **members,
    }


def gone(pid: int) -> bool:
    """Has a process ended? (One that nobody waited for is still in the table, as a zombie.)"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except FileNotFoundError:
        return True


def flush(hosted: Any) -> int:
    """Deliver what was captured, as the cloud's own page does; how many files."""
    credential = "Credential=test/20260101/us-east-1/sagemaker/aws4_request"
    request = urllib.request.Request(f"{hosted.cloud.url}/_scones/flush", method="POST")
    signature = f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"
    request.add_header("Authorization", signature)
    with urllib.request.urlopen(request) as answer:
        return int(json.loads(answer.read())["delivered"])


def test_an_endpoint_comes_into_service_and_answers(hosted: Any) -> None:
    hosted.model("Bikes")
    hosted.config("Bikes", {"Bikes": 1.0}, DataCaptureConfig=capture("s3://data/captured"))
    created = hosted.sagemaker.create_endpoint(EndpointName="Bikes", EndpointConfigName="Bikes")
    assert created["EndpointArn"] == f"{ARN}endpoint/bikes"  # AWS writes names small in ARNs
    assert hosted.sagemaker.describe_endpoint(EndpointName="Bikes")["EndpointStatus"] == "Creating"
    hosted.sagemaker.get_waiter("endpoint_in_service").wait(
        EndpointName="Bikes", WaiterConfig={"Delay": 1}
    )
    about = hosted.sagemaker.describe_endpoint(EndpointName="Bikes")
    assert about["EndpointConfigName"] == "Bikes"
    (variant,) = about["ProductionVariants"]
    assert variant["VariantName"] == "Bikes"
    assert variant["DeployedImages"][0]["SpecifiedImage"] == hosted.image
    assert (variant["CurrentWeight"], variant["CurrentInstanceCount"]) == (1.0, 1)
    assert about["DataCaptureConfig"]["CaptureStatus"] == "Started"
    assert about["CreationTime"] < about["LastModifiedTime"]
    answer = hosted.runtime.invoke_endpoint(
        EndpointName="Bikes", ContentType="image/png", Body=b"\x89PNG\x00\xff"
    )
    assert answer["ContentType"] == "application/json"
    assert answer["InvokedProductionVariant"] == "Bikes"
    assert answer["CustomAttributes"] == "from Bikes"
    assert json.loads(answer["Body"].read())["size"] == 6
    lines = hosted.until(lambda: hosted.lines("/aws/sagemaker/Endpoints/Bikes", "Bikes/i-"), bool)
    assert lines == ["Bikes serves ['weights.bin']"]


def test_a_request_reaches_the_container_whole(hosted: Any) -> None:
    hosted.endpoint("whole")
    said = hosted.ask(
        "whole",
        b"x" * 6291456,
        ContentType="application/x-image",
        Accept="application/jsonlines",
        CustomAttributes="trace=7",
        InferenceId="id-1",
    )
    assert said["size"] == 6291456
    assert said["asked"]["content-type"] == "application/x-image"
    assert said["asked"]["accept"] == "application/jsonlines"
    assert said["asked"]["x-amzn-sagemaker-custom-attributes"] == "trace=7"
    assert said["asked"]["x-amzn-sagemaker-inference-id"] == "id-1"
    code, _, status = refused(
        hosted.runtime.invoke_endpoint, EndpointName="whole", Body=b"x" * 6291457
    )
    assert (code, status) == ("413", 413)


def test_errors_of_the_container_are_model_errors(hosted: Any) -> None:
    hosted.endpoint("erring")
    with pytest.raises(hosted.runtime.exceptions.ModelError) as caught:
        hosted.ask("erring", b"answer 400 unable to evaluate payload provided")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 400
    assert answer["OriginalMessage"] == "unable to evaluate payload provided"
    assert answer["LogStreamArn"] == (
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/erring"
    )
    assert answer["Error"]["Message"] == (
        'Received client error (400) from primary with message "unable to evaluate payload '
        'provided". See https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1'
        "#logEventViewer:group=/aws/sagemaker/Endpoints/erring in account 000000000000 for more "
        "information."
    )
    code, message, _ = refused(
        hosted.runtime.invoke_endpoint, EndpointName="erring", Body=b"answer 503 no room"
    )
    assert code == "ModelError"
    assert message.startswith('Received server error (503) from primary with message "no room"')


def test_an_endpoint_that_is_not_there_is_a_validation_error(hosted: Any) -> None:
    answer = refused(hosted.runtime.invoke_endpoint, EndpointName="nobody", Body=b"x")
    message = "Endpoint nobody of account 000000000000 not found."
    assert answer == ("ValidationError", message, 400)


def test_an_endpoint_not_in_service_says_so(hosted: Any) -> None:
    hosted.model("late", START_S="1.0")
    hosted.config("late", {"late": 1.0})
    hosted.sagemaker.create_endpoint(EndpointName="late", EndpointConfigName="late")
    code, message, _ = refused(hosted.runtime.invoke_endpoint, EndpointName="late", Body=b"x")
    assert code == "ValidationError"
    assert "its status is Creating" in message
    for call, members in (
        (hosted.sagemaker.update_endpoint, {"EndpointConfigName": "late"}),
        (hosted.sagemaker.delete_endpoint, {}),
    ):
        code, message, _ = refused(call, EndpointName="late", **members)
        assert code == "ValidationException"
        assert message == f'Cannot update in-progress endpoint "{ARN}endpoint/late".'
    assert hosted.settled("late")["EndpointStatus"] == "InService"


def test_a_container_that_does_not_come_up_fails_the_endpoint(hosted: Any) -> None:
    hosted.model("broken", REFUSE="yes")
    hosted.config("broken", {"broken": 1.0})
    hosted.sagemaker.create_endpoint(EndpointName="broken", EndpointConfigName="broken")
    about = hosted.settled("broken")
    assert about["EndpointStatus"] == "Failed"
    assert "variant broken did not pass the ping health check" in about["FailureReason"]
    assert about["FailureReason"].endswith("no such model architecture")
    hosted.sagemaker.delete_endpoint(EndpointName="broken")


def test_a_model_archive_cannot_leave_its_folder(hosted: Any, tmp_path: Any) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped"))
    hosted.s3.put_object(Bucket="data", Key="hostile.tar.gz", Body=packed.getvalue())
    hosted.sagemaker.create_model(
        ModelName="hostile",
        PrimaryContainer={"Image": hosted.image, "ModelDataUrl": "s3://data/hostile.tar.gz"},
    )
    hosted.config("hostile", {"hostile": 1.0})
    hosted.sagemaker.create_endpoint(EndpointName="hostile", EndpointConfigName="hostile")
    about = hosted.settled("hostile")
    assert about["EndpointStatus"] == "Failed"
    assert "outside the destination" in about["FailureReason"]


def test_deleting_an_endpoint_takes_it_down(hosted: Any) -> None:
    hosted.endpoint("brief")
    pid = hosted.ask("brief")["pid"]
    hosted.sagemaker.delete_endpoint(EndpointName="brief")
    hosted.sagemaker.get_waiter("endpoint_deleted").wait(
        EndpointName="brief", WaiterConfig={"Delay": 1}
    )
    assert gone(pid)
    for call in (hosted.sagemaker.describe_endpoint, hosted.sagemaker.delete_endpoint):
        answer = refused(call, EndpointName="brief")
        words = f'Could not find endpoint "{ARN}endpoint/brief".'
        assert answer == ("ValidationException", words, 400)


def test_variants_share_requests_by_weight_and_can_be_asked_for(hosted: Any) -> None:
    for name in ("heavy", "light", "idle"):
        hosted.model(name)
    hosted.config("shared", {"heavy": 3.0, "light": 1.0, "idle": 0.0})
    hosted.sagemaker.create_endpoint(EndpointName="shared", EndpointConfigName="shared")
    hosted.settled("shared")
    counts = Counter(hosted.ask("shared")["who"] for _ in range(200))
    assert counts["idle"] == 0
    assert 120 < counts["heavy"] < 178  # 150 and 4.6 standard deviations
    assert hosted.ask("shared", TargetVariant="idle")["who"] == "idle"
    code, _, _ = refused(
        hosted.runtime.invoke_endpoint, EndpointName="shared", Body=b"x", TargetVariant="none"
    )
    assert code == "ValidationError"
    hosted.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="shared",
        DesiredWeightsAndCapacities=[
            {"VariantName": "heavy", "DesiredWeight": 0.0},
            {"VariantName": "light", "DesiredWeight": 0.0},
            {"VariantName": "idle", "DesiredWeight": 1.0},
        ],
    )
    assert {hosted.ask("shared")["who"] for _ in range(20)} == {"idle"}
    about = hosted.settled("shared")["ProductionVariants"]
    assert {each["VariantName"]: each["CurrentWeight"] for each in about}["idle"] == 1.0


def test_an_update_drops_no_request(hosted: Any) -> None:
    hosted.endpoint("before")
    hosted.model("after")
    hosted.config("after", {"after": 1.0})
    answers: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answers.append(hosted.ask("before", b"sleep 0.02")["who"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    hosted.sagemaker.update_endpoint(EndpointName="before", EndpointConfigName="after")
    about = hosted.settled("before")
    hosted.until(lambda: answers[-1], lambda who: who == "after")
    over.set()
    for thread in threads:
        thread.join()
    assert about["EndpointConfigName"] == "after"
    assert set(answers) == {"before", "after"}  # an error would have ended its thread
    assert len(answers) >= 20


def test_a_failed_update_leaves_the_old_variants_at_work(hosted: Any) -> None:
    hosted.endpoint("steady")
    hosted.model("worse", REFUSE="yes")
    hosted.config("worse", {"worse": 1.0})
    hosted.sagemaker.update_endpoint(EndpointName="steady", EndpointConfigName="worse")
    about = hosted.settled("steady")
    assert about["EndpointStatus"] == "InService"
    assert about["EndpointConfigName"] == "steady"
    assert "did not pass the ping health check" in about["FailureReason"]
    assert hosted.ask("steady")["who"] == "steady"


@pytest.mark.parametrize("kind", ["no archive", "torn", "leaving"])
def test_an_update_to_a_broken_archive_leaves_the_old_variants_at_work(
    hosted: Any, kind: str
) -> None:
    name = kind.replace(" ", "-")
    whole = hosted.s3.get_object(Bucket="data", Key="model.tar.gz")["Body"].read()
    leaving = io.BytesIO()
    with tarfile.open(fileobj=leaving, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../escaped"))
    broken = {"no archive": b"hello", "torn": whole[:-20], "leaving": leaving.getvalue()}[kind]
    hosted.s3.put_object(Bucket="data", Key=f"{name}.tar.gz", Body=broken)
    hosted.sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": hosted.image, "ModelDataUrl": f"s3://data/{name}.tar.gz"},
    )
    hosted.config(name, {name: 1.0})
    hosted.endpoint(f"{name}-before")
    hosted.sagemaker.update_endpoint(EndpointName=f"{name}-before", EndpointConfigName=name)
    about = hosted.settled(f"{name}-before")
    assert about["EndpointStatus"] == "InService"
    reason = f'Failed to extract model data archive from URL "s3://data/{name}.tar.gz"'
    assert about["FailureReason"].startswith(reason)
    assert hosted.ask(f"{name}-before")["who"] == f"{name}-before"
    assert len(list((hosted.cloud.home / "sagemaker/endpoints").glob("*/*/model.archive"))) == 0


def test_a_dead_child_is_started_again(hosted: Any) -> None:
    hosted.endpoint("mortal")
    first = hosted.ask("mortal")["pid"]
    code, _, status = refused(hosted.runtime.invoke_endpoint, EndpointName="mortal", Body=b"die")
    assert (code, status) in (("InternalFailure", 500), ("ServiceUnavailable", 503))

    def ask() -> Any:
        try:
            return hosted.ask("mortal")["pid"]
        except ClientError:
            return None

    second = hosted.until(ask, lambda pid: pid is not None)
    assert second != first
    os.kill(second, signal.SIGKILL)
    assert hosted.until(ask, lambda pid: pid not in (None, second)) != second
    assert hosted.settled("mortal")["EndpointStatus"] == "InService"


def test_a_container_that_hangs_up_is_an_internal_failure(hosted: Any) -> None:
    hosted.endpoint("curt")
    hosted.ask("curt")
    code, _, _ = refused(hosted.runtime.invoke_endpoint, EndpointName="curt", Body=b"hang up")
    assert code == "InternalFailure"
    assert hosted.ask("curt")["who"] == "curt"


def test_what_an_endpoint_says_is_captured(hosted: Any) -> None:
    hosted.model("told")
    hosted.config("told", {"told": 1.0}, DataCaptureConfig=capture("s3://data/kept/here"))
    hosted.sagemaker.create_endpoint(EndpointName="told", EndpointConfigName="told")
    hosted.settled("told")
    before = time.gmtime()
    answer = hosted.runtime.invoke_endpoint(
        EndpointName="told", ContentType="image/png", Body=b"\x89PNG", InferenceId="seven"
    )
    text = answer["Body"].read().decode()
    refused(hosted.runtime.invoke_endpoint, EndpointName="told", Body=b"answer 400 bad")
    hosted.ask("told")
    assert flush(hosted) >= 1
    (entry,) = hosted.s3.list_objects_v2(Bucket="data", Prefix="kept/")["Contents"]
    assert entry["Key"].startswith(time.strftime("kept/here/told/told/%Y/%m/%d/%H/", before))
    body = hosted.s3.get_object(Bucket="data", Key=entry["Key"])["Body"].read()
    records = [json.loads(each) for each in body.splitlines()]
    assert len(records) == 2  # an error is no inference
    assert records[0]["captureData"] == {
        "endpointInput": {
            "observedContentType": "image/png", "mode": "INPUT",
            "data": "iVBORw==", "encoding": "BASE64",
        },
        "endpointOutput": {
            "observedContentType": "application/json", "mode": "OUTPUT",
            "data": text, "encoding": "JSON",
        },
    }  # fmt: skip
    assert records[0]["eventMetadata"]["inferenceId"] == "seven"
    assert flush(hosted) == 0


def test_models_and_configs_are_described_listed_and_deleted(hosted: Any) -> None:
    hosted.model("kept")
    hosted.config("kept", {"kept": 1.0}, Tags=[{"Key": "team", "Value": "bakery"}])
    model = hosted.sagemaker.describe_model(ModelName="kept")
    assert model["PrimaryContainer"]["ModelDataUrl"] == "s3://data/model.tar.gz"
    assert model["ModelArn"] == f"{ARN}model/kept"
    config = hosted.sagemaker.describe_endpoint_config(EndpointConfigName="kept")
    assert config["ProductionVariants"][0]["InstanceType"] == "ml.m5.xlarge"
    listed = hosted.sagemaker.list_models(NameContains="kept")["Models"]
    assert [each["ModelName"] for each in listed] == ["kept"]
    listed = hosted.sagemaker.list_endpoint_configs(NameContains="kept")["EndpointConfigs"]
    assert [each["EndpointConfigArn"] for each in listed] == [f"{ARN}endpoint-config/kept"]
    hosted.sagemaker.delete_endpoint_config(EndpointConfigName="kept")
    hosted.sagemaker.delete_model(ModelName="kept")
    assert refused(hosted.sagemaker.describe_model, ModelName="kept")[:2] == (
        "ValidationException", f'Could not find model "{ARN}model/kept".',
    )  # fmt: skip
    answer = refused(hosted.sagemaker.delete_endpoint_config, EndpointConfigName="kept")
    words = f'Could not find endpoint configuration "{ARN}endpoint-config/kept".'
    assert answer[:2] == ("ValidationException", words)


def test_what_cannot_be_served_is_refused_at_creation(hosted: Any) -> None:
    hosted.model("served")
    hosted.config("served", {"served": 1.0})
    container = {"Image": hosted.image, "ModelDataUrl": "s3://data/model.tar.gz"}
    model, config = hosted.sagemaker.create_model, hosted.sagemaker.create_endpoint_config
    variant = {"VariantName": "a", "ModelName": "served", "InitialInstanceCount": 1,
               "InstanceType": "ml.m5.large"}  # fmt: skip
    cases: list[tuple[Any, dict[str, Any], str, str]] = [
        (model, {"ModelName": "served", "PrimaryContainer": container},
         "ValidationException", "Cannot create already existing model"),
        (model, {"ModelName": "x", "PrimaryContainer": {**container, "Image": "what:1"}},
         "ValidationException", "Known images: image-classification. To register one"),
        (model, {"ModelName": "x", "PrimaryContainer":
                 {**container, "ModelDataUrl": "s3://data/none.tar.gz"}},
         "ValidationException", "Could not find model data at s3://data/none.tar.gz"),
        (model, {"ModelName": "x", "Containers": [container, container]},
         "NotImplemented", "2 containers"),
        (model, {"ModelName": "x", "PrimaryContainer": {**container, "Mode": "MultiModel"}},
         "NotImplemented", "MultiModel"),
        (config, {"EndpointConfigName": "x", "ProductionVariants":
                  [{**variant, "ModelName": "none"}]},
         "ValidationException", f'Could not find model "{ARN}model/none".'),
        (config, {"EndpointConfigName": "x", "ProductionVariants": [variant, variant]},
         "ValidationException", "Duplicate variant names"),
        (config, {"EndpointConfigName": "served", "ProductionVariants": [variant]},
         "ValidationException", "Cannot create already existing endpoint configuration"),
        (config, {"EndpointConfigName": "x", "ProductionVariants": [variant],
                  "DataCaptureConfig": capture("https://a/b")},
         "ValidationException", "DestinationS3Uri"),
        (hosted.sagemaker.create_endpoint, {"EndpointName": "x", "EndpointConfigName": "none"},
         "ValidationException", "Could not find endpoint configuration"),
    ]  # fmt: skip
    for call, members, expected_code, words in cases:
        code, message, _ = refused(call, **members)
        assert (code, words in message) == (expected_code, True), message


def test_tags_are_kept_with_what_they_are_on(hosted: Any) -> None:
    hosted.model("tagged")
    arn = f"{ARN}model/tagged"
    elsewhere = arn.replace("000000000000", "123456789012")
    hosted.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}])
    added = hosted.sagemaker.add_tags(ResourceArn=elsewhere, Tags=[{"Key": "b", "Value": "2"}])
    assert added["Tags"] == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    hosted.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert hosted.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    hosted.sagemaker.delete_model(ModelName="tagged")
    code, _, _ = refused(hosted.sagemaker.list_tags, ResourceArn=arn)
    assert code == "ValidationException"


def test_there_are_no_monitoring_schedules(hosted: Any) -> None:
    answer = hosted.sagemaker.list_monitoring_schedules(EndpointName="any", MaxResults=100)
    assert answer["MonitoringScheduleSummaries"] == []


@pytest.mark.slow
def test_after_a_kill_endpoints_come_back_and_captures_are_delivered(make_hosted: Any) -> None:
    before = make_hosted()
    before.model("phoenix")
    before.config("phoenix", {"phoenix": 1.0}, DataCaptureConfig=capture("s3://data/captured"))
    before.sagemaker.create_endpoint(EndpointName="phoenix", EndpointConfigName="phoenix")
    before.settled("phoenix")
    pid = before.ask("phoenix")["pid"]
    before.sagemaker.delete_endpoint_config(EndpointConfigName="phoenix")
    before.sagemaker.delete_model(ModelName="phoenix")
    before.s3.delete_object(Bucket="data", Key="model.tar.gz")  # an endpoint needs none of them
    before.cloud.kill()
    after = make_hosted(before.cloud.home)
    assert after.ask("phoenix")["who"] == "phoenix"  # the first request waits for the child
    assert after.settled("phoenix")["EndpointStatus"] == "InService"
    assert gone(pid)
    found = after.until(
        lambda: after.s3.list_objects_v2(Bucket="data", Prefix="captured/").get("Contents"), bool
    )
    assert len(found) == 1
    assert after.cloud.stop() == 0
    final = make_hosted(before.cloud.home)
    found = final.s3.list_objects_v2(Bucket="data", Prefix="captured/")["Contents"]
    assert len(found) == 2  # the second record was flushed when the cloud stopped


@pytest.mark.slow
def test_an_update_that_a_kill_cut_short_is_finished(make_hosted: Any) -> None:
    before = make_hosted()
    before.endpoint("old")
    before.model("new", START_S="0.5")
    before.config("new", {"new": 1.0})
    before.sagemaker.update_endpoint(EndpointName="old", EndpointConfigName="new")
    before.cloud.kill()
    after = make_hosted(before.cloud.home)
    assert after.ask("old")["who"] == "new"  # the first request waits for the child
    assert after.settled("old")["EndpointConfigName"] == "new"
