"""Is the model biased toward a class, is the stream just unbalanced, or is the sample too small?

With labels, three questions that a bias would answer yes, each exact or with its error, Holm over
all that are shown: are the classes recognised equally often (recall), are they refused equally
often (coverage of the gate), and does a shift of all logits make the answers better (intercept)?
Without labels only one: do the calls of one class pass the gate more often. That can suggest a
bias, never show one, for the classes may differ in the pictures themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from scones.gate.calibration import bias_errors, fit_biased, logits_of
from scones.gate.exact import BOSCHLOO_LIMIT, boschloo, fisher, holm, informative, needed
from scones.gate.intervals import newcombe, wilson
from scones.gate.looks import at_once, lasting
from scones.monitor.digits import alike
from scones.monitor.windows import Window

Floats = NDArray[np.float64]

LEVEL = 0.05
FEWEST = 5
"""Pictures of each class below which no verdict is given."""
FEWEST_ODDS = 50
"""The same for the intercept, whose error is known only in large samples: of unbiased samples of 5
and 500 pictures its test at 5 % rejected 16.7 %, of 20 and 500 9.3 %, of 50 and 500 6.3 %."""
GAPS = (0.2, 0.1)
"""Gaps of a share whose needed numbers are told: to see 20 points, and 10."""


@dataclass(frozen=True)
class Test:
    """One question about one class against the others."""

    __test__ = False  # pytest's collector takes the name for its own

    question: str
    """"recall", "coverage", "intercept" or, without labels, "calls"."""
    class_name: str
    """The class that is compared with the others."""
    gap: float
    """Its share less that of the others; for the intercept a bias in logits."""
    low: float
    high: float
    """Interval of the gap, at `certainty`; holds 0 unless `p` excludes it at that level."""
    p: float
    """Boschloo's, Fisher's in large tables; of the intercept, Wald's."""
    fisher_p: float | None
    adjusted_p: float
    """Holm's, over all tests of the balance."""
    n: tuple[int, int]
    """Pictures of the class, and of the others."""
    table: tuple[tuple[int, int], tuple[int, int]] | None
    """Class and others by yes and no: recognised, or accepted."""
    lasting_p: float = 1.0
    """What holds over all looks at a growing sample (`gate.looks`), Holm's as well."""
    certainty: float = 1 - LEVEL
    """Of the interval: 95 % for all tests of the balance together (Bonferroni)."""

    @property
    def by(self) -> str:
        """Whose test `p` is."""
        if self.question == "intercept":
            return "Wald's test"
        return "Fisher's test" if sum(self.n) > BOSCHLOO_LIMIT else "Boschloo's test"

    def sentence(self, class_names: Sequence[str]) -> str:
        """The gap and its interval in plain words."""
        others = [name for name in class_names if name != self.class_name]
        other = others[0] if len(others) == 1 else "the others"
        sign, scale = (-1 if self.gap < 0 else 1), (1 if self.question == "intercept" else 100)
        ends = sorted(scale * sign * end for end in (self.low, self.high))
        gap, low, high = alike(scale * abs(self.gap), ends[0], ends[1])
        often = "less" if self.gap < 0 else "more"
        said = _GAPS[self.question].format(
            name=self.class_name, other=other, gap=gap, often=often,
            leaning="away from" if self.gap < 0 else "toward",
        )  # fmt: skip
        return f"{said} ({100 * self.certainty:.3g} %: {low} to {high})"


@dataclass(frozen=True)
class Balance:
    """What a window says of the model's preference for a class."""

    verdict: str
    """"biased", "no bias found", "suggestive, under-powered", "suggestive, no labels", "no sign,
    no labels" or "too few to say"."""
    favoured: str | None
    """The class that is favoured, if the verdict is biased or suggestive."""
    tests: tuple[Test, ...]
    shares: tuple[tuple[float, float, float], ...]
    """A class: share of the calls, and Wilson's 95 % interval."""
    n: int
    num_labels: int
    needed: tuple[tuple[float, int], ...]
    """(gap, pictures of each class that find such a gap four times in five, whenever one looks)."""
    needed_once: tuple[tuple[float, int], ...]
    """The same for one test at one look, planned beforehand."""

    def sentence(self, class_names: Sequence[str]) -> str:
        """The verdict in plain words, with n and what would settle it."""
        if self.n == 0:
            return "Too few to say: no records."
        share, low, high = alike(*(100 * each for each in self.shares[0]))
        pictures = "picture" if self.n == 1 else "pictures"
        said = (
            f"{_VERDICTS[self.verdict].format(favoured=self.favoured)} (n = {self.n:,} {pictures}, "
            f"the true class of {self.num_labels:,} known): {share} % were called "
            f"{class_names[0]} (95 %: {low} to {high})"
        )
        if self.tests:
            first = min(self.tests, key=lambda test: test.adjusted_p)
            said += f"; {first.sentence(class_names)}, p = {first.adjusted_p:.2g} by {first.by}"
            if self.num_labels:
                said += f" at this look, {first.lasting_p:.2g} over all looks"
            if len(self.tests) > 1:
                said += f", all adjusted for {len(self.tests)} tests (Bonferroni, Holm)"
        if self.verdict not in ("biased", "no bias found"):
            takes = ", ".join(f"{n:,} for {100 * gap:.0f} points" for gap, n in self.needed)
            once = " and ".join(f"{n:,}" for _, n in self.needed_once)
            said += f". Labelled pictures of each class that would find a gap: {takes}"
            said += f" ({once} where one test is all, at one look)"
        return said + "."


_GAPS = {
    "recall": "{name} is recognised {gap} points {often} often than {other}",
    "coverage": "{name} passes the gate {gap} points {often} often than {other}",
    "intercept": "the odds lean {leaning} {name}, by {gap} in their logarithm",
    "calls": (
        "what is called {name} passes the gate {gap} points {often} often than what is called "
        "{other}"
    ),
}
_VERDICTS = {
    "biased": "The model favours {favoured}",
    "no bias found": "No bias found",
    "suggestive, under-powered": "Suggestive of a bias toward {favoured}, but under-powered",
    "suggestive, no labels": "Suggestive of a bias toward {favoured}, but no labels have arrived",
    "no sign, no labels": "No sign of a bias, but only labels could show that there is none",
    "too few to say": "Too few to say",
}


def weigh(window: Window, threshold: float, prior_K: Floats | None = None) -> Balance:
    """The balance of a window under a gate; every size of window has an answer, also 0.

    `prior_K`: the classes' shares that the model was calibrated for; None for equal ones.
    """
    known = window.labelled
    if prior_K is None:
        prior_K = np.full(len(window.class_names), 1 / len(window.class_names))
    judged = (
        _with_labels(known, threshold, prior_K)
        if len(known)
        else _without_labels(window, threshold)
    )
    adjusted = holm([test.p for test in judged])
    over_looks = holm([lasting(test.p, 4 / (1 / test.n[0] + 1 / test.n[1])) for test in judged])
    tests = tuple(
        replace(_together(test, p, len(judged)), lasting_p=lasting_p)
        for test, p, lasting_p in zip(judged, adjusted, over_looks, strict=True)
    )
    base = float((window.confidence >= threshold).mean()) if len(window) else 0.9
    base = min(0.95, max(0.6, base))
    num_tests = 3 * len(_compared(window))
    wanted = tuple((gap, _needed(base, base - gap, num_tests)) for gap in GAPS)
    once = tuple((gap, needed(base, base - gap) or 0) for gap in GAPS)
    verdict, favoured = _verdict(tests, len(known), wanted[0][1], window.class_names)
    calls = np.bincount(window.called, minlength=len(window.class_names)).tolist()
    shares = tuple(
        (k / len(window) if len(window) else float("nan"), *wilson(k, len(window))) for k in calls
    )
    return Balance(verdict, favoured, tests, shares, len(window), len(known), wanted, once)


def _together(test: Test, adjusted_p: float, num_tests: int) -> Test:
    """The test as one of several: its interval as wide as theirs together need.

    Whether the interval holds 0 is left to the test whose p stands beside it, so that the two never
    contradict each other: Newcombe's and an exact test part where one of them is just so.
    """
    level = LEVEL / num_tests
    if test.table is None:
        wider = stats.norm.ppf(1 - level / 2) / stats.norm.ppf(1 - LEVEL / 2)
        low = test.gap - wider * (test.gap - test.low)
        high = test.gap + wider * (test.high - test.gap)
    else:
        (k1, _), (k2, _) = test.table
        low, high = newcombe(k1, test.n[0], k2, test.n[1], 1 - level)
    if test.p > level:
        low, high = min(low, 0.0), max(high, 0.0)
    elif test.gap > 0:
        low = max(low, 0.0)
    else:
        high = min(high, 0.0)
    return replace(test, low=low, high=high, adjusted_p=adjusted_p, certainty=1 - level)


def _needed(share1: float, share2: float, num_tests: int) -> int:
    """Labelled pictures of each class that let one of so many tests find the gap, at any look."""
    n = 100
    for _ in range(20):
        before, n = n, needed(share1, share2, level=at_once(LEVEL / num_tests, 2 * n)) or 0
        if n == before:
            break
    return n


def _verdict(
    tests: tuple[Test, ...], num_labels: int, wanted: int, class_names: Sequence[str]
) -> tuple[str, str | None]:
    found = [test for test in tests if test.adjusted_p <= LEVEL]
    smallest = min((min(test.n) for test in tests), default=0)
    if not found and smallest < wanted:
        return "too few to say", None
    if not found:
        return ("no bias found" if num_labels else "no sign, no labels"), None
    first = min(found, key=lambda test: test.adjusted_p)
    favoured = _favoured(first, class_names)
    if num_labels and smallest >= FEWEST and first.lasting_p <= LEVEL:
        return "biased", favoured
    if num_labels or smallest < wanted:
        return "suggestive, under-powered", favoured
    return "suggestive, no labels", favoured


def _favoured(test: Test, class_names: Sequence[str]) -> str:
    if test.gap >= 0:
        return test.class_name
    others = [name for name in class_names if name != test.class_name]
    return others[0] if len(others) == 1 else f"others over {test.class_name}"


def _with_labels(known: Window, threshold: float, prior_K: Floats) -> list[Test]:
    right, accepted = known.called == known.truth_N, known.confidence >= threshold
    tests = []
    for k in _compared(known):
        of_class = known.truth_N == k
        name = known.class_names[k]
        tests += _by_table("recall", name, of_class, right)
        tests += _by_table("coverage", name, of_class, accepted)
    return tests + _intercepts(known, prior_K)


def _without_labels(window: Window, threshold: float) -> list[Test]:
    accepted = window.confidence >= threshold
    return [
        test
        for k in _compared(window)
        for test in _by_table("calls", window.class_names[k], window.called == k, accepted)
    ]


def _compared(window: Window) -> range:
    """Each class against the others; of two, one comparison says it all."""
    return range(1 if len(window.class_names) == 2 else len(window.class_names))


def _by_table(
    question: str, name: str, of_class: NDArray[np.bool_], yes: NDArray[np.bool_]
) -> list[Test]:
    """The test of one 2x2 table; none where a margin of it is empty: it is not testable."""
    rows = [
        (int((group & yes).sum()), int((group & ~yes).sum())) for group in (of_class, ~of_class)
    ]
    if not informative(rows):
        return []
    (k1, no1), (k2, no2) = rows
    n1, n2 = k1 + no1, k2 + no2
    low, high = newcombe(k1, n1, k2, n2)
    p = boschloo(rows)
    return [
        Test(
            question, name, k1 / n1 - k2 / n2, low, high, p, fisher(rows), p, (n1, n2),
            (rows[0], rows[1]),
        )
    ]  # fmt: skip


def _intercepts(known: Window, prior_K: Floats) -> list[Test]:
    """Bias a class in logits, after the best temperature; positive: the model favours it.

    Labels in other shares than the model was made for move the fitted biases by the log of the
    ratio: that is the stream's doing, and is taken off. Given the labels' counts the error is the
    usual one less that of the counts (Prentice & Pyke 1979).
    """
    count_K = np.bincount(known.truth_N, minlength=len(prior_K))
    if count_K.min() < FEWEST_ODDS:
        return []
    logits_NK = logits_of(known.probabilities_NK)
    biased = fit_biased(logits_NK, known.truth_N)
    if biased.n == 0 or biased.warning is not None:
        return []
    # What repairs a preference is opposite to it; two centred biases are halves of one intercept.
    scale = 2 if len(prior_K) == 2 else 1
    stream_K = np.log(count_K / count_K.sum() / prior_K)
    preference_K = scale * (stream_K - stream_K.mean() - np.array(biased.biases_K))
    centre = np.eye(len(prior_K)) - 1 / len(prior_K)
    by_counts_K = np.diag(centre @ np.diag(1 / count_K) @ centre)
    variance_K = bias_errors(biased, logits_NK) ** 2 - by_counts_K
    errors_K = scale * np.sqrt(np.maximum(variance_K, 0))
    half_K = stats.norm.ppf(1 - LEVEL / 2) * errors_K
    tests = []
    for k in _compared(known):
        z = preference_K[k] / errors_K[k] if errors_K[k] > 0 else 0.0
        p = float(2 * stats.norm.sf(abs(z)))
        tests.append(
            Test(
                "intercept", known.class_names[k], float(preference_K[k]),
                float(preference_K[k] - half_K[k]), float(preference_K[k] + half_K[k]),
                p, None, p, (int(count_K[k]), len(known) - int(count_K[k])), None,
            )
        )  # fmt: skip
    return tests
