"""Lambda handlers and machines as the course's students write them, created and run unmodified."""

import base64
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scones.images import png

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "course_styles.json").read_text("utf-8"))["cases"]
HANDLERS = sorted((HERE / "handlers").glob("*.py"))
ROLE = "arn:aws:iam::000000000000:role/service-role/SconesRole"
SERVE = {"serve": [sys.executable, str(HERE / "programs" / "red_serve.py")]}
RED = {"sure": 242, "unsure": 140, "motor": 10}
LAMBDA_ERRORS = [
    "Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]  # fmt: skip
RETRIES: dict[str, dict[str, Any]] = {
    "<retry>": {"IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2},
    "<retry: 2 s, 6>": {"IntervalSeconds": 2, "MaxAttempts": 6, "BackoffRate": 2},
    "<retry: jitter>": {
        "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2, "JitterStrategy": "FULL",
    },
}  # fmt: skip


def picture(red: int) -> bytes:
    """32 x 32 pixels of one colour: the endpoint's answer is its red over 255."""
    return png.encode(np.full((32, 32, 3), (red, 0, 90), np.uint8))


def zipped(**files: str) -> bytes:
    """A deployment package; `name__py="..."` is `name.py`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


@dataclass
class Course:
    """An account with the course's bucket, endpoint and functions."""

    cloud: Any
    bucket: str = "course-styles"

    def __post_init__(self) -> None:
        self.s3 = self.cloud.client("s3")
        self.machines = self.cloud.client("stepfunctions")
        self.functions = self.cloud.client("lambda")
        self.sagemaker = self.cloud.client("sagemaker")
        self.pictures: dict[str, bytes] = {}

    def put(self, key: str, red: int) -> None:
        self.pictures[key] = picture(red)
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=self.pictures[key])

    def serve(self) -> None:
        """An endpoint whose name the handlers know by heart."""
        image = "811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1"
        self.sagemaker.create_model(
            ModelName="course", PrimaryContainer={"Image": image}, ExecutionRoleArn=ROLE
        )
        variant = {"VariantName": "AllTraffic", "ModelName": "course", "InitialInstanceCount": 1}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName="course",
            ProductionVariants=[{**variant, "InstanceType": "ml.m5.xlarge"}],
        )
        self.sagemaker.create_endpoint(EndpointName="course", EndpointConfigName="course")
        waiter = self.sagemaker.get_waiter("endpoint_in_service")
        waiter.wait(EndpointName="course", WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})

    def create_functions(self) -> None:
        layer = {"python/course_layer__py": 'TEMPORARY = "/tmp/image.png"\n'}
        made = self.functions.publish_layer_version(
            LayerName="course", Content={"ZipFile": zipped(**layer)}
        )
        for file in HANDLERS:
            self.functions.create_function(
                FunctionName=file.stem, Runtime="python3.11", Role=ROLE, Timeout=30,
                Handler="lambda_function.lambda_handler",
                Code={"ZipFile": zipped(lambda_function__py=file.read_text("utf-8"))},
                Layers=[made["LayerVersionArn"]],
            )  # fmt: skip

    def create_machine(self, name: str, definition: Any) -> str:
        answer = self.machines.create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=ROLE
        )
        return str(answer["stateMachineArn"])

    def run(self, machine: str, given: Any) -> dict[str, Any]:
        """One execution to its end, as DescribeExecution tells it."""
        arn = self.machines.start_execution(stateMachineArn=machine, input=json.dumps(given))
        until = time.monotonic() + 90
        while time.monotonic() < until:
            told: dict[str, Any] = self.machines.describe_execution(
                executionArn=arn["executionArn"]
            )
            if told["status"] != "RUNNING":
                return told
            time.sleep(0.05)
        raise AssertionError(f"{machine} still runs after 90 s")

    def children(self, execution: str) -> tuple[dict[str, int], list[str]]:
        """The tally of an execution's one Map, and the errors of its children that failed."""
        (listed,) = self.machines.list_map_runs(executionArn=execution)["mapRuns"]
        counts = self.machines.describe_map_run(mapRunArn=listed["mapRunArn"])["executionCounts"]
        failed = self.machines.list_executions(
            mapRunArn=listed["mapRunArn"], statusFilter="FAILED"
        )["executions"]
        told = [self.machines.describe_execution(executionArn=e["executionArn"]) for e in failed]
        return counts, sorted(each["error"] for each in told)

    def fill(self, value: Any) -> Any:
        """The table's value with bucket, ARNs, pictures and retriers in place of their tokens."""
        if isinstance(value, dict):
            return {name: self.fill(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each) for each in value]
        if not isinstance(value, str):
            return value
        if value in RETRIES:
            return [{"ErrorEquals": LAMBDA_ERRORS, **RETRIES[value]}]
        for file in HANDLERS:
            arn = f"arn:aws:lambda:us-east-1:000000000000:function:{file.stem}"
            value = value.replace(f"<arn:{file.stem}>", arn)
        for key, content in self.pictures.items():
            value = value.replace(f"<image:{key}>", base64.b64encode(content).decode())
        return value.replace("<bucket>", self.bucket)


def enrol(cloud: Any) -> Course:
    """The course on this cloud, ready for work."""
    made = Course(cloud)
    made.s3.create_bucket(Bucket=made.bucket)
    for name, red in RED.items():
        made.put(f"test/{name}.png", red)
    made.put("old picture.png", 1)
    made.serve()
    made.create_functions()
    return made


@pytest.fixture(scope="module")
def course(start_cloud: Any) -> Course:
    return enrol(start_cloud(containers={"image-classification": SERVE}))


def decoded(value: Any, expected: Any) -> Any:
    """`value` with JSON texts decoded where `expected` says {"<json text>": ...}."""
    if isinstance(expected, dict) and set(expected) == {"<json text>"}:
        assert isinstance(value, str), f"JSON text was expected, not {value!r}"
        return {"<json text>": json.loads(value)}
    if isinstance(expected, dict) and isinstance(value, dict):
        return {name: decoded(each, expected.get(name)) for name, each in value.items()}
    if isinstance(expected, list) and isinstance(value, list) and len(value) == len(expected):
        return [decoded(*pair) for pair in zip(value, expected, strict=True)]
    return value


@pytest.mark.parametrize("case", CASES, ids=[each["name"] for each in CASES])
def test_a_machine_of_the_courses_style_runs_as_on_aws(
    course: Course, case: dict[str, Any]
) -> None:
    machine = course.create_machine(f"style-{CASES.index(case)}", course.fill(case["machine"]))
    for run in course.fill(case["runs"]):
        told = course.run(machine, run["input"])
        assert told["status"] == run["status"], (told.get("error"), told.get("cause"))
        assert told.get("error") == run.get("error"), told
        if "output" in run:
            output = json.loads(told["output"])
            assert decoded(output, run["output"]) == run["output"]
        if isinstance(run.get("cause"), dict):
            cause = json.loads(told["cause"])
            assert {name: cause[name] for name in run["cause"]} == run["cause"]
            assert any("/var/task/lambda_function.py" in line for line in cause["stackTrace"])
        elif "cause" in run:
            assert told["cause"] == run["cause"]
        if "child_errors" in run:
            counts, errors = course.children(told["executionArn"])
            assert errors == run["child_errors"]
            assert {name: counts[name] for name in run.get("children", ())} == run.get(
                "children", {}
            )


def test_bytes_in_an_answer_arrive_as_text(course: Course) -> None:
    event = json.dumps({"s3_bucket": course.bucket, "s3_key": "test/sure.png"})
    answer = course.functions.invoke(FunctionName="fetch_file", Payload=event)
    body = json.load(answer["Payload"])["body"]
    assert base64.b64decode(body["image_data"]) == course.pictures["test/sure.png"]


def test_executions_at_once_do_not_see_each_others_temporary_files(course: Course) -> None:
    reds = {f"crowd/{n}.png": 20 + 30 * n for n in range(8)}
    for key, red in reds.items():
        course.put(key, red)
    machine = course.create_machine("crowd", course.fill(CASES[0]["machine"]))
    run: Callable[[str], dict[str, Any]] = lambda key: course.run(  # noqa: E731
        machine, {"s3_bucket": course.bucket, "s3_key": key}
    )
    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            told = dict(zip(reds, pool.map(run, reds), strict=True))
        for key, red in reds.items():
            history = course.machines.get_execution_history(
                executionArn=told[key]["executionArn"], reverseOrder=False
            )["events"]
            outputs = [
                e["stateExitedEventDetails"] for e in history if e["type"].endswith("Exited")
            ]
            inferred = json.loads({each["name"]: each["output"] for each in outputs}["Infer"])
            assert inferred["body"]["inferences"][0] == round(red / 255, 4), key


def test_a_text_that_is_no_json_reaches_no_function(course: Course) -> None:
    task = {
        "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True,
        "Parameters": {"FunctionName": "echo", "Payload.$": "$.text"},
    }  # fmt: skip
    machine = course.create_machine("raw", {"StartAt": "Echo", "States": {"Echo": task}})
    told = course.run(machine, {"text": '{"key": "a.png"}'})
    assert json.loads(told["output"])["Payload"]["got"] == {"key": "a.png"}
    told = course.run(machine, {"text": "a.png"})
    assert told["error"] == "Lambda.InvalidRequestContentException"


def test_a_handler_may_use_the_sagemaker_sdk_if_the_whole_environment_is_offered(
    course: Course, start_cloud: Any
) -> None:
    if find_spec("sagemaker") is None:
        pytest.skip("needs the SageMaker SDK, which the extra `sdk` brings")
    image = base64.b64encode(course.pictures["test/sure.png"]).decode()
    event = json.dumps({"body": {"image_data": image}})
    answer = course.functions.invoke(FunctionName="infer_sdk", Payload=event)
    assert json.load(answer["Payload"])["errorMessage"] == (
        "Unable to import module 'lambda_function': No module named 'sagemaker'"
    )
    generous = enrol(
        start_cloud(containers={"image-classification": SERVE}, arguments=("--whole-environment",))
    )
    answer = generous.functions.invoke(FunctionName="infer_sdk", Payload=event)
    told = json.load(answer["Payload"])
    assert told["body"]["inferences"] == [0.949, 0.051], told


Aws = Callable[..., Any]


@pytest.fixture
def aws(course: Course, tmp_path: Path) -> Aws:
    """`aws("lambda", "list-functions")` within `scones exec`: its JSON answer, None if empty."""
    scones = [sys.executable, "-c", "from scones.cli import main; main()"]

    def run(*words: str) -> Any:
        done = subprocess.run(
            [*scones, "exec", "--home", str(course.cloud.home), "--", "aws", *words],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    return run


def test_functions_and_machines_are_made_by_the_aws_command_line(
    course: Course, aws: Aws, tmp_path: Path
) -> None:
    if not Path(sys.executable).with_name("aws").exists():
        pytest.skip("needs the AWS command line, which is absent")
    source = (HERE / "handlers" / "fetch_file.py").read_text("utf-8")
    (tmp_path / "function.zip").write_bytes(zipped(lambda_function__py=source))
    name = ("--function-name", "byHand")
    made = aws(
        "lambda", "create-function", *name, "--runtime", "python3.11", "--role", ROLE,
        "--handler", "lambda_function.lambda_handler", "--zip-file", "fileb://function.zip",
        "--timeout", "30",
    )  # fmt: skip
    assert made["State"] in ("Active", "Pending")
    aws("lambda", "wait", "function-active-v2", *name)
    event = json.dumps({"s3_bucket": course.bucket, "s3_key": "test/sure.png"})
    answer = aws("lambda", "invoke", *name, "--payload", event, "--log-type", "Tail", "out.json")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    log = base64.b64decode(answer["LogResult"]).decode()
    assert "Event: dict_keys(['s3_bucket', 's3_key'])" in log
    body = json.loads((tmp_path / "out.json").read_text())["body"]
    assert base64.b64decode(body["image_data"]) == course.pictures["test/sure.png"]

    machine = course.fill(CASES[0]["machine"])
    machine["States"]["Fetch"]["Parameters"]["FunctionName"] = f"{made['FunctionArn']}:$LATEST"
    (tmp_path / "machine.json").write_text(json.dumps(machine))
    arn = aws(
        "stepfunctions", "create-state-machine", "--name", "by-hand", "--role-arn", ROLE,
        "--definition", "file://machine.json",
    )["stateMachineArn"]  # fmt: skip
    started = aws("stepfunctions", "start-execution", "--state-machine-arn", arn, "--input", event)
    execution = ("--execution-arn", started["executionArn"])
    until = time.monotonic() + 60
    while (told := aws("stepfunctions", "describe-execution", *execution))["status"] == "RUNNING":
        assert time.monotonic() < until, "the execution still runs after 60 s"
    assert json.loads(told["output"])["body"]["inferences"] == [0.949, 0.051]
    events = aws("stepfunctions", "get-execution-history", *execution)["events"]
    assert [each["type"] for each in events[:6]] == [
        "ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded",
        "TaskStateExited",
    ]  # fmt: skip
    assert len(events) == 17

    echo = (HERE / "handlers" / "echo.py").read_text("utf-8")
    (tmp_path / "function.zip").write_bytes(zipped(lambda_function__py=echo))
    aws("lambda", "update-function-code", *name, "--zip-file", "fileb://function.zip")
    aws("lambda", "wait", "function-updated-v2", *name)
    aws("lambda", "invoke", *name, "--payload", "[1]", "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["got"] == [1]
    aws("lambda", "delete-function", *name)
    aws("stepfunctions", "delete-state-machine", "--state-machine-arn", arn)
