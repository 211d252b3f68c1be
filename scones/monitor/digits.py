"""How many digits a figure is written with: as many as its interval bears, all three alike."""

import math

MOST = 4


def alike(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A figure and the ends of its interval, with the decimals that show its width in two digits.

    More of them where one would else read as 0 or 100 that is not: 0.06 as 0, 99.96 as 100.
    """
    width, figures = high - low, (value, low, high)
    decimals = max(0, math.ceil(1 - math.log10(width))) if width > 0 else 1
    while decimals < MOST and any(
        end == float(f"{each:.{decimals}f}") != each for each in figures for end in (0.0, 100.0)
    ):
        decimals += 1
    # Added to 0, what is -0 is 0.
    first, second, third = (f"{each + 0.0:.{min(decimals, MOST)}f}" for each in figures)
    return first, second, third
