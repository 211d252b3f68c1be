"""Functions, versions, layers and permissions, as a genuine client sees them."""

import base64
import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

ECHO = "def handler(event, context):\n    return event\n"
ROLE = "arn:aws:iam::000000000000:role/lambda"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"

Client = Callable[..., Any]
Create = Callable[..., str]
Zipped = Callable[[dict[str, str]], bytes]


@pytest.fixture(scope="module")
def aws(client: Client) -> Any:
    return client("lambda")


def said(aws: Any, name: str, **arguments: Any) -> Any:
    """What an invocation with no payload answers."""
    return json.load(aws.invoke(FunctionName=name, **arguments)["Payload"])


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of an error."""
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    response = refused.value.response
    error = response["Error"]
    return response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_a_function_is_told_as_aws_tells_it(aws: Any, zipped: Zipped) -> None:
    code = zipped({"app.py": ECHO})
    created = aws.create_function(
        FunctionName="told",
        Runtime="python3.12",
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": code},
        Environment={"Variables": {"COLOUR": "red"}},
        Tags={"team": "scones"},
    )
    assert created.pop("ResponseMetadata")["HTTPStatusCode"] == 201
    modified = created.pop("LastModified")
    assert modified.endswith("+0000") and modified[-9] == "." and modified[10] == "T"
    assert len(created.pop("RevisionId")) == 36
    assert created == {
        "FunctionName": "told",
        "FunctionArn": f"{ARN}told",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "Environment": {"Variables": {"COLOUR": "red"}},
        "TracingConfig": {"Mode": "PassThrough"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/told"},
    }
    got = aws.get_function(FunctionName="told")
    assert got["Configuration"]["CodeSha256"] == created["CodeSha256"]
    assert got["Tags"] == {"team": "scones"}
    location = got["Code"]["Location"]
    with urllib.request.urlopen(location) as file:
        assert file.read() == code
    for spoilt in (
        location.replace("X-Amz-Credential", "X"),
        location.replace("package=", "package=X"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(spoilt)
        assert refused.value.code == (403 if "package=X" not in spoilt else 404)
        refused.value.close()


def test_waiters_do_not_wait(aws: Any, create: Create) -> None:
    name = create("awaited", ECHO)
    for waiter in ("function_exists", "function_active_v2", "function_updated_v2"):
        aws.get_waiter(waiter).wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 1})


def test_a_name_is_taken_once(aws: Any, create: Create) -> None:
    create("taken", ECHO)
    with pytest.raises(aws.exceptions.ResourceConflictException) as refused:
        create("taken", ECHO)
    assert refused.value.response["Error"]["Message"] == "Function already exist: taken"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


@pytest.mark.parametrize("operation", ["get_function", "invoke", "delete_function", "get_policy"])
def test_an_unknown_function_is_named(aws: Any, operation: str) -> None:
    assert refusal(getattr(aws, operation), FunctionName="absent") == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {ARN}absent",
    )


def test_an_unknown_version_is_named(aws: Any, create: Create) -> None:
    name = create("unversioned", ECHO)
    _, _, message = refusal(aws.invoke, FunctionName=name, Qualifier="7")
    assert message == f"Function not found: {ARN}unversioned:7"


@pytest.mark.parametrize(
    "text",
    [
        "named",
        "named:$LATEST",
        f"{ARN}named",
        f"{ARN}named:$LATEST",
        "arn:aws:lambda:eu-west-3:123456789012:function:named",
        "123456789012:function:named",
        "000000000000:function:named:$LATEST",
        "function:named",
    ],
)
def test_a_function_has_many_names(aws: Any, create: Create, text: str) -> None:
    if "named" not in {each["FunctionName"] for each in aws.list_functions()["Functions"]}:
        create("named", "def handler(event, context):\n    return context.invoked_function_arn\n")
    ending = ":$LATEST" if text.endswith("$LATEST") else ""
    assert said(aws, text) == f"{ARN}named{ending}"
    assert aws.get_function_configuration(FunctionName=text)["FunctionName"] == "named"


def test_code_may_come_from_s3(aws: Any, client: Client, create: Create, zipped: Zipped) -> None:
    client("s3").create_bucket(Bucket="code")
    client("s3").put_object(Bucket="code", Key="f.zip", Body=zipped({"app.py": ECHO}))
    name = create("from-s3", "", Code={"S3Bucket": "code", "S3Key": "f.zip"})
    assert said(aws, name, Payload=b"5") == 5
    status, code, message = refusal(
        aws.update_function_code, FunctionName=name, S3Bucket="code", S3Key="absent.zip"
    )
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith("Error occurred while GetObject. S3 Error Code: NoSuchKey.")
    both = {"ZipFile": zipped({"app.py": ECHO}), "S3Bucket": "code", "S3Key": "f.zip"}
    status, code, message = refusal(aws.update_function_code, FunctionName=name, **both)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith("Please do not provide other FunctionCode parameters")


def test_a_zip_that_reaches_out_of_its_folder_is_refused(create: Create, zipped: Zipped) -> None:
    status, code, message = refusal(
        create, name="hostile", source="", Code={"ZipFile": zipped({"../../app.py": ECHO})}
    )
    assert (status, code) == (400, "InvalidParameterValueException")
    assert message.startswith("Could not unzip uploaded file.")


def test_a_zip_over_fifty_megabytes_must_come_from_s3(aws: Any, create: Create) -> None:
    name = create("heavy", ECHO)
    refused = refusal(
        aws.update_function_code, FunctionName=name, ZipFile=bytes(50 * 2**20 + 1)
    )  # fmt: skip
    assert refused[:2] == (413, "RequestEntityTooLargeException")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"Runtime": "nodejs22.x"}, "python3.x functions"),
        ({"Timeout": 901}, "between 1 and 900"),
        ({"MemorySize": 20000}, "between 128 and 10240"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "reserved keys"),
        (
            {"Environment": {"Variables": dict.fromkeys(("AA", "BB"), "x" * 2048)}},
            "exceeded the 4KB limit",
        ),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:absent:1"]}, "does not exist"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    create: Create, settings: dict[str, Any], words: str
) -> None:
    status, code, message = refusal(create, name="wrong", source=ECHO, **settings)
    assert (status, code) == (400, "InvalidParameterValueException")
    assert words in message


def test_a_setting_that_is_not_carried_is_named(create: Create) -> None:
    status, _, message = refusal(
        create, name="wrong", source=ECHO, DeadLetterConfig={"TargetArn": "arn:aws:sqs:x:1:q"}
    )
    assert status == 501
    assert "DeadLetterConfig" in message


def test_new_code_runs_at_once(aws: Any, create: Create, zipped: Zipped) -> None:
    name = create("changing", "def handler(event, context):\n    return 'old'\n")
    assert said(aws, name) == "old"
    before = aws.get_function_configuration(FunctionName=name)
    new = zipped({"app.py": "def handler(event, context):\n    return 'new'\n"})
    after = aws.update_function_code(FunctionName=name, ZipFile=new)
    assert said(aws, name) == "new"
    assert after["CodeSha256"] != before["CodeSha256"]
    assert after["RevisionId"] != before["RevisionId"]


def test_a_dry_run_changes_nothing(aws: Any, create: Create, zipped: Zipped) -> None:
    name = create("dry", "def handler(event, context):\n    return 'old'\n")
    new = zipped({"app.py": "def handler(event, context):\n    return 'new'\n"})
    aws.update_function_code(FunctionName=name, ZipFile=new, DryRun=True)
    assert said(aws, name) == "old"


def test_what_is_not_given_stays(aws: Any, create: Create) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ.get('COLOUR')\n"
    name = create("settings", source, Description="mine", Timeout=7)
    assert said(aws, name) is None
    aws.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"COLOUR": "blue"}}
    )
    assert said(aws, name) == "blue"
    told = aws.get_function_configuration(FunctionName=name)
    assert (told["Description"], told["Timeout"]) == ("mine", 7)


def test_a_stale_revision_changes_nothing(aws: Any, create: Create, zipped: Zipped) -> None:
    name = create("revised", ECHO)
    revision = aws.get_function_configuration(FunctionName=name)["RevisionId"]
    aws.update_function_configuration(FunctionName=name, Timeout=5, RevisionId=revision)
    refused = refusal(
        aws.update_function_configuration, FunctionName=name, Timeout=6, RevisionId=revision
    )
    assert refused[:2] == (412, "PreconditionFailedException")
    assert aws.get_function_configuration(FunctionName=name)["Timeout"] == 5


def test_a_published_version_does_not_change(aws: Any, create: Create, zipped: Zipped) -> None:
    name = create("published", "def handler(event, context):\n    return 'one'\n")
    first = aws.publish_version(FunctionName=name)
    assert (first["Version"], first["FunctionArn"]) == ("1", f"{ARN}published:1")
    assert aws.publish_version(FunctionName=name)["Version"] == "1"
    new = zipped({"app.py": "def handler(event, context):\n    return context.function_version\n"})
    second = aws.update_function_code(FunctionName=name, ZipFile=new, Publish=True)
    assert second["Version"] == "2"
    assert [said(aws, name, Qualifier=each) for each in ("1", "2", "$LATEST")] == [
        "one", "2", "$LATEST",
    ]  # fmt: skip
    answer = aws.invoke(FunctionName=f"{name}:2")
    assert answer["ExecutedVersion"] == "2"
    versions = aws.list_versions_by_function(FunctionName=name)["Versions"]
    assert [each["Version"] for each in versions] == ["$LATEST", "1", "2"]
    aws.delete_function(FunctionName=name, Qualifier="1")
    assert refusal(aws.invoke, FunctionName=name, Qualifier="1")[0] == 404
    assert said(aws, name) == "$LATEST"


def test_a_deleted_function_is_gone(aws: Any, create: Create) -> None:
    name = create("deleted", ECHO, Publish=True)
    said(aws, name)
    deleted = aws.delete_function(FunctionName=name)
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert refusal(aws.get_function, FunctionName=name)[0] == 404
    create(name, "def handler(event, context):\n    return 'again'\n")
    assert said(aws, name) == "again"


def test_functions_are_listed_in_pages(aws: Any, create: Create) -> None:
    for number in range(5):
        create(f"page-{number}", ECHO)
    pages = aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [each["FunctionName"] for page in pages for each in page["Functions"]]
    assert names == sorted(names)
    assert [each for each in names if each.startswith("page-")] == [f"page-{n}" for n in range(5)]


def test_layers_are_shared_and_a_later_one_wins(aws: Any, create: Create, zipped: Zipped) -> None:
    arns = []
    for word in ("first", "second"):
        files = {"python/word.py": f"WORD = {word!r}\n", f"data/{word}.txt": word}
        layer = aws.publish_layer_version(
            LayerName=word,
            Content={"ZipFile": zipped(files)},
            CompatibleRuntimes=["python3.12"],
            Description=f"the {word}",
        )
        assert (layer["Version"], layer["Description"]) == (1, f"the {word}")
        arns.append(layer["LayerVersionArn"])
    assert arns[0] == "arn:aws:lambda:us-east-1:000000000000:layer:first:1"
    source = (
        "import os, word\n"
        "def handler(event, context):\n"
        "    return [word.WORD, sorted(os.listdir('/opt/data')) if os.path.isdir('/opt/data') "
        "else None]\n"
    )
    name = create("layered", source, Layers=arns)
    word, data = said(aws, name)
    assert word == "second"
    assert data in (None, ["first.txt", "second.txt"])  # None where no sandbox is allowed
    told = aws.get_function_configuration(FunctionName=name)["Layers"]
    assert [each["Arn"] for each in told] == arns
    aws.update_function_configuration(FunctionName=name, Layers=arns[:1])
    assert said(aws, name)[0] == "first"


def test_layers_have_versions(aws: Any, zipped: Zipped) -> None:
    for number in (1, 2, 3):
        content = {"ZipFile": zipped({"python/x.py": f"X = {number}\n"})}
        aws.publish_layer_version(
            LayerName="versions", Content=content, CompatibleRuntimes=["python3.13"]
        )
    aws.delete_layer_version(LayerName="versions", VersionNumber=3)
    told = aws.list_layer_versions(LayerName="versions")["LayerVersions"]
    assert [each["Version"] for each in told] == [2, 1]
    latest = {
        each["LayerName"]: each["LatestMatchingVersion"]["Version"]
        for each in aws.list_layers(CompatibleRuntime="python3.13")["Layers"]
    }
    assert latest == {"versions": 2}
    got = aws.get_layer_version(LayerName="versions", VersionNumber=2)
    assert got["Content"]["CodeSize"] > 0
    refused = refusal(aws.get_layer_version, LayerName="versions", VersionNumber=3)
    assert refused[:2] == (404, "ResourceNotFoundException")
    content = {"ZipFile": zipped({"python/x.py": "X = 4\n"})}
    assert aws.publish_layer_version(LayerName="versions", Content=content)["Version"] == 4


def test_permissions_are_a_policy(aws: Any, create: Create) -> None:
    name = create("permitted", ECHO)
    added = aws.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::bucket",
        SourceAccount="123456789012",
    )
    statement = json.loads(added["Statement"])
    assert statement == {
        "Sid": "s3",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"{ARN}permitted",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"},
        },
    }
    policy = json.loads(aws.get_policy(FunctionName=name)["Policy"])
    assert policy == {"Version": "2012-10-17", "Id": "default", "Statement": [statement]}
    again = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "*"}
    assert refusal(aws.add_permission, FunctionName=name, **again)[0] == 409
    aws.remove_permission(FunctionName=name, StatementId="s3")
    assert refusal(aws.get_policy, FunctionName=name)[:2] == (404, "ResourceNotFoundException")
    assert refusal(aws.remove_permission, FunctionName=name, StatementId="s3")[0] == 404


def test_tags_come_and_go(aws: Any, create: Create) -> None:
    arn = ARN + create("tagged", ECHO, Tags={"a": "1"})
    aws.tag_resource(Resource=arn, Tags={"b": "2", "c": "3"})
    aws.untag_resource(Resource=arn, TagKeys=["a", "c"])
    assert aws.list_tags(Resource=arn)["Tags"] == {"b": "2"}
