"""The order in which thresholds are tested, and how sure each test must be.

Learn then Test (Angelopoulos et al. 2021, arXiv 2110.01052): the thresholds of a fixed grid are
walked from the strictest on; at each the exact binomial test asks whether the accepted pictures
could be wrong more often than the risk allows, and the last one that passed is the gate. One early
error ends a walk, and one that begins late skips strict gates that could have been certified, so it
begins several times: where a half, a quarter and an eighth of the pictures are accepted, as far as
a test without errors can pass there. Each start brings a part of delta. A walk that arrives at the
next start alive adds that start's part to its own; one that has failed begins there anew, with that
part alone. This is Wiens' fallback procedure (2003, Pharmaceutical Statistics 2:211-215).

Why the chance of certifying anything too risky is at most delta. Let errors be no rarer where the
model is less sure, and call L the strictest threshold whose true risk is too high; so are all below
it. Given how many pictures each threshold from L on accepts, the errors among them are at least as
many, in distribution, as Binomial(accepted, risk), so each test passes wrongly with a chance of at
most its level. Something too risky is certified only if the walk passes L, where its level is at
most all parts brought by then, or if one of the parts brought later passes where it starts (each
of those starts is settled by the counts from L on). Together that is at most the sum of all
parts, delta. Without any assumption on where errors lie the same holds, given the
confidences, for the mean chance of an error at the accepted confidences: the starts depend on
confidences alone, and the lower tail of errors with unequal chances is below the binomial's
(Hoeffding 1956, Annals of Mathematical Statistics 27:713-721).

_M thresholds of the grid, from the strictest on.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Counts = NDArray[np.int64]

STARTS = ((1 / 2, 3), (1 / 4, 2), (1 / 8, 1))
"""Share of the pictures that is accepted there, and its part of delta. Chosen by simulation among
some thirty such lists; what others did is in docs/gate.md."""
MOST_ERRORS = 2000
"""How many errors among accepted pictures a start thinks ahead."""


@dataclass(frozen=True)
class Start:
    """Where a walk begins, or goes on with more."""

    accepted: int
    """It is the first threshold that accepts so many."""
    errors: int
    """How many of these may be wrong for it to pass alone."""
    level: float
    """Its part of delta."""


@lru_cache(maxsize=4096)
def starts(n: int, risk: float, delta: float) -> tuple[Start, ...]:
    """Where walks over n pictures begin, the fewest accepted first; never none.

    One that no errorless test could pass is left out, and its part goes to the others. With too few
    pictures for any, the one start accepts more than n: nothing can be certified.
    """
    for kept in range(len(STARTS), 0, -1):
        whole = sum(part for _, part in STARTS[:kept])
        found = [_start(share * n, risk, delta * part / whole) for share, part in STARTS[:kept]]
        fitting = [each for each in found if each is not None]
        if len(fitting) == kept:
            return tuple(reversed(fitting))
    return (Start(fewest(0, risk, delta), 0, delta),)


def _start(most: float, risk: float, level: float) -> Start | None:
    """The most errors that so many accepted pictures bear, and the fewest pictures that bear them:
    any more would only bring more errors. None if they bear not even none."""
    by_errors = _fewest(risk, level)
    errors = int(np.searchsorted(by_errors, most, side="right")) - 1
    return None if errors < 0 else Start(int(by_errors[errors]), errors, level)


def last_passing(accepted_M: Counts, errors_M: Counts, risk: float, delta: float) -> int | None:
    """Index of the last threshold that passed; None if no walk began with a pass.

    The grid's last threshold accepts every picture.
    """
    part_M = np.zeros(len(accepted_M) + 1)
    for start in starts(int(accepted_M[-1]), risk, delta):
        part_M[np.searchsorted(accepted_M, start.accepted)] += start.level
    p_M = np.asarray(stats.binom.cdf(errors_M, accepted_M, risk))
    last, level = None, 0.0
    for index, (p, part) in enumerate(zip(p_M.tolist(), part_M.tolist(), strict=False)):
        level += part
        if level == 0:
            continue
        if p <= level:
            last = index
        else:
            level = 0.0
    return last


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
