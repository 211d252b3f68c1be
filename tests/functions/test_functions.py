"""The three functions, one after the other, with boto3's answers and errors as AWS shapes them."""

import base64
import io
import json
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber

from scones.functions.accept import ThresholdConfidenceNotMet, accept
from scones.functions.classify import EndpointThrottled, classify, content_type
from scones.functions.event import fits_in_a_state
from scones.functions.serialize import serialize

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(100))
CLASSES = ["bicycle", "motorcycle"]
EVENT = {"s3_bucket": "pictures", "s3_key": "test/a.png"}


def client(service: str) -> Any:
    return boto3.client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def s3_with(content: bytes) -> Any:
    s3 = client("s3")
    stub = Stubber(s3)
    answer = {
        "Body": StreamingBody(io.BytesIO(content), len(content)),
        "ContentLength": len(content),
    }
    stub.add_response("get_object", answer, {"Bucket": "pictures", "Key": "test/a.png"})
    stub.activate()
    return s3


def runtime_with(answer: bytes, **expected: Any) -> Any:
    runtime = client("sagemaker-runtime")
    stub = Stubber(runtime)
    body = {"Body": StreamingBody(io.BytesIO(answer), len(answer))}
    stub.add_response("invoke_endpoint", body, {"EndpointName": "scones", **expected})
    stub.activate()
    return runtime


def no_s3() -> Any:
    raise AssertionError("the picture lies in the event")


def test_a_key_becomes_base64_text_in_the_event() -> None:
    event = serialize({**EVENT, "inference_id": "x-1"}, s3_with(PNG))
    assert base64.b64decode(event["image_data"]) == PNG
    assert event == {**EVENT, "inference_id": "x-1", "inferences": []} | {
        "image_data": event["image_data"]
    }
    json.dumps(event)


def test_a_picture_too_large_for_a_state_travels_by_its_key() -> None:
    large = PNG + bytes(200_000)
    assert not fits_in_a_state(len(large))
    event = serialize({**EVENT, "image_data": ""}, s3_with(large))
    assert "image_data" not in event
    answer = classify(
        event,
        "scones",
        runtime_with(b"[0.9, 0.1]", ContentType="image/png", Body=large),
        lambda: s3_with(large),
    )
    assert answer["inferences"] == [0.9, 0.1]


@pytest.mark.parametrize("size_bytes", [0, 1, 184_320, 184_323])
def test_what_fits_in_a_state_leaves_room_for_the_rest(size_bytes: int) -> None:
    base64_bytes = len(base64.b64encode(bytes(size_bytes)))
    assert fits_in_a_state(size_bytes) == (base64_bytes <= 256 * 1024 - 16 * 1024)


def test_a_picture_comes_back_with_one_probability_a_class() -> None:
    event = {**EVENT, "image_data": base64.b64encode(PNG).decode(), "inference_id": "run-00001"}
    runtime = runtime_with(
        b"[0.25, 0.75]", ContentType="image/png", Body=PNG, InferenceId="run-00001"
    )
    assert classify(event, "scones", runtime, no_s3) == {**event, "inferences": [0.25, 0.75]}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "application/x-image"),
        (b"", "application/x-image"),
    ],
)
def test_the_content_type_is_told_by_the_first_bytes(start: bytes, expected: str) -> None:
    assert content_type(start + b"...") == expected


def failing_runtime(code: str, status: int) -> Any:
    runtime = client("sagemaker-runtime")
    stub = Stubber(runtime)
    stub.add_client_error("invoke_endpoint", code, "said so", status)
    stub.activate()
    return runtime


def test_a_throttled_endpoint_is_named_for_the_machines_retry() -> None:
    event = {"image_data": base64.b64encode(PNG).decode()}
    with pytest.raises(EndpointThrottled, match="said so"):
        classify(event, "scones", failing_runtime("ThrottlingException", 400), no_s3)


def test_a_picture_the_model_cannot_read_keeps_its_error() -> None:
    event = {"image_data": base64.b64encode(b"no picture").decode()}
    runtime = failing_runtime("ModelError", 424)
    with pytest.raises(runtime.exceptions.ModelError):
        classify(event, "scones", runtime, no_s3)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "s3_bucket"),
        ({"s3_bucket": "b"}, "s3_key"),
        ({"s3_bucket": "b", "s3_key": ""}, "s3_key"),
        ({"image_data": "no base64!"}, "base64"),
    ],
)
def test_an_event_that_lacks_something_says_what(event: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classify(event, "scones", None, lambda: client("s3"))


def test_a_confident_picture_gets_its_class() -> None:
    event = accept({**EVENT, "inferences": [0.05, 0.95]}, 0.8, CLASSES)
    assert (event["class"], event["confidence"]) == ("motorcycle", 0.95)


def test_equal_to_the_threshold_is_enough() -> None:
    assert accept({"inferences": [0.8, 0.2]}, 0.8, CLASSES)["class"] == "bicycle"


@pytest.mark.parametrize("inferences", [[0.79999, 0.20001], [float("nan"), 0.9], [0.5, 0.5]])
def test_an_unconfident_picture_is_refused_by_name(inferences: list[float]) -> None:
    with pytest.raises(ThresholdConfidenceNotMet):
        accept({"inferences": inferences}, 0.8, CLASSES)


def test_a_model_of_other_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="3 inferences for 2 classes"):
        accept({"inferences": [0.9, 0.05, 0.05]}, 0.8, CLASSES)
