"""Can the decisions still be trusted? What a window says, in sentences, beside what it promised.

The gate's certificate is ACTIVE until something shows that its ground has moved: drift of the
confidences or of the pictures, or labels by which too many accepted pictures are wrong. Then it is
SUSPENDED. An accuracy estimated from confidences alone suspends nothing: it trusts what it should
test. Where drift is shown, what came before tells nothing of now: bias, mix and accuracy are judged
on the records after it. When it is shown is a stopping time, so the records after it are drawn as
any others, and tests and intervals of them hold.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones.gate.heldout import Baseline, Gate
from scones.monitor import balance as balances
from scones.monitor.accuracy import Share, counted, estimated
from scones.monitor.balance import Balance
from scones.monitor.drift import OF_CONFIDENCES, Drift, audit, watch
from scones.monitor.sentences import (
    ALARMS,
    Verdict,
    moved_in,
    number,
    of_accuracy,
    of_balance,
    of_confidence,
    of_gate,
    of_mix,
    of_pictures,
    shares_of,
    wider_over_looks,
)
from scones.monitor.shift import Mix, mixes
from scones.monitor.windows import UNKNOWN, Window, once

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Findings:
    """Everything that a window says, verdicts first."""

    verdicts: tuple[Verdict, ...]
    threshold: float
    balance: Balance
    confidence: Drift
    audit: Drift | None
    """The gate's risk by labels; None without a certificate."""
    pictures: Mapping[str, Drift]
    """By what was measured: brightness, contrast, ...; empty where none was."""
    counted: Share
    """Accuracy of accepted calls, by the labels that arrived."""
    estimated: Share
    """The same by confidences alone."""
    mixes: tuple[Mix, ...]
    """The stream's classes, by labels or by BBSE and by MLLS; without a baseline by labels only."""
    judged_after: int | None = None
    """Records up to the one that drift was shown at: balance, mix and accuracy are of those after
    it. None: no drift, and they are of all."""

    @property
    def alarms(self) -> tuple[str, ...]:
        """The alarms that are raised, in the order of ALARMS."""
        raised = {verdict.alarm for verdict in self.verdicts}
        return tuple(alarm for alarm in ALARMS if alarm in raised)

    def to_json(self) -> dict[str, Any]:
        """For report.json: verdicts and figures, without the long series."""
        return {
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "threshold": self.threshold,
            "alarms": list(self.alarms),
            "judged_after": self.judged_after,
            "balance": _balance_json(self.balance),
            "accuracy": {
                "counted": _share_json(self.counted),
                "estimated": _share_json(self.estimated),
            },
            "mix": [_mix_json(mix) for mix in self.mixes],
            "drift": {"confidence": _drift_json(self.confidence)}
            | {name: _drift_json(drift) for name, drift in self.pictures.items()},
            "audit": _drift_json(self.audit) if self.audit else None,
        }


def judge(
    window: Window,
    threshold: float,
    *,
    gate: Gate | None = None,
    baseline: Baseline | None = None,
    reference_M: Floats | None = None,
    answers_N: NDArray[np.uint64] | None = None,
    pictures: Mapping[str, Drift] | None = None,
    pictured_at_N: Floats | None = None,
    by_hand: bool = True,
    arrived_N: NDArray[np.int64] | None = None,
) -> Findings:
    """All verdicts on a window, under the gate at `threshold`; also of no records.

    `baseline` and `reference_M`, the confidences to go on as before, are the gate's if not given; a
    baseline that is given is a draw, the gate's has its classes in the shares that were chosen.
    `answers_N` tells which records answer the same picture: a model answers it the same, so
    whatever counts right and wrong counts each once. 0, or None: not known. `pictures` are lives of
    the measured pictures in the order of time, which were captured at `pictured_at_N`; None there:
    one a record. None: not looked at. `by_hand`: whether somebody set the threshold; False:
    certificate or default did. `arrived_N`: in which order the records' labels came, which is how
    the audit bets on them, and which record of a picture counts; None: as the records did.
    """
    drawn = baseline is not None
    if baseline is None and gate is not None:
        baseline = gate.baseline
    if baseline is not None and len(baseline.labels_N) == 0:
        baseline = None
    if reference_M is None:
        reference_M = baseline.probabilities_NK.max(axis=1) if baseline else np.zeros(0)
    confidence = watch(reference_M, window.confidence, false_alarms=OF_CONFIDENCES)
    audited = _audit(window, threshold, gate, answers_N, arrived_N)
    after = _shown_after(confidence, pictures or {}, window, pictured_at_N)
    now = slice(after, None)
    recent = window.take(now)
    chosen = once(
        recent,
        None if answers_N is None else answers_N[now],
        None if arrived_N is None else arrived_N[now],
    )
    distinct = recent.take(chosen)
    balance = balances.weigh(distinct, threshold, _prior(baseline))
    found = mixes(baseline, recent, len(distinct))
    by_labels = counted(distinct, threshold)
    by_confidence = estimated(distinct.probabilities_NK, threshold, baseline)
    foretold = estimated(distinct.labelled.probabilities_NK, threshold, baseline)
    num_shares = len(found) * (1 if len(window.class_names) == 2 else len(window.class_names))
    wider = wider_over_looks(len(distinct), num_shares)
    moved = [
        *(["confidences"] if confidence.drifted else []),
        *(["pictures"] if moved_in(pictures) else []),
    ]
    of_now = (
        of_balance(balance, window.class_names),
        *(of_mix(mix, window.class_names, baseline, drawn, moved, wider) for mix in found),
        of_accuracy(by_labels, by_confidence, foretold),
    )
    *bias_and_mix, accuracy = (_since(each, after, len(recent)) for each in of_now)
    verdicts = (
        of_gate(threshold, gate, confidence, pictures, audited, by_hand),
        *bias_and_mix,
        of_confidence(confidence),
        of_pictures(pictures),
        accuracy,
    )
    return Findings(
        verdicts, threshold, balance, confidence, audited, pictures or {}, by_labels, by_confidence,
        found, after,
    )  # fmt: skip


def changes(before: Mapping[str, str], findings: Findings) -> list[Verdict]:
    """Verdicts whose state is another than before, by what they are about; new ones count."""
    return [each for each in findings.verdicts if before.get(each.about) != each.state]


def states(findings: Findings) -> dict[str, str]:
    """What `changes` wants as `before` the next time."""
    return {verdict.about: verdict.state for verdict in findings.verdicts}


def _prior(baseline: Baseline | None) -> Floats | None:
    """What the model was calibrated for; None where a class had no pictures, or none were kept."""
    if baseline is None or shares_of(baseline).min() == 0:
        return None
    return shares_of(baseline)


def _shown_after(
    confidence: Drift, pictures: Mapping[str, Drift], window: Window, pictured_at_N: Floats | None
) -> int | None:
    """Records up to and with the one at which drift was first shown; None where it was not.

    A picture's time is cut to whole seconds: where pictures are fewer than records, all records of
    its second count as before.
    """
    shown = [] if confidence.alarm is None else [confidence.alarm + 1]
    for drift in pictures.values():
        if drift.alarm is not None and (pictured_at_N is None or len(pictured_at_N) == len(window)):
            shown.append(drift.alarm + 1)
        elif drift.alarm is not None and pictured_at_N is not None:
            at = pictured_at_N[drift.alarm]
            shown.append(int(np.searchsorted(window.at_N, at, side="right")))
    return min(shown, default=None)


def _since(verdict: Verdict, after: int | None, num_recent: int) -> Verdict:
    """The verdict, saying that it is of the records after drift was shown."""
    if after is None:
        return verdict
    judged = (
        f"Judged on {number(num_recent, 'record')} after record {after:,}, where drift was shown"
    )
    return replace(verdict, sentence=f"{judged}. {verdict.sentence}")


def _audit(
    window: Window,
    threshold: float,
    gate: Gate | None,
    answers_N: NDArray[np.uint64] | None,
    arrived_N: NDArray[np.int64] | None,
) -> Drift | None:
    if gate is None or gate.overall.threshold is None:
        return None
    chosen = once(window, answers_N, arrived_N)
    chosen &= (window.truth_N != UNKNOWN) & (window.confidence >= threshold)
    wrong = (window.called != window.truth_N)[chosen]
    if arrived_N is not None:
        wrong = wrong[np.argsort(arrived_N[chosen], kind="stable")]
    return audit(wrong, gate.overall.risk)


def _balance_json(balance: Balance) -> dict[str, Any]:
    told = asdict(balance)
    if balance.n == 0:
        told["shares"] = [(None, low, high) for _, low, high in balance.shares]
    return told


def _share_json(share: Share) -> dict[str, float | int | None]:
    value = None if np.isnan(share.value) else share.value
    return {"value": value, "low": share.low, "high": share.high, "n": share.n}


def _mix_json(mix: Mix) -> dict[str, Any]:
    share = None if mix.refused else mix.share_K.tolist()
    return {
        "method": mix.method,
        "share": share,
        "low": mix.low_K.tolist(),
        "high": mix.high_K.tolist(),
        "n": mix.n,
        "refused": mix.refused,
    }


def _drift_json(drift: Drift) -> dict[str, Any]:
    return {
        "alarm": None if drift.alarm is None else drift.alarm + 1,
        "peak_log10": drift.peak,
        "false_alarms": drift.false_alarms,
        "n": len(drift.log10_capital_N),
    }
