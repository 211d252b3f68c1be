"""CloudWatch Logs through genuine boto3 and the gateway, and what pages and tokens promise."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scones.local.errors import ServiceError
from scones.local.identity import Identity
from scones.local.services.logs import Logs

IDENTITY = Identity("http://127.0.0.1:4566")
GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    """The service alone, its clock at second 1000."""
    logs = Logs(home=tmp_path, identity=IDENTITY, clock=lambda: 1000.0)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="job/algo-1")
    yield logs
    logs._ledger.store.close()


def _put(logs: Logs, *events: tuple[int, str], stream: str = "job/algo-1") -> dict[str, Any]:
    batch = [{"timestamp": ms, "message": message} for ms, message in events]
    return logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=batch)


def _get(logs: Logs, **members: Any) -> dict[str, Any]:
    return logs.get_log_events(logGroupName=GROUP, logStreamName="job/algo-1", **members)


def _messages(answer: dict[str, Any]) -> list[str]:
    return [event["message"] for event in answer["events"]]


def _code(call: Callable[..., Any], **members: Any) -> str:
    with pytest.raises((ServiceError, ClientError)) as refused:
        call(**members)
    if isinstance(refused.value, ServiceError):
        return refused.value.code
    return str(refused.value.response["Error"]["Code"])


def test_the_sdks_reading_of_a_training_log_ends(client: Callable[..., Any]) -> None:
    """As sagemaker 2.257's `_flush_log_streams` does it: one stream, pages until one is empty."""
    logs = client("logs")
    group, now = "/aws/sagemaker/flush", int(time.time() * 1000)
    described = {
        "logGroupName": group,
        "logStreamNamePrefix": "job/",
        "orderBy": "LogStreamName",
        "limit": 1,
    }
    assert _code(logs.describe_log_streams, **described) == "ResourceNotFoundException"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="job/algo-1-1")
    logs.create_log_stream(logGroupName=group, logStreamName="other/algo-1-1")
    answer = logs.describe_log_streams(**described)
    assert [each["logStreamName"] for each in answer["logStreams"]] == ["job/algo-1-1"]
    assert "nextToken" not in answer
    events = [{"timestamp": now, "message": f"Epoch[{i}] ünïcode 🚲"} for i in range(3)]
    logs.put_log_events(logGroupName=group, logStreamName="job/algo-1-1", logEvents=events)
    seen: list[str] = []
    more: dict[str, str] = {}
    skip = 1
    while True:
        page = logs.get_log_events(
            logGroupName=group, logStreamName="job/algo-1-1", startTime=now, startFromHead=True,
            **more,
        )  # fmt: skip
        more = {"nextToken": page["nextForwardToken"]}
        seen += _messages(page)[skip:]
        skip = 0
        if not page["events"]:
            break
    assert seen == [event["message"] for event in events[1:]]


def test_a_token_at_the_end_comes_back_and_later_finds_what_is_new(logs: Logs) -> None:
    _put(logs, (1_000_000, "one"), (1_000_000, "two"))
    page = _get(logs, startFromHead=True)
    assert _messages(page) == ["one", "two"]
    end = _get(logs, nextToken=page["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], page["nextForwardToken"])
    _put(logs, (1_000_000, "three"))
    assert _messages(_get(logs, nextToken=page["nextForwardToken"])) == ["three"]
    assert _messages(_get(logs, nextToken=end["nextBackwardToken"])) == ["one", "two"]


def test_the_token_of_an_empty_stream_finds_its_first_events(logs: Logs) -> None:
    for from_head in (True, False):
        token = _get(logs, startFromHead=from_head)["nextForwardToken"]
        assert _get(logs, nextToken=token)["nextForwardToken"] == token
        _put(logs, (1_000_000, "first"))
        assert "first" in _messages(_get(logs, nextToken=token))


def test_pages_forward_and_backward_join_without_gap_or_overlap(logs: Logs) -> None:
    _put(logs, *[(1_000_000 + i // 3, str(i)) for i in range(10)])
    forward, page = [], _get(logs, startFromHead=True, limit=4)
    while page["events"]:
        forward.append(_messages(page))
        page = _get(logs, nextToken=page["nextForwardToken"], limit=4)
    assert forward == [["0", "1", "2", "3"], ["4", "5", "6", "7"], ["8", "9"]]
    backward, page = [], _get(logs, limit=4)
    while page["events"]:
        backward.append(_messages(page))
        page = _get(logs, nextToken=page["nextBackwardToken"], limit=4)
    assert backward == [["6", "7", "8", "9"], ["2", "3", "4", "5"], ["0", "1"]]


def test_events_come_by_time_and_within_it_as_they_arrived(logs: Logs) -> None:
    _put(logs, (999_002, "late"))
    _put(logs, (999_000, "early"), (999_001, "a"), (999_001, "b"))
    assert _messages(_get(logs, startFromHead=True)) == ["early", "a", "b", "late"]
    assert _messages(_get(logs, startFromHead=True, startTime=999_001)) == ["a", "b", "late"]
    assert _messages(_get(logs, startTime=999_000, endTime=999_002)) == ["early", "a", "b"]


def test_a_page_holds_a_mebibyte(logs: Logs) -> None:
    for i in range(3):
        _put(logs, (1_000_000 + i, str(i) * 600_000))
    assert len(_get(logs, startFromHead=True)["events"]) == 1
    page = _get(logs)
    assert _messages(page)[0][0] == "2"
    assert _messages(_get(logs, nextToken=page["nextBackwardToken"]))[0][0] == "1"


def test_events_too_old_or_too_new_are_left_out_and_told(tmp_path: Path) -> None:
    now_ms, day_ms = 100 * 86_400_000, 86_400_000
    logs = Logs(home=tmp_path, identity=IDENTITY, clock=lambda: now_ms / 1000)
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="job/algo-1")
    old = now_ms - 14 * day_ms
    assert _put(logs, (old - 1, "old"), (old, "kept"))["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1
    }
    new = now_ms + day_ms // 12
    assert _put(logs, (new, "kept too"), (new + 1, "new"))["rejectedLogEventsInfo"] == {
        "tooNewLogEventStartIndex": 1
    }
    assert _messages(_get(logs)) == ["kept", "kept too"]
    logs._ledger.store.close()


def test_what_aws_refuses_is_refused(logs: Logs) -> None:
    assert _code(_put, logs=logs, stream="absent") == "InvalidParameterException"  # no events
    disorder = [{"timestamp": ms, "message": "x"} for ms in (2, 1)]
    batch = {"logGroupName": GROUP, "logStreamName": "job/algo-1", "logEvents": disorder}
    assert _code(logs.put_log_events, **batch) == "InvalidParameterException"
    assert _code(_get, logs=logs, nextToken="f/x/1") == "InvalidParameterException"
    assert _code(_get, logs=logs, limit=10_001) == "InvalidParameterException"
    assert _code(logs.create_log_group, logGroupName=GROUP) == "ResourceAlreadyExistsException"
    assert _code(logs.create_log_group, logGroupName="a b") == "InvalidParameterException"
    stream = {"logGroupName": GROUP, "logStreamName": "a:b"}
    assert _code(logs.create_log_stream, **stream) == "InvalidParameterException"
    stream = {"logGroupName": "none", "logStreamName": "fine"}
    assert _code(logs.create_log_stream, **stream) == "ResourceNotFoundException"
    policy = {"logGroupName": GROUP, "retentionInDays": 2}
    assert _code(logs.put_retention_policy, **policy) == "InvalidParameterException"
    by_time = {"logGroupName": GROUP, "logStreamNamePrefix": "j", "orderBy": "LastEventTime"}
    assert _code(logs.describe_log_streams, **by_time) == "InvalidParameterException"
    assert _code(logs.filter_log_events, logGroupName="none") == "ResourceNotFoundException"


def test_streams_are_listed_by_name_or_by_last_event_in_pages(logs: Logs) -> None:
    for at, name in ((1_000_003, "b"), (1_000_001, "c"), (1_000_002, "a")):
        logs.create_log_stream(logGroupName=GROUP, logStreamName=name)
        _put(logs, (at, name), stream=name)

    def names(**members: Any) -> list[str]:
        found, page = [], logs.describe_log_streams(logGroupName=GROUP, limit=3, **members)
        while True:
            found += [each["logStreamName"] for each in page["logStreams"]]
            if "nextToken" not in page:
                return found
            page = logs.describe_log_streams(
                logGroupName=GROUP, limit=3, nextToken=page["nextToken"], **members
            )

    assert names() == ["a", "b", "c", "job/algo-1"]
    assert names(orderBy="LastEventTime", descending=True) == ["b", "a", "c", "job/algo-1"]
    assert names(logStreamNamePrefix="job/") == ["job/algo-1"]


def test_filtering_finds_terms_across_streams_in_order_of_time(logs: Logs) -> None:
    logs.create_log_stream(logGroupName=GROUP, logStreamName="two")
    _put(logs, (1_000_001, "ERROR one"), (1_000_003, "fine"), (1_000_005, "ERROR three"))
    _put(logs, (1_000_002, "ERROR two"), (1_000_004, "ERROR four, ignored"), stream="two")
    found, token = [], None
    while True:
        page = logs.filter_log_events(
            logGroupName=GROUP, filterPattern="ERROR -ignored", limit=2, nextToken=token
        )
        found += [(each["logStreamName"], each["message"]) for each in page["events"]]
        token = page.get("nextToken")
        if token is None:
            break
    assert found == [
        ("job/algo-1", "ERROR one"),
        ("two", "ERROR two"),
        ("job/algo-1", "ERROR three"),
    ]
    only = logs.filter_log_events(logGroupName=GROUP, logStreamNames=["two"], startTime=1_000_003)
    assert _messages(only) == ["ERROR four, ignored"]
    assert len({each["eventId"] for each in only["events"]}) == 1


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("", ["ERROR a b", "WARN a", "error", 'say "hi"']),
        ("ERROR", ["ERROR a b"]),
        ("a b", ["ERROR a b"]),
        ('"a b"', ["ERROR a b"]),
        ('"b a"', []),
        ("?ERROR ?WARN", ["ERROR a b", "WARN a"]),
        ("a -ERROR", ["WARN a", 'say "hi"']),
        ('-"a b"', ["WARN a", "error", 'say "hi"']),
        (r'"\"hi\""', ['say "hi"']),
    ],
)
def test_patterns_match_as_the_user_guide_says(
    logs: Logs, pattern: str, matching: list[str]
) -> None:
    _put(logs, *[(1_000_000, text) for text in ("ERROR a b", "WARN a", "error", 'say "hi"')])
    found = logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    assert _messages(found) == matching


@pytest.mark.parametrize("pattern", ["{ $.a = 1 }", "[a, b]", "%A.B%", "?a b"])
def test_patterns_not_carried_are_refused_by_name(logs: Logs, pattern: str) -> None:
    with pytest.raises(ServiceError, match="not carried") as refused:
        logs.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
    assert refused.value.status == 501


def test_a_pattern_that_ends_amid_a_phrase_is_no_pattern(logs: Logs) -> None:
    members = {"logGroupName": GROUP, "filterPattern": '"open'}
    assert _code(logs.filter_log_events, **members) == "InvalidParameterException"


def test_groups_streams_tags_and_retention_are_there_after_a_restart(tmp_path: Path) -> None:
    logs = Logs(home=tmp_path, identity=IDENTITY, clock=lambda: 1000.0)
    logs.create_log_group(logGroupName=GROUP, tags={"made-by": "scones"})
    logs.create_log_stream(logGroupName=GROUP, logStreamName="job/algo-1")
    logs.put_retention_policy(logGroupName=GROUP, retentionInDays=7)
    _put(logs, (1_000_000, "kept"))
    logs._ledger.store.close()
    logs = Logs(home=tmp_path, identity=IDENTITY, clock=lambda: 1000.0)
    arn = IDENTITY.arn("logs", f"log-group:{GROUP}")
    assert logs.list_tags_for_resource(resourceArn=arn) == {"tags": {"made-by": "scones"}}
    told = logs.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"][0]
    assert (told["arn"], told["retentionInDays"]) == (f"{arn}:*", 7)
    by_arn = logs.get_log_events(logGroupIdentifier=arn, logStreamName="job/algo-1")
    assert _messages(by_arn) == ["kept"]
    _put(logs, (1_000_000, "kept after"))
    assert _messages(_get(logs)) == ["kept", "kept after"]
    logs.tag_resource(resourceArn=f"{arn}:*", tags={"a": "b"})
    logs.untag_resource(resourceArn=arn, tagKeys=["made-by"])
    assert logs.list_tags_log_group(logGroupName=GROUP) == {"tags": {"a": "b"}}
    logs.delete_log_group(logGroupName=GROUP)
    assert _code(_get, logs=logs) == "ResourceNotFoundException"
    logs._ledger.store.close()


def test_boto3s_paginators_end(client: Callable[..., Any]) -> None:
    logs = client("logs")
    now = int(time.time() * 1000)
    for i in range(3):
        logs.create_log_group(logGroupName=f"/pages/{i}", tags={"i": str(i)})
        logs.create_log_stream(logGroupName="/pages/0", logStreamName=f"stream-{i}")
        logs.put_log_events(
            logGroupName="/pages/0", logStreamName=f"stream-{i}",
            logEvents=[{"timestamp": now + i, "message": f"number {i}"}],
        )  # fmt: skip
    sized = {"PaginationConfig": {"PageSize": 2}}
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/pages/", **sized
    )
    assert [len(page["logGroups"]) for page in pages] == [2, 1]
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName="/pages/0", **sized)
    assert [len(page["logStreams"]) for page in pages] == [2, 1]
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="/pages/0", **sized)
    assert [event["message"] for page in pages for event in page["events"]] == [
        "number 0", "number 1", "number 2",
    ]  # fmt: skip
