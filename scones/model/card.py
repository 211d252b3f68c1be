"""The card: what a model says of itself; it travels as card.json inside model.tar.gz."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from scones.gate.calibration import Calibration
from scones.gate.certificate import Certificate
from scones.gate.heldout import Baseline, Gate
from scones.images.images import Images

FORMAT = 2
"""Format 1 had certificates without the certifying pictures' answers; it is still read."""


@dataclass(frozen=True)
class Card:
    """Data, recipe, figures, calibration, promises and limits of one model."""

    class_names: tuple[str, ...]
    image_shape: tuple[int, int, int]
    """Channels, height, width."""
    data: dict[str, Any]
    """Name, hash and counts of the pictures, and which were left out as damaged."""
    recipe: dict[str, Any]
    """All that was chosen, the seed and the epochs run."""
    versions: dict[str, str]
    figures: dict[str, Any]
    """By set of pictures: `validation` (chose nothing), `certifying` (held out), `out_of_fold` (by
    fits of the same recipe that had not seen the picture; they calibrate if none are held out)."""
    calibration: Calibration
    """What stands at the end of the graph."""
    gate: Gate | None
    """Certificates and baseline of that calibration; None without held-out pictures. The overall
    promise spends all of delta, and so do the promises by class together: each of the two holds
    with the certainty, both at once with 1 - 2 delta at least."""
    limits: tuple[str, ...]
    """What the figures do not say, in sentences."""

    @property
    def threshold(self) -> float | None:
        """What keeps the overall promise; None where nothing is promised."""
        return self.gate.overall.threshold if self.gate else None

    def sentence(self) -> str:
        """The promise, in one sentence."""
        if self.gate is None:
            return "No pictures were held out, so no threshold is certified."
        return self.gate.overall.sentence()

    def to_json(self) -> str:
        """Readable JSON; the calibration's and the promise's sentences are in it as well."""
        value = asdict(self) | {
            "format": FORMAT,
            "calibration": self.calibration.to_json(),
            "gate": self.gate.to_json() if self.gate else None,
            "threshold": self.threshold,
            "sentences": [self.sentence(), self.calibration.sentence(self.class_names)],
        }
        return json.dumps(value, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The card; ValueError for text that is none, or of a later format."""
        try:
            value = json.loads(text)
            if value["format"] not in (1, FORMAT):
                raise ValueError(f"format is {value['format']}, this version reads 1 to {FORMAT}")
            channels, height, width = value["image_shape"]
            return cls(
                class_names=tuple(value["class_names"]),
                image_shape=(channels, height, width),
                data=value["data"],
                recipe=value["recipe"],
                versions=value["versions"],
                figures=value["figures"],
                calibration=Calibration.from_json(value["calibration"]),
                gate=gate_of(value),
                limits=tuple(value["limits"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a model card: {error}") from error


def gate_of(card: dict[str, Any]) -> Gate | None:
    """The gate in a card's JSON, of either format; one of format 1 has an empty baseline.

    Raises KeyError, TypeError or ValueError for what is none.
    """
    if card.get("gate") is not None:
        return Gate.from_json(card["gate"])
    if not card.get("certificates"):
        return None
    names = tuple(card["class_names"])
    overall, *per_class = map(Certificate.from_json, card["certificates"])
    nothing = Baseline(names, np.zeros((0, len(names))), np.zeros(0, np.int64))
    return Gate(Calibration.from_json(card["calibration"]), overall, tuple(per_class), nothing)


def limits(
    figures: dict[str, Any],
    gate: Gate | None,
    dataset: str,
    *,
    pretrained: bool = False,
    calibration: Calibration | None = None,
    damaged: Sequence[str] = (),
) -> tuple[str, ...]:
    """What the figures, by set of pictures, do not say."""
    said: list[str] = []
    if dataset == "sample":
        said.append("Trained on pictures drawn by code: it knows nothing of photographs.")
    if damaged:
        said.append(f"Damaged files were left out of the pictures: {'; '.join(damaged)}.")
    if calibration is not None and calibration.n == 0:
        reason = calibration.warning or "no labels to calibrate on"
        said.append(
            f"Confidences are the model's own, not calibrated: {reason}. They may say more or less "
            "than they are worth."
        )
    if gate is not None and promises(gate):
        said.append(
            "The promise holds for pictures drawn like the held-out ones; other cameras, light or "
            "places void it until it is certified anew."
        )
        if pretrained:
            said.append(
                "The promise holds only if the earlier model had not seen the held-out pictures."
            )
    if gate is not None and gate.overall.n == gate.calibration.n > 0:
        said.append(
            "The temperature was set on the certifying pictures, which leaves any promise as it is "
            "but flatters their log loss and calibration error a little."
        )
    said.append("It knows only its own classes: a car, too, is called one of them.")
    if "out_of_fold" in figures:
        said.append(
            "Out-of-fold figures are of fits on fewer pictures than the deployed one: an estimate, "
            "not a certificate."
        )
    said += [
        f"The accuracy of {name} was counted on {each['n']} pictures; see its interval."
        for name, each in figures.items()
    ]
    return tuple(said)


def promises(gate: Gate) -> bool:
    """Whether some threshold is certified, of all calls or of a class's."""
    return any(each.threshold is not None for each in (gate.overall, *gate.per_class))


def counts(images: Images) -> dict[str, int]:
    """Pictures of each class."""
    return {
        name: int((images.labels_N == label).sum()) for label, name in enumerate(images.class_names)
    }
