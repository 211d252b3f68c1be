"""How accurate is it now? Counted where labels arrived, estimated where they did not.

Confidence-based estimation (CBPE): of calibrated calls at confidence c, the share c is right. That
holds while calibration carries over, so it is an estimate and no alarm: pictures that mean
something else than they did leave it as high as ever.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from scones.gate.calibration import CLIP, fit_temperature, logits_of
from scones.gate.heldout import Baseline
from scones.gate.intervals import clopper_pearson
from scones.monitor.windows import Window

Floats = NDArray[np.float64]

REFITS = 100
"""Bootstrap refits of the temperature, for what the baseline's few labels leave open."""
REFIT_RECORDS = 5000
"""Records, evenly taken, that the refits are applied to."""


@dataclass(frozen=True)
class Share:
    """A share of n with its 95 % interval; NaN and [0, 1] of nothing."""

    value: float
    low: float
    high: float
    n: int


def counted(window: Window, threshold: float = 0.0) -> Share:
    """Accuracy of the accepted records whose truth is known; exact interval."""
    known = window.labelled
    accepted = known.confidence >= threshold
    right = int((known.called == known.truth_N)[accepted].sum())
    n = int(accepted.sum())
    return Share(right / n if n else float("nan"), *clopper_pearson(right, n), n)


def estimated(
    probabilities_NK: Floats, threshold: float = 0.0, baseline: Baseline | None = None
) -> Share:
    """Accuracy of the accepted records by their own confidences, no label needed.

    With a baseline the interval holds, besides the draw of the records, what the labels behind
    the calibration leave open; either side's two parts by their squares, as Newcombe adds them.
    """
    confidence = probabilities_NK.max(axis=1, initial=0.0)
    accepted = confidence >= threshold
    n = int(accepted.sum())
    if n == 0:
        return Share(float("nan"), 0.0, 1.0, 0)
    value = float(confidence[accepted].mean())
    variance = float((confidence[accepted] * (1 - confidence[accepted])).sum()) / n**2
    half = float(stats.norm.ppf(0.975)) * variance**0.5
    below, above = (
        (0.0, 0.0)
        if baseline is None
        else _of_calibration(value, probabilities_NK[accepted], baseline)
    )
    low, high = value - float(np.hypot(half, below)), value + float(np.hypot(half, above))
    return Share(value, max(0.0, low), min(1.0, high), n)


def _of_calibration(
    value: float, probabilities_NK: Floats, baseline: Baseline
) -> tuple[float, float]:
    """How far below and above the estimate lies what other baseline labels would have given.

    Even in its log odds: a model that was made too sure by its few labels is as far off as one that
    was made too doubtful, but nearer to 1. Even in the share, 95 % intervals held the truth in 88 %
    of 150 draws of 60 labels.
    """
    logits_NK = logits_of(baseline.probabilities_NK)
    step = max(1, len(probabilities_NK) // REFIT_RECORDS)
    some_NK = logits_of(probabilities_NK[::step])
    rng, n = np.random.default_rng(0), len(logits_NK)
    means = []
    for _ in range(REFITS if n else 0):
        drawn = rng.integers(0, n, n)
        refitted = fit_temperature(logits_NK[drawn], baseline.labels_N[drawn])
        means.append(float(refitted(some_NK).max(axis=1).mean()))
    if not means:
        return 0.0, 0.0
    odds, spread = special.logit(_inside(value)), float(np.std(special.logit(_inside(means))))
    half = float(stats.norm.ppf(0.975)) * spread
    low, high = special.expit([odds - half, odds + half])
    return value - float(low), float(high) - value


def _inside(shares: ArrayLike) -> Floats:
    """Kept apart from 0 and 1, where log odds have no bound."""
    return np.clip(np.asarray(shares, np.float64), CLIP, 1 - CLIP)
