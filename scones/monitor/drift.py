"""Has it changed? Martingales that tell at any time, with a bounded chance of ever crying wolf.

Two of them, both of the betting kind: capital starts at 1 and cannot be expected to grow while
nothing changes, so that by Ville's inequality it ever reaches 1/p with a chance of at most p.

- On a stream of scores (a confidence, a brightness): conformal p-values, "how many before it were
  lower", bet on by the simple jumper (Vovk, Gammerman & Shafer 2022, §8.2). The reference is the
  frozen baseline *and* the records so far: against a frozen baseline alone the p-values share its
  accidents, and of 200 reference pictures every long life would end in a false alarm.
- On labels that arrive for accepted pictures: is the gate's risk still kept? (Waudby-Smith &
  Ramdas 2024; Podkopaev & Ramdas 2022.)
"""

import math
import zlib
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

JUMP = 0.01
"""Share of the capital that changes sides at each record; the simple jumper's usual value."""
AT_ONCE, SPREAD = 0.5, 100
"""Share of the capital in play from the first record on, and how slowly the rest follows. Of five
pairs the median delays differed by 15 records or less, for changes at record 1,000, 10,000 and
100,000."""
FALSE_ALARMS = 0.01
"""Chance of a false alarm in a whole life, however long, for drift of scores: of all of them that
are watched together."""
OF_CONFIDENCES = OF_PICTURES = FALSE_ALARMS / 2
"""How confidences and pictures share it (union bound)."""
AUDIT_FALSE_ALARMS = 0.05
"""The same for the audit of the gate's risk by labels."""


@dataclass(frozen=True)
class Drift:
    """A martingale's life."""

    log10_capital_N: Floats
    """After each record."""
    false_alarms: float
    """Chance that it ever alarms while nothing changes."""
    alarm: int | None
    """Index of the first record at which the capital reached 1 / false_alarms; None: no alarm."""
    num_reference: int = 0
    """Scores from before, that the stream was compared with."""

    @property
    def drifted(self) -> bool:
        return self.alarm is not None

    @property
    def peak(self) -> float:
        """The largest log10 of the capital; 0 of no records."""
        return float(max(0.0, self.log10_capital_N.max(initial=0.0)))

    @property
    def too_few(self) -> bool:
        """Whether so few records came that even a coarse drift would not have shown."""
        return self.alarm is None and len(self.log10_capital_N) < fewest(self.false_alarms)

    @property
    def alone(self) -> bool:
        """Whether so little came before that nothing can be said of a change from it."""
        return self.num_reference < fewest(self.false_alarms)


def watch(
    reference_M: ArrayLike,
    scores_N: ArrayLike,
    *,
    false_alarms: float = FALSE_ALARMS,
    seed: int | None = None,
) -> Drift:
    """Does the stream, in its order, go on as the reference did? Its order of arrival matters.

    `seed` breaks ties between equal scores at random; None: taken from the reference and the first
    score, so that the same life has the same luck, and other lives other luck. An empty reference
    is allowed: the stream is then its own. Scores that are all one have not changed. NaN is
    refused.
    """
    reference, scores = np.asarray(reference_M, np.float64), np.asarray(scores_N, np.float64)
    if seed is None:
        seed = zlib.crc32(np.append(reference, scores[:1]).tobytes())
    p_N = conformal_p(reference, scores, seed)
    both = np.append(reference, scores)
    if (both == both[:1]).all():
        p_N = np.full(len(p_N), 0.5)
    stakes_N, unplayed_N = _stakes(len(p_N))
    life = _life(np.logaddexp(simple_jumper(p_N, stakes_N), np.log(unplayed_N)), false_alarms)
    return replace(life, num_reference=np.size(reference_M))


@cache
def fewest(false_alarms: float) -> int:
    """Records after which a coarse drift shows: every score a quarter's rank, from the first on."""
    stakes_N, unplayed_N = _stakes(1000)
    grown = np.logaddexp(simple_jumper(np.full(1000, 0.25), stakes_N), np.log(unplayed_N))
    found = _life(grown, false_alarms).alarm
    assert found is not None, "a bet won again and again grows without bound"
    return found + 1


def conformal_p(reference_M: ArrayLike, scores_N: ArrayLike, seed: int = 0) -> Floats:
    """For each score its rank among the reference and all scores up to it, in 0..1.

    Low: lower than what came before. Independent and uniform while nothing changes.
    """
    reference, scores = np.asarray(reference_M, np.float64), np.asarray(scores_N, np.float64)
    if np.isnan(reference).any() or np.isnan(scores).any():
        raise ValueError("a score must be a number, got NaN")
    both = np.concatenate([reference, scores])
    lower, equal = _before(both)
    start = len(reference)
    chance = np.random.default_rng(seed).random(len(scores))
    below = lower[start:] + chance * (equal[start:] + 1)
    ranks: Floats = below / (np.arange(start, len(both)) + 1)
    return ranks


def simple_jumper(p_N: ArrayLike, stakes_N: ArrayLike | None = None) -> Floats:
    """Natural logarithm of the capital in play after betting on each p-value.

    `stakes_N` is what comes into play before each, above 0 before the first; None: 1 at once.
    """
    bets = np.asarray(p_N, np.float64) - 0.5
    stakes = np.eye(1, len(bets))[0] if stakes_N is None else np.asarray(stakes_N, np.float64)
    low = flat = high = 0.0  # on bets that p is small, that it is anything, that it is large
    scale, log_capital_N = 0.0, []
    for bet, stake in zip(bets.tolist(), stakes.tolist(), strict=True):
        third = stake * math.exp(-scale) / 3 if stake else 0.0
        low, flat, high = low + third, flat + third, high + third
        share = (low + flat + high) * (JUMP / 3)
        low = ((1 - JUMP) * low + share) * (1 - bet)
        flat = (1 - JUMP) * flat + share
        high = ((1 - JUMP) * high + share) * (1 + bet)
        capital = low + flat + high
        if not 1e-100 < capital < 1e100:
            scale += math.log(capital)
            low, flat, high, capital = low / capital, flat / capital, high / capital, 1.0
        log_capital_N.append(scale + math.log(capital))
    return np.array(log_capital_N, np.float64)


def audit(wrong_N: ArrayLike, risk: float, *, false_alarms: float = AUDIT_FALSE_ALARMS) -> Drift:
    """Are more than `risk` of the accepted pictures wrong? One 0 or 1 a label, as they arrive.

    Bets at ten sizes, from cautious to nearly everything, share the capital.
    """
    if not 0 < risk < 1:
        raise ValueError(f"risk must lie between 0 and 1, got {risk}")
    wrong = np.asarray(wrong_N, np.float64)
    stakes_N, unplayed_N = _stakes(len(wrong))
    sizes = np.arange(1, 11)[:, None] / (11 * risk)
    gains = np.log1p(sizes * (wrong - risk))
    grown = np.cumsum(gains, axis=1)
    # A stake grows from where it comes into play: sum of stake * exp(grown now - grown before it).
    played = grown + np.logaddexp.accumulate(np.log(stakes_N) - (grown - gains), axis=1)
    in_play = np.logaddexp.reduce(played, axis=0) - math.log(len(sizes))
    return _life(np.logaddexp(in_play, np.log(unplayed_N)), false_alarms)


def _stakes(n: int) -> tuple[Floats, Floats]:
    """What comes into play before each of n records, and what is not yet in play after each.

    Half of a capital of 1 at once, the rest ever more slowly but never all. What has been in play
    through a long calm is nearly lost, and would have to be won back: after 100,000 records without
    drift a change was found 4,300 records late, and so it is found 180 late (medians of 12 lives,
    logits flattened from sd 2.2 to 1.4). A sum of martingales with such weights is one itself.
    """
    unplayed = (1 - AT_ONCE) * math.log(SPREAD) / np.log(SPREAD + np.arange(n + 1.0))
    stakes = -np.diff(unplayed)
    stakes[:1] += AT_ONCE
    return stakes, unplayed[1:]


def _life(log_capital_N: Floats, false_alarms: float) -> Drift:
    reached = np.flatnonzero(log_capital_N >= -math.log(false_alarms))
    alarm = int(reached[0]) if len(reached) else None
    return Drift(log_capital_N / math.log(10), false_alarms, alarm)


def _before(values_N: Floats) -> tuple[Counts, Counts]:
    """For each value, how many before it are lower, and how many are equal."""
    ranks = np.unique(values_N, return_inverse=True)[1].astype(np.int64)
    lower = _lower_before(ranks)
    # Equal values in the order they came: the k-th of a kind has k equal ones before it.
    order = np.argsort(ranks, kind="stable")
    positions = np.arange(len(ranks))
    firsts = np.searchsorted(ranks[order], ranks[order], side="left")
    equal = np.empty(len(ranks), np.int64)
    equal[order] = positions - firsts
    return lower, equal


def _lower_before(ranks_N: Counts) -> Counts:
    """For each rank, how many before it are lower: a merge sort's count, level by level."""
    n = len(ranks_N)
    lower, positions, size = np.zeros(n, np.int64), np.arange(n), 1
    while size < n:
        pair, right = positions // (2 * size), (positions // size) % 2 == 1
        # One sorted array for all left halves: within a pair by rank, pairs one after another.
        keys = pair * (n + 1) + ranks_N
        left = np.sort(keys[~right])
        counts = np.searchsorted(left, keys[right]) - pair[right] * size
        lower[right] += counts
        size *= 2
    return lower
