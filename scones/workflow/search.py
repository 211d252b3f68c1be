"""What `scones tune` searches: ranges of hyperparameters, as a person writes them."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WHOLE = ("epochs", "mini_batch_size")
REAL = (
    "learning_rate", "momentum", "weight_decay", "beta_1", "beta_2", "eps", "gamma",
    "lr_scheduler_factor",
)  # fmt: skip
NAMED = ("optimizer", "augmentation_type")
DEFAULT = (
    "learning_rate=0.01:0.2:log", "momentum=0.3:0.95", "weight_decay=0.00001:0.01:log",
    "mini_batch_size=25:100",
)  # fmt: skip
"""Around the recipes' own figures; all four are names of the built-in algorithm's as well."""
FORM = "name=low:high, name=low:high:log, or name=a,b,c"


@dataclass(frozen=True)
class Span:
    """Numbers between two ends, both included."""

    name: str
    low: float
    high: float
    whole: bool
    logarithmic: bool

    def text(self, value: float) -> str:
        """A value as a training job is told it."""
        return str(round(value)) if self.whole else f"{value:.6g}"


@dataclass(frozen=True)
class Choice:
    """One of several texts."""

    name: str
    values: tuple[str, ...]


Space = tuple[Span | Choice, ...]


def read(texts: Sequence[str]) -> Space:
    """The ranges that `texts` name; ValueError says which one cannot be searched, and why."""
    space = tuple(_range(text) for text in texts)
    names = [each.name for each in space]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"search names {', '.join(twice)} twice; give each one range")
    return space


def _range(text: str) -> Span | Choice:
    name, sign, rest = (part.strip() for part in text.partition("="))
    if not name or not sign or not rest:
        raise ValueError(f"search is {text!r}; it should be {FORM}")
    if name not in WHOLE + REAL + NAMED:
        close = difflib.get_close_matches(name, WHOLE + REAL + NAMED, n=2)
        offer = f"did you mean {' or '.join(close)}?" if close else "known: "
        known = "" if close else ", ".join(WHOLE + REAL + NAMED)
        raise ValueError(f"search is {text!r}; {name} cannot be searched; {offer}{known}")
    if ":" in rest and name not in NAMED:
        return _span(text, name, rest.split(":"))
    values = tuple(part.strip() for part in rest.split(","))
    if len(values) < 2 or len(set(values)) < len(values) or not all(values):
        raise ValueError(f"search is {text!r}; give two or more different values of {name}")
    return Choice(name, values)


def _span(text: str, name: str, parts: list[str]) -> Span:
    whole, logarithmic = name in WHOLE, parts[2:] == ["log"]
    if len(parts) not in (2, 3) or (len(parts) == 3 and not logarithmic):
        raise ValueError(f"search is {text!r}; it should be {FORM}")
    try:
        low, high = (float(part) for part in parts[:2])
    except ValueError:
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"search is {text!r}; give two numbers, the lower first")
    if whole and (low != int(low) or high != int(high)):
        raise ValueError(f"search is {text!r}; {name} takes whole numbers")
    if logarithmic and low <= 0:
        raise ValueError(f"search is {text!r}; a range on a logarithmic scale begins above 0")
    return Span(name, low, high, whole, logarithmic)


def parameter_ranges(space: Space) -> dict[str, Any]:
    """The space as SageMaker's ParameterRanges."""
    spans = [each for each in space if isinstance(each, Span)]
    ranges = {
        "IntegerParameterRanges": [_aws(each) for each in spans if each.whole],
        "ContinuousParameterRanges": [_aws(each) for each in spans if not each.whole],
        "CategoricalParameterRanges": [
            {"Name": each.name, "Values": list(each.values)}
            for each in space
            if isinstance(each, Choice)
        ],
    }
    return {member: found for member, found in ranges.items() if found}


def _aws(span: Span) -> dict[str, str]:
    return {
        "Name": span.name,
        "MinValue": span.text(span.low),
        "MaxValue": span.text(span.high),
        "ScalingType": "Logarithmic" if span.logarithmic else "Linear",
    }
