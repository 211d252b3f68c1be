"""A threshold that keeps a promise: at most so many of the accepted pictures are wrong.

A fixed grid of thresholds, which no label has chosen, is tested in the order of
`scones.gate.sequence`, which also says why the promise holds; the last one that passes is the gate.

With probability of at least the certainty over the draw of the labelled pictures, the share of
wrong ones among accepted pictures of the same kind is then at most the risk. A threshold at which
the *counted* share is at most the risk breaks that promise in half of all draws.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from scones.gate.outlook import LIKELY, labels_wanted
from scones.gate.sequence import fewest, last_passing

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

STRONGEST, STEP = 16.0, 0.05
"""The grid, in the logit of the confidence: 16 is where float32 rounds the confidence to 1."""


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
    """How many more labels it takes; None with a gate, or where no number would do."""
    pictures_sha256: str
    """Hash of the hashes of the n pictures, so that nobody certifies on what was trained on."""
    chance: float | None = None
    """That so many `more` certify something, if pictures go on as they came; None with a gate, or
    where `more` are only the fewest that could."""

    @property
    def coverage(self) -> float:
        """Share of the n pictures that the gate accepts; 0 without a gate."""
        return self.accepted / self.n if self.n else 0.0

    def sentence(self) -> str:
        """The promise, or why there is none, in one sentence."""
        of = "accepted pictures" if self.scope == "all" else f"pictures accepted as {self.scope}"
        promise = f"of the {of} at most {_percent(self.risk)} are wrong"
        sure = f"with {_percent(self.certainty)} certainty"
        if self.threshold is None:
            return f"Not certifiable that {promise}, {sure}: {self._missing()}."
        return (
            f"At a threshold of {self.threshold:.4f}, {promise}, {sure}: it accepts "
            f"{self.accepted} of {self._labels()}, {self.errors} of them wrong."
        )

    def _labels(self) -> str:
        called = "" if self.scope == "all" else f" called {self.scope}"
        return f"{self.n} training picture{'s' * (self.n != 1)} held out for this{called}"

    def _missing(self) -> str:
        if self.more is None:
            return (
                f"of {self._labels()} too many are wrong even where the model is surest, so more "
                "of them would hardly help"
            )
        enough = (
            f"it takes at least {self.more} more"
            if self.chance is None
            else f"about {self.more} more would make it likely ({_percent(self.chance)})"
        )
        return f"{self._labels()} {'is' if self.n == 1 else 'are'} too few; {enough}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"coverage": self.coverage}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        named = {name: value[name] for name in cls.__dataclass_fields__ if name != "chance"}
        return cls(**named, chance=value.get("chance"))  # cards of before it was told have none


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
    more, chance = (None, None) if last is not None else _missing(confidence, wrong, risk, delta)
    return Certificate(
        scope=scope,
        risk=risk,
        certainty=certainty,
        n=len(confidence),
        threshold=None if last is None else float(grid[last]),
        accepted=0 if last is None else int(accepted[last]),
        errors=0 if last is None else int(errors[last]),
        more=more,
        pictures_sha256=pictures_sha256,
        chance=chance,
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


def _missing(
    confidence: Floats, wrong: NDArray[np.bool_], risk: float, delta: float
) -> tuple[int | None, float | None]:
    """How many more labels, and how likely they do; too few to judge by: the fewest that could."""
    n, least = len(confidence), fewest(0, risk, delta)
    wanted = labels_wanted(confidence, wrong, risk, delta)
    if wanted is not None:
        return wanted - n, LIKELY
    return (least - n, None) if n < least else (None, None)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
