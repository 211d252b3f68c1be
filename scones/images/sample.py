"""The built-in sample set: bicycles and motorcycles drawn by code, for when no archive is at hand.

Each picture is one machine with a *heft* between 0 (a bicycle: large thin wheels, a diamond of
tubes, pedals) and 1 (a motorcycle: small thick wheels, engine, tank, exhaust) before a made-up
street. Heft is spread widely enough around both ends that some pictures are honestly ambiguous:
e-bikes and mopeds, far away, blurred, in the dark, behind a post. The set is written in the
CIFAR-100 archive's own layout and read by the same loader.
"""

import gzip
import io
import pickle
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from scones.images.cifar100 import CLASS_NAMES
from scones.images.images import Pixels

SIDE = 32
CANVAS = 128
"""Drawn at four times the size and averaged down: thin tubes become faint, as in a photo."""
TRAIN_PER_CLASS, TEST_PER_CLASS = 500, 100
KINDS = ("bicycle", "motorcycle")

Colour = tuple[int, int, int]
Points = NDArray[np.float64]


def archive(seed: int = 0) -> bytes:
    """The sample set as tar.gz: 1000 pictures to train and 200 to test, the same for a seed."""
    rng = np.random.default_rng(seed)
    names = [name.encode() for name in CLASS_NAMES]
    members = {
        "meta": {b"fine_label_names": names, b"dataset": b"sample"},
        "train": _table(rng, "train", TRAIN_PER_CLASS),
        "test": _table(rng, "test", TEST_PER_CLASS),
    }
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as unpacked,
    ):
        for name, value in members.items():
            content = pickle.dumps(value, protocol=2)
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            unpacked.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _table(rng: np.random.Generator, split: str, per_class: int) -> dict[bytes, object]:
    kinds = rng.permutation([name for name in KINDS for _ in range(per_class)])
    pictures = [draw(rng, str(kind)) for kind in kinds]
    rows = np.stack([picture.transpose(2, 0, 1).reshape(-1) for picture in pictures])
    return {
        b"data": rows,
        b"fine_labels": [CLASS_NAMES.index(str(kind)) for kind in kinds],
        b"filenames": [f"{kind}_{split}_{i:04d}.png".encode() for i, kind in enumerate(kinds)],
        b"batch_label": f"drawn by code, {split}".encode(),
    }


def draw(rng: np.random.Generator, kind: str) -> Pixels:
    """One picture of a bicycle or a motorcycle, 32 x 32 x 3."""
    spread = rng.normal(0, 0.2) if rng.random() < 0.75 else rng.normal(0, 0.36)
    heft = float(np.clip(abs(spread), 0, 0.9))
    heft = heft if kind == "bicycle" else 1 - heft
    picture = _background(rng)
    _machine(rng, ImageDraw.Draw(picture), heft)
    _occlude(rng, ImageDraw.Draw(picture))
    return _photograph(rng, picture)


@dataclass(frozen=True)
class Pen:
    """Draws shapes given in the machine's own coordinates: a wheelbase of about 1, y upward."""

    canvas: ImageDraw.ImageDraw
    matrix_22: Points
    offset_2: Points

    def at(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        placed = np.asarray(points, dtype=np.float64) @ self.matrix_22.T + self.offset_2
        return [(float(x), float(y)) for x, y in placed]

    def scale(self) -> float:
        return float(np.sqrt(abs(np.linalg.det(self.matrix_22))))

    def tube(self, points: Sequence[tuple[float, float]], width: float, colour: Colour) -> None:
        pixels = max(1, round(width * self.scale()))
        self.canvas.line(self.at(points), fill=colour, width=pixels, joint="curve")

    def plate(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        self.canvas.polygon(self.at(points), fill=colour)

    def disc(self, x: float, y: float, radius: float, colour: Colour) -> None:
        self.plate(_circle(x, y, radius), colour)

    def ring(self, x: float, y: float, radius: float, width: float, colour: Colour) -> None:
        self.tube([*_circle(x, y, radius), *_circle(x, y, radius)[:2]], width, colour)


def _circle(x: float, y: float, radius: float, steps: int = 28) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    return [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]


def _pen(rng: np.random.Generator, canvas: ImageDraw.ImageDraw) -> Pen:
    """A viewpoint: size, turn out of the picture plane, tilt, direction and place."""
    size = CANVAS * rng.uniform(0.38, 0.6)
    turn = rng.uniform(0.45, 1.0) if rng.random() < 0.4 else rng.uniform(0.85, 1.0)
    tilt = rng.normal(0, 0.09)
    facing = rng.choice([-1.0, 1.0])
    shear = rng.normal(0, 0.08)
    rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    matrix_22 = size * rotation @ np.array([[facing * turn, shear], [0.0, -1.0]])
    middle = CANVAS * np.array([0.5 + rng.normal(0, 0.05), 0.52 + rng.normal(0, 0.05)])
    return Pen(canvas, matrix_22, middle - matrix_22 @ np.array([0.0, 0.42]))


def _machine(rng: np.random.Generator, canvas: ImageDraw.ImageDraw, heft: float) -> None:
    """Wheels, frame and, by heft, engine, tank and exhaust or pedals; sometimes a rider."""
    pen = _pen(rng, canvas)
    part = np.clip(heft + rng.normal(0, 0.1, 8), 0, 1)  # each part has its own idea of heft
    paint, metal, tyre = _paint(rng), _grey(rng, 90, 200), _grey(rng, 10, 60)
    radius = 0.36 - 0.1 * part[0]
    thickness = 0.035 + 0.09 * part[1] ** 1.5
    half = 0.52 + 0.04 * rng.normal()
    for x in (-half, half):
        _wheel(rng, pen, x, radius, thickness, part[1], tyre, metal)
    _frame(pen, half, radius, 0.03 + 0.05 * part[2], float(part[3]), paint)
    if part[4] > 0.4:
        _engine(pen, float(part[4]), radius, metal, tyre)
        _tank(pen, float(part[5]), radius, paint, tyre)
    else:
        _pedals(rng, pen, radius, metal)
    if part[6] > 0.5:
        pen.tube([(0.0, radius - 0.12), (-half, radius - 0.1)], 0.06, _grey(rng, 150, 230))
    if part[7] > 0.6 and rng.random() < 0.7:
        pen.disc(half - 0.08, radius + 0.42, 0.07, _grey(rng, 200, 255))
    if rng.random() < 0.35:
        _rider(rng, pen, radius, heft)


def _wheel(
    rng: np.random.Generator, pen: Pen, x: float, radius: float, thickness: float,
    heft: float, tyre: Colour, metal: Colour,
) -> None:  # fmt: skip
    if heft > 0.55 and rng.random() < 0.6:
        pen.disc(x, radius, radius * 0.8, _mixed(tyre, metal, 0.35))
    else:
        for angle in rng.uniform(0, np.pi) + np.arange(4) * np.pi / 4:
            across = radius * np.array([np.cos(angle), np.sin(angle)])
            ends = [(x - across[0], radius - across[1]), (x + across[0], radius + across[1])]
            pen.tube(ends, 0.008, metal)
    pen.ring(x, radius, radius - thickness / 2, thickness, tyre)
    pen.disc(x, radius, 0.03 + 0.06 * heft, metal)


def _frame(pen: Pen, half: float, radius: float, width: float, heft: float, paint: Colour) -> None:
    """The diamond of a bicycle, sinking and closing to a motorcycle's backbone as heft grows."""
    crank, seat = (-0.08, radius - 0.04), (-0.2, radius + 0.42 - 0.14 * heft)
    head = (half - 0.2, radius + 0.44 - 0.1 * heft)
    rear, front = (-half, radius), (half, radius)
    for line in ((rear, crank), (crank, head), (seat, head), (crank, seat), (rear, seat)):
        pen.tube(line, width, paint)
    pen.tube((front, head), width, paint)
    bar = (head[0] - 0.02, head[1] + 0.12)
    pen.tube((head, bar, (bar[0] + 0.1 - 0.2 * heft, bar[1] + 0.03)), width * 0.8, (30, 30, 30))
    pen.tube(((seat[0], seat[1]), (seat[0] - 0.02, seat[1] + 0.08)), width * 0.8, paint)
    saddle = seat[1] + 0.1
    length = 0.1 + 0.18 * heft
    pen.tube(((seat[0] - length, saddle), (seat[0] + length, saddle - 0.02)), 0.05, (25, 22, 20))


def _engine(pen: Pen, heft: float, radius: float, metal: Colour, tyre: Colour) -> None:
    size = 0.1 + 0.14 * heft
    low, high = radius - 0.16, radius - 0.16 + 1.6 * size
    pen.plate([(-size, low), (size, low), (size * 0.9, high), (-size * 0.8, high)], metal)
    for height in np.linspace(low + 0.04, high - 0.03, 4):
        pen.tube([(-size * 0.8, float(height)), (size * 0.8, float(height))], 0.02, tyre)


def _tank(pen: Pen, heft: float, radius: float, paint: Colour, dark: Colour) -> None:
    top = radius + 0.3 + 0.12 * heft
    pen.plate(
        [(-0.1, radius + 0.2), (0.32, radius + 0.24), (0.28, top), (0.05, top + 0.05), (-0.1, top)],
        paint,
    )
    pen.plate(
        [(-0.45, top - 0.02), (-0.08, top - 0.04), (-0.1, top - 0.14), (-0.4, top - 0.1)], dark
    )
    if heft > 0.7:
        pen.plate([(-0.62, radius + 0.25), (-0.4, radius + 0.36), (-0.3, radius + 0.22)], paint)


def _pedals(rng: np.random.Generator, pen: Pen, radius: float, metal: Colour) -> None:
    angle = rng.uniform(0, 2 * np.pi)
    reach = 0.14 * np.array([np.cos(angle), np.sin(angle)])
    crank = np.array([-0.08, radius - 0.04])
    pen.disc(float(crank[0]), float(crank[1]), 0.06, metal)
    pen.tube([tuple(crank - reach), tuple(crank + reach)], 0.025, (40, 40, 40))


def _rider(rng: np.random.Generator, pen: Pen, radius: float, heft: float) -> None:
    """Hip, shoulder, hand, knee, foot and a head, or a helmet."""
    cloth, legs, skin = _paint(rng), _grey(rng, 20, 110), (205, 160, 130)
    hip = (-0.22, radius + 0.5 - 0.12 * heft)
    shoulder = (0.06 - 0.05 * heft, radius + 0.95 - 0.16 * heft)
    hand, knee, foot = (0.34, radius + 0.5), (0.1, radius + 0.25), (-0.02, radius - 0.14)
    pen.tube([hip, knee, foot], 0.1, legs)
    pen.tube([hip, shoulder], 0.19, cloth)
    pen.tube([shoulder, hand], 0.08, cloth)
    helmet = _paint(rng) if rng.random() < 0.3 + 0.5 * heft else skin
    pen.disc(shoulder[0] + 0.06, shoulder[1] + 0.15, 0.1 + 0.02 * heft, helmet)


def _background(rng: np.random.Generator) -> Image.Image:
    """A plain shop page, a wall, or sky and ground, with soft blotches."""
    kind = rng.random()
    above = _grey(rng, 225, 255) if kind < 0.3 else _scenery(rng)
    below = above if kind < 0.5 else _scenery(rng)
    horizon = int(CANVAS * rng.uniform(0.35, 0.8))
    picture = Image.new("RGB", (CANVAS, CANVAS), above)
    canvas = ImageDraw.Draw(picture)
    canvas.rectangle((0, horizon, CANVAS, CANVAS), fill=below)
    if kind >= 0.3:
        for _ in range(rng.integers(2, 9)):
            x, y, w, h = rng.uniform(0, CANVAS, 4)
            shade = _mixed(_scenery(rng), above if y < horizon else below, 0.5)
            canvas.ellipse((x - w / 2, y - h / 3, x + w / 3, y + h / 4), fill=shade)
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1, 6)))
    return picture


def _occlude(rng: np.random.Generator, canvas: ImageDraw.ImageDraw) -> None:
    """Now and then a post, a bush or the picture's edge in front of the machine."""
    if rng.random() < 0.18:
        x, width = rng.uniform(0.1, 0.9) * CANVAS, rng.uniform(0.06, 0.28) * CANVAS
        canvas.rectangle((x - width / 2, 0, x + width / 2, CANVAS), fill=_scenery(rng))
    if rng.random() < 0.15:
        height = rng.uniform(0.55, 0.85) * CANVAS
        canvas.rectangle((0, height, CANVAS, CANVAS), fill=_scenery(rng))


def _photograph(rng: np.random.Generator, picture: Image.Image) -> Pixels:
    """Blur, light, contrast, colour cast and noise, at 32 x 32."""
    blur = rng.gamma(1.5, 1.1)
    small = picture.filter(ImageFilter.GaussianBlur(blur)).resize(
        (SIDE, SIDE), Image.Resampling.BOX
    )
    values_HWC = np.asarray(small, dtype=np.float64)
    contrast, light = rng.uniform(0.55, 1.1), rng.normal(0, 18)
    cast_C = rng.normal(0, 6, 3)
    values_HWC = 128 + (values_HWC - 128) * contrast + light + cast_C
    values_HWC += rng.normal(0, rng.uniform(1, 9), values_HWC.shape)
    return np.clip(values_HWC.round(), 0, 255).astype(np.uint8)


def _paint(rng: np.random.Generator) -> Colour:
    """A colour one would paint a machine in: strong, sometimes black or white."""
    if rng.random() < 0.3:
        return _grey(rng, 10, 240)
    red, green, blue = rng.permutation(
        [rng.uniform(0, 70), rng.uniform(0, 160), rng.uniform(120, 255)]
    )
    return int(red), int(green), int(blue)


def _scenery(rng: np.random.Generator) -> Colour:
    """A muted colour: stone, grass, sky, brick, sand."""
    tones = (
        (150, 150, 148),
        (105, 130, 80),
        (165, 195, 225),
        (150, 95, 75),
        (200, 180, 145),
        (80, 80, 85),
    )
    red, green, blue = np.clip(tones[rng.integers(len(tones))] + rng.normal(0, 18, 3), 0, 255)
    return int(red), int(green), int(blue)


def _grey(rng: np.random.Generator, low: int, high: int) -> Colour:
    level = int(rng.uniform(low, high))
    return level, level, level


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (int(a * (1 - share) + b * share) for a, b in zip(one, other, strict=True))
    return red, green, blue
