"""Figures as they are written: as precise as their interval, and never 0 or 100 by rounding."""

import pytest

from scones.monitor.digits import alike


@pytest.mark.parametrize(
    ("figures", "written"),
    [
        ((83.33, 55.2, 95.3), ("83", "55", "95")),
        ((9.91, 0.0595, 19.5), ("9.9", "0.1", "19.5")),
        ((9.0, -0.786, 18.5), ("9", "-1", "18")),
        ((96.7, 94.1, 98.4), ("96.7", "94.1", "98.4")),
        ((0.5, 0.2, 0.8), ("0.50", "0.20", "0.80")),
        ((100.0, 28.6, 100.0), ("100", "29", "100")),
        ((99.6, 97.8, 99.99), ("99.60", "97.80", "99.99")),
        ((50.0, 50.0, 50.0), ("50.0", "50.0", "50.0")),
        ((-0.0, -30.0, 30.0), ("0", "-30", "30")),
        ((99.99999, 99.99998, 100.0), ("100.0000", "100.0000", "100.0000")),
    ],
)
def test_a_figure_has_as_many_decimals_as_its_interval_bears(
    figures: tuple[float, float, float], written: tuple[str, str, str]
) -> None:
    assert alike(*figures) == written
