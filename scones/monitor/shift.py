"""Is the model's preference for a class the model's, or the stream's? Its mix, by labels or not.

Where nearly all labels are known the classes are counted. Else there are two estimates of how many
pictures of each class the stream really holds, both assuming that pictures *of one class* look as
they did in the baseline, so neither holds under any other drift: BBSE from the calls alone (Lipton
et al. 2018), MLLS from calibrated probabilities (Saerens et al. 2002; Alexandari et al. 2020).

_K classes, _KK called by true class, _NK records by classes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scones.gate.calibration import fit_biased, logits_of
from scones.gate.heldout import Baseline
from scones.gate.intervals import wilson
from scones.monitor.windows import Window

Floats = NDArray[np.float64]

WEAKEST = 0.2
"""Least difference between the classes' calls (with two, TPR - FPR) that BBSE can build on."""
NEARLY_ALL = 0.95
"""Share of records with labels from which on the classes are counted, not estimated."""
REFITS, REFIT_RECORDS = 25, 1000
"""Bootstrap refits of the calibration, and the records, evenly taken, they are applied to."""


@dataclass(frozen=True)
class Mix:
    """Estimated share of each class in a stream."""

    method: str
    """"labels", "BBSE" or "MLLS"."""
    share_K: Floats
    """Sums to 1; NaN where the estimate is refused."""
    low_K: Floats
    high_K: Floats
    """95 % interval, within 0..1; all of it where the estimate is refused."""
    n: int
    refused: str | None = None
    """Why there is no estimate."""


def mixes(
    baseline: Baseline | None, window: Window, distinct: int | None = None
) -> tuple[Mix, ...]:
    """How the classes are mixed in a window: counted by labels, or by both estimates.

    Without a baseline nothing can be estimated, only counted.
    """
    labelled = len(window.labelled)
    if labelled and labelled >= NEARLY_ALL * len(window):
        return (by_labels(window, distinct),)
    if baseline is None:
        return ()
    return tuple(each(baseline, window.probabilities_NK, distinct) for each in (bbse, mlls))


def differs(mix: Mix, baseline: Baseline, drawn: bool = False, wider: float = 1.0) -> bool:
    """Whether a class has surely another share in the mix than in the baseline.

    `wider`: how many times as wide as of 95 % the interval of the difference is taken.

    `drawn`: the baseline's own shares are those of a draw, whose chance counts as well (Zou &
    Donner 2008: the interval of a difference out of both); else they were chosen, and are exact.
    """
    n = len(baseline.labels_N)
    count_K = np.bincount(baseline.labels_N, minlength=len(mix.share_K))
    before_K = count_K / n
    low_K, high_K = wilson(count_K, n) if drawn else (before_K, before_K)
    gap_K = mix.share_K - before_K
    below_K = gap_K + wider * np.hypot(mix.high_K - mix.share_K, before_K - low_K) < 0
    above_K = gap_K - wider * np.hypot(mix.share_K - mix.low_K, high_K - before_K) > 0
    return bool((below_K | above_K).any())


def by_labels(window: Window, distinct: int | None = None) -> Mix:
    """The labels, counted; of one at least. `distinct` as in `bbse`.

    The interval holds whatever classes the records without a label may have.
    """
    known, n = window.labelled, len(window)
    count_K = np.bincount(known.truth_N, minlength=len(window.class_names))
    draws = distinct or n
    low_K, _ = wilson(draws * count_K / n, draws)
    _, high_K = wilson(draws * (count_K + n - len(known)) / n, draws)
    return Mix("labels", count_K / len(known), low_K, high_K, n)


def bbse(baseline: Baseline, probabilities_NK: Floats, distinct: int | None = None) -> Mix:
    """Black-box shift estimation: which mix would be called as this stream is called.

    `distinct`: different pictures among them, which is how many draws the interval counts.
    """
    num_classes, n = len(baseline.class_names), len(probabilities_NK)
    counts_K = np.bincount(baseline.labels_N, minlength=num_classes)
    if n == 0 or counts_K.min() == 0:
        return _refused("BBSE", num_classes, n, "a class, or the stream, has no pictures")
    called_KK = np.zeros((num_classes, num_classes))
    np.add.at(called_KK, (baseline.probabilities_NK.argmax(axis=1), baseline.labels_N), 1)
    called_KK /= counts_K
    if np.abs(np.linalg.eigvals(called_KK)).min() < WEAKEST:
        return _refused(
            "BBSE", num_classes, n, "the model's calls tell the classes apart too little"
        )
    seen_K = np.bincount(probabilities_NK.argmax(axis=1), minlength=num_classes) / n
    inverse = np.linalg.inv(called_KK)
    share_K = inverse @ seen_K
    # The delta method: of the calls seen, and of each class's calls in the baseline.
    spread = _multinomial(seen_K, distinct or n)
    for k in range(num_classes):
        spread = spread + share_K[k] ** 2 * _multinomial(called_KK[:, k], int(counts_K[k]))
    return _mix("BBSE", share_K, inverse @ spread @ inverse.T, n)


def mlls(baseline: Baseline, probabilities_NK: Floats, distinct: int | None = None) -> Mix:
    """Maximum likelihood: which mix makes these calibrated probabilities most likely (by EM).

    Its interval is of the stream's draw, and of what few labels leave open in the calibration.
    `distinct` as in `bbse`.
    """
    num_classes, n = len(baseline.class_names), len(probabilities_NK)
    counts_K = np.bincount(baseline.labels_N, minlength=num_classes)
    if n == 0 or counts_K.min() == 0:
        return _refused("MLLS", num_classes, n, "a class, or the stream, has no pictures")
    likelihood_NK = probabilities_NK / (counts_K / counts_K.sum())
    share_K = _most_likely(likelihood_NK, np.full(num_classes, 1 / num_classes), 1e-10)
    # Observed information of the K - 1 free shares; the last is 1 less their sum.
    score_NK = likelihood_NK / (likelihood_NK @ share_K)[:, None]
    free = score_NK[:, :-1] - score_NK[:, -1:]
    covariance = np.linalg.pinv(free.T @ free)
    spread_out = np.vstack([np.eye(num_classes - 1), -np.ones(num_classes - 1)])
    drawn = spread_out @ covariance @ spread_out.T * (n / (distinct or n))
    return _mix("MLLS", share_K, drawn + _of_calibration(baseline, probabilities_NK, share_K), n)


def _most_likely(likelihood_NK: Floats, start_K: Floats, tolerance: float) -> Floats:
    """Expectation maximisation; a share of 0 to start with would stay 0."""
    share_K = start_K
    for _ in range(1000):
        joint_NK = share_K * likelihood_NK
        before_K = share_K
        share_K = (joint_NK / joint_NK.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(share_K - before_K).max() < tolerance:
            break
    return share_K


def _of_calibration(baseline: Baseline, probabilities_NK: Floats, share_K: Floats) -> Floats:
    """Covariance of the shares over calibrations that other baseline labels would have given."""
    logits_NK, labels_N = logits_of(baseline.probabilities_NK), baseline.labels_N
    some_NK = logits_of(probabilities_NK[:: max(1, len(probabilities_NK) // REFIT_RECORDS)])
    rng, shares = np.random.default_rng(0), []
    start_K = (share_K + 0.01) / (1 + 0.01 * len(share_K))
    for _ in range(REFITS):
        drawn = rng.integers(0, len(labels_N), len(labels_N))
        prior_K = np.bincount(labels_N[drawn], minlength=logits_NK.shape[1]) / len(labels_N)
        if prior_K.min() > 0:
            refitted = fit_biased(logits_NK[drawn], labels_N[drawn])
            shares.append(_most_likely(refitted(some_NK) / prior_K, start_K, 1e-5))
    if len(shares) < 2:
        return np.zeros((logits_NK.shape[1], logits_NK.shape[1]))
    covariance: Floats = np.cov(np.array(shares).T)
    return covariance


def reweighted(baseline: Baseline, probabilities_NK: Floats, share_K: Floats) -> Floats:
    """Probabilities as they would be, were the classes mixed in these shares."""
    before_K = np.bincount(baseline.labels_N, minlength=len(share_K)) / len(baseline.labels_N)
    joint_NK = probabilities_NK * (share_K / before_K)
    corrected: Floats = joint_NK / joint_NK.sum(axis=1, keepdims=True)
    return corrected


def _multinomial(share_K: Floats, n: int) -> Floats:
    """Covariance of counted shares; half a count is added each, lest a count of 0 seem certain."""
    smoothed_K = (share_K * n + 0.5) / (n + len(share_K) / 2)
    covariance: Floats = (np.diag(smoothed_K) - np.outer(smoothed_K, smoothed_K)) / n
    return covariance


def _mix(method: str, share_K: Floats, covariance: Floats, n: int) -> Mix:
    half = stats.norm.ppf(0.975) * np.sqrt(np.maximum(np.diag(covariance), 0))
    share_K = np.clip(share_K, 0, 1)
    share_K = share_K / share_K.sum()
    return Mix(method, share_K, np.clip(share_K - half, 0, 1), np.clip(share_K + half, 0, 1), n)


def _refused(method: str, num_classes: int, n: int, reason: str) -> Mix:
    nothing = np.full(num_classes, np.nan)
    return Mix(method, nothing, np.zeros(num_classes), np.ones(num_classes), n, reason)
