"""A change of verdict as a message: to SNS, by moto as AWS's own model has it; to a webhook."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scones.monitor.sentences import Verdict
from scones.workflow.alarm import Change, to_topic, to_webhook

CHANGE = Change("no drift", Verdict("confidence", "drift", "They have drifted.", "drift"))


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any, str]]:
    """A topic's ARN, and a queue's client and address that its messages come to."""
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        topics, queues = boto3.client("sns"), boto3.client("sqs")
        arn = topics.create_topic(Name="drift")["TopicArn"]
        url = queues.create_queue(QueueName="inbox")["QueueUrl"]
        queue = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        topics.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])
        yield arn, queues, url


def test_a_topic_gets_the_changes(inbox: tuple[str, Any, str]) -> None:
    arn, queues, url = inbox
    clients: Any = SimpleNamespace(other=boto3.client)
    to_topic(clients, arn)("s3://bucket/captures/", [CHANGE], 0.0)
    [received] = queues.receive_message(QueueUrl=url)["Messages"]
    sent = json.loads(received["Body"])
    assert sent["Subject"] == "scones: confidence drift"
    told = json.loads(sent["Message"])
    assert told["text"] == "confidence: no drift -> drift. They have drifted."
    assert told["changes"][0]["before"] == "no drift"
    assert (told["place"], told["at"]) == ("s3://bucket/captures/", "1970-01-01T00:00:00+00:00")


def test_what_is_no_topic_is_refused() -> None:
    clients: Any = SimpleNamespace(other=boto3.client)
    with pytest.raises(ValueError, match="topic is 'drift'; it should be an SNS topic's ARN"):
        to_topic(clients, "drift")


@pytest.fixture
def answering() -> Iterator[str]:
    """A server on the loopback that knows no address."""
    with HTTPServer(("127.0.0.1", 0), Silent) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Silent(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_response(404)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def test_why_a_webhook_took_no_message_is_told_in_a_few_words(answering: str) -> None:
    for url, why in (
        ("http://127.0.0.1:9/", "Connection refused"),
        (answering, "it answered 404 Not Found"),
    ):
        said = f"webhook is {url!r}, which did not take the message: {why}"
        with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
            to_webhook(url)("captures", [CHANGE], 0.0)
