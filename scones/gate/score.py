"""How good probabilities are: log loss, Brier score, calibration error, and risk by coverage.

_N pictures, _NK pictures by classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scones.gate.calibration import CLIP
from scones.gate.intervals import clopper_pearson

Floats = NDArray[np.float64]

NORMAL = 20_000
"""Pictures above which the null band's sums of a bin, of 1,333 pictures or more, are drawn from the
normal distribution: of a million, call by call, it took 22 s, and differs by 1 %."""


def log_loss(probabilities_NK: ArrayLike, labels_N: ArrayLike) -> float:
    """Mean negative log likelihood in nats; NaN of no pictures."""
    p, labels = np.asarray(probabilities_NK, np.float64), np.asarray(labels_N, np.int64)
    if len(labels) == 0:
        return float("nan")
    return -float(np.log(np.clip(p[np.arange(len(labels)), labels], CLIP, 1)).mean())


def brier(probabilities_NK: ArrayLike, labels_N: ArrayLike) -> float:
    """Mean squared distance to the truth, summed over classes (Brier 1950): 0 best, 2 worst."""
    p, labels = np.array(probabilities_NK, np.float64), np.asarray(labels_N, np.int64)
    if len(labels) == 0:
        return float("nan")
    p[np.arange(len(labels)), labels] -= 1
    return float((p**2).sum(axis=1).mean())


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, in bins of equally many pictures."""

    confidence_B: Floats
    accuracy_B: Floats
    count_B: NDArray[np.int64]
    ece: float
    """Expected calibration error: the mean gap of the two, weighed by count; NaN of no pictures."""
    ece_null: float
    """What a perfectly calibrated model stays below 95 % of the time with as many pictures."""


def reliability(confidence_N: ArrayLike, correct_N: ArrayLike, draws: int = 2000) -> Reliability:
    """Adaptive ECE beside its null band.

    ECE is biased upwards: of a perfect model it is .075 at n = 200 and .011 at 10,000, so alone it
    says little. The band is a parametric bootstrap, correct ~ Bernoulli(confidence), seed 0; of
    more than `NORMAL` pictures each bin's sum is drawn at once, from the normal distribution.
    """
    confidence = np.asarray(confidence_N, np.float64)
    correct = np.asarray(correct_N, np.float64)
    n = len(confidence)
    if n == 0:
        empty = np.zeros(0)
        return Reliability(empty, empty, empty.astype(np.int64), float("nan"), float("nan"))
    order = np.argsort(confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    starts = np.linspace(0, n, num_bins(n) + 1).astype(np.int64)[:-1]
    count = np.diff(np.append(starts, n))
    expected = np.add.reduceat(confidence, starts)

    right = np.add.reduceat(correct, starts)
    null_DB = _null_gaps(confidence, starts, draws)
    return Reliability(
        expected / count,
        right / count,
        count,
        float(np.abs(right - expected).sum() / n),
        float(np.quantile(np.abs(null_DB).sum(axis=1) / n, 0.95)),
    )


def _null_gaps(confidence_N: Floats, starts: NDArray[np.int64], draws: int) -> Floats:
    """[draws, bins]: by how much the right calls of a calibrated model miss their expected sum."""
    rng, n = np.random.default_rng(0), len(confidence_N)
    if n > NORMAL:
        variance_B = np.add.reduceat(confidence_N * (1 - confidence_N), starts)
        return rng.normal(0, np.sqrt(variance_B), (draws, len(starts)))
    per_draw = max(1, 2_000_000 // n)  # at most 16 MB of draws at a time
    expected = np.add.reduceat(confidence_N, starts)
    gaps: list[Floats] = []
    for done in range(0, draws, per_draw):
        outcome_DN = rng.random((min(per_draw, draws - done), n)) < confidence_N
        right = np.add.reduceat(outcome_DN.astype(np.float64), starts, axis=1)
        gaps.append(right - expected)
    return np.concatenate(gaps)


def num_bins(n: int) -> int:
    """Bins for n pictures: at least 20 in each, 15 bins at most, 1 at least."""
    return max(1, min(15, n // 20))


@dataclass(frozen=True)
class RiskCoverage:
    """What a gate at each threshold would accept, and how much of that would be wrong."""

    threshold_M: Floats
    """Confidences that occur, falling; the gate accepts at or above."""
    coverage_M: Floats
    risk_M: Floats

    @property
    def area(self) -> float:
        """Mean risk over coverage (AURC); NaN of no pictures."""
        if len(self.risk_M) == 0:
            return float("nan")
        return float((self.risk_M * np.diff(self.coverage_M, prepend=0)).sum())


def risk_coverage(confidence_N: ArrayLike, wrong_N: ArrayLike) -> RiskCoverage:
    """Risk by coverage; equal confidences are accepted together."""
    confidence = np.asarray(confidence_N, np.float64)
    wrong = np.asarray(wrong_N, np.float64)
    order = np.argsort(-confidence, kind="stable")
    confidence, errors = confidence[order], np.cumsum(wrong[order])
    ends = np.flatnonzero(np.diff(confidence, append=-np.inf) != 0)
    accepted = ends + 1
    return RiskCoverage(
        confidence[ends], accepted / max(len(confidence), 1), errors[ends] / accepted
    )


@dataclass(frozen=True)
class Accepted:
    """What a gate at one threshold did to counted pictures: an estimate, not a certificate."""

    n: int
    accepted: int
    errors: int
    coverage: tuple[float, float]
    """Exact 95 % interval."""
    risk: tuple[float, float]
    """Exact 95 % interval for the share of wrong ones among the accepted."""


def at_threshold(confidence_N: ArrayLike, wrong_N: ArrayLike, threshold: float) -> Accepted:
    """Coverage and risk of the gate `confidence >= threshold` on these pictures."""
    accepts = np.asarray(confidence_N, np.float64) >= threshold
    n, accepted = len(accepts), int(accepts.sum())
    errors = int(np.asarray(wrong_N, bool)[accepts].sum())
    return Accepted(
        n, accepted, errors, clopper_pearson(accepted, n), clopper_pearson(errors, accepted)
    )
