"""What a Bayesian tuning job tries next: a Gaussian process and its expected improvement.

AWS describes its own as Gaussian process regression with an acquisition function
[https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html]. Here:
Matern 5/2 with a length for each coordinate and a learned noise, fitted by maximum a posteriori;
the point of largest expected improvement among random ones and neighbours of the best so far; jobs
still running count as if they had come out as foreseen.

A program of its own, so that the cloud itself starts without numpy and scipy, and answers while
one is thought about: `python -m scones.local.sagemaker.bayesian FILE` reads a question as JSON and
prints the values to try.
"""

import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.special import ndtr

from scones.local.sagemaker.ranges import Number, Range, Values, coordinates, read, sample

Array = NDArray[np.float64]

CANDIDATES, NEIGHBOURS, STEPS = 1500, 100, (0.02, 0.1)
"""Points at random; points around each of the three best, at each of these distances."""
BOUNDS = {"length": (-3.0, 2.0), "noise": (-9.0, 0.5)}
"""Natural logarithms, in a unit cube and for standardized values."""


class Process:
    """A Gaussian process fitted to values_N (larger is better) at places_ND."""

    def __init__(self, places_ND: Array, values_N: Array) -> None:
        self._places_ND = places_ND
        self._mean, self._scale = float(values_N.mean()), float(values_N.std()) or 1.0
        self._values_N = (values_N - self._mean) / self._scale
        dimensions = places_ND.shape[1]
        bounds = [BOUNDS["length"]] * dimensions + [BOUNDS["noise"]]
        starts = ([length] * dimensions + [noise] for length in (-0.7, 0.5) for noise in (-5, -1))
        fits = [minimize(self._cost, x, bounds=bounds, method="L-BFGS-B") for x in starts]
        best = min(fits, key=lambda fit: float(fit.fun))
        self._lengths_D, self._noise = np.exp(best.x[:-1]), float(np.exp(best.x[-1]))
        self._factor = cho_factor(self._covariance(self._lengths_D, self._noise), lower=True)
        self._weights_N = cho_solve(self._factor, self._values_N)

    def foreseen(self, places_MD: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (of the mean, without noise) at other places."""
        cross_MN = matern(places_MD, self._places_ND, self._lengths_D)
        mean_M = cross_MN @ self._weights_N
        explained_M = np.sum(cross_MN * cho_solve(self._factor, cross_MN.T).T, axis=1)
        spread_M = np.sqrt(np.maximum(1 - explained_M, 1e-12))
        return self._mean + self._scale * mean_M, self._scale * spread_M

    def _covariance(self, lengths_D: Array, noise: float) -> Array:
        same_NN = matern(self._places_ND, self._places_ND, lengths_D)
        return same_NN + (noise + 1e-8) * np.eye(len(self._values_N))

    def _cost(self, settings: Array) -> float:
        """Minus log likelihood, and a prior that keeps lengths near half the cube."""
        logs_D, noise = settings[:-1], float(np.exp(settings[-1]))
        factor = cho_factor(self._covariance(np.exp(logs_D), noise), lower=True)
        fit = self._values_N @ cho_solve(factor, self._values_N)
        volume = np.log(np.diag(factor[0])).sum()
        prior = np.sum((logs_D + 0.7) ** 2) / 2 + (settings[-1] + 4) ** 2 / 18
        return float(fit / 2 + volume + prior)


def matern(a_MD: Array, b_ND: Array, lengths_D: Array) -> Array:
    """Matern's covariance with nu = 5/2 [Rasmussen and Williams, equation 4.17]."""
    apart_MND = (a_MD[:, None, :] - b_ND[None, :, :]) / lengths_D
    r_MN = np.sqrt(5.0 * np.sum(apart_MND**2, axis=2))
    covariance_MN: Array = (1 + r_MN + r_MN**2 / 3) * np.exp(-r_MN)
    return covariance_MN


def expected_improvement(mean_M: Array, spread_M: Array, best: float) -> Array:
    """By how much a place is foreseen to beat `best` [Jones 1998, equation 15]."""
    z_M = (mean_M - best) / spread_M
    density_M = np.exp(-(z_M**2) / 2) / np.sqrt(2 * np.pi)
    gain_M: Array = (mean_M - best) * ndtr(z_M) + spread_M * density_M
    return gain_M


def propose(
    ranges: Sequence[Range],
    seen: Sequence[tuple[Values, float]],
    pending: Sequence[Values],
    rng: random.Random,
) -> Values:
    """What to try next, given values (larger is better) of at least two earlier tries."""
    places_ND = np.array([coordinates(ranges, values) for values, _ in seen])
    values_N = np.array([value for _, value in seen])
    process = Process(places_ND, values_N)
    if pending:
        running_PD = np.array([coordinates(ranges, values) for values in pending])
        places_ND = np.concatenate([places_ND, running_PD])
        values_N = np.concatenate([values_N, process.foreseen(running_PD)[0]])
        process = Process(places_ND, values_N)
    candidates = _candidates(ranges, seen, rng)
    tried = {tuple(values.items()) for values in [*(v for v, _ in seen), *pending]}
    fresh = [each for each in candidates if tuple(each.items()) not in tried] or candidates
    places_MD = np.array([coordinates(ranges, values) for values in fresh])
    best = float(process.foreseen(places_ND)[0].max())
    gain_M = expected_improvement(*process.foreseen(places_MD), best)
    return fresh[int(np.argmax(gain_M))]


def _candidates(
    ranges: Sequence[Range], seen: Sequence[tuple[Values, float]], rng: random.Random
) -> list[Values]:
    found = [sample(ranges, rng) for _ in range(CANDIDATES)]
    best = sorted(seen, key=lambda each: each[1], reverse=True)[:3]
    for values, _ in best:
        for step in STEPS:
            found += [_near(ranges, values, step, rng) for _ in range(NEIGHBOURS)]
    return found


def _near(ranges: Sequence[Range], values: Values, step: float, rng: random.Random) -> Values:
    """A neighbour: numbers moved a little, now and then another choice."""
    moved = {}
    for each in ranges:
        text = values[each.name]
        if isinstance(each, Number):
            moved[each.name] = each.at(min(1.0, max(0.0, each.place(text) + rng.gauss(0, step))))
        else:
            moved[each.name] = each.sample(rng) if rng.random() < step else text
    return moved


def main(path: str) -> None:
    """Answer the question in a file: ParameterRanges, Seen, Pending and Seed."""
    question = json.loads(Path(path).read_text("utf-8"))
    answer = propose(
        read(question["ParameterRanges"]),
        [(values, float(value)) for values, value in question["Seen"]],
        question["Pending"],
        random.Random(question["Seed"]),
    )
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1])
