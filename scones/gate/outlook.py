"""How many labels a promise would take, where those at hand do not do.

Assumes that pictures go on as they came: the same confidences, and errors that thin out with them
along a logistic curve fitted to those counted (half an error and half a right call are added, lest
a handful promise too much). For more and more pictures each start of the walk is asked how likely
it passes there; the first number at which one of them is `LIKELY` to is the answer. It leaves out
that another start may pass where that one fails, and that the curve itself is uncertain. How often
the answer did in simulations is in docs/gate.md.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from scones.gate.sequence import starts

Floats = NDArray[np.float64]

LIKELY = 0.8
"""The chance that so many labels certify something."""
STEP = 1.03
"""From one number that is tried to the next."""
FARTHEST = 30
"""Beyond so many times the pictures there are, and as many errorless starts, nothing is tried."""
SLOPE_SD = 3.0
"""A normal prior's on the slope of the errors' log odds a standard deviation of the confidences'
own: keeps a perfect separation finite."""


def labels_wanted(
    confidence_N: Floats, wrong_N: NDArray[np.bool_], risk: float, delta: float
) -> int | None:
    """So many labels in all are `LIKELY` to certify something; None if no number in reach is."""
    n = len(confidence_N)
    if n == 0:
        return None
    rate_N = error_rates(confidence_N, wrong_N)
    least = starts(1, risk, delta)[0].accepted
    wanted, farthest = max(n + 1, least), FARTHEST * (n + least)
    while wanted < farthest:
        if chance(rate_N, wanted, risk, delta) >= LIKELY:
            return wanted
        wanted = int(wanted * STEP) + 1
    return None


def chance(rate_N: Floats, n: int, risk: float, delta: float) -> float:
    """That the likeliest of the starts over n pictures passes; `rate_N` is of `error_rates`."""
    found = starts(n, risk, delta)
    surest = [min(len(rate_N), max(1, round(each.accepted / n * len(rate_N)))) for each in found]
    passes = stats.binom.cdf(
        [each.errors for each in found],
        [each.accepted for each in found],
        rate_N[np.array(surest) - 1],
    )
    return float(np.max(passes))


def error_rates(confidence_N: Floats, wrong_N: NDArray[np.bool_]) -> Floats:
    """The expected share of errors among the surest 1, 2, ... N pictures, smoothed."""
    strength_N = np.sort(special.logit(np.clip(confidence_N, 1e-7, 1 - 1e-7)))[::-1]
    order = np.argsort(-confidence_N, kind="stable")
    spread = strength_N.std() or 1.0
    x_N = (strength_N - strength_N.mean()) / spread
    x, wrong = np.append(x_N, [0.0, 0.0]), np.append(wrong_N[order], [1.0, 0.0])
    weight = np.append(np.ones(len(x_N)), [0.5, 0.5])

    def loss(theta: Floats) -> tuple[float, Floats]:
        odds = theta[0] + theta[1] * x
        off = weight * (special.expit(odds) - wrong)
        value = weight @ (np.logaddexp(0, odds) - wrong * odds) + (theta[1] / SLOPE_SD) ** 2 / 2
        return float(value), np.array([off.sum(), off @ x + theta[1] / SLOPE_SD**2])

    fitted = optimize.minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    rates: Floats = np.cumsum(special.expit(fitted[0] + fitted[1] * x_N)) / np.arange(
        1, len(x_N) + 1
    )
    return rates
