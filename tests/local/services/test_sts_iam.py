"""STS and IAM through boto3."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

Client = Callable[..., Any]

TRUST = '{"Version": "2012-10-17", "Statement": []}'
MANAGED = "arn:aws:iam::aws:policy/AmazonS3FullAccess"


def refused(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    response = refusal.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_the_caller_is_an_assumed_role_that_exists(client: Client) -> None:
    identity = client("sts").get_caller_identity()
    assert identity["Account"] == "000000000000"
    assert identity["Arn"] == "arn:aws:sts::000000000000:assumed-role/SconesRole/scones"
    role = client("iam").get_role(RoleName="SconesRole")["Role"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/service-role/SconesRole"
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Action"] == "sts:AssumeRole"


def test_an_assumed_role_gets_keys_that_work(client: Client) -> None:
    arn = "arn:aws:iam::000000000000:role/deep/path/Worker"
    answer = client("sts").assume_role(RoleArn=arn, RoleSessionName="me")
    assert answer["AssumedRoleUser"]["Arn"].endswith("assumed-role/Worker/me")
    keys = answer["Credentials"]
    other = client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert other.get_caller_identity()["Account"] == "000000000000"


def test_a_role_is_kept_with_its_policies_until_it_is_deleted(client: Client) -> None:
    iam = client("iam")
    made = iam.create_role(
        RoleName="Worker", AssumeRolePolicyDocument=TRUST, Path="/teams/", Description="works",
        MaxSessionDuration=7200, Tags=[{"Key": "team", "Value": "a&b"}],
    )["Role"]  # fmt: skip
    assert made == iam.get_role(RoleName="Worker")["Role"]
    assert made["Arn"] == "arn:aws:iam::000000000000:role/teams/Worker"
    assert made["Tags"] == [{"Key": "team", "Value": "a&b"}]
    iam.put_role_policy(RoleName="Worker", PolicyName="inline", PolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="Worker", PolicyArn=MANAGED)
    policy = iam.get_role_policy(RoleName="Worker", PolicyName="inline")
    assert policy["PolicyDocument"] == {"Version": "2012-10-17", "Statement": []}
    assert iam.list_role_policies(RoleName="Worker")["PolicyNames"] == ["inline"]
    attached = iam.list_attached_role_policies(RoleName="Worker")["AttachedPolicies"]
    assert attached == [{"PolicyName": "AmazonS3FullAccess", "PolicyArn": MANAGED}]

    assert refused(iam.delete_role, RoleName="Worker") == ("DeleteConflict", 409)
    iam.detach_role_policy(RoleName="Worker", PolicyArn=MANAGED)
    assert refused(iam.delete_role, RoleName="Worker") == ("DeleteConflict", 409)
    iam.delete_role_policy(RoleName="Worker", PolicyName="inline")
    iam.delete_role(RoleName="Worker")
    assert refused(iam.get_role, RoleName="Worker") == ("NoSuchEntity", 404)


def test_what_is_not_there_or_twice_there_is_refused(client: Client) -> None:
    iam = client("iam")
    trust = {"AssumeRolePolicyDocument": TRUST}
    assert refused(iam.create_role, RoleName="SconesRole", **trust) == ("EntityAlreadyExists", 409)
    no_json = {"RoleName": "r", "AssumeRolePolicyDocument": "no JSON"}
    assert refused(iam.create_role, **no_json) == ("MalformedPolicyDocument", 400)
    assert refused(iam.create_role, RoleName="a b", **trust) == ("ValidationError", 400)
    for call in (iam.delete_role, iam.list_role_policies, iam.list_attached_role_policies):
        assert refused(call, RoleName="nobody") == ("NoSuchEntity", 404)
    gone = {"RoleName": "SconesRole", "PolicyArn": MANAGED}
    assert refused(iam.detach_role_policy, **gone) == ("NoSuchEntity", 404)


def test_roles_are_listed_in_pages(client: Client) -> None:
    iam = client("iam")
    names = [f"listed-{number}" for number in range(5)]
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Path="/listed/")
    pages = iam.get_paginator("list_roles").paginate(
        PathPrefix="/listed/", PaginationConfig={"PageSize": 2}
    )
    assert [[role["RoleName"] for role in page["Roles"]] for page in pages] == [
        names[0:2], names[2:4], names[4:],
    ]  # fmt: skip
