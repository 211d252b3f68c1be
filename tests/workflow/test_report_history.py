"""A report's history holds only answers about pictures like its own."""

from datetime import UTC, datetime, timedelta

from scones.monitor.capture import Record
from scones.workflow.deploy import Deployment
from scones.workflow.report import gates_before, of_same_pictures

START = datetime(2026, 11, 20, 12, 0, 0, 500_000, UTC)


def deployment(minute: int, dataset: str, *classes: str, threshold: float = 0.8) -> Deployment:
    at = START + timedelta(minutes=minute)
    return Deployment(at, dataset, classes, threshold, f"job-{minute}", "scones", "config", "arn")


def record(minute: int, second: int = 30) -> Record:
    at = START.replace(microsecond=0) + timedelta(minutes=minute, seconds=second)
    return Record(f"{minute}.{second}", at, None, None, None, (0.9, 0.1), "file")


def test_answers_about_other_pictures_or_classes_are_left_out() -> None:
    deployments = [
        deployment(0, "cifar100", "a", "b"),
        deployment(10, "sample", "a", "b"),
        deployment(20, "cifar100", "a", "c"),
        deployment(30, "cifar100", "a", "b"),
    ]
    records = [record(minute) for minute in (1, 11, 21, 31)]
    kept = of_same_pictures(records, deployments)
    assert [each.event_id for each in kept] == ["1.30", "31.30"]


def test_the_first_second_is_the_new_models() -> None:
    deployments = [deployment(0, "sample", "a", "b"), deployment(10, "cifar100", "a", "b")]
    assert of_same_pictures([record(10, 0), record(9, 59)], deployments) == [record(10, 0)]


def test_the_gates_of_earlier_deployments_that_have_records_are_told_with_their_ends() -> None:
    deployments = [
        deployment(place * 10, "sample", "a", "b", threshold=threshold)
        for place, threshold in enumerate((0.9, 0.7, 0.6, 0.5))
    ]
    third, last = (START.replace(microsecond=0) + timedelta(minutes=minute) for minute in (20, 30))
    records = [record(1), record(21), record(31)]
    assert gates_before(records, deployments) == ((third, 0.9), (last, 0.6))
    assert gates_before([record(31)], deployments) == ()
