"""Hyperparameter ranges: samples lie within, evenly on their own scale, and find their way back."""

import math
import random
from typing import Any

import pytest

from scones.local.errors import ServiceError
from scones.local.sagemaker.ranges import Number, coordinates, grid, read, sample


def number(kind: str, low: str, high: str, scaling: str = "Auto") -> Number:
    given = {"Name": "n", "MinValue": low, "MaxValue": high, "ScalingType": scaling}
    (found,) = read({f"{kind}ParameterRanges": [given]})
    assert isinstance(found, Number)
    return found


@pytest.mark.parametrize(
    ("low", "high", "scaling", "to_scale"),
    [
        ("-2", "2", "Linear", float),
        ("0.0001", "1", "Logarithmic", math.log),
        ("0.0001", "1", "Auto", math.log),
        ("0.1", "0.9", "Auto", float),
        ("0", "100", "Auto", float),
        ("0.5", "0.999", "ReverseLogarithmic", lambda x: -math.log(1 - x)),
    ],
)
def test_continuous_samples_are_even_on_their_scale(
    low: str, high: str, scaling: str, to_scale: Any
) -> None:
    found, rng = number("Continuous", low, high, scaling), random.Random(0)
    values = [float(found.sample(rng)) for _ in range(4000)]
    assert float(low) <= min(values) and max(values) <= float(high)
    first, last = to_scale(float(low)), to_scale(float(high))
    shares = [(to_scale(value) - first) / (last - first) for value in values]
    for quarter in (0.25, 0.5, 0.75):
        below = sum(share < quarter for share in shares) / len(shares)
        assert below == pytest.approx(quarter, abs=0.03)  # four standard errors
    assert [found.place(repr(value)) for value in values[:20]] == pytest.approx(shares[:20])


def test_whole_numbers_have_equal_shares_and_both_ends() -> None:
    found, rng = number("Integer", "1", "4"), random.Random(0)
    values = [found.sample(rng) for _ in range(4000)]
    for each in ("1", "2", "3", "4"):
        assert values.count(each) == pytest.approx(1000, abs=110)
    assert (found.at(0.0), found.at(1.0)) == ("1", "4")
    wide = number("Integer", "1", "1000", "Logarithmic")
    assert sum(int(wide.sample(rng)) <= 31 for _ in range(1000)) == pytest.approx(500, abs=70)


def test_choices_are_drawn_alike_and_stand_apart() -> None:
    found = read({"CategoricalParameterRanges": [{"Name": "o", "Values": ["sgd", "adam"]}]})
    rng = random.Random(0)
    drawn = [sample(found, rng)["o"] for _ in range(2000)]
    assert drawn.count("sgd") == pytest.approx(1000, abs=90)
    assert coordinates(found, {"o": "adam"}) == [0.0, 1.0]


def test_a_grid_has_every_combination() -> None:
    names = {"a": ["1", "2"], "b": ["x", "y", "z"]}
    given = [{"Name": name, "Values": values} for name, values in names.items()]
    found = grid(read({"CategoricalParameterRanges": given}))
    assert len(found) == 6 and {"a": "2", "b": "z"} in found


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "no range"),
        ({"AutoParameters": [{"Name": "a", "ValueHint": "1"}]}, "AutoParameters"),
        ({"IntegerParameterRanges": [{"Name": "a", "MinValue": "1.5", "MaxValue": "3"}]}, "'1.5'"),
        ({"IntegerParameterRanges": [{"Name": "a", "MinValue": "3", "MaxValue": "3"}]}, "below"),
        ({"ContinuousParameterRanges": [{"Name": "a", "MinValue": "x", "MaxValue": "3"}]}, "'x'"),
        ({"ContinuousParameterRanges": [{"Name": "a", "MinValue": "nan", "MaxValue": "3"}]}, "nan"),
        ({"ContinuousParameterRanges": [
            {"Name": "a", "MinValue": "0", "MaxValue": "3", "ScalingType": "Logarithmic"}]},
         "above 0"),
        ({"ContinuousParameterRanges": [
            {"Name": "a", "MinValue": "0", "MaxValue": "1", "ScalingType": "ReverseLogarithmic"}]},
         "from 0 up to 1"),
        ({"CategoricalParameterRanges": [{"Name": "a", "Values": ["x", "x"]}]}, "repeat"),
        ({"CategoricalParameterRanges": [{"Name": "a", "Values": ["x"]}],
          "IntegerParameterRanges": [{"Name": "a", "MinValue": "1", "MaxValue": "3"}]}, "two"),
    ],
)  # fmt: skip
def test_a_range_that_cannot_be_searched_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        read(given)


def test_a_grid_too_large_to_be_tried_is_refused_uncounted() -> None:
    many = [{"Name": f"x{i}", "Values": [str(j) for j in range(30)]} for i in range(30)]
    with pytest.raises(ServiceError, match="at most 750 can be searched"):
        grid(read({"CategoricalParameterRanges": many}))


@pytest.mark.parametrize("kind", ["IntegerParameterRanges", "ContinuousParameterRanges"])
def test_a_range_wider_than_numbers_are_exact_is_named(kind: str) -> None:
    with pytest.raises(ServiceError, match=r"\[x\] has the end '-1e308'"):
        read({kind: [{"Name": "x", "MinValue": "-1e308", "MaxValue": "1e308"}]})


def test_only_choices_make_a_grid() -> None:
    with pytest.raises(ServiceError, match="only categorical"):
        grid([number("Integer", "1", "4")])
