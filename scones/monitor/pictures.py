"""Have the pictures themselves changed? Light, contrast, sharpness, size and format, watched.

Light, contrast and sharpness are measured on what the model is given, 32 x 32; size and format on
what was sent. Each is a stream of numbers with a martingale of its own, and the false alarms are
shared out, so that all of them and the confidences together cry wolf in at most 1 % of lives.
"""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from scones.images import png
from scones.monitor.drift import OF_PICTURES, Drift, watch

SIDE = 32
MEASURES = ("brightness", "contrast", "sharpness", "size", "format")
USUAL = ("PNG", "JPEG")
"""Formats that come first in their order; one that is seldom seen comes last."""


@dataclass(frozen=True)
class Measures:
    """What can be said of a picture without knowing what is on it."""

    brightness: float
    """Mean luma, 0 black to 1 white."""
    contrast: float
    """Standard deviation of luma, 0 to 0.5."""
    sharpness: float
    """Mean absolute difference of a pixel's luma from the mean of its four neighbours."""
    size: int
    """Pixels as sent, width times height."""
    format: str
    """As Pillow names it: "PNG", "JPEG"."""


def measure(picture: bytes) -> Measures | None:
    """The measures of a picture's bytes; None of what is no picture that the model could read."""
    try:
        pixels_HWC = png.decode(picture, SIDE, SIDE)
    except ValueError:
        return None
    with Image.open(io.BytesIO(picture)) as header:
        size, kind = header.width * header.height, header.format or "unknown"
    # Rec. 601, the luma of JPEG and of Pillow's own conversion to grey.
    luma_HW = pixels_HWC @ np.array([0.299, 0.587, 0.114]) / 255
    inner = luma_HW[1:-1, 1:-1]
    around = luma_HW[:-2, 1:-1] + luma_HW[2:, 1:-1] + luma_HW[1:-1, :-2] + luma_HW[1:-1, 2:]
    return Measures(
        brightness=float(luma_HW.mean()),
        contrast=float(luma_HW.std()),
        sharpness=float(np.abs(inner - around / 4).mean()),
        size=size,
        format=kind,
    )


def drift(reference: Sequence[Measures], stream: Sequence[Measures]) -> dict[str, Drift]:
    """The life of each measure, by its name; the stream in its order of time.

    A format counts as its place in one fixed order, which no picture has a part in. Without a
    reference the stream is its own, and a change within it is still found.
    """
    # Where most values are equal their ties decide. Were these broken alike in every life, and the
    # luck a bad one, 10 of 1000 calm lives of mixed formats would alarm in place of 1.
    luck = zlib.crc32(repr((*reference[:1], *stream[:1])).encode())
    others = sorted({each.format for each in (*reference, *stream)} - set(USUAL))
    places = {kind: place for place, kind in enumerate((*USUAL, *others))}

    def values(pictures: Sequence[Measures], name: str) -> list[float]:
        if name == "format":
            return [float(places[each.format]) for each in pictures]
        return [float(getattr(each, name)) for each in pictures]

    return {
        name: watch(
            values(reference, name),
            values(stream, name),
            false_alarms=OF_PICTURES / len(MEASURES),
            seed=luck + place,
        )
        for place, name in enumerate(MEASURES)
    }
