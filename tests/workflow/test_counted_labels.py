"""Which labels are counted: those that came by themselves, each picture's, each answer's own."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from scones.gate.heldout import HeldOut, weigh
from scones.images import png
from scones.monitor import columns, measured
from scones.monitor.columns import Columns
from scones.monitor.labels import write_truth
from scones.monitor.monitor_page import least_confident
from scones.monitor.verdict import judge
from scones.monitor.windows import Labels
from scones.settings import Settings
from scones.workflow.files import Folder
from scones.workflow.subject import Question, Subject
from scones.workflow.truth import truth_at
from scones.workflow.watch import Watched, look_at, watch

NAMES = ("bicycle", "motorcycle")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def line(place: int, answer: object, sent: bytes) -> bytes:
    """One captured request, a second after the one before."""
    picture = {"observedContentType": "image/png", "mode": "INPUT", "encoding": "BASE64",
               "data": base64.b64encode(sent).decode()}  # fmt: skip
    output = {"mode": "OUTPUT", "encoding": "JSON", "data": json.dumps(answer)}
    at = f"2026-11-20T12:{place // 60:02}:{place % 60:02}Z"
    return json.dumps({
        "captureData": {"endpointInput": picture, "endpointOutput": output},
        "eventMetadata": {"eventId": f"event-{place}", "inferenceTime": at},
    }).encode() + b"\n"  # fmt: skip


def watched(folder: Path, lines: list[bytes], truth: dict[str, dict[str, int]]) -> Watched:
    """The monitor on these captures, with these labels by file."""
    for name in ("captures", "truth"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "captures" / "a.jsonl").write_bytes(b"".join(lines))
    for name, labels in truth.items():
        (folder / "truth" / name).write_bytes(write_truth(labels))
    settings = Settings(home=folder / "home", report_dir=folder / "report")
    question = Question(str(folder / "captures"), str(folder / "truth"))
    return watch(None, settings, question, clock=NOON.timestamp)


def pictures(n: int) -> list[bytes]:
    noise = np.random.default_rng(0).integers(0, 256, (n, 8, 8, 3), np.uint8)
    return [png.encode(each) for each in noise]


def test_a_label_that_only_a_review_gave_is_shown_and_not_counted(tmp_path: Path) -> None:
    lines = [line(i, [0.9, 0.1], each) for i, each in enumerate(pictures(6))]
    asked = {"event-0": 1, "event-1": 1}
    came = {"event-1": 0, "event-2": 0}
    seen = watched(tmp_path, lines, {"labels.jsonl": came, "review-1.jsonl": asked})
    assert (seen.findings.counted.n, seen.findings.balance.num_labels) == (2, 2)
    # What also came by itself counts, as the review corrected it.
    assert seen.findings.counted.value == 0.5
    assert [each.record.event_id for each in seen.sheet.confidently_wrong] == ["event-0", "event-1"]
    assert len(seen.sheet.window.labelled) == 2
    assert "Labels that only a review gave, n = 1, teach and are shown" in seen.sheet.notes[-1]


def test_where_a_label_came_from_is_told_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "review-1.jsonl").write_bytes(write_truth({"a": 1, "b": 1}))
    (tmp_path / "labels.jsonl").write_bytes(write_truth({"b": 0, "c": 0}))
    told = truth_at(Folder(tmp_path), NAMES)
    assert (told.labels, told.asked) == ({"a": 1, "b": 1, "c": 0}, frozenset("a"))


def test_a_label_of_a_later_record_of_the_picture_is_not_lost(tmp_path: Path) -> None:
    each = pictures(10)
    lines = [line(i, [0.9, 0.1], each[i % 10]) for i in range(20)]
    seen = watched(tmp_path, lines, {"labels.jsonl": {f"event-{10 + i}": 0 for i in range(10)}})
    assert (seen.findings.balance.num_labels, seen.findings.counted.n) == (10, 10)
    assert seen.sheet.num_pictures == 10


def test_the_record_that_was_labelled_first_stands_for_its_picture(tmp_path: Path) -> None:
    lines = [line(i, [0.9, 0.1], each) for i, each in enumerate(pictures(1) * 2)]
    for truth in ({"event-1": 0}, {"event-0": 0, "event-1": 0}):
        seen = watched(tmp_path, lines, {"labels.jsonl": truth})
        assert seen.sheet.first_N is not None
        assert seen.sheet.first_N.tolist() == [False, True]


def test_each_answer_of_a_batch_counts_and_no_label_is_of_all(tmp_path: Path) -> None:
    rows = [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]
    lines = [line(i, rows, b"rows %d" % i) for i in range(4)] + [line(4, rows[0], pictures(1)[0])]
    seen = watched(tmp_path, lines, {"labels.jsonl": {"event-0": 0, "event-4": 0}})
    assert (len(seen.sheet.window), seen.findings.balance.n) == (13, 13)
    assert seen.findings.balance.num_labels == 1
    assert "Labels of requests with several answers, n = 1, are not used" in seen.sheet.notes[-1]


@pytest.mark.slow
def test_what_a_review_labels_suspends_no_certificate_that_is_kept() -> None:
    lives = suspended = 0
    many, truth = answers(np.random.default_rng(10**6), 200_000)
    for seed in range(40):
        random = np.random.default_rng(seed)
        raw, labels = answers(random, 400)
        gate = weigh(HeldOut(NAMES, raw, labels, tuple(map(str, range(400)))))
        threshold = gate.overall.threshold
        if threshold is None:
            continue
        p = gate.calibration(many)
        accepted = p.max(axis=1) >= threshold
        if (p.argmax(axis=1) != truth)[accepted].mean() > gate.overall.risk:
            continue
        lives += 1
        raw, labels = answers(random, 2000)
        known = captured(gate.calibration(raw))
        about = Subject(Folder(Path()), NAMES, threshold, False, gate=gate)
        doubted = least_confident(look_at(about, known, measured.nothing()).window, None, 400)
        asked = {f"event-{i}": int(labels[i]) for i in doubted}
        look = look_at(
            replace(about, labels=asked, asked=frozenset(asked)), known, measured.nothing()
        )
        assert len(look.window.labelled) == 400
        found = judge(look.counted, threshold, gate=gate).audit
        suspended += found is not None and found.drifted
    assert lives >= 30
    assert suspended <= 0.05 * lives


def answers(random: np.random.Generator, n: int) -> tuple[columns.Floats, Labels]:
    """Logits and labels of a calibrated model of great confidence."""
    z = random.normal(0, 6, n)
    labels = (random.random(n) < special.expit(z)).astype(np.int64)
    return np.stack([-z / 2, z / 2], axis=1), labels


def captured(probabilities: columns.Floats) -> Columns:
    """As columns: event-0, event-1, ..."""
    n = len(probabilities)
    nothing = columns.empty(2)
    return replace(
        nothing,
        at_N=np.arange(float(n)),
        probabilities_NK=probabilities,
        event_N=columns.keys([f"event-{i}" for i in range(n)]),
        item_N=np.zeros(n, np.int32),
        inference_N=columns.keys([""] * n),
        picture_N=np.zeros(n, np.uint64),
        file_N=np.zeros(n, np.int32),
    )
