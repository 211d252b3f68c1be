"""Step Functions through genuine boto3 clients on a running local cloud."""

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/r"
PREFIX = "arn:aws:states:us-east-1:000000000000"
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
BROKEN = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}}

Client = Any


@pytest.fixture
def sfn(client: Callable[..., Any]) -> Client:
    """A boto3 client of Step Functions."""
    return client("stepfunctions")


@pytest.fixture
def make(sfn: Client, request: pytest.FixtureRequest) -> Callable[..., str]:
    """`make(definition, **arguments)`: a state machine of this test's own; its ARN."""
    made: list[str] = []

    def create(definition: Any = PASS, **arguments: Any) -> str:
        name = f"m{abs(hash(request.node.nodeid))}-{len(made)}"
        given = {"name": name, "definition": json.dumps(definition), "roleArn": ROLE, **arguments}
        arn: str = sfn.create_state_machine(**given)["stateMachineArn"]
        made.append(arn)
        return arn

    return create


def _ended(sfn: Client, arn: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        described: dict[str, Any] = sfn.describe_execution(executionArn=arn)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.01)
    raise AssertionError(f"{arn} runs after 30 s")


def _run(sfn: Client, machine: str, value: Any = None) -> dict[str, Any]:
    begun = sfn.start_execution(stateMachineArn=machine, input=json.dumps(value or {}))
    return _ended(sfn, begun["executionArn"])


def _refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def _kinds(sfn: Client, arn: str) -> list[str]:
    pages = sfn.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [event["type"] for page in pages for event in page["events"]]


# State machines


def test_a_machine_is_created_described_listed_and_deleted(
    sfn: Client, make: Callable[..., str]
) -> None:
    arn = make(tags=[{"key": "k", "value": "v"}])
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert json.loads(described["definition"]) == PASS
    assert (described["type"], described["status"]) == ("STANDARD", "ACTIVE")
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "k", "value": "v"}]
    assert arn in [each["stateMachineArn"] for each in sfn.list_state_machines()["stateMachines"]]
    sfn.delete_state_machine(stateMachineArn=arn)
    code, message = _refusal(sfn.describe_state_machine, stateMachineArn=arn)
    assert (code, message) == (
        "StateMachineDoesNotExist",
        f"State Machine Does Not Exist: '{arn}'",
    )
    sfn.delete_state_machine(stateMachineArn=arn)


def test_creating_the_same_machine_again_answers_the_first(
    sfn: Client, make: Callable[..., str]
) -> None:
    arn = make()
    name = arn.rpartition(":")[2]
    again = sfn.create_state_machine(name=name, definition=json.dumps(PASS), roleArn=ROLE)
    assert again["stateMachineArn"] == arn
    code, _ = _refusal(
        sfn.create_state_machine, name=name, definition=json.dumps(WAIT), roleArn=ROLE
    )
    assert code == "StateMachineAlreadyExists"


def test_an_update_changes_what_is_started_from_then_on(
    sfn: Client, make: Callable[..., str]
) -> None:
    arn = make()
    before = _run(sfn, arn, {"a": 1})["executionArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(BROKEN))
    assert _run(sfn, arn)["error"] == "E"
    old = sfn.describe_state_machine_for_execution(executionArn=before)
    assert json.loads(old["definition"]) == PASS
    assert "revisionId" in sfn.describe_state_machine(stateMachineArn=arn)
    code, _ = _refusal(sfn.update_state_machine, stateMachineArn=arn)
    assert code == "MissingRequiredParameter"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"name": "a b"}, "InvalidName"),
        ({"name": "a/b"}, "InvalidName"),
        ({"roleArn": "role"}, "InvalidArn"),
        ({"definition": "{"}, "InvalidDefinition"),
        ({"definition": "[]"}, "InvalidDefinition"),
        ({"definition": '{"StartAt": "X", "States": {}}'}, "InvalidDefinition"),
        ({"type": "OTHER"}, "ValidationException"),
        ({"versionDescription": "v"}, "ValidationException"),
    ],
)
def test_what_makes_no_machine_is_refused(
    sfn: Client, arguments: dict[str, str], code: str
) -> None:
    given = {"name": "n", "definition": json.dumps(PASS), "roleArn": ROLE, **arguments}
    assert _refusal(sfn.create_state_machine, **given)[0] == code


def test_every_fault_of_a_definition_is_told_with_its_place(sfn: Client) -> None:
    definition = {
        "StartAt": "A",
        "States": {
            "A": {"Type": "Task", "Resource": "nowhere", "Next": "B"},
            "C": {"Type": "Wait", "Timestamp": "soon", "End": True},
        },
    }
    found = sfn.validate_state_machine_definition(definition=json.dumps(definition))
    assert found["result"] == "FAIL"
    assert {(each["location"], each["code"]) for each in found["diagnostics"]} == {
        ("/States/A/Resource", "SCHEMA_VALIDATION_FAILED"),
        ("/States/A/Next", "MISSING_TRANSITION_TARGET"),
        ("/States/C/Timestamp", "SCHEMA_VALIDATION_FAILED"),
        ("/States/C", "MISSING_TRANSITION_TARGET"),
    }


def test_tags_are_added_and_taken_away(sfn: Client, make: Callable[..., str]) -> None:
    arn = make()
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    sfn.untag_resource(resourceArn=arn, tagKeys=["a", "none"])
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    missing = f"{PREFIX}:stateMachine:none"
    assert _refusal(sfn.list_tags_for_resource, resourceArn=missing)[0] == "ResourceNotFound"
    many = [{"key": str(number), "value": ""} for number in range(50)]
    assert _refusal(sfn.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTags"


# Versions and aliases


def test_versions_and_aliases_lead_executions_to_revisions(
    sfn: Client, make: Callable[..., str]
) -> None:
    arn = make()
    first = sfn.publish_state_machine_version(stateMachineArn=arn, description="one")
    again = sfn.publish_state_machine_version(stateMachineArn=arn)
    assert first["stateMachineVersionArn"] == again["stateMachineVersionArn"] == f"{arn}:1"
    updated = sfn.update_state_machine(
        stateMachineArn=arn, definition=json.dumps(BROKEN), publish=True
    )
    assert updated["stateMachineVersionArn"] == f"{arn}:2"
    versions = sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [each["stateMachineVersionArn"] for each in versions] == [f"{arn}:2", f"{arn}:1"]
    described = sfn.describe_state_machine(stateMachineArn=f"{arn}:1")
    assert json.loads(described["definition"]) == PASS and described["description"] == "one"

    alias = sfn.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": f"{arn}:1", "weight": 100}]
    )["stateMachineAliasArn"]
    assert alias == f"{arn}:live"
    run = _run(sfn, alias)
    assert run["status"] == "SUCCEEDED"
    assert (run["stateMachineAliasArn"], run["stateMachineVersionArn"]) == (alias, f"{arn}:1")
    sfn.update_state_machine_alias(
        stateMachineAliasArn=alias,
        routingConfiguration=[
            {"stateMachineVersionArn": f"{arn}:1", "weight": 0},
            {"stateMachineVersionArn": f"{arn}:2", "weight": 100},
        ],
    )
    assert _run(sfn, alias)["status"] == "FAILED"
    assert len(sfn.list_executions(stateMachineArn=alias)["executions"]) == 2
    assert len(sfn.list_executions(stateMachineArn=f"{arn}:2")["executions"]) == 1

    code, _ = _refusal(sfn.delete_state_machine_version, stateMachineVersionArn=f"{arn}:2")
    assert code == "ConflictException"
    sfn.delete_state_machine_alias(stateMachineAliasArn=alias)
    sfn.delete_state_machine_version(stateMachineVersionArn=f"{arn}:2")
    assert _refusal(sfn.start_execution, stateMachineArn=alias)[0] == "StateMachineDoesNotExist"


@pytest.mark.parametrize("weights", [[50], [50, 49], [100, 0, 0]])
def test_an_alias_needs_weights_that_make_100(
    sfn: Client, make: Callable[..., str], weights: list[int]
) -> None:
    arn = make(publish=True)
    routing = [
        {"stateMachineVersionArn": f"{arn}:{number + 1}", "weight": weight}
        for number, weight in enumerate(weights)
    ]
    code, _ = _refusal(sfn.create_state_machine_alias, name="live", routingConfiguration=routing)
    assert code in ("ValidationException", "ResourceNotFound")


# Executions


def test_a_name_is_used_once(sfn: Client, make: Callable[..., str]) -> None:
    arn = make(WAIT)
    first = sfn.start_execution(stateMachineArn=arn, name="n", input="{}")
    again = sfn.start_execution(stateMachineArn=arn, name="n", input="{}")
    assert first["executionArn"] == again["executionArn"]
    assert first["startDate"] == again["startDate"]
    code, message = _refusal(sfn.start_execution, stateMachineArn=arn, name="n", input="[]")
    assert (code, message) == (
        "ExecutionAlreadyExists",
        f"Execution Already Exists: '{first['executionArn']}'",
    )
    sfn.stop_execution(executionArn=first["executionArn"])
    code, _ = _refusal(sfn.start_execution, stateMachineArn=arn, name="n", input="{}")
    assert code == "ExecutionAlreadyExists"


def test_an_execution_is_stopped_with_error_and_cause(
    sfn: Client, make: Callable[..., str]
) -> None:
    begun = sfn.start_execution(stateMachineArn=make(WAIT))["executionArn"]
    sfn.stop_execution(executionArn=begun, error="Enough", cause="it was")
    described = sfn.describe_execution(executionArn=begun)
    assert (described["status"], described["error"], described["cause"]) == (
        "ABORTED",
        "Enough",
        "it was",
    )
    assert _kinds(sfn, begun)[-1] == "ExecutionAborted"
    sfn.stop_execution(executionArn=begun)


@pytest.mark.parametrize(
    ("operation", "arguments", "code"),
    [
        ("start_execution", {"stateMachineArn": "x"}, "InvalidArn"),
        ("start_execution", {"stateMachineArn": f"{PREFIX}:execution:a:b"}, "InvalidArn"),
        (
            "start_execution",
            {"stateMachineArn": f"{PREFIX}:stateMachine:none"},
            "StateMachineDoesNotExist",
        ),
        (
            "describe_execution",
            {"executionArn": f"{PREFIX}:execution:none:x"},
            "ExecutionDoesNotExist",
        ),
        ("describe_execution", {"executionArn": f"{PREFIX}:express:a:b:c"}, "InvalidArn"),
        (
            "get_execution_history",
            {"executionArn": f"{PREFIX}:execution:none:x"},
            "ExecutionDoesNotExist",
        ),
        ("stop_execution", {"executionArn": f"{PREFIX}:execution:n:x"}, "ExecutionDoesNotExist"),
        ("redrive_execution", {"executionArn": f"{PREFIX}:execution:n:x"}, "ExecutionDoesNotExist"),
        ("list_executions", {}, "ValidationException"),
        ("list_executions", {"stateMachineArn": "arn:x"}, "InvalidArn"),
        ("list_map_runs", {"executionArn": f"{PREFIX}:execution:n:x"}, "ExecutionDoesNotExist"),
        ("describe_map_run", {"mapRunArn": f"{PREFIX}:mapRun:a/b:c"}, "ResourceNotFound"),
        ("send_task_success", {"taskToken": "x", "output": "{}"}, "InvalidToken"),
        ("send_task_heartbeat", {"taskToken": "x"}, "InvalidToken"),
        ("list_state_machines", {"nextToken": "?"}, "InvalidToken"),
        (
            "describe_state_machine_alias",
            {"stateMachineAliasArn": f"{PREFIX}:stateMachine:n:a"},
            "ResourceNotFound",
        ),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    sfn: Client, operation: str, arguments: dict[str, str], code: str
) -> None:
    assert _refusal(getattr(sfn, operation), **arguments)[0] == code


def test_executions_are_listed_newest_first_in_pages(sfn: Client, make: Callable[..., str]) -> None:
    arn = make()
    started = [_run(sfn, arn)["executionArn"] for _ in range(5)]
    sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(BROKEN))
    failed = _run(sfn, arn)["executionArn"]
    pages = sfn.get_paginator("list_executions").paginate(
        stateMachineArn=arn, PaginationConfig={"PageSize": 2}
    )
    listed = [each["executionArn"] for page in pages for each in page["executions"]]
    assert listed == [failed, *reversed(started)]
    only = sfn.list_executions(stateMachineArn=arn, statusFilter="FAILED")["executions"]
    assert [each["executionArn"] for each in only] == [failed]


def test_a_history_is_read_in_pages_both_ways_and_without_data(
    sfn: Client, make: Callable[..., str]
) -> None:
    arn = _run(sfn, make(), {"a": 1})["executionArn"]
    whole = sfn.get_execution_history(executionArn=arn)["events"]
    assert [event["id"] for event in whole] == [1, 2, 3, 4]
    assert json.loads(whole[0]["executionStartedEventDetails"]["input"]) == {"a": 1}
    backwards = sfn.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=3)
    assert [event["id"] for event in backwards["events"]] == [4, 3, 2]
    rest = sfn.get_execution_history(
        executionArn=arn, reverseOrder=True, maxResults=3, nextToken=backwards["nextToken"]
    )
    assert [event["id"] for event in rest["events"]] == [1]
    bare = sfn.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "input" not in bare[0]["executionStartedEventDetails"]


def test_express_machines_answer_at_once_and_keep_nothing(
    client: Callable[..., Any], make: Callable[..., str]
) -> None:
    # boto3 would put "sync-" before the host's name.
    sfn = client("stepfunctions", config=Config(inject_host_prefix=False))
    arn = make(type="EXPRESS")
    answer = sfn.start_sync_execution(stateMachineArn=arn, input='{"a":1}')
    assert (answer["status"], json.loads(answer["output"])) == ("SUCCEEDED", {"a": 1})
    assert ":express:" in answer["executionArn"]
    begun = sfn.start_execution(stateMachineArn=arn)
    assert ":express:" in begun["executionArn"]
    code, _ = _refusal(sfn.list_executions, stateMachineArn=arn)
    assert code == "StateMachineTypeNotSupported"
    code, _ = _refusal(sfn.start_sync_execution, stateMachineArn=make())
    assert code == "StateMachineTypeNotSupported"


def test_a_redrive_goes_on_where_it_failed(sfn: Client, client: Any, make: Any) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="redrive-bucket")
    get = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Parameters": {"Bucket": "redrive-bucket", "Key": "k"},
        "ResultSelector": {"text.$": "$.Body"},
        "End": True,
    }
    definition = {
        "StartAt": "P",
        "States": {"P": {"Type": "Pass", "Assign": {"kept": 1}, "Next": "G"}, "G": get},
    }
    failed = _run(sfn, make(definition))
    assert (failed["status"], failed["error"]) == ("FAILED", "S3.NoSuchKeyException")
    assert failed["redriveStatus"] == "REDRIVABLE"
    s3.put_object(Bucket="redrive-bucket", Key="k", Body=b"here")
    sfn.redrive_execution(executionArn=failed["executionArn"])
    again = _ended(sfn, failed["executionArn"])
    assert (again["status"], again["redriveCount"]) == ("SUCCEEDED", 1)
    assert json.loads(again["output"]) == {"text": "here"}
    kinds = _kinds(sfn, failed["executionArn"])
    assert kinds.count("PassStateEntered") == 1
    assert kinds[kinds.index("ExecutionRedriven") :] == [
        "ExecutionRedriven",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    code, _ = _refusal(sfn.redrive_execution, executionArn=failed["executionArn"])
    assert code == "ExecutionNotRedrivable"


# Integrations


@pytest.fixture(scope="module")
def echo(client: Callable[..., Any]) -> str:
    """A function that answers what it is given."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("echo.py", "def handler(event, context):\n    return event\n")
    functions = client("lambda")
    functions.create_function(
        FunctionName="echo",
        Runtime="python3.12",
        Role=ROLE,
        Handler="echo.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="echo")
    return "echo"


def _callback(echo: str, **fields: Any) -> dict[str, Any]:
    return {
        "StartAt": "T",
        "States": {
            "T": {
                "Type": "Task",
                "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Parameters": {"FunctionName": echo, "Payload": {"token.$": "$$.Task.Token"}},
                "End": True,
                **fields,
            }
        },
    }


def _token(sfn: Client, execution: str) -> str:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for event in sfn.get_execution_history(executionArn=execution)["events"]:
            if event["type"] == "TaskSubmitted":
                output = json.loads(event["taskSubmittedEventDetails"]["output"])
                token: str = output["Payload"]["token"]
                return token
        time.sleep(0.05)
    raise AssertionError("nothing was submitted in 20 s")


def test_a_task_token_brings_the_result_back(sfn: Client, make: Any, echo: str) -> None:
    begun = sfn.start_execution(stateMachineArn=make(_callback(echo)))["executionArn"]
    token = _token(sfn, begun)
    sfn.send_task_heartbeat(taskToken=token)
    assert _refusal(sfn.send_task_success, taskToken=token, output="{")[0] == "InvalidOutput"
    sfn.send_task_success(taskToken=token, output='{"back": true}')
    assert json.loads(_ended(sfn, begun)["output"]) == {"back": True}
    code, _ = _refusal(sfn.send_task_success, taskToken=token, output="{}")
    assert code == "TaskTimedOut"


def test_a_task_token_brings_a_failure_back(sfn: Client, make: Any, echo: str) -> None:
    begun = sfn.start_execution(stateMachineArn=make(_callback(echo)))["executionArn"]
    sfn.send_task_failure(taskToken=_token(sfn, begun), error="Refused", cause="by hand")
    ended = _ended(sfn, begun)
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Refused", "by hand")


@pytest.mark.slow
def test_a_heartbeat_that_does_not_come_is_a_timeout(sfn: Client, make: Any, echo: str) -> None:
    begun = sfn.start_execution(stateMachineArn=make(_callback(echo, HeartbeatSeconds=1)))
    ended = _ended(sfn, begun["executionArn"])
    assert (ended["status"], ended["error"]) == ("FAILED", "States.HeartbeatTimeout")
    assert "TaskTimedOut" in _kinds(sfn, begun["executionArn"])


@pytest.mark.parametrize(("pattern", "kind"), [(".sync", str), (".sync:2", dict)])
def test_a_nested_execution_is_waited_for(sfn: Client, make: Any, pattern: str, kind: type) -> None:
    inner = make()
    outer = make(
        {
            "StartAt": "S",
            "States": {
                "S": {
                    "Type": "Task",
                    "Resource": f"arn:aws:states:::states:startExecution{pattern}",
                    "Parameters": {"StateMachineArn": inner, "Input": {"x": 1}},
                    "End": True,
                }
            },
        }
    )
    output = json.loads(_run(sfn, outer)["output"])
    assert isinstance(output["Output"], kind) and output["Status"] == "SUCCEEDED"


def test_any_carried_operation_is_an_integration(sfn: Client, make: Any) -> None:
    definition = {
        "StartAt": "L",
        "States": {
            "L": {
                "Type": "Task",
                "QueryLanguage": "JSONata",
                "Resource": "arn:aws:states:::aws-sdk:sfn:listStateMachines",
                "Arguments": {"MaxResults": 1},
                "Output": "{% $exists($states.result.StateMachines[0].StateMachineArn) %}",
                "End": True,
            }
        },
    }
    assert json.loads(_run(sfn, make(definition))["output"]) is True


def test_a_distributed_map_has_a_run_with_children(sfn: Client, client: Any, make: Any) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="distributed-bucket")
    for number in range(3):
        s3.put_object(Bucket="distributed-bucket", Key=f"in/{number}", Body=b"x" * number)
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "C",
        "States": {
            "C": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.Size", "NumericEquals": 2, "Next": "F"}],
                "Default": "P",
            },
            "P": {"Type": "Pass", "OutputPath": "$.Key", "End": True},
            "F": {"Type": "Fail", "Error": "TooLarge"},
        },
    }
    definition = {
        "StartAt": "M",
        "States": {
            "M": {
                "Type": "Map",
                "Label": "Objects",
                "MaxConcurrency": 2,
                "ToleratedFailurePercentage": 100,
                "ItemReader": {
                    "Resource": "arn:aws:states:::s3:listObjectsV2",
                    "Parameters": {"Bucket": "distributed-bucket", "Prefix": "in/"},
                },
                "ItemProcessor": processor,
                "ResultWriter": {
                    "Resource": "arn:aws:states:::s3:putObject",
                    "Parameters": {"Bucket": "distributed-bucket", "Prefix": "out"},
                },
                "End": True,
            }
        },
    }
    run = _run(sfn, make(definition))
    output = json.loads(run["output"])
    map_run = output["MapRunArn"]
    assert "/Objects:" in map_run
    described = sfn.describe_map_run(mapRunArn=map_run)
    counts = described["itemCounts"]
    assert (described["status"], described["maxConcurrency"]) == ("SUCCEEDED", 2)
    assert (counts["total"], counts["succeeded"], counts["failed"]) == (3, 2, 1)
    runs = sfn.list_map_runs(executionArn=run["executionArn"])["mapRuns"]
    assert [each["mapRunArn"] for each in runs] == [map_run]
    children = sfn.list_executions(mapRunArn=map_run)["executions"]
    assert len(children) == 3 and all(each["mapRunArn"] == map_run for each in children)
    failed = [each for each in children if each["status"] == "FAILED"]
    assert _kinds(sfn, failed[0]["executionArn"])[-1] == "ExecutionFailed"
    sfn.update_map_run(mapRunArn=map_run, maxConcurrency=5)
    assert sfn.describe_map_run(mapRunArn=map_run)["maxConcurrency"] == 5
    key = output["ResultWriterDetails"]["Key"]
    manifest = json.loads(s3.get_object(Bucket="distributed-bucket", Key=key)["Body"].read())
    files = manifest["ResultFiles"]
    assert (len(files["SUCCEEDED"]), len(files["FAILED"]), files["PENDING"]) == (1, 1, [])
    result = s3.get_object(Bucket="distributed-bucket", Key=files["SUCCEEDED"][0]["Key"])["Body"]
    outputs = [json.loads(each["Output"]) for each in json.loads(result.read())]
    assert outputs == ["in/0", "in/1"]


def test_everything_is_there_after_a_restart(start_cloud: Any) -> None:
    cloud = start_cloud()
    sfn = cloud.client("stepfunctions")
    given = {"name": "kept", "definition": json.dumps(WAIT), "roleArn": ROLE}
    arn = sfn.create_state_machine(**given)["stateMachineArn"]
    running = sfn.start_execution(stateMachineArn=arn, input='{"n": 1}')["executionArn"]
    cloud.kill()
    again = start_cloud(home=cloud.home).client("stepfunctions")
    assert json.loads(again.describe_state_machine(stateMachineArn=arn)["definition"]) == WAIT
    assert again.describe_execution(executionArn=running)["status"] == "RUNNING"
    assert _kinds(again, running) == ["ExecutionStarted", "WaitStateEntered"]
    again.stop_execution(executionArn=running)
    assert _kinds(again, running)[-1] == "ExecutionAborted"
