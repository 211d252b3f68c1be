"""Makes confidences true: one slope for all logits, and a bias a class where the data ask for it.

    probabilities = softmax(slope * logits + biases)

With biases of 0 this is temperature scaling (Guo et al. 2017; slope = 1 / temperature). With them
it is Platt scaling for two classes, and its form for k classes (bias-corrected temperature scaling,
Alexandari et al. 2020): the bias says which class the model calls too often, and repairs it. Biases
are taken where a likelihood-ratio test at 5 % asks for them: with 200 labels temperature alone is
as good elsewhere, and isotonic regression is worse below about 1000.

_N pictures, _NK pictures by classes, _K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]

CLIP = 1e-6
"""Probabilities are kept this far from 0 and 1: captured ones can be exactly 0 or 1 in float32."""
SLOPES = (0.05, 20.0)
"""Temperatures from 20 to 0.05; perfect separation would send the slope to infinity."""
LARGEST_BIAS = 10.0
DOUBT = 2.0
"""Variance of the expected calls' sum that balancing must leave. Without any, calls are exactly as
many as labels, and errors come in pairs: of 184 pictures with a risk of 5 % at most 4 are then
wrong in 9 % of draws, where a binomial has 4.5 %. With 1 or more 4.6 % were the most."""
FEWEST = 40
"""Labelled pictures below which a deployed model keeps its own confidences. Measured on drawn
worlds of 2 and 3 classes, true temperatures 0.7 to 1.8, 150 fits each: with 5 to 30 a fit
costs 0.15 to 2.35 of held-out log loss on average against leaving things alone, with 48 -0.02 to
0.09, with 80 -0.04 to 0.01. The usual 200 held-out pictures give 48 where 3 classes part."""


@dataclass(frozen=True)
class Calibration:
    """The repair of a model's logits, and what asked for it."""

    slope: float
    biases_K: tuple[float, ...]
    """Added to the scaled logits; their sum is 0. All 0: temperature only."""
    n: int = 0
    """Labelled pictures it was fitted on; 0 for none: confidences are as the model gives them."""
    bias_p: float | None = None
    """p of the likelihood-ratio test of biases against temperature alone; None if not tested."""
    warning: str | None = None
    """Why it is not, or hardly, fitted."""

    @property
    def temperature(self) -> float:
        """Above 1: the model was too sure of itself."""
        return 1 / self.slope

    @property
    def biased(self) -> bool:
        return any(self.biases_K)

    @property
    def favoured(self) -> int | None:
        """The class that the model called too often, by index; None where no bias was found."""
        return int(np.argmin(self.biases_K)) if self.biased else None

    def __call__(self, logits_NK: ArrayLike) -> Floats:
        """Calibrated probabilities_NK."""
        logits = _logits(logits_NK)
        if logits.shape[1] != len(self.biases_K):
            raise ValueError(f"{len(self.biases_K)} classes are wanted, got {logits.shape[1]}")
        probabilities: Floats = special.softmax(self.slope * logits + self.biases_K, axis=1)
        return probabilities

    def sentence(self, class_names: Sequence[str]) -> str:
        """What was done to the confidences, in plain words."""
        if self.n == 0:
            return (
                f"Confidences are the model's own: {self.warning or 'no labels to calibrate on'}."
            )
        too = "too sure" if self.slope < 1 else "not sure enough"
        said = f"The model was {too} of itself: temperature {self.temperature:.2f} (n = {self.n})"
        if self.favoured is not None:
            said += f", and favoured {class_names[self.favoured]} (p = {self.bias_p:.2g}): repaired"
        return f"{said}." if self.warning is None else f"{said}. {self.warning}."

    def to_json(self) -> dict[str, Any]:
        return {
            "slope": self.slope,
            "biases": list(self.biases_K),
            "n": self.n,
            "bias_p": self.bias_p,
            "warning": self.warning,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        biases = tuple(float(bias) for bias in value["biases"])
        return cls(float(value["slope"]), biases, value["n"], value["bias_p"], value["warning"])


def identity(num_classes: int, warning: str | None = None) -> Calibration:
    """The calibration that changes nothing."""
    return Calibration(1.0, (0.0,) * num_classes, warning=warning)


def fit(logits_NK: ArrayLike, labels_N: ArrayLike, level: float = 0.05) -> Calibration:
    """Temperature; with biases where the likelihood-ratio test at `level` asks for them.

    No labels, labels of one class only, or logits that tell no picture from another: identity,
    with the reason as its warning.
    """
    plain = fit_temperature(logits_NK, labels_N)
    if plain.n == 0:
        return plain
    with_biases = fit_biased(logits_NK, labels_N)
    logits, labels = _checked(logits_NK, labels_N)
    gain = _loss(plain, logits, labels) - _loss(with_biases, logits, labels)
    p = float(stats.chi2.sf(2 * max(gain, 0.0), logits.shape[1] - 1))
    chosen = with_biases if p < level else plain
    return Calibration(chosen.slope, chosen.biases_K, chosen.n, p, chosen.warning)


def deployable(fitted: Calibration) -> Calibration:
    """The fit, or the identity where it rests on too little: `FEWEST`, or a perfect separation.

    Perfect separation sends the slope to infinity, so at its upper bound it is our choice and not
    the data's. The lower bound stays: it makes a gate refuse what confidences say nothing about.
    """
    if fitted.n == 0:
        return fitted
    if fitted.n < FEWEST:
        reason = f"{fitted.n} labelled pictures are too few to set a temperature: it takes {FEWEST}"
        return identity(len(fitted.biases_K), reason)
    if fitted.warning is not None and fitted.slope > SLOPES[0]:
        reason = f"{fitted.n} labelled pictures are called so well that no temperature can be told"
        return identity(len(fitted.biases_K), reason)
    return fitted


def fit_temperature(logits_NK: ArrayLike, labels_N: ArrayLike) -> Calibration:
    """The slope alone, by maximum likelihood."""
    logits, labels = _checked(logits_NK, labels_N)
    refusal = _refusal(logits, labels)
    if refusal:
        return identity(logits.shape[1], refusal)
    zeros = (0.0,) * logits.shape[1]

    def gradient(slope: float) -> float:
        # The loss is convex in the slope, so its root is bracketed by the signs at the bounds.
        p = _softmax(slope * logits)
        return float((p * logits).sum() - logits[np.arange(len(labels)), labels].sum())

    low, high = SLOPES
    if gradient(high) <= 0:
        warning = "Labels and calls agree so well that the temperature stands at its bound"
        return Calibration(high, zeros, len(labels), warning=warning)
    if gradient(low) >= 0:
        warning = "Confidences say nothing about the labels: the temperature stands at its bound"
        return Calibration(low, zeros, len(labels), warning=warning)
    slope = float(optimize.brentq(gradient, low, high, xtol=1e-13, rtol=1e-13))
    return Calibration(slope, zeros, len(labels))


def fit_biased(logits_NK: ArrayLike, labels_N: ArrayLike) -> Calibration:
    """The slope and a bias a class, by maximum likelihood within bounds."""
    plain = fit_temperature(logits_NK, labels_N)
    if plain.n == 0:
        return plain
    logits, labels = _checked(logits_NK, labels_N)
    start = np.append(plain.slope, np.zeros(logits.shape[1] - 1))
    found = _descend(start, logits, labels)
    at_bound = found[0] in SLOPES or bool(np.any(np.abs(found[1:]) == LARGEST_BIAS))
    biases = np.concatenate([[0.0], found[1:]])
    biases -= biases.mean()
    warning = "Labels and calls agree so well that a bound was met" if at_bound else None
    return Calibration(float(found[0]), tuple(map(float, biases)), len(labels), warning=warning)


def balance(logits_NK: ArrayLike, counts_K: ArrayLike) -> tuple[Calibration, float]:
    """Of two classes: biases that make the expected calls as many as the pictures, and a p.

    No picture's label is looked at, only how many there are of each class. The slope is 1, or a
    half, a quarter and so on of a model with less than `DOUBT`. The p is Rao's score test's that no
    bias is needed, with the slope free. One class only: identity, and p = 1.
    """
    logits, counts = _logits(logits_NK), np.asarray(counts_K, np.float64)
    if logits.shape[1] != 2 or counts.sum() != len(logits):
        raise ValueError(f"counts of two classes are wanted for {len(logits)} pictures: {counts}")
    if counts.min() == 0:
        return identity(2), 1.0
    margin = logits[:, 1] - logits[:, 0]
    doubt = min(DOUBT, counts.prod() / counts.sum() / 2)  # half of what slope 0 leaves
    slope, bias = 1.0, _balancing(margin, counts[1])
    while _spread(slope * margin + bias).sum() < doubt:
        slope /= 2
        bias = _balancing(slope * margin, counts[1])
    return Calibration(slope, (-bias / 2, bias / 2)), _bias_p(margin, counts[1])


def _balancing(margin_N: Floats, count: float) -> float:
    """What is to be added for `count` expected calls of the second class."""
    reach = float(np.abs(margin_N).max()) + 50
    bias: float = optimize.brentq(
        lambda bias: special.expit(margin_N + bias).sum() - count, -reach, reach, xtol=1e-12
    )
    return bias


def _bias_p(margin_N: Floats, count: float) -> float:
    """p of Rao's score test that nothing need be added."""
    weight = _spread(margin_N)
    across, slope = weight @ margin_N, weight @ margin_N**2
    information = weight.sum() - (across**2 / slope if slope > 0 else 0.0)
    surplus = special.expit(margin_N).sum() - count
    return float(stats.chi2.sf(surplus**2 / information if information > 0 else 0.0, 1))


def _spread(margin_N: Floats) -> Floats:
    """Variance of each call, drawn by its probability."""
    variance: Floats = special.expit(margin_N) * special.expit(-margin_N)
    return variance


def bias_errors(fitted: Calibration, logits_NK: ArrayLike) -> Floats:
    """Standard errors of the biases_K of a calibration fitted on these logits (Wald)."""
    logits = _logits(logits_NK)
    information = _information(fitted(logits), logits)
    covariance = np.linalg.pinv(information)[1:, 1:]
    num_classes = logits.shape[1]
    # The free biases are relative to class 0; centred ones are a linear map of them.
    centre = np.eye(num_classes)[:, 1:] - 1 / num_classes
    errors: Floats = np.sqrt(np.maximum(np.diag(centre @ covariance @ centre.T), 0))
    return errors


def logits_of(probabilities_NK: ArrayLike) -> Floats:
    """Logits that give these probabilities, with 0 and 1 kept apart by `CLIP`."""
    p = np.asarray(probabilities_NK, np.float64)
    if not np.all((p >= 0) & (p <= 1 + CLIP)):
        raise ValueError("probabilities lie between 0 and 1, and none is NaN")
    return np.log(np.clip(p, CLIP, 1 - CLIP))


def _softmax(scores: Floats) -> Floats:
    """Of two classes by their margin: row by row it takes five times as long."""
    if scores.shape[1] == 2:
        margin = scores[:, 1] - scores[:, 0]
        return np.stack([special.expit(-margin), special.expit(margin)], axis=1)
    probabilities: Floats = special.softmax(scores, axis=1)
    return probabilities


def _scores(theta: Floats, logits: Floats) -> Floats:
    """By the slope and the free biases; class 0 has none."""
    scores: Floats = theta[0] * logits
    scores[:, 1:] += theta[1:]
    return scores


def _loss_of(theta: Floats, logits: Floats, labels: NDArray[np.int64]) -> tuple[float, Floats]:
    log_p = special.log_softmax(_scores(theta, logits), axis=1)
    rows = np.arange(len(labels))
    loss = -float(log_p[rows, labels].sum())
    residual = np.exp(log_p, out=log_p)
    residual[rows, labels] -= 1
    return loss, np.append(np.vdot(residual, logits), residual[:, 1:].sum(axis=0))


def _information(p_NK: Floats, logits: Floats) -> Floats:
    """Fisher's information of slope and free biases: the loss's second derivative."""
    free = p_NK[:, 1:]
    weighted = p_NK * logits
    mean_N = weighted.sum(axis=1)
    across = weighted[:, 1:].sum(axis=0) - mean_N @ free
    slope = np.vdot(weighted, logits) - mean_N @ mean_N
    biases = np.diag(free.sum(axis=0)) - free.T @ free
    return np.block([[np.atleast_2d(slope), across[None, :]], [across[:, None], biases]])


def _descend(theta: Floats, logits: Floats, labels: NDArray[np.int64]) -> Floats:
    """Newton's method with halved steps, within bounds; the loss is convex."""
    low = np.array([SLOPES[0]] + [-LARGEST_BIAS] * (len(theta) - 1))
    high = np.array([SLOPES[1]] + [LARGEST_BIAS] * (len(theta) - 1))
    loss, gradient = _loss_of(theta, logits, labels)
    for _ in range(100):
        information = _information(_softmax(_scores(theta, logits)), logits)
        step = np.linalg.lstsq(information, gradient)[0]
        if np.abs(step).max() < 1e-9:  # of a quadratic descent the next would be below 1e-16
            return np.clip(theta - step, low, high)
        for halvings in range(40):
            moved = np.clip(theta - step / 2**halvings, low, high)
            moved_loss, moved_gradient = _loss_of(moved, logits, labels)
            if moved_loss < loss:
                break
        else:
            return theta
        theta, loss, gradient = moved, moved_loss, moved_gradient
    return theta


def _loss(fitted: Calibration, logits: Floats, labels: NDArray[np.int64]) -> float:
    log_p = special.log_softmax(fitted.slope * logits + fitted.biases_K, axis=1)
    return -float(log_p[np.arange(len(labels)), labels].sum())


def _refusal(logits: Floats, labels: NDArray[np.int64]) -> str | None:
    if len(labels) == 0:
        return "no labels to calibrate on"
    if len(np.unique(labels)) == 1:
        return "all labels are of one class"
    if np.ptp(logits - logits.mean(axis=1, keepdims=True)) == 0:
        return "the model gives every class the same"
    return None


def _logits(logits_NK: ArrayLike) -> Floats:
    logits = np.asarray(logits_NK, np.float64)
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"logits are pictures by at least two classes, got {logits.shape}")
    if not np.all(np.isfinite(logits)):
        raise ValueError("logits must be finite, got NaN or infinity")
    return logits


def _checked(logits_NK: ArrayLike, labels_N: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    logits, labels = _logits(logits_NK), np.asarray(labels_N, np.int64)
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"one label a picture: {logits.shape[0]} pictures, {labels.size} labels")
    if labels.size and not (labels.min() >= 0 and labels.max() < logits.shape[1]):
        raise ValueError(f"labels lie in 0..{logits.shape[1] - 1}, got {np.unique(labels)}")
    return logits, labels
