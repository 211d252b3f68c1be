"""Measures of pictures, and whether a change in them is found."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from scones.monitor.capture import read_folder
from scones.monitor.drift import FALSE_ALARMS, OF_CONFIDENCES, watch
from scones.monitor.pictures import MEASURES, Measures, drift, measure


def encoded(pixels: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def noise(seed: int, low: int = 0, high: int = 256, side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (side, side, 3), np.uint8)


def test_flat_pictures_have_their_light_and_nothing_else() -> None:
    for level in (0, 128, 255):
        found = measure(encoded(np.full((32, 32, 3), level, np.uint8)))
        assert found is not None
        assert found.brightness == pytest.approx(level / 255)
        assert (found.contrast, found.sharpness) == pytest.approx((0, 0), abs=1e-12)
        assert (found.size, found.format) == (1024, "PNG")


def test_half_black_half_white_has_the_largest_contrast() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = 255
    found = measure(encoded(pixels))
    assert found is not None
    assert (found.brightness, found.contrast) == pytest.approx((0.5, 0.5))


def test_blur_takes_sharpness_and_jpeg_changes_the_format() -> None:
    sharp = noise(0)
    blurred = np.asarray(Image.fromarray(sharp).filter(ImageFilter.GaussianBlur(1)))
    before, after = measure(encoded(sharp)), measure(encoded(blurred, "JPEG"))
    assert before is not None
    assert after is not None
    assert after.sharpness < before.sharpness / 2
    assert (before.format, after.format) == ("PNG", "JPEG")


@pytest.mark.parametrize(
    "broken", [b"", b"no picture", encoded(noise(0))[:60], b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_picture_has_no_measures(broken: bytes) -> None:
    assert measure(broken) is None


def test_real_captures_are_measured(shared: Path) -> None:
    records, _ = read_folder(shared / "data" / "sagemaker-captures")
    found = [measure(record.picture) for record in records if record.picture]
    assert {each.format for each in found if each} == {"PNG"}
    assert {each.size for each in found if each} == {1024}
    assert all(each and 0.05 < each.brightness < 0.99 for each in found)


def stream(seed: int, n: int) -> list[Measures]:
    rng = np.random.default_rng(seed)
    return [
        Measures(float(light), float(contrast), float(sharp), 1024, "PNG")
        for light, contrast, sharp in rng.uniform(0.1, 0.5, (n, 3))
    ]


def test_pictures_like_the_reference_do_not_alarm() -> None:
    lives = drift(stream(0, 200), stream(1, 2000))
    assert tuple(lives) == MEASURES
    assert not any(life.drifted for life in lives.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("brightness", 0.05),
        ("contrast", 0.6),
        ("sharpness", 0.0),
        ("size", 4096),
        ("format", "GIF"),
    ],
)
def test_what_changed_is_named(name: str, value: float | str) -> None:
    changed = [replace(each, **{name: value}) for each in stream(1, 300)]  # type: ignore[arg-type]
    lives = drift(stream(0, 200), changed)
    assert [each for each in MEASURES if lives[each].drifted] == [name]


def test_a_format_that_changes_is_found_without_a_reference_and_between_two_usual_ones() -> None:
    usual = [
        replace(each, format="JPEG" if i % 2 else "PNG") for i, each in enumerate(stream(2, 200))
    ]
    webp = [replace(each, format="WEBP") for each in stream(3, 200)]
    for reference, changed in (([], [*stream(1, 200), *webp]), (usual, webp)):
        assert drift(reference, changed)["format"].drifted


def test_ties_are_broken_otherwise_in_another_life_and_alike_in_the_same() -> None:
    kinds = np.random.default_rng(0).choice(["PNG", "JPEG"], 200).tolist()
    lives = [
        drift([], [replace(each, format=k) for each, k in zip(stream(i, 200), kinds, strict=True)])
        for i in (1, 1, 2)
    ]
    first, again, other = (life["format"].log10_capital_N.tolist() for life in lives)
    assert first == again != other
    assert max(life["size"].peak for life in lives) < 1e-9  # all 1024: nothing to be unlucky with


def test_confidences_and_all_measures_share_one_in_a_hundred() -> None:
    lives = drift([], stream(1, 3)).values()
    assert sum(life.false_alarms for life in lives) + OF_CONFIDENCES == pytest.approx(FALSE_ALARMS)


@pytest.mark.slow
def test_calm_lives_seldom_alarm_whatever_is_watched() -> None:
    alarms = 0
    for seed in range(500):
        random = np.random.default_rng(10**7 + seed)

        def calm(n: int, random: np.random.Generator = random) -> list[Measures]:
            light = random.normal(0, 1, (n, 4)) @ np.array([1, 0.5, 0.2, 0.8])  # as one lamp
            kinds = random.choice(["PNG", "JPEG", "GIF"], n, p=[0.7, 0.29, 0.01])
            sizes = random.choice([1024, 4096], n, p=[0.8, 0.2])
            return [
                Measures(float(x), float(x + y), float(y), int(size), str(kind))
                for x, y, size, kind in zip(
                    light, random.normal(0, 1, n), sizes, kinds, strict=True
                )
            ]

        of_pictures = any(life.drifted for life in drift(calm(300), calm(500)).values())
        scores = random.random(200), random.random(500)
        alarms += of_pictures or watch(*scores, false_alarms=OF_CONFIDENCES, seed=seed).drifted
    assert alarms <= 0.02 * 500


@pytest.mark.parametrize(("reference", "n"), [(0, 0), (0, 1), (200, 0), (1, 2)])
def test_hardly_a_picture_does_not_alarm(reference: int, n: int) -> None:
    lives = drift(stream(0, reference), stream(1, n))
    assert not any(life.drifted for life in lives.values())
