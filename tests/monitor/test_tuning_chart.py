"""A search's chart: drawn for none, one, failed and many trials, and the same each time."""

import io
from xml.etree import ElementTree

import pytest
from PIL import Image

from scones.monitor.tuning_chart import Tried, tuning_chart


def tried(count: int) -> list[Tried]:
    return [
        Tried(
            number,
            None if number % 7 == 0 else 0.9 + number % 5 / 100,
            number % 3 != 0 and number % 7 != 0,
            {
                "learning_rate": str(10 ** (-5 + number % 4)),
                "mini_batch_size": str(32 + number),
                "optimizer": ("muon", "sgd")[number % 2],
                "momentum": "0.5",
                "weight_decay": str(number / 1000),
            },
        )
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize("drawn", [[], tried(1), tried(40), [Tried(1, None, False, {"a": "1"})]])
def test_a_chart_is_drawn_whatever_was_tried(drawn: list[Tried]) -> None:
    chart = tuning_chart(
        drawn, "accuracy", maximizes=True, logarithmic=["learning_rate"],
        importance={"momentum": 0.75},
    )  # fmt: skip
    with Image.open(io.BytesIO(chart.png)) as picture:
        assert picture.width == 1380
    text = "".join(ElementTree.fromstring(chart.svg).itertext())
    if not drawn:
        assert "nothing tried yet" in text
    if len(drawn) > 1:
        for words in ("best so far", "pruned", "failed", "momentum · importance 0.75", "optimizer"):
            assert words in text
        assert text.index("momentum") < text.index("learning_rate")


def test_the_same_trials_give_the_same_picture() -> None:
    first, second = (tuning_chart(tried(9), "log loss", maximizes=False) for _ in range(2))
    assert first.png == second.png


@pytest.mark.parametrize(
    ("rates", "written"),
    [
        (("0.0016", "0.0011"), ["0.0011", "0.0016"]),
        (("0.00123", "0.00125"), ["0.00123", "0.00125"]),
        (("0.003", "0.003"), ["0.003"]),
        (("0.01", "0.2"), ["0.01", "0.02", "0.05", "0.1", "0.2"]),
    ],
)
def test_a_logarithmic_axis_has_few_figures_in_a_narrow_range(
    rates: tuple[str, str], written: list[str]
) -> None:
    tried = [
        Tried(number, 8.0 + number, True, {"rate": rate})
        for number, rate in enumerate(rates, start=1)
    ]
    svg = tuning_chart(tried, "log loss", maximizes=False, logarithmic=["rate"]).svg
    words = [each.strip() for each in ElementTree.fromstring(svg).itertext()]
    assert [word for word in words if word.startswith("0.0") or word in written] == written
