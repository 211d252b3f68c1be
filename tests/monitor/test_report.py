"""The report's figures and its page."""

import hashlib
import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from scipy import stats

from scones.images import png
from scones.images.manifest import Entry
from scones.monitor import report_page
from scones.monitor.capture import Record
from scones.monitor.report import Execution, Material, as_json, examine, stands, verdict

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLASSES = ("bicycle", "motorcycle")


def picture(number: int) -> bytes:
    return png.encode(np.full((32, 32, 3), number, np.uint8))


def record(number: int, *probabilities: float, at: datetime = NOON, event: str = "") -> Record:
    name = event or str(number)
    return Record(name, at, None, "image/png", picture(number), probabilities, "f")


def entry(number: int, label: int, split: str = "test") -> Entry:
    digest = hashlib.sha256(picture(number)).hexdigest()
    return Entry(f"{split}/{number}.png", label, split, digest)


def material(**members: Any) -> Material:
    given = {
        "dataset": "cifar100",
        "classes": CLASSES,
        "threshold": 0.8,
        "deployed_at": NOON,
        "records": (),
        "manifest": (),
        "executions": (),
    }
    return Material(**{**given, **members})


BRIEF = [record(i, 0.9, 0.1) for i in range(10)] + [record(i, 0.3, 0.7) for i in (10, 11)]
"""The brief's 12 invocations: ten confident bicycles, two unconfident motorcycles."""


def test_the_briefs_twelve_invocations_give_fishers_p() -> None:
    report = examine(material(records=BRIEF))
    assert report.by_decision.passed == (10, 0)
    assert report.by_decision.refused == (0, 2)
    assert report.by_decision.p_values == pytest.approx((1 / 66,))
    assert "Only 2 pictures decided motorcycle" in verdict(
        report.by_decision, CLASSES, "pictures decided"
    )


def test_accuracy_counts_different_test_pictures_with_its_exact_interval() -> None:
    records = [record(i, 0.9, 0.1, event=f"{i}-{again}") for i in range(8) for again in range(3)]
    manifest = [entry(i, int(i >= 6)) for i in range(8)] + [entry(99, 0)]
    report = examine(material(records=records, manifest=manifest))
    told = as_json(report)["accuracy"]
    exact = stats.binomtest(6, 8).proportion_ci(0.95, "exact")
    assert (told["value"], told["n"]) == (0.75, 8)
    assert (told["low"], told["high"]) == pytest.approx((exact.low, exact.high))
    assert report.accepted_wrong.k == 2
    assert len(report.judged) == 24


def test_training_pictures_and_strangers_have_no_truth() -> None:
    records = [record(1, 0.9, 0.1), record(2, 0.9, 0.1)]
    report = examine(material(records=records, manifest=[entry(1, 0, "train")]))
    assert report.accuracy.value is None
    assert [each.truth for each in report.judged] == [None, None]
    assert as_json(report)["accuracy"] == {"value": None, "low": 0.0, "high": 1.0, "k": 0, "n": 0}


def test_records_of_the_model_before_are_history_only() -> None:
    before = record(1, 0.1, 0.9, at=NOON - timedelta(hours=1))
    same_second = record(2, 0.9, 0.1, at=NOON)
    deployed_at = NOON + timedelta(milliseconds=700)
    report = examine(material(records=[same_second, before], deployed_at=deployed_at))
    assert [each.record for each in report.judged] == [same_second]
    assert [each.record for each in report.history] == [before, same_second]


def test_a_request_delivered_twice_counts_once_and_other_models_not_at_all() -> None:
    records = [record(1, 0.9, 0.1), record(1, 0.9, 0.1), record(2, 0.5, 0.3, 0.2)]
    assert len(examine(material(records=records)).history) == 1


def test_the_threshold_itself_passes() -> None:
    report = examine(material(records=[record(1, 0.8, 0.2), record(2, 0.7999, 0.2001)]))
    assert (report.by_decision.passed, report.by_decision.refused) == ((1, 0), (1, 0))


def test_executions_are_counted_by_error() -> None:
    executions = [
        Execution("SUCCEEDED"),
        Execution("FAILED", "ThresholdConfidenceNotMet"),
        Execution("FAILED", "ThresholdConfidenceNotMet"),
        Execution("TIMED_OUT"),
        Execution("RUNNING"),
    ]
    told = as_json(examine(material(executions=executions)))["executions"]
    assert told == {
        "started": 5,
        "succeeded": 1,
        "failed": 3,
        "errors": {"ThresholdConfidenceNotMet": 2, "TIMED_OUT": 1},
    }


def test_a_class_refused_more_often_is_named() -> None:
    records = [record(i, 0.9, 0.1) for i in range(50)]
    records += [record(i, 0.3, 0.7) if i < 80 else record(i, 0.1, 0.9) for i in range(50, 100)]
    told = verdict(examine(material(records=records)).by_decision, CLASSES, "pictures decided")
    assert told.startswith("motorcycle is refused more often: 0 of 50 bicycle, 30 of 50 motorcycle")
    assert "Fisher's exact p < 0.001, n = 100" in told


def test_the_same_pictures_over_again_are_no_further_evidence() -> None:
    answers = [
        (i, (0.9, 0.1) if i < 20 else (0.3, 0.7) if i < 23 else (0.1, 0.9)) for i in range(40)
    ]
    manifest = [entry(i, int(i >= 20)) for i in range(40)]
    once = examine(material(records=[record(i, *p) for i, p in answers], manifest=manifest))
    again = [record(i, *p, event=f"{i}-{n}") for i, p in answers for n in range(10)]
    ten_times = examine(material(records=again, manifest=manifest))
    assert (ten_times.by_decision, ten_times.by_truth) == (once.by_decision, once.by_truth)
    assert once.by_decision.p_values[0] > 0.05
    assert (once.passed, ten_times.passed) == (37, 370)


def test_more_classes_are_each_held_against_the_rest() -> None:
    three = ("a", "b", "c")
    records = [record(i, 0.9, 0.05, 0.05) for i in range(20)]
    records += [record(i, 0.05, 0.9, 0.05) for i in range(20, 40)]
    records += [record(i, 0.3, 0.2, 0.5) for i in range(40, 60)]
    report = examine(material(records=records, classes=three))
    assert len(report.by_decision.p_values) == 3
    assert verdict(report.by_decision, three, "").startswith("c is refused more often")


class Outside(HTMLParser):
    """Collects everything in a page that would be fetched from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            inside = (value or "").startswith(("data:", "#"))
            if name in ("src", "href", "xlink:href", "srcset") and not inside:
                self.found.append(f"{tag} {name}={value}")


def made(report_of: Material) -> dict[str, bytes]:
    report = examine(report_of)
    return dict(report_page.files(report, report_page.draw(report)))


def test_the_page_opens_offline_and_holds_its_pictures() -> None:
    files = made(material(records=BRIEF, manifest=[entry(i, 0) for i in range(12)]))
    page = files["report.html"].decode()
    parser = Outside()
    parser.feed(page)
    assert parser.found == []
    assert not re.search(r"@import|url\((?!#)", page)
    assert page.count("data:image/png;base64,") == 12
    assert "confidence.png" in files and "confidence.svg" in files
    assert json.loads(files["report.json"])["classes"] == list(CLASSES)
    assert "sample" not in page


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("certificate", "The gate stands at 0.8765, as the model's certificate says."),
        ("hand", "The gate stands at 0.8765, set by hand, which by itself promises nothing."),
        (
            "default",
            "The gate stands at 0.8765, the default: not certified, so it promises nothing.",
        ),
    ],
)
def test_who_says_the_threshold_is_told_beside_the_promise(source: str, words: str) -> None:
    about = material(threshold=0.87654321, threshold_from=source, promise="At most 5 % are wrong.")
    assert stands(about) == words
    told = as_json(examine(about))
    assert (told["threshold"], told["threshold_from"]) == (0.87654321, source)
    assert told["promise"] == "At most 5 % are wrong."
    page = html.unescape(made(about)["report.html"].decode())
    assert f"{words} At most 5 % are wrong." in page
    assert "Passed the gate at 0.8765<" in page


def test_the_models_own_figures_stand_on_the_page() -> None:
    share = {"value": 0.75, "low": 0.19, "high": 0.99, "n": 4}
    measured = {
        "n": 8, "accuracy": share, "recall": {"bicycle": share, "motorcycle": share},
        "confusion": [[3, 1], [1, 3]], "log_loss": 0.4321, "brier": 0.2, "ece": 0.05,
        "ece_null": 0.15, "risk_coverage": [{"threshold": 0.9, "coverage": 0.5, "risk": 0.1}],
    }  # fmt: skip
    card = {
        "figures": {"validation": measured, "certifying": {"n": 0}}, "gate": {"baseline": []},
        "sentences": ["A promise.", "Temperature 1.5."], "limits": ["It knows <no> cars."],
    }  # fmt: skip
    found = made(material(card=card, promises=["Of the bicycles at most 5 %."]))
    page = found["report.html"].decode()
    for words in (
        "0.432", "19.0 to 99.0 %", "called motorcycle", "Temperature 1.5.", "share accepted",
        "It knows &lt;no&gt; cars.", "Of the bicycles at most 5 %.",
    ):  # fmt: skip
        assert words in page, words
    assert {"risk-coverage.png", "risk-coverage.svg"} <= found.keys()
    told = json.loads(found["report.json"])["card"]
    assert told["figures"]["validation"]["n"] == 8
    assert "gate" not in told


def test_a_model_without_a_card_is_reported_without_its_figures() -> None:
    found = made(material())
    assert "What the model says of itself" not in found["report.html"].decode()
    assert json.loads(found["report.json"])["card"] is None


def test_the_sample_set_cannot_be_overlooked() -> None:
    page = made(material(dataset="sample"))["report.html"].decode()
    assert "dataset: sample" in page


def test_names_are_shown_not_obeyed() -> None:
    evil = material(
        dataset="<script>alert(1)</script>",
        classes=("<b>", "</svg><script>"),
        records=[record(1, 0.9, 0.1)],
        manifest=[entry(1, 0)],
        names={"bucket": '"><img src=x onerror=alert(1)>'},
        executions=[Execution("FAILED", "<i>Error</i>")],
    )
    page = made(evil)["report.html"].decode()
    for wanted in ("<script>", "<img src=x", "<i>Error"):
        assert wanted not in page


@pytest.mark.parametrize("dataset", ["cifar100", "sample"])
def test_nothing_captured_is_a_report_too(dataset: str) -> None:
    files = made(material(dataset=dataset, deployed_at=NOON))
    assert "Nothing is captured yet." in files["report.html"].decode()
    assert json.loads(files["report.json"])["executions"]["started"] == 0


def test_seconds_and_names_reach_the_json() -> None:
    names = {"bucket": "b", "endpoint": "e", "state_machine": "arn", "training_job": "j"}
    told = as_json(examine(replace(material(), names=names, seconds={"stage": 1.5, "train": None})))
    assert (told["bucket"], told["seconds"]) == ("b", {"stage": 1.5, "train": None})


def test_the_page_says_which_gate_earlier_requests_came_to() -> None:
    early = [record(i, 0.9, 0.1, at=NOON - timedelta(hours=1)) for i in (1, 2)]
    gates = ((NOON - timedelta(minutes=50), 0.95), (NOON, 0.5))
    given = material(records=[*early, record(3, 0.9, 0.1)], gates_before=gates)
    page = made(given)["report.html"].decode()
    assert "below the dashed line of its deployment is refused. 2 requests before 20 Nov" in page
    assert "20 November, 12:00:00 UTC went to earlier deployments, gated at 0.5 or 0.95." in page
    assert "threshold 0.8 (before: 0.95, 0.5)" in page
    assert "below the dashed line is refused.</p>" in made(material())["report.html"].decode()


def test_requests_beyond_the_executions_are_not_kept_quiet() -> None:
    records = [record(i, 0.9, 0.1) for i in range(5)]
    given = material(records=records, executions=[Execution("SUCCEEDED")] * 2)
    assert "4 requests more" not in made(given)["report.html"].decode()
    assert "3 requests more were captured" in made(given)["report.html"].decode()


def test_every_picture_that_is_drawn_is_one_that_a_report_may_make() -> None:
    given = material(records=BRIEF)
    assert {f"{name}.png" for name in report_page.draw(examine(given))} <= set(
        report_page.may_make()
    )
