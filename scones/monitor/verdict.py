"""Can the decisions still be trusted? What a window says, in sentences, beside what it promised.

The gate's certificate is ACTIVE until something shows that its ground has moved: drift of the
confidences, or labels by which too many accepted pictures are wrong. Then it is SUSPENDED. An
accuracy estimated from confidences alone suspends nothing: it trusts what it should test.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones.gate.heldout import Baseline, Gate
from scones.monitor import balance as balances
from scones.monitor.accuracy import Share, counted, estimated
from scones.monitor.balance import Balance
from scones.monitor.drift import Drift, audit, fewest, watch
from scones.monitor.shift import Mix, mixes
from scones.monitor.windows import UNKNOWN, Window

Floats = NDArray[np.float64]

ALARMS = ("suspended", "biased", "drift")
"""What `--fail-on` can name."""
_UNBROKEN = re.compile(r"(?<=\d) (?=%)|(?<=\b[np]) (?==)|(?<==) (?=\d)")
WIDEST = 0.4
"""Width of a 95 % interval above which a share is too little known to be called as it was: 20
points either side, the coarser of the gaps that a bias is looked for in."""


@dataclass(frozen=True)
class Verdict:
    """One answer to one question."""

    about: str
    """"gate", "bias", "mix", "confidence", "pictures" or "accuracy"."""
    state: str
    """In a word or two, "active" or "no bias found"; a message goes out when it changes."""
    sentence: str
    """With n, and the interval where there is one."""
    alarm: str | None = None
    """Which of ALARMS it is, if it is one."""


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
    """By what was measured: brightness, contrast, ..."""
    counted: Share
    """Accuracy of accepted calls, by the labels that arrived."""
    estimated: Share
    """The same by confidences alone."""
    mixes: tuple[Mix, ...]
    """The stream's classes, by labels or by BBSE and by MLLS; empty without a baseline."""

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
    first_N: NDArray[np.bool_] | None = None,
    pictures: Mapping[str, Drift] | None = None,
    by_hand: bool = True,
    arrived_N: NDArray[np.int64] | None = None,
) -> Findings:
    """All verdicts on a window, under the gate at `threshold`; also of no records.

    `baseline` and `reference_M`, the confidences to go on as before, are the gate's if not given.
    `first_N` are the records whose picture had not come before: a model answers the same picture
    the same, so whatever counts right and wrong counts each once. None: all. `by_hand`: whether
    somebody set the threshold; False: certificate or default did. `arrived_N`: in which order the
    records' labels came, which is how the audit bets on them; None: as the records did.
    """
    if baseline is None and gate is not None:
        baseline = gate.baseline
    if baseline is not None and len(baseline.labels_N) == 0:
        baseline = None
    once = window if first_N is None else window.take(first_N)
    balance = balances.weigh(once, threshold, _prior(baseline))
    if reference_M is None:
        reference_M = baseline.probabilities_NK.max(axis=1) if baseline else np.zeros(0)
    confidence = watch(reference_M, window.confidence)
    if arrived_N is not None and first_N is not None:
        arrived_N = arrived_N[first_N]
    audited = _audit(once, threshold, gate, arrived_N)
    pictures = pictures or {}
    found = mixes(baseline, window, len(once)) if baseline else ()
    by_labels = counted(once, threshold)
    by_confidence = estimated(once.probabilities_NK, threshold, baseline)
    foretold = estimated(once.labelled.probabilities_NK, threshold, baseline)
    moved = [
        *(["confidences"] if confidence.drifted else []),
        *(["pictures"] if any(drift.drifted for drift in pictures.values()) else []),
    ]
    verdicts = (
        _of_gate(threshold, gate, confidence, audited, by_hand),
        _of_balance(balance, window.class_names),
        *(_of_mix(mix, window.class_names, baseline, moved) for mix in found if baseline),
        _of_confidence(confidence),
        *([_of_pictures(pictures)] if pictures else []),
        _of_accuracy(by_labels, by_confidence, foretold),
    )
    return Findings(
        verdicts, threshold, balance, confidence, audited, pictures, by_labels, by_confidence, found
    )


def changes(before: Mapping[str, str], findings: Findings) -> list[Verdict]:
    """Verdicts whose state is another than before, by what they are about; new ones count."""
    return [each for each in findings.verdicts if before.get(each.about) != each.state]


def states(findings: Findings) -> dict[str, str]:
    """What `changes` wants as `before` the next time."""
    return {verdict.about: verdict.state for verdict in findings.verdicts}


def _shares(baseline: Baseline) -> Floats:
    """Share of each class among the baseline's labels."""
    counts_K = np.bincount(baseline.labels_N, minlength=len(baseline.class_names))
    shares: Floats = counts_K / counts_K.sum()
    return shares


def _prior(baseline: Baseline | None) -> Floats | None:
    """What the model was calibrated for; None where a class had no pictures, or none were kept."""
    if baseline is None or _shares(baseline).min() == 0:
        return None
    return _shares(baseline)


def _audit(
    window: Window, threshold: float, gate: Gate | None, arrived_N: NDArray[np.int64] | None
) -> Drift | None:
    if gate is None or gate.overall.threshold is None:
        return None
    chosen = (window.truth_N != UNKNOWN) & (window.confidence >= threshold)
    wrong = (window.called != window.truth_N)[chosen]
    if arrived_N is not None:
        wrong = wrong[np.argsort(arrived_N[chosen], kind="stable")]
    return audit(wrong, gate.overall.risk)


def _of_gate(
    threshold: float, gate: Gate | None, confidence: Drift, audited: Drift | None, by_hand: bool
) -> Verdict:
    stands = f"The gate stands at {threshold:.4g}"
    if gate is None or gate.overall.threshold is None or audited is None:
        why = gate.overall.sentence() if gate else "The model has no certificate."
        if by_hand:
            said = f"{stands}, set by hand, which promises nothing. {why}"
            return Verdict("gate", "by hand", said)
        said = f"{stands}, the default: not certified, so it promises nothing. {why}"
        return Verdict("gate", "not certified" if gate is None else "not certifiable", said)
    if threshold < gate.overall.threshold:
        said = (
            f"{stands}, set by hand below the certified {gate.overall.threshold:.4f}: it promises "
            "nothing."
        )
        return Verdict("gate", "by hand", said)
    reasons = []
    if confidence.drifted:
        reasons.append("the confidences have drifted")
    if audited.drifted:
        reasons.append(
            f"labels show that more than {100 * gate.overall.risk:.3g} % of accepted are wrong"
        )
    if reasons:
        said = f"The certificate is SUSPENDED: {' and '.join(reasons)}."
        return Verdict("gate", "suspended", said, "suspended")
    labels = number(len(audited.log10_capital_N), "accepted picture")
    speak = "does" if len(audited.log10_capital_N) == 1 else "do"
    known = f"the {labels} whose true class is known {speak} not speak against it"
    if len(confidence.log10_capital_N) == 0:
        said = (
            "No evidence yet for or against the certificate: there is no record to judge. What "
            f"came before the present deployment is not counted. {gate.overall.sentence()}"
        )
        return Verdict("gate", "no evidence yet", said)
    if confidence.too_few:
        said = f"No evidence yet for or against the certificate: {_few(confidence)}; {known}."
        return Verdict("gate", "no evidence yet", f"{said} {gate.overall.sentence()}")
    said = f"The certificate is ACTIVE: no drift, and {known}. {gate.overall.sentence()}"
    return Verdict("gate", "active", said)


def _of_balance(balance: Balance, class_names: Sequence[str]) -> Verdict:
    alarm = "biased" if balance.verdict == "biased" else None
    return Verdict("bias", balance.verdict, balance.sentence(class_names), alarm)


def _of_mix(
    mix: Mix, class_names: Sequence[str], baseline: Baseline, moved: Sequence[str]
) -> Verdict:
    """Whether the stream holds the classes as the baseline does; `moved` is what has drifted."""
    about = f"mix by {mix.method}"
    if mix.refused:
        return Verdict(about, "no estimate", f"No estimate of the stream's mix: {mix.refused}.")
    before_K = _shares(baseline)
    outside = (before_K < mix.low_K) | (before_K > mix.high_K)
    told = ", ".join(
        f"{100 * share:.0f} % {name} (95 %: {100 * low:.0f} to {100 * high:.0f}; "
        f"{100 * before:.0f} % in the baseline)"
        for name, share, low, high, before in zip(
            class_names, mix.share_K, mix.low_K, mix.high_K, before_K, strict=True
        )
    )
    verb = "count" if mix.method == "labels" else "estimates"
    said = f"Of {number(mix.n, 'record')}, {mix.method} {verb} {told}"
    if moved and mix.method != "labels":
        said = (
            f"{said}. But the {' and the '.join(moved)} have drifted, and the estimate holds only "
            "while pictures of each class look as they did: labels would tell the mix."
        )
        return Verdict(about, "cannot be told", said)
    if not outside.any() and (mix.high_K - mix.low_K).max() > WIDEST:
        return Verdict(about, "too few to say", f"{said}: too few to say.")
    state = "unbalanced stream" if outside.any() else "as the baseline"
    return Verdict(about, state, f"{said}: {state}.")


def _of_confidence(drift: Drift) -> Verdict:
    n = len(drift.log10_capital_N)
    if drift.too_few:
        return Verdict("confidence", "too few to say", f"Too few to say: {_few(drift)}.")
    if drift.alarm is None:
        bet = (
            f"the martingale, a bet on change, came to at most {10**drift.peak:.3g} x its stake; "
            f"it alarms at {1 / drift.false_alarms:.0f} x"
        )
        if drift.alone:
            said = (
                f"{_alone(drift)}. Within the {n:,} records the confidences did not drift: {bet}."
            )
            return Verdict("confidence", "nothing to compare with", said)
        said = f"No drift of the confidences in {n:,} records: {bet}."
        return Verdict("confidence", "no drift", said)
    said = (
        f"The confidences have drifted, shown at record {drift.alarm + 1:,} of {n:,} (a false "
        f"alarm comes in at most {100 * drift.false_alarms:.2g} % of lives)."
    )
    return Verdict("confidence", "drift", said, "drift")


def _of_pictures(pictures: Mapping[str, Drift]) -> Verdict:
    moved = [
        f"{name} (record {d.alarm + 1:,})" for name, d in pictures.items() if d.alarm is not None
    ]
    longest = max(pictures.values(), key=lambda drift: len(drift.log10_capital_N))
    n, watched = len(longest.log10_capital_N), ", ".join(pictures)
    if not moved and longest.too_few:
        said = f"Too few to say: {_few(longest, 'picture')}."
        return Verdict("pictures", "too few to say", said)
    if not moved and longest.alone:
        said = f"{_alone(longest)}. Within the {n:,} pictures there was no drift of {watched}."
        return Verdict("pictures", "nothing to compare with", said)
    if not moved:
        return Verdict("pictures", "no drift", f"No drift of {watched} in {n:,} pictures.")
    false_alarms = sum(drift.false_alarms for drift in pictures.values())
    said = (
        f"The pictures have drifted in {', '.join(moved)} of {n:,} (a false alarm in any of "
        f"{len(pictures)} measures comes in at most {100 * false_alarms:.2g} % of lives)."
    )
    return Verdict("pictures", "drift", said, "drift")


def _of_accuracy(by_labels: Share, by_confidence: Share, foretold: Share) -> Verdict:
    """`foretold`: the estimate of those whose labels arrived, and where their share should lie."""
    if by_confidence.n == 0:
        return Verdict("accuracy", "unknown", "No accepted pictures: accuracy is unknown.")
    said = (
        f"Accepted calls are right {_told(by_confidence)} by their own confidences, an estimate "
        "that assumes calibration carries over"
    )
    if by_labels.n == 0:
        return Verdict("accuracy", "estimated", f"{said}; no labels have arrived.")
    said = f"{said}; {_told(by_labels)} by the labels that arrived"
    range_ = f"{100 * foretold.low:.1f} to {100 * foretold.high:.1f} %"
    if foretold.low <= by_labels.value <= foretold.high:
        if by_labels.high - by_labels.low > WIDEST:
            return Verdict(
                "accuracy", "too few to say", f"{said}, too few to say whether it holds."
            )
        said = f"{said}. They agree: the confidences of the labelled ones foretell {range_}."
        return Verdict("accuracy", "as estimated", said)
    way = "fewer" if by_labels.value < foretold.low else "more"
    said = (
        f"{said}. They differ: {way} are right than the {range_} that the confidences of the "
        "labelled ones foretell."
    )
    return Verdict("accuracy", "estimate and labels differ", said)


def number(count: int, thing: str) -> str:
    """1 record, 2,000 records."""
    return f"{count} {thing}" if count == 1 else f"{count:,} {thing}s"


def glued(sentence: str) -> str:
    """With no-break spaces where a line should not end: in 50 %, in n = 12, in p = 0.2."""
    return _UNBROKEN.sub("\N{NO-BREAK SPACE}", sentence)


def _few(drift: Drift, thing: str = "record") -> str:
    told, least = number(len(drift.log10_capital_N), thing), fewest(drift.false_alarms)
    return f"{told}, and even a coarse drift would show only after {least}"


def _alone(drift: Drift) -> str:
    kept = drift.num_reference
    return f"Nothing to compare with: {f'only {kept}' if kept else 'none'} from before"


def _told(share: Share) -> str:
    low, high = 100 * share.low, 100 * share.high
    return f"{100 * share.value:.1f} % (95 %: {low:.1f} to {high:.1f}; n = {share.n:,})"


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
        "alarm": drift.alarm,
        "peak_log10": drift.peak,
        "false_alarms": drift.false_alarms,
        "n": len(drift.log10_capital_N),
    }
