"""Where a tuning job may look: hyperparameter ranges, as texts on the wire, as places in [0, 1].

The scalings are AWS's: linear; logarithmic, for what is above 0; reverse logarithmic, in which
steps get finer towards 1, for what is from 0 up to 1. Auto is logarithmic where a range above 0
spans two decades or more, else linear (ours; AWS does not say what its own does).
[https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html]
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from scones.local.errors import ServiceError
from scones.local.sagemaker.admission import invalid, not_carried

Values = dict[str, str]
"""One choice of hyperparameters: texts, by name."""
LARGEST_END = 1e15
"""Of a range, either way (ours): whole numbers are exact up to there, and widths are finite."""
LARGEST_GRID = 750
"""Combinations: AWS's quota of training jobs a tuning job [.../dg/automatic-model-tuning-limits].
Thirty ranges of thirty values would not fit into any memory."""
AUTO_LOGARITHMIC = 100.0
"""From this ratio of its ends on, Auto takes a range for one of magnitudes."""


@dataclass(frozen=True)
class Number:
    """An integer or continuous range, both ends included."""

    name: str
    low: float
    high: float
    whole: bool
    scaling: str
    """Linear, Logarithmic or ReverseLogarithmic."""

    def at(self, place: float) -> str:
        """The value at a place from 0 (low) to 1 (high); whole numbers have equal shares of it."""
        low, high = self._reach
        value = _from_scale(self.scaling, low + place * (high - low))
        if self.whole:
            return str(min(int(self.high), max(int(self.low), math.floor(value + 0.5))))
        return repr(min(self.high, max(self.low, value)))

    def place(self, text: str) -> float:
        """Where a value lies, from 0 to 1."""
        low, high = self._reach
        scaled = _to_scale(self.scaling, float(text))
        return (scaled - low) / (high - low) if high > low else 0.5

    def places(self, text: str) -> list[float]:
        """The coordinates of a value: one."""
        return [self.place(text)]

    def sample(self, rng: random.Random) -> str:
        return self.at(rng.random())

    @property
    def _reach(self) -> tuple[float, float]:
        half = 0.5 if self.whole else 0.0
        return (
            _to_scale(self.scaling, self.low - half),
            _to_scale(self.scaling, self.high + half),
        )


@dataclass(frozen=True)
class Choice:
    """A categorical range."""

    name: str
    values: tuple[str, ...]

    def places(self, text: str) -> list[float]:
        """The coordinates of a value: one for each choice, 1 where it is that one."""
        return [float(text == value) for value in self.values]

    def sample(self, rng: random.Random) -> str:
        return rng.choice(self.values)


Range = Number | Choice


def read(given: Mapping[str, Any]) -> list[Range]:
    """ParameterRanges as ranges; ServiceError names the one that cannot be searched."""
    if given.get("AutoParameters"):
        not_carried("ParameterRanges.AutoParameters; give ranges")
    numbers = [("IntegerParameterRanges", True), ("ContinuousParameterRanges", False)]
    found: list[Range] = [
        _number(each, whole) for member, whole in numbers for each in given.get(member) or []
    ]
    for each in given.get("CategoricalParameterRanges") or []:
        if len(set(each["Values"])) < len(each["Values"]):
            raise invalid(f"The values of categorical hyperparameter [{each['Name']}] repeat.")
        found.append(Choice(each["Name"], tuple(each["Values"])))
    names = [each.name for each in found]
    if not names:
        raise invalid("ParameterRanges has no range; give at least one hyperparameter to tune.")
    if len(set(names)) < len(names):
        raise invalid(f"Hyperparameters are given two ranges: {', '.join(sorted(names))}")
    return found


def sample(ranges: Sequence[Range], rng: random.Random) -> Values:
    """A choice at random, each range by its own scaling."""
    return {each.name: each.sample(rng) for each in ranges}


def grid(ranges: Sequence[Range]) -> list[Values]:
    """Every combination; for categorical ranges only, as on AWS."""
    if not all(isinstance(each, Choice) for each in ranges):
        raise invalid("Grid search strategy supports only categorical hyperparameters.")
    count = math.prod(len(each.values) for each in ranges if isinstance(each, Choice))
    if count > LARGEST_GRID:
        raise invalid(f"The grid has {count} combinations; at most {LARGEST_GRID} can be searched.")
    names = [each.name for each in ranges]
    choices = product(*(each.values for each in ranges if isinstance(each, Choice)))
    return [dict(zip(names, combination, strict=True)) for combination in choices]


def coordinates(ranges: Sequence[Range], values: Values) -> list[float]:
    """A choice as a point of the unit cube."""
    return [place for each in ranges for place in each.places(values[each.name])]


def _number(given: Mapping[str, str], whole: bool) -> Number:
    name = given["Name"]
    low, high = (_end(name, given[member], whole) for member in ("MinValue", "MaxValue"))
    if not low < high:
        raise _bad(name, given, "MinValue must be below MaxValue")
    scaling = given.get("ScalingType", "Auto")
    if scaling == "Auto":
        wide = low > 0 and high / low >= AUTO_LOGARITHMIC
        scaling = "Logarithmic" if wide else "Linear"
    if scaling == "Logarithmic" and low <= 0:
        raise _bad(name, given, "Logarithmic scaling is for values above 0")
    if scaling == "ReverseLogarithmic" and (whole or not (low >= 0 and high < 1)):
        raise _bad(name, given, "ReverseLogarithmic is for continuous values from 0 up to 1")
    return Number(name, low, high, whole, scaling)


def _end(name: str, text: str, whole: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= LARGEST_END or (whole and value != int(value)):
        kind = f"{'integer' if whole else 'number'} of at most {LARGEST_END:.0e}"
        raise invalid(f"The range of hyperparameter [{name}] has the end {text!r}, no {kind}.")
    return value


def _bad(name: str, given: Mapping[str, str], rule: str) -> ServiceError:
    ends = f"{given['MinValue']} to {given['MaxValue']}"
    return invalid(f"The range of hyperparameter [{name}], {ends}, is not valid: {rule}.")


def _to_scale(scaling: str, value: float) -> float:
    if scaling == "Logarithmic":
        return math.log(value)
    return -math.log1p(-value) if scaling == "ReverseLogarithmic" else value


def _from_scale(scaling: str, scaled: float) -> float:
    if scaling == "Logarithmic":
        return math.exp(scaled)
    return -math.expm1(-scaled) if scaling == "ReverseLogarithmic" else scaled
