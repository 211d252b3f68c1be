"""Invocations through a genuine client: answers, errors, logs, and a /tmp for each worker."""

import base64
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return event\n"

Client = Callable[..., Any]
Create = Callable[..., str]


@pytest.fixture(scope="module")
def aws(client: Client) -> Any:
    return client("lambda")


def wait_for(what: Callable[[], Any], within_s: float = 10.0) -> Any:
    """What it answers once that is true."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s")


def test_an_answer_has_what_aws_tells(aws: Any, create: Create) -> None:
    name = create("answering", "def handler(event, context):\n    return context.aws_request_id\n")
    answer = aws.invoke(FunctionName=name)
    metadata = answer["ResponseMetadata"]
    assert json.load(answer["Payload"]) == metadata["RequestId"]
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert metadata["HTTPHeaders"]["content-type"] == "application/json"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer


def test_no_payload_is_an_empty_object(aws: Any, create: Create) -> None:
    name = create("empty", ECHO)
    assert aws.invoke(FunctionName=name)["Payload"].read() == b"{}"
    assert aws.invoke(FunctionName=name, Payload=b"")["Payload"].read() == b"{}"


def test_a_failure_is_an_answer_with_a_function_error(aws: Any, create: Create) -> None:
    name = create("failing", "def handler(event, context):\n    raise ValueError('no')\n")
    answer = aws.invoke(FunctionName=name, LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    error = json.load(answer["Payload"])
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "no")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert log.startswith("START RequestId: ")
    assert "[ERROR] ValueError: no\n" in log


def test_the_tail_of_the_log_is_four_kilobytes(aws: Any, create: Create) -> None:
    source = "def handler(event, context):\n    for n in range(1000):\n        print('line', n)\n"
    answer = aws.invoke(FunctionName=create("talking", source), LogType="Tail")
    log = base64.b64decode(answer["LogResult"])
    assert len(log) == 4096
    assert b"line 999\nEND RequestId: " in log


def test_the_client_context_arrives(aws: Any, create: Create) -> None:
    name = create(
        "context", "def handler(event, context):\n    return context.client_context.custom"
    )
    context = base64.b64encode(json.dumps({"custom": {"k": "v"}}).encode()).decode()
    assert json.load(aws.invoke(FunctionName=name, ClientContext=context)["Payload"]) == {"k": "v"}
    with pytest.raises(aws.exceptions.InvalidParameterValueException):
        aws.invoke(FunctionName=name, ClientContext="{}")


@pytest.mark.parametrize("payload", [b"not json", b"{", b"NaN", b'{"a": 1} 2', b"\xff"])
def test_a_payload_that_is_no_json_is_refused(aws: Any, create: Create, payload: bytes) -> None:
    name = create(f"refusing-{payload.hex()}", ECHO)
    with pytest.raises(aws.exceptions.InvalidRequestContentException) as refused:
        aws.invoke(FunctionName=name, Payload=payload)
    message = refused.value.response["Error"]["Message"]
    assert message.startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6 * 2**20), ("Event", 2**20)])
def test_a_payload_over_the_limit_is_refused(
    aws: Any, create: Create, kind: str, limit: int
) -> None:
    name = create(f"limited-{kind}", ECHO)
    with pytest.raises(aws.exceptions.RequestTooLargeException) as refused:
        aws.invoke(FunctionName=name, InvocationType=kind, Payload=b"1" * (limit + 1))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    largest = b'"' + b"x" * (limit - 2) + b'"'
    answer = aws.invoke(FunctionName=name, InvocationType=kind, Payload=largest)
    assert answer["Payload"].read() == (largest if kind == "RequestResponse" else b"")


def test_a_dry_run_runs_nothing(aws: Any, create: Create) -> None:
    name = create("unrun", "import nothing_of_the_sort")
    answer = aws.invoke(FunctionName=name, InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")


def test_an_event_is_run_later(aws: Any, client: Client, create: Create) -> None:
    client("s3").create_bucket(Bucket="events")
    source = (
        "import boto3\n"
        "def handler(event, context):\n"
        "    boto3.client('s3').put_object(Bucket='events', Key=event['key'], Body=b'run')\n"
    )
    name = create("queued", source, Timeout=20)
    answer = aws.invoke(FunctionName=name, InvocationType="Event", Payload=b'{"key": "k"}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    wait_for(lambda: client("s3").list_objects_v2(Bucket="events")["KeyCount"])


def test_a_course_handler_reads_copies_and_deletes_objects(
    aws: Any, client: Client, create: Create
) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="pictures")
    s3.put_object(Bucket="pictures", Key="test/bicycle.png", Body=b"\x89PNG bytes")
    source = (
        "import base64, json\n"
        "import boto3\n"
        "s3 = boto3.client('s3')\n"
        "def handler(event, context):\n"
        "    key, bucket = event['s3_key'], event['s3_bucket']\n"
        "    s3.download_file(bucket, key, '/tmp/image.png')\n"
        "    with open('/tmp/image.png', 'rb') as f:\n"
        "        image_data = base64.b64encode(f.read())\n"
        "    s3.copy_object(Bucket=bucket, Key='done/' + key,\n"
        "                   CopySource={'Bucket': bucket, 'Key': key})\n"
        "    s3.delete_object(Bucket=bucket, Key=key)\n"
        "    return {'statusCode': 200, 'body': {'image_data': image_data,\n"
        "            's3_bucket': bucket, 's3_key': key, 'inferences': []}}\n"
    )
    name = create("serialize", source, Timeout=20)
    event = {"s3_key": "test/bicycle.png", "s3_bucket": "pictures"}
    answer = aws.invoke(FunctionName=name, Payload=json.dumps(event))
    assert json.load(answer["Payload"])["body"] == {
        "image_data": base64.b64encode(b"\x89PNG bytes").decode(),
        **event,
        "inferences": [],
    }
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket="pictures")["Contents"]]
    assert keys == ["done/test/bicycle.png"]


def test_a_handler_does_not_see_our_environment(
    aws: Any, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os\ndef handler(event, context):\n    return dict(os.environ)\n"
    told = json.load(aws.invoke(FunctionName=create("environment", source))["Payload"])
    assert told["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert told["HOME"] == "/home/sbx_user1051"
    extra = {each for each in told if not re.match(r"_?AWS_|_X_AMZN_|LAMBDA_", each)}
    # LC_CTYPE is Python's own doing: https://peps.python.org/pep-0538
    known = {"HOME", "LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "_HANDLER", "LC_CTYPE"}
    assert extra <= known | {"_SCONES_CHILD"}  # by which what a handler leaves running is found


def test_eight_at_once_each_read_their_own_tmp(aws: Any, client: Client, create: Create) -> None:
    source = (
        "import time\n"
        "from pathlib import Path\n"
        "def handler(event, context):\n"
        "    with open('/tmp/image.png', 'w') as file:\n"
        "        file.write(event)\n"
        "    time.sleep(0.1)\n"
        "    with open('/tmp/image.png') as file:\n"
        "        files = [each.name for each in Path('/tmp').iterdir() if each.is_file()]\n"
        "        return [file.read(), files]\n"  # a checkout in /tmp shows as a folder
    )
    name = create("picturing", source, Timeout=30)

    def ask(number: int) -> list[Any]:
        one = client("lambda")
        return [
            json.load(one.invoke(FunctionName=name, Payload=json.dumps(f"{number}-{n}"))["Payload"])
            for n in range(5)
        ]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(ask, range(8)))
    assert told == [[[f"{each}-{n}", ["image.png"]] for n in range(5)] for each in range(8)]
    assert not Path("/tmp/image.png").exists()


def test_what_is_said_is_in_cloudwatch(aws: Any, client: Client, create: Create) -> None:
    name = create("logging", "print('imported')\ndef handler(event, context):\n    print('run')\n")
    first = aws.invoke(FunctionName=name)["ResponseMetadata"]["RequestId"]
    second = aws.invoke(FunctionName=name)["ResponseMetadata"]["RequestId"]
    logs = client("logs")

    def messages() -> list[str]:
        try:
            events = logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        except ClientError:
            return []
        told = [each["message"] for each in events]
        return told if len(told) >= 10 else []

    told = wait_for(messages)
    assert told[0].startswith("INIT_START Runtime Version: python:")
    assert told[1] == "imported\n"
    assert told[2:5] == [
        f"START RequestId: {first} Version: $LATEST\n",
        "run\n",
        f"END RequestId: {first}\n",
    ]
    assert told[5].startswith(f"REPORT RequestId: {first}\tDuration: ")
    assert told[8] == f"END RequestId: {second}\n"
    assert "Init Duration" in told[5] and "Init Duration" not in told[9]
    (stream,) = logs.describe_log_streams(logGroupName=f"/aws/lambda/{name}")["logStreams"]
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream["logStreamName"])


def test_a_worker_that_ended_is_followed_by_another(aws: Any, create: Create) -> None:
    source = (
        "import os\n"
        "count = 0\n"
        "def handler(event, context):\n"
        "    global count\n"
        "    count += 1\n"
        "    if event == 'exit':\n"
        "        os._exit(1)\n"
        "    return count\n"
    )
    name = create("ending", source)
    told = [
        json.load(aws.invoke(FunctionName=name, Payload=json.dumps(each))["Payload"])
        for each in ("", "", "exit", "")
    ]
    assert [told[0], told[1], told[2]["errorType"], told[3]] == [1, 2, "Runtime.ExitError", 1]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_functions_outlive_a_kill_and_no_child_is_left(
    start_cloud: Callable[..., Any], zipped: Callable[[dict[str, str]], bytes]
) -> None:
    cloud = start_cloud()
    aws = cloud.client("lambda")
    source = (
        "import os, time, word\n"
        "def handler(event, context):\n"
        "    if event == 'slow':\n"
        "        time.sleep(60)\n"
        "    return [word.WORD, os.getpid()]\n"
    )
    content = {"ZipFile": zipped({"python/word.py": "WORD = 'kept'\n"})}
    layer = aws.publish_layer_version(LayerName="words", Content=content)["LayerVersionArn"]
    aws.create_function(
        FunctionName="kept",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/x",
        Handler="app.handler",
        Code={"ZipFile": zipped({"app.py": source})},
        Layers=[layer],
        Timeout=60,
    )
    before = aws.get_function_configuration(FunctionName="kept")
    assert json.load(aws.invoke(FunctionName="kept")["Payload"])[0] == "kept"
    aws.invoke(FunctionName="kept", InvocationType="Event", Payload=b'"slow"')
    aws.invoke(FunctionName="kept", Payload=b"1")
    children = _children(cloud.home)
    assert len(children) == 2
    cloud.kill()
    wait_for(lambda: not any(map(_alive, children)))
    again = start_cloud(cloud.home)
    aws = again.client("lambda")
    after = aws.get_function_configuration(FunctionName="kept")
    assert {**before, "ResponseMetadata": 0} == {**after, "ResponseMetadata": 0}
    assert json.load(aws.invoke(FunctionName="kept")["Payload"])[0] == "kept"
    events = again.client("logs").filter_log_events(logGroupName="/aws/lambda/kept")["events"]
    assert sum(each["message"].startswith("START") for each in events) >= 2
    children = _children(cloud.home)
    assert again.stop() == 0
    assert not any(map(_alive, children))
    assert _children(cloud.home) == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_where_no_sandbox_is_allowed_the_log_says_so_and_requests_take_turns(
    tmp_path: Path, zipped: Callable[[dict[str, str]], bytes]
) -> None:
    # Root of a namespace that may neither mount nor make another, as in most containers.
    script = (
        "echo 0 > /proc/sys/user/max_user_namespaces && "
        'exec setpriv --bounding-set=-sys_admin --inh-caps=-all "$@"'
    )
    confined = ["unshare", "--map-root-user", "sh", "-c", script, "sh"]
    try:
        subprocess.run([*confined, "true"], check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as why:
        pytest.skip(f"needs unshare and setpriv: {why}")
    shared_file = tmp_path / "image.png"
    source = (
        "import time\n"
        "def handler(event, context):\n"
        f"    open({str(shared_file)!r}, 'w').write(event)\n"
        "    time.sleep(0.05)\n"
        f"    return open({str(shared_file)!r}).read()\n"
    )
    server = [sys.executable, "-m", "scones.local.server", "--home", str(tmp_path / "home")]
    process = subprocess.Popen(
        [*confined, *server, "--port", "0"], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    with process, ThreadPoolExecutor(8) as pool:
        cloud = Cloud(process.stdout.readline().split()[5])
        cloud.client().create_function(
            FunctionName="f",
            Runtime="python3.12",
            Role="arn:aws:iam::000000000000:role/x",
            Handler="app.handler",
            Code={"ZipFile": zipped({"app.py": source})},
            Timeout=30,
        )
        told = list(pool.map(cloud.ask, map(str, range(8))))
        process.terminate()
    assert told == [str(number) for number in range(8)]
    warning = "WARNING scones.local.functions.workers: Lambda functions share one /tmp"
    assert warning in (tmp_path / "home" / "server.log").read_text()


@dataclass
class Cloud:
    """A local cloud at an address."""

    url: str

    def client(self) -> Any:
        return boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def ask(self, event: str) -> Any:
        answer = self.client().invoke(FunctionName="f", Payload=json.dumps(event))
        return json.load(answer["Payload"])


def _children(home: Path) -> list[int]:
    return [int(each.name) for each in (home / "processes").iterdir()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
