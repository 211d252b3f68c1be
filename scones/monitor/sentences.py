"""Each question's answer in a sentence, with n and an interval, and a word for its state."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scones.gate.heldout import Baseline, Gate
from scones.gate.intervals import clopper_pearson
from scones.gate.looks import at_once
from scones.monitor import balance as balances
from scones.monitor.accuracy import Share
from scones.monitor.balance import Balance
from scones.monitor.digits import alike
from scones.monitor.drift import Drift, fewest
from scones.monitor.shift import Mix, differs

Floats = NDArray[np.float64]

ALARMS = ("suspended", "biased", "drift", "inaccurate", "unbalanced")
"""What `--fail-on` can name."""
_UNBROKEN = re.compile(r"(?<=\d) (?=%)|(?<=\b[np]) (?==)|(?<==) (?=\d)")
WIDEST = 0.4
"""Width of a 95 % interval above which a share is too little known to be called as it was: 20
points either side, the coarser of the gaps that a bias is looked for in."""


@dataclass(frozen=True)
class Verdict:
    """One answer to one question."""

    about: str
    """"gate", "bias", "mix by ...", "confidence", "pictures" or "accuracy"."""
    state: str
    """In a word or two, "active" or "no bias found"; a message goes out when it changes."""
    sentence: str
    """With n, and the interval where there is one."""
    alarm: str | None = None
    """Which of ALARMS it is, if it is one."""


def of_gate(
    threshold: float,
    gate: Gate | None,
    confidence: Drift,
    pictures: Mapping[str, Drift] | None,
    audited: Drift | None,
    by_hand: bool,
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
    if moved := moved_in(pictures):
        reasons.append(f"the pictures have drifted in {', '.join(moved)}")
    if audited.drifted:
        reasons.append(
            f"labels show that more than {100 * gate.overall.risk:.3g} % of accepted are wrong"
        )
    if reasons:
        said = f"The certificate is SUSPENDED: {' and '.join(reasons)}."
        return Verdict("gate", "suspended", said, "suspended")
    if len(confidence.log10_capital_N) == 0:
        said = (
            "No evidence yet for or against the certificate: there is no record to judge. What "
            f"came before the present deployment is not counted. {gate.overall.sentence()}"
        )
        return Verdict("gate", "no evidence yet", said)
    known = _known(audited)
    if confidence.too_few:
        said = f"No evidence yet for or against the certificate: {_few(confidence)}. {known}"
        return Verdict("gate", "no evidence yet", f"{said} {gate.overall.sentence()}")
    said = f"The certificate is ACTIVE: {_calm(pictures)}. {known} {gate.overall.sentence()}"
    return Verdict("gate", "active", said)


def _calm(pictures: Mapping[str, Drift] | None) -> str:
    """That nothing has drifted, of as much as could be watched."""
    lives = (pictures or {}).values()
    if not lives:
        return "the confidences have not drifted (pictures were not looked at)"
    if any(drift.too_few for drift in lives):
        return "the confidences have not drifted (pictures are too few to say)"
    if any(drift.alone for drift in lives):
        return "the confidences have not drifted (there are no earlier pictures to compare with)"
    return "neither confidences nor pictures have drifted"


def _known(audited: Drift) -> str:
    """What the labels say of a risk that they do not contradict."""
    if len(audited.log10_capital_N) == 0:
        return "No accepted picture's true class is known: it rests on the absence of drift alone."
    labels = number(len(audited.log10_capital_N), "accepted picture")
    speak = "does" if len(audited.log10_capital_N) == 1 else "do"
    return f"The {labels} whose true class is known {speak} not speak against it."


def of_balance(balance: Balance, class_names: Sequence[str]) -> Verdict:
    alarm = "biased" if balance.verdict == "biased" else None
    return Verdict("bias", balance.verdict, balance.sentence(class_names), alarm)


def of_mix(
    mix: Mix,
    class_names: Sequence[str],
    baseline: Baseline | None,
    drawn: bool,
    moved: Sequence[str],
    wider: float,
) -> Verdict:
    """Whether the stream holds the classes as the baseline does; `moved` is what has drifted.

    `wider`: how much wider the interval is that holds over all looks.
    """
    about, by = f"mix by {mix.method}", _METHODS[mix.method]
    if mix.refused:
        said = f"No estimate of the mix of classes {by.removeprefix('estimated ')}: {mix.refused}."
        return Verdict(about, "no estimate", said)
    before_K = shares_of(baseline) if baseline else np.full(len(class_names), np.nan)
    told = []
    for name, share, low, high, before in zip(
        class_names, mix.share_K, mix.low_K, mix.high_K, before_K, strict=True
    ):
        written = alike(*(100 * float(each) for each in (share, low, high)))
        beside = f"; {100 * before:.3g} % in the baseline" if baseline else ""
        told.append(f"{written[0]} % {name} (95 %: {written[1]} to {written[2]}{beside})")
    said = f"Of {number(mix.n, 'record')}, {by}: {', '.join(told)}"
    if moved and mix.method != "labels":
        said = (
            f"{said}. But the {' and the '.join(moved)} have drifted, and the estimate holds only "
            "while pictures of each class look as they did: labels would tell the mix."
        )
        return Verdict(about, "cannot be told", said)
    outside = baseline is not None and differs(mix, baseline, drawn)
    if not outside and (mix.high_K - mix.low_K).max() > WIDEST:
        return Verdict(about, "too few to say", f"{said}: too few to say.")
    if baseline is None:
        return Verdict(about, "nothing to compare with", f"{said}. There is no baseline.")
    if not outside:
        return Verdict(about, "as the baseline", f"{said}: as the baseline.")
    if not differs(mix, baseline, drawn, wider):
        said = f"{said}: perhaps unbalanced. Were this not the only look, that could be chance."
        return Verdict(about, "perhaps unbalanced", said)
    return Verdict(about, "unbalanced stream", f"{said}: unbalanced stream.", "unbalanced")


_METHODS = {
    "labels": "counted by labels",
    "BBSE": "estimated from the calls alone (BBSE)",
    "MLLS": "estimated from all probabilities (MLLS)",
}
"""How a mix is found, by its method."""


def of_confidence(drift: Drift) -> Verdict:
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


def of_pictures(pictures: Mapping[str, Drift] | None) -> Verdict:
    if pictures is None:
        return Verdict("pictures", "not looked at", "The pictures were not looked at.")
    if not pictures:
        return Verdict(
            "pictures", "no pictures", "No picture was captured that could be looked at."
        )
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


def of_accuracy(by_labels: Share, by_confidence: Share, foretold: Share) -> Verdict:
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
    _, low, high = alike(*(100 * each for each in (by_labels.value, foretold.low, foretold.high)))
    range_ = f"{low} to {high} %"
    if by_labels.high - by_labels.low > WIDEST:
        return Verdict("accuracy", "too few to say", f"{said}, too few to say whether it holds.")
    if foretold.low <= by_labels.value <= foretold.high:
        said = f"{said}. They agree: the confidences of the labelled ones foretell {range_}."
        return Verdict("accuracy", "as estimated", said)
    way = "fewer" if by_labels.value < foretold.low else "more"
    said = (
        f"{said}. They differ: {way} are right than the {range_} that the confidences of the "
        "labelled ones foretell."
    )
    if not _surely_differs(by_labels, foretold):
        said = f"{said} Were this not the only look, that could be chance."
        return Verdict("accuracy", "estimate and labels may differ", said)
    alarm = "inaccurate" if way == "fewer" else None
    return Verdict("accuracy", "estimate and labels differ", said, alarm)


def _surely_differs(by_labels: Share, foretold: Share) -> bool:
    """Whether the labels' share lies beside what was foretold over all looks at growing labels.

    By the estimate's own interval, widened, and by the exact one of the count: of few errors the
    first is too narrow, and the second knows nothing of the calibration's error.
    """
    n, gap = by_labels.n, by_labels.value - foretold.value
    half = foretold.value - foretold.low if gap < 0 else foretold.high - foretold.value
    exact = clopper_pearson(round(n * by_labels.value), n, 1 - at_once(balances.LEVEL, n))
    return abs(gap) > wider_over_looks(n, 1) * half and not exact[0] <= foretold.value <= exact[1]


def wider_over_looks(n: int, num_questions: int) -> float:
    """How many times as wide as of 95 % an interval is that holds at all looks at a growing sample.

    At `n` pictures, for so many questions together (`gate.looks`).
    """
    level = at_once(balances.LEVEL / num_questions, n) if n and num_questions else balances.LEVEL
    return float(stats.norm.isf(level / 2) / stats.norm.isf(balances.LEVEL / 2))


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
    value, low, high = alike(*(100 * each for each in (share.value, share.low, share.high)))
    return f"{value} % (95 %: {low} to {high}; n = {share.n:,})"


def moved_in(pictures: Mapping[str, Drift] | None) -> list[str]:
    """The measures that have drifted."""
    return [name for name, drift in (pictures or {}).items() if drift.drifted]


def shares_of(baseline: Baseline) -> Floats:
    """Share of each class among the baseline's labels."""
    counts_K = np.bincount(baseline.labels_N, minlength=len(baseline.class_names))
    shares: Floats = counts_K / counts_K.sum()
    return shares
