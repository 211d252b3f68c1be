"""The monitor's page and files: whole for any number of records, and complete in themselves."""

import json
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from scones.gate.heldout import Gate, HeldOut, weigh
from scones.images import png
from scones.monitor import monitor_page, monitor_plots
from scones.monitor.capture import Fault, Record
from scones.monitor.drift import watch
from scones.monitor.monitor_page import Sheet, Shown
from scones.monitor.sentences import Verdict, glued
from scones.monitor.verdict import judge
from scones.monitor.windows import UNKNOWN, Window

NAMES = ("bicycle", "motor<b>cycle")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def gate() -> Gate:
    random = np.random.default_rng(0)
    labels = (np.arange(300) % 2).astype(np.int64)
    z = random.normal(np.where(labels == 1, 5.0, -5.0), 3.0)
    return weigh(HeldOut(NAMES, np.stack([-z / 2, z / 2], axis=1), labels, ("",) * 300))


def window(n: int, labelled: bool = True) -> Window:
    random = np.random.default_rng(1)
    labels = (random.random(n) < 0.5).astype(np.int64)
    p = 1 / (1 + np.exp(-random.normal(np.where(labels == 1, 5.0, -5.0), 3.0)))
    at = NOON.timestamp() + np.arange(float(n))
    truth = labels if labelled else np.full(n, UNKNOWN)
    return Window(NAMES, at, np.stack([1 - p, p], axis=1), truth)


def sheet(n: int, *, labelled: bool = True, **more: Any) -> Sheet:
    records, kept = window(n, labelled), gate()
    findings = judge(records, kept.threshold(0.8), gate=kept)
    return Sheet("s3://bucket/captures/", records, findings, kept, NOON, **more)


class Page(HTMLParser):
    """What a browser would fetch, and the text it would show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.shown = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [v or "" for k, v in attrs if k in ("src", "href", "xlink:href")]
        self.open.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.shown += data


@pytest.mark.parametrize(
    ("n", "labelled"), [(0, True), (1, True), (2, False), (60, False), (2000, True)]
)
def test_every_number_of_records_gives_all_files(n: int, labelled: bool) -> None:
    made = dict(monitor_page.files(sheet(n, labelled=labelled)))
    expected = {
        "statistics.json", "constraint_violations.json", "monitor.json", "monitor.html",
        *(f"{name}.{kind}" for kind in ("png", "svg") for name in (
            "confidence", "balance", "martingale", "reliability", "risk-coverage",
        )),
    }  # fmt: skip
    assert set(made) - {"model_quality_statistics.json"} == expected
    assert ("model_quality_statistics.json" in made) == (labelled and n > 0)
    for name, content in made.items():
        if name.endswith(".json"):
            assert "NaN" not in json.dumps(json.loads(content)).replace('"NaN"', "")
        if name.endswith(".png"):
            assert content.startswith(b"\x89PNG")
    assert json.loads(made["monitor.json"])["records"] == n


def test_the_page_fetches_nothing() -> None:
    made = dict(monitor_page.files(sheet(60)))
    page = Page(made["monitor.html"].decode())
    assert [each for each in page.fetched if not each.startswith(("#", "data:"))] == []
    assert not re.search(r"url\((?!['\"]?#)|@import|<script", made["monitor.html"].decode())


def test_the_page_tells_every_verdict_note_and_fault() -> None:
    one = sheet(60, notes=["Mind <this>."], faults=[Fault("key.jsonl", 7, "no line: <x>")])
    page = Page(dict(monitor_page.files(one))["monitor.html"].decode())
    for verdict in one.findings.verdicts:
        assert glued(verdict.sentence) in page.shown
    assert "Mind <this>." in page.shown
    assert "key.jsonl:7: no line: <x>" in page.shown
    assert "motor<b>cycle" in page.shown


@pytest.mark.parametrize(
    ("n", "told"), [(1, "1 record of 1 different picture, 0 with"), (2, "2 records of 2 different")]
)
def test_the_page_counts_one_as_one(n: int, told: str) -> None:
    page = Page(
        dict(monitor_page.files(sheet(n, labelled=False, num_pictures=n)))["monitor.html"].decode()
    )
    assert told in page.shown
    assert "0.0 to 100.0 %, n = 0" not in page.shown


def test_galleries_show_the_pictures_themselves() -> None:
    picture = png.encode(np.zeros((32, 32, 3), np.uint8))
    record = Record("e", NOON, None, 'image/svg+xml"', picture, (0.1, 0.9), "key")
    made = sheet(60, confidently_wrong=[Shown(record, 0)])
    page = Page(dict(monitor_page.files(made))["monitor.html"].decode())
    assert sum(each.startswith("data:image/png;base64,iVBOR") for each in page.fetched) == 1
    assert "✗ it is a bicycle" in page.shown


def test_galleries_are_chosen_by_doubt_and_by_error() -> None:
    p = np.array([0.99, 0.51, 0.7, 0.95, 0.51])
    truth = np.array([1, 0, 0, 1, UNKNOWN])
    records = Window(NAMES, np.arange(5.0), np.stack([p, 1 - p], axis=1), truth)
    first = np.array([True, True, True, True, False])
    assert monitor_page.least_confident(records, first) == [1, 2, 3, 0]
    assert monitor_page.least_confident(records, None, 2) == [1, 4]
    assert monitor_page.confidently_wrong(records, 0.8, first) == [0, 3]
    assert monitor_page.confidently_wrong(records, 0.97, None) == [0]


def test_hourly_aggregates_are_in_the_json() -> None:
    spans = monitor_page.as_json(sheet(7000))["spans"]
    assert [each["count"] for each in spans] == [3600, 3400]
    assert sum(spans[0]["called"].values()) == 3600


def test_verdicts_have_a_tone() -> None:
    tones = [
        monitor_page.tone(each)
        for each in (
            Verdict("gate", "active", ""),
            Verdict("gate", "suspended", "", "suspended"),
            Verdict("bias", "too few to say", ""),
        )
    ]
    assert tones == ["good", "bad", "open"]


def test_large_evidence_is_written_as_a_power_not_as_tex() -> None:
    lower = watch(np.linspace(0, 1, 300), np.full(300, 0.01))
    chart = monitor_plots.martingale(np.arange(300.0), lower, {})
    assert lower.peak > 12
    assert "10¹⁰" in chart.svg
    assert "$" not in chart.svg


def test_bins_hold_equally_many_and_enough() -> None:
    assert monitor_plots.bins(0).tolist() == [0, 0]
    assert monitor_plots.bins(40).tolist() == [0, 40]
    sizes = np.diff(monitor_plots.bins(1_000_003))
    assert (len(sizes), int(sizes.max() - sizes.min())) == (120, 1)


def test_a_million_records_make_a_small_chart() -> None:
    chart = monitor_plots.confidence(window(200_000), 0.8)
    assert len(chart.svg) < 400_000
    assert len(chart.png) < 400_000


def test_one_confidence_for_all_can_be_drawn() -> None:
    p = np.full((3000, 2), 0.5)
    same = Window(NAMES, np.zeros(3000), p, np.zeros(3000, np.int64))
    assert monitor_plots.confidence(same, 0.8).png
    assert monitor_plots.reliability_chart(same.confidence, same.called == 0).png


def test_the_page_writes_large_numbers_as_the_terminal_does_and_breaks_none() -> None:
    one = sheet(2000)
    text = dict(monitor_page.files(one))["monitor.html"].decode()
    assert "2000" not in Page(text).shown.replace("http://www.w3.org/2000/", "")
    assert re.search(r"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}1,\d{3} ", text)
    assert glued("of 50 % (n = 12), p = 0.2") == "of 50_% (n_=_12), p_=_0.2".replace(
        "_", "\N{NO-BREAK SPACE}"
    )


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (1, "20 November 2026, 12:00:00 UTC"),
        (30, "20 November 2026, 12:00:00 to 12:00:29 UTC"),
        (100_000, "20 November 2026, 12:00 to 21 November 2026, 15:46 UTC"),
    ],
)
def test_the_page_tells_from_when_to_when(n: int, told: str) -> None:
    assert monitor_page._span(window(n)) == told
