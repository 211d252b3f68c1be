"""Watch: read what was captured, judge it, write the monitor's report, tell what changed."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scones.clients import Clients, CloudError
from scones.gate.heldout import Baseline
from scones.monitor import columns, monitor_page, pictures
from scones.monitor.capture import Record, read_records
from scones.monitor.columns import Columns
from scones.monitor.drift import Drift
from scones.monitor.measured import Measured
from scones.monitor.monitor_page import Sheet, Shown
from scones.monitor.verdict import Findings, judge, states
from scones.monitor.windows import UNKNOWN, Window, once
from scones.settings import Settings
from scones.workflow.alarm import Change, changed
from scones.workflow.files import Files, Prefix, legible
from scones.workflow.kept import Cache, cache_of
from scones.workflow.progress import Steps, silent
from scones.workflow.report import write
from scones.workflow.staged import TRAIN
from scones.workflow.subject import Question, Subject, subject
from scones.workflow.unread import refuse_unread

REFERENCE = 300
"""Staged training pictures, evenly taken, that captured pictures are measured beside."""
FOLDER = "monitor"
"""Below the report's folder."""

Tell = Callable[[str, Sequence[Change], float], None]
"""Sends changes: of which place, what, when."""


@dataclass(frozen=True)
class Watched:
    """One look at the captures."""

    subject: Subject
    sheet: Sheet
    page: Path
    question: Question
    cache: Cache

    @property
    def findings(self) -> Findings:
        return self.sheet.findings


@dataclass(frozen=True)
class Look:
    """Captures read and put under their labels."""

    records: Columns
    window: Window
    """With every label."""
    counted: Window
    """The same without the labels that only a review gave: what shares are counted on."""
    rows: NDArray[np.int64]
    """Which row of `records` each record of the window is."""
    measured: Measured
    since_s: float
    arrived: NDArray[np.int64] | None = None
    """In which order the counted labels came, 0 where there is none; None: as the records did."""

    def once(self, window: Window) -> NDArray[np.bool_] | None:
        """One record of each picture: the one whose label came first, else the first.

        Each answer of a batch is a picture of its own. None where pictures were not looked at.
        """
        answers = self.records.answers[self.rows]
        if not answers.any():
            return None
        return once(window, answers, self.arrived)


def watch(
    clients: Clients | None,
    settings: Settings,
    question: Question,
    steps: Steps = silent,
    clock: Callable[[], float] = time.time,
) -> Watched:
    """Judge what is captured by now, and write the report.

    `clients` may be None where the question needs no cloud. Raises ValueError for a question that
    cannot be answered.
    """
    with steps("monitor") as step:
        step.say("what is watched")
        about = subject(clients, settings, question)
        if clients is not None and about.ours:
            clients.flush()
        num_classes = len(about.class_names)
        cache = cache_of(settings.home, about.files.place, num_classes, question.pictures)
        step.say("captured records")
        known, measured = cache.read(about.files, num_classes, clock(), step, question.pictures)
        refuse_unread(about, known)
        look = _in_order(look_at(about, known, measured), cache, question)
        step.say("verdicts")
        findings = _judge(clients, about, look, cache, question)
        sheet = _sheet(about, look, findings, clock())
        step.say("charts and page")
        folder = settings.report_dir / FOLDER
        write(folder, list(monitor_page.files(sheet)))
        return Watched(about, sheet, folder / "monitor.html", question, cache)


def tell(seen: Watched, tells: Mapping[str, Tell]) -> None:
    """Tell each address what changed since it was last told on this question.

    An address that took its message is noted at once; one that did not is raised when all others
    are told, as ValueError or one of CloudError, and the next look finds its changes again.
    """
    failed: list[Exception] = []
    for address, send in tells.items():
        name = _told_under(seen.question, address)
        changes = changed(seen.cache.states(name), seen.findings)
        try:
            if changes:
                send(seen.sheet.place, changes, seen.sheet.made_at.timestamp())
        except (ValueError, *CloudError) as error:
            failed.append(error)
        else:
            seen.cache.keep_states(name, states(seen.findings))
    if len(failed) > 1:
        raise ValueError("; ".join(str(each) for each in failed)) from failed[0]
    if failed:
        raise failed[0]


def _told_under(question: Question, address: str) -> str:
    asked = json.dumps([question.truth, question.baseline, question.threshold, address])
    return f"states-{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"


def look_at(about: Subject, known: Columns, measured: Measured) -> Look:
    """The records of this model, after the baseline's period if there is one."""
    since_s = about.since_s if about.period is None else max(about.since_s, about.period.end_s)
    whole = known.window(about.class_names, about.labels, about.by_picture)
    chosen = whole.at_N >= since_s
    window, rows = whole.take(chosen), np.flatnonzero(chosen)
    counted = _counted(about, known, whole).take(chosen) if about.asked else window
    return Look(known, window, counted, rows, measured, since_s)


def _counted(about: Subject, known: Columns, whole: Window) -> Window:
    """Without the labels that only a review gave.

    They lie where the model doubts most, and doubt is where it errs: of 147 gates that kept their
    promise 49 were suspended by 400 such labels, and 1 by as many labels at random.
    """
    others = {each: label for each, label in about.labels.items() if each not in about.asked}
    labelled = known.window(about.class_names, others, about.by_picture).truth_N != UNKNOWN
    return replace(whole, truth_N=np.where(labelled, whole.truth_N, UNKNOWN))


def _judge(
    clients: Clients | None, about: Subject, look: Look, cache: Cache, question: Question
) -> Findings:
    baseline, reference = _of_period(about, look)
    return judge(
        look.counted,
        about.threshold,
        gate=about.gate,
        baseline=baseline,
        reference_M=reference,
        answers_N=look.records.answers[look.rows],
        pictures=_picture_drift(clients, about, look, cache) if question.pictures else None,
        pictured_at_N=look.measured.times(look.since_s),
        by_hand=about.by_hand,
        arrived_N=look.arrived,
    )


def _in_order(look: Look, cache: Cache, question: Question) -> Look:
    """With the order in which the counted labels were first seen here."""
    known = look.counted.truth_N != UNKNOWN
    places = np.zeros(len(known), np.int64)
    name = f"arrivals-{hashlib.sha256(str(question.truth).encode()).hexdigest()[:16]}.u64"
    places[known] = cache.arrivals(name, look.records.record_keys[look.rows[known]])
    return replace(look, arrived=places)


def _of_period(about: Subject, look: Look) -> tuple[Baseline | None, NDArray[np.float64] | None]:
    """The chosen period's labelled answers and all of its confidences; None for the card's."""
    if about.period is None:
        return None, None
    whole = _counted(
        about, look.records, look.records.window(about.class_names, about.labels, about.by_picture)
    )
    chosen = whole.take((whole.at_N >= about.period.start_s) & (whole.at_N < about.period.end_s))
    if len(chosen) == 0:
        raise ValueError("baseline is a period without a record; choose one with captures")
    known = chosen.labelled
    baseline = Baseline(about.class_names, known.probabilities_NK, known.truth_N)
    return baseline, chosen.confidence


def _picture_drift(
    clients: Clients | None, about: Subject, look: Look, cache: Cache
) -> dict[str, Drift]:
    """The pictures' own drift: beside the period's, the staged training pictures, or alone.

    Empty where no picture was captured.
    """
    stream = look.measured.since(look.since_s)
    if not stream:
        return {}
    if about.period is not None:
        reference = look.measured.since(about.period.start_s, about.period.end_s)
    elif clients is not None and about.staged is not None:
        reference = cache.reference(about.staged.facts.sha256, _training_pictures(clients, about))
    else:
        reference = []
    return pictures.drift(reference, stream)


def _training_pictures(clients: Clients, about: Subject) -> Callable[[], list[bytes]]:
    def fetch() -> list[bytes]:
        assert about.staged is not None, "asked for where pictures are staged"
        entries = about.staged.split(TRAIN)
        chosen = entries[:: max(1, len(entries) // REFERENCE)]
        bucket = Prefix(clients.s3, clients.bucket, "", clients.settings.parallel)
        return [content for _, content in bucket.read([each.key for each in chosen])]

    return fetch


def _sheet(about: Subject, look: Look, findings: Findings, now_s: float) -> Sheet:
    window, first = look.window, look.once(look.window)
    pictured = first is not None
    doubted = monitor_page.least_confident(window, first) if pictured else []
    wrong = monitor_page.confidently_wrong(window, about.threshold, first) if pictured else []
    shown = dict(zip([*doubted, *wrong], shown_at(about.files, look, [*doubted, *wrong]),
                     strict=True))  # fmt: skip
    stream = look.measured.since(look.since_s)
    measures = {
        name: [float(getattr(each, name)) for each in stream]
        for name in ("brightness", "contrast", "sharpness", "size")
    }
    faults = (*look.records.faults, *about.faults)
    return Sheet(
        place=legible(about.files.place),
        window=look.counted,
        findings=findings,
        gate=about.gate,
        made_at=datetime.fromtimestamp(now_s, UTC),
        model=about.model,
        num_pictures=None if first is None else int(first.sum()),
        first_N=look.once(look.counted),
        faults=tuple(replace(each, source=legible(each.source)) for each in faults),
        notes=(*about.notes, *_unused(about, look)),
        least_confident=[shown[i] for i in doubted if shown[i].record.picture],
        confidently_wrong=[shown[i] for i in wrong if shown[i].record.picture],
        measures=measures if stream else {},
        formats=[each.format for each in stream],
    )


def _unused(about: Subject, look: Look) -> list[str]:
    """Which labels are not counted, and why."""
    asked = int(((look.window.truth_N != UNKNOWN) & (look.counted.truth_N == UNKNOWN)).sum())
    records = look.records.take(look.rows)
    of_batches = records.take(records.batched)
    batches = np.concatenate([of_batches.event_N, of_batches.inference_N])
    labelled = int(np.isin(columns.keys(list(about.labels)), batches).sum()) if len(batches) else 0
    said = []
    if asked:
        said.append(
            f"Labels that only a review gave, n = {asked:,}, teach and are shown, but are not "
            "counted: the model's own doubts chose them."
        )
    if labelled:
        said.append(
            f"Labels of requests with several answers, n = {labelled:,}, are not used: a label is "
            "of one answer."
        )
    return said


def shown_at(files: Files, look: Look, indexes: Sequence[int]) -> list[Shown]:
    """The records with their pictures, read again from their files; in the order asked for."""
    rows = look.rows[list(indexes)] if len(indexes) else np.zeros(0, np.int64)
    names = sorted({look.records.files[look.records.file_N[row]] for row in rows})
    by_key: dict[tuple[int, int], Record] = {}
    for name, content in files.read(names):
        records, _ = read_records(content, name)
        keys = columns.keys([record.event_id for record in records]).tolist()
        by_key |= {(k, r.item): r for k, r in zip(keys, records, strict=True)}
    found = []
    for index, row in zip(indexes, rows, strict=True):
        record = by_key[int(look.records.event_N[row]), int(look.records.item_N[row])]
        truth = int(look.window.truth_N[index])
        found.append(Shown(record, None if truth == UNKNOWN else truth))
    return found
