"""The card: what a model says of itself; it travels as card.json inside model.tar.gz."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from scones.gate import calibration, certificate
from scones.gate.calibration import Calibration
from scones.gate.certificate import Certificate
from scones.images.images import Images
from scones.model import split

FORMAT = 1
CALIBRATING_SHARE = 0.25
"""Of the held-out pictures. The rest certify: a certificate is exact only where no fit, not even
the calibration's, has seen its labels. With 50 pictures a temperature is nearly as good as with 200
(log loss .436 and .427 in simulation), while a certificate lives on every label."""


@dataclass(frozen=True)
class Card:
    """Data, recipe, figures, calibration, promise and limits of one model."""

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
    certificates: tuple[Certificate, ...]
    """Overall, then a class each; none without held-out pictures."""
    limits: tuple[str, ...]
    """What the figures do not say, in sentences."""

    @property
    def threshold(self) -> float | None:
        """What keeps the overall promise; None where nothing is promised."""
        return self.certificates[0].threshold if self.certificates else None

    def sentence(self) -> str:
        """The promise, in one sentence."""
        if not self.certificates:
            return "No pictures were held out, so no threshold is certified."
        return self.certificates[0].sentence()

    def to_json(self) -> str:
        """Readable JSON; the calibration's and the promise's sentences are in it as well."""
        value = asdict(self) | {
            "format": FORMAT,
            "calibration": self.calibration.to_json(),
            "certificates": [each.to_json() for each in self.certificates],
            "threshold": self.threshold,
            "sentences": [self.sentence(), self.calibration.sentence(self.class_names)],
        }
        return json.dumps(value, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The card; ValueError for text that is none, or of a later format."""
        try:
            value = json.loads(text)
            if value["format"] != FORMAT:
                raise ValueError(f"format is {value['format']}, this version reads {FORMAT}")
            channels, height, width = value["image_shape"]
            return cls(
                class_names=tuple(value["class_names"]),
                image_shape=(channels, height, width),
                data=value["data"],
                recipe=value["recipe"],
                versions=value["versions"],
                figures=value["figures"],
                calibration=Calibration.from_json(value["calibration"]),
                certificates=tuple(map(Certificate.from_json, value["certificates"])),
                limits=tuple(value["limits"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a model card: {error}") from error


@dataclass(frozen=True)
class Promise:
    """What held-out pictures gave: a calibration, and certificates of the calibrated model."""

    calibration: Calibration
    certificates: tuple[Certificate, ...]
    certifying: tuple[int, ...]
    """Rows of the held-out pictures behind the certificates."""


def promise(
    logits_NK: NDArray[np.float64], held_out: Images, risk: float, certainty: float, seed: int
) -> Promise:
    """Calibrate on a quarter of the held-out pictures, certify on the others.

    No pictures: the identity, and no certificate.
    """
    num_classes = len(held_out.class_names)
    if len(held_out) == 0:
        return Promise(calibration.identity(num_classes, "no pictures were held out"), (), ())
    count = len(held_out) - round(CALIBRATING_SHARE * len(held_out))
    fitting, certifying = split.stratified(held_out.labels_N, count, seed)
    fitted = calibration.fit(logits_NK[fitting], held_out.labels_N[fitting])
    pictures = held_out.take(certifying)
    certificates = certify(fitted(logits_NK[certifying]), pictures, risk, certainty)
    return Promise(fitted, certificates, tuple(certifying.tolist()))


def estimate(logits_NK: NDArray[np.float64], images: Images) -> Promise:
    """Calibrate on out-of-fold logits: of fits that neither saw the picture nor are deployed.

    An estimate for the deployed model, so nothing is promised.
    """
    return Promise(calibration.fit(logits_NK, images.labels_N), (), ())


def certify(
    probabilities_NK: NDArray[np.float64], pictures: Images, risk: float, certainty: float
) -> tuple[Certificate, ...]:
    """The overall certificate, then one for the pictures called each class, sharing delta."""
    calls_N, confidence_N = probabilities_NK.argmax(1), probabilities_NK.max(1)
    wrong_N = calls_N != pictures.labels_N
    names = pictures.class_names
    common: dict[str, Any] = {
        "risk": risk,
        "certainty": certainty,
        "num_classes": len(names),
        "pictures_sha256": pictures_sha256(pictures),
    }
    overall = certificate.certify(confidence_N, wrong_N, **common)
    by_class = (
        certificate.certify(
            confidence_N[calls_N == label],
            wrong_N[calls_N == label],
            spent=1 / len(names),
            scope=name,
            **common,
        )
        for label, name in enumerate(names)
    )
    return overall, *by_class


def pictures_sha256(pictures: Images) -> str:
    """Hash of the sorted hashes of the pixels, whatever the order of the pictures."""
    digests = sorted(
        hashlib.sha256(pixels_HWC.tobytes()).digest() for pixels_HWC in pictures.pixels_NHWC
    )
    return hashlib.sha256(b"".join(digests)).hexdigest()


def limits(figures: dict[str, Any], held_out: int, dataset: str) -> tuple[str, ...]:
    """What the figures, by set of pictures, do not say."""
    said: list[str] = []
    if dataset == "sample":
        said.append("Trained on pictures drawn by code: it knows nothing of photographs.")
    if held_out:
        said.append(
            "The promise holds for pictures drawn like the held-out ones; other cameras, light or "
            "places void it until it is certified anew."
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


def counts(images: Images) -> dict[str, int]:
    """Pictures of each class."""
    return {
        name: int((images.labels_N == label).sum()) for label, name in enumerate(images.class_names)
    }
