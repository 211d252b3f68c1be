"""A threshold that keeps a promise: at most so many of the accepted pictures are wrong.

Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052) with a fixed sequence: a grid of
thresholds that no label has chosen is walked from the strictest on; at each the exact binomial test
asks whether the accepted pictures could be wrong more often than the risk allows; the walk ends at
the first threshold that does not pass, and the last that passed is the gate. The walk begins where
enough pictures are accepted for an errorless test to pass, which depends on counts alone.

With probability of at least the certainty over the draw of the labelled pictures, the share of
wrong ones among accepted pictures of the same kind is then at most the risk. A threshold at which
the *counted* share is at most the risk breaks that promise in half of all draws.
"""

import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STRONGEST, STEP = 16.0, 0.05
"""The grid, in the logit of the confidence: 16 is where float32 rounds the confidence to 1."""
MOST_ERRORS = 2000
"""How many errors among accepted pictures `labels_needed` thinks ahead."""


@dataclass(frozen=True)
class Certificate:
    """What a gate promises, and from which pictures it was learnt; or that nothing is promised."""

    scope: str
    """"all", or the class whose calls it speaks of."""
    risk: float
    """alpha: the largest share of wrong pictures among the accepted."""
    certainty: float
    """1 - delta: the chance, over draws of the pictures, that the promise is kept."""
    n: int
    """Labelled pictures it was learnt from."""
    threshold: float | None
    """lambda: accepted are confidences at or above; None where nothing can be promised."""
    accepted: int
    """How many of the n pictures that gate accepts; 0 without a gate."""
    errors: int
    """How many of those are wrong."""
    more: int | None
    """About how many more labels a promise needs; None with a gate, or where no number would do."""
    pictures_sha256: str
    """Hash of the hashes of the n pictures, so that nobody certifies on what was trained on."""

    @property
    def coverage(self) -> float:
        """Share of the n pictures that the gate accepts; 0 without a gate."""
        return self.accepted / self.n if self.n else 0.0

    def sentence(self) -> str:
        """The promise, or why there is none, in one sentence."""
        of = "accepted pictures" if self.scope == "all" else f"pictures accepted as {self.scope}"
        promise = f"of the {of} at most {_percent(self.risk)} are wrong"
        sure = f"with {_percent(self.certainty)} certainty"
        if self.threshold is not None:
            return (
                f"At a threshold of {self.threshold:.4f}, {promise}, {sure}: it accepts "
                f"{self.accepted} of {self.n} held-out pictures, {self.errors} of them wrong."
            )
        missing = (
            "no number of labels would do, the model errs too often even where it is surest"
            if self.more is None
            else f"about {self.more} more {'is' if self.more == 1 else 'are'} needed"
        )
        return f"Not certifiable with {self.n} labels that {promise}, {sure}: {missing}."

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"coverage": self.coverage}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


def certify(
    confidence_N: ArrayLike,
    wrong_N: ArrayLike,
    *,
    risk: float = 0.05,
    certainty: float = 0.95,
    spent: float = 1.0,
    num_classes: int = 2,
    scope: str = "all",
    pictures_sha256: str = "",
) -> Certificate:
    """The lowest threshold of the fixed grid that keeps the promise, or what is missing.

    No fit may have seen the labels behind `wrong_N`, unless it leaves order and calls alone.
    `spent` is the part of delta = 1 - certainty that this one certificate may use up, where several
    are made of the same pictures.
    """
    for name, value in (("risk", risk), ("certainty", certainty), ("spent", spent - 1e-12)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {value}")
    confidence, wrong = np.asarray(confidence_N, np.float64), np.asarray(wrong_N, bool)
    if confidence.shape != wrong.shape or not np.all((confidence >= 0) & (confidence <= 1)):
        raise ValueError("a confidence between 0 and 1 is wanted for each picture, none NaN")
    delta = (1 - certainty) * spent
    grid = thresholds(num_classes)
    accepted, errors = count(confidence, wrong, grid)
    last = last_passing(accepted, errors, risk, delta)
    return Certificate(
        scope=scope,
        risk=risk,
        certainty=certainty,
        n=len(confidence),
        threshold=None if last is None else float(grid[last]),
        accepted=0 if last is None else int(accepted[last]),
        errors=0 if last is None else int(errors[last]),
        more=_more(accepted, errors, len(confidence), risk, delta) if last is None else None,
        pictures_sha256=pictures_sha256,
    )


def thresholds(num_classes: int) -> Floats:
    """The fixed grid, from the strictest down to 1 / classes, where everything is accepted."""
    weakest = -math.log(num_classes - 1) if num_classes > 1 else -STRONGEST
    strengths = np.append(np.arange(STRONGEST, weakest + STEP / 2, -STEP), weakest)
    grid: Floats = special.expit(strengths)
    grid[-1] = 1 / num_classes  # expit may round it upwards, past a confidence of exactly 1 / k
    return grid


def count(confidence_N: Floats, wrong_N: NDArray[np.bool_], grid: Floats) -> tuple[Counts, Counts]:
    """How many pictures each threshold accepts, and how many of those are wrong."""
    order = np.argsort(-confidence_N, kind="stable")
    accepted = np.searchsorted(-confidence_N[order], -grid, side="right")
    errors = np.concatenate([[0], np.cumsum(wrong_N[order])])
    return accepted.astype(np.int64), errors[accepted].astype(np.int64)


def last_passing(accepted_M: Counts, errors_M: Counts, risk: float, delta: float) -> int | None:
    """Index of the last threshold passed by the fixed sequence; None if the first one fails."""
    asked = np.flatnonzero(accepted_M >= fewest(0, risk, delta))
    p = stats.binom.cdf(errors_M[asked], accepted_M[asked], risk)
    failed = np.flatnonzero(p > delta)
    passed = asked[: failed[0]] if len(failed) else asked
    return int(passed[-1]) if len(passed) else None


def fewest(errors: int, risk: float, delta: float) -> int:
    """The fewest accepted pictures that pass the test with so many errors: 59, 93, 124 at 5 %."""
    return int(_fewest(risk, delta)[errors])


@lru_cache(maxsize=64)
def _fewest(risk: float, delta: float) -> Counts:
    """`fewest` for 0 .. MOST_ERRORS errors, by bisection on all at once."""
    errors = np.arange(MOST_ERRORS + 1)
    low = errors.copy()
    # Hoeffding: with m >= 2k/risk + 2 ln(1/delta)/risk^2 the test passes.
    high = np.ceil(2 * errors / risk + 2 * math.log(1 / delta) / risk**2).astype(np.int64)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        passes = stats.binom.cdf(errors, middle, risk) <= delta
        high, low = np.where(passes, middle, high), np.where(passes, low, middle)
    return high


def _more(accepted: Counts, errors: Counts, n: int, risk: float, delta: float) -> int | None:
    """How many more labels, if errors and coverage stay as counted, at the best threshold.

    Half an error is added everywhere, lest a handful of pictures without any promise too much.
    """
    if n == 0 or not accepted.any():
        return fewest(0, risk, delta)
    some = accepted > 0
    rate = (errors[some] + 0.5) / (accepted[some] + 1)
    by_errors = _fewest(risk, delta)
    bearable = np.arange(len(by_errors)) / by_errors
    k = np.searchsorted(np.maximum.accumulate(bearable), rate)
    known = k < len(by_errors)
    if not known.any():
        return max(1, fewest(0, risk, delta) - n) if n < fewest(0, risk, delta) else None
    wanted = by_errors[k[known]] * n / accepted[some][known]
    return max(1, math.ceil(float(wanted.min())) - n)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
