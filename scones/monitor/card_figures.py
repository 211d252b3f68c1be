"""A model card's figures as the report shows them: sets of pictures, recalls, confusion, limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SETS = {
    "validation": "test pictures",
    "certifying": "held-out pictures that certify",
    "out_of_fold": "out of fold: an estimate for the deployed model",
}


@dataclass(frozen=True)
class CardFigures:
    """What the page's section on the model shows."""

    sets: Sequence[tuple[str, Mapping[str, Any]]]
    """What the pictures are, and the card's figures of them; those without pictures left out."""
    calibration: str
    """In a sentence."""
    said: Sequence[str]
    """The promises by class, then what the figures do not say, each a sentence."""

    def curves(self) -> dict[str, Sequence[Mapping[str, float]]]:
        """Risk by coverage, by what the pictures are."""
        return {name: each["risk_coverage"] for name, each in self.sets}


def of(card: Mapping[str, Any], promises: Sequence[str] = ()) -> CardFigures | None:
    """The figures in a card's JSON; None where there is no card, or none of its sets."""
    figures = card.get("figures", {})
    sets = [
        (words, figures[name]) for name, words in SETS.items() if figures.get(name, {}).get("n")
    ]
    if not sets:
        return None
    return CardFigures(sets, card["sentences"][-1], (*promises, *card["limits"]))


def in_short(card: Mapping[str, Any]) -> dict[str, Any] | None:
    """The card for report.json: all but what only the monitor computes with; None without one."""
    return {name: value for name, value in card.items() if name != "gate"} or None
