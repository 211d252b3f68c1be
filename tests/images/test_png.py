"""The one decoder: what goes in as pixels comes out as the same pixels."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scones.images import png
from scones.images.images import Pixels


def picture(height: int = 32, width: int = 32) -> Pixels:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_pixels_survive_the_round_trip() -> None:
    assert np.array_equal(png.decode(png.encode(picture())), picture())


def test_equal_pixels_give_equal_bytes() -> None:
    assert png.encode(picture()) == png.encode(picture().copy())


def test_an_opaque_rgba_picture_is_its_rgb() -> None:
    opaque = np.dstack([picture(), np.full((32, 32), 255, np.uint8)])
    assert np.array_equal(png.decode(saved(Image.fromarray(opaque))), picture())


def test_a_transparent_picture_lies_on_white() -> None:
    clear = np.dstack([picture(), np.zeros((32, 32), np.uint8)])
    assert png.decode(saved(Image.fromarray(clear))).min() == 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P"])
def test_every_kind_of_png_gives_three_colours(mode: str) -> None:
    image = Image.fromarray(picture()).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(png.decode(saved(image)), expected)


def test_sixteen_bits_a_pixel_keep_their_upper_eight() -> None:
    deep = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64
    assert np.array_equal(png.decode(saved(Image.fromarray(deep)))[..., 0], deep >> 8)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_every_kind_of_jpeg_is_read(mode: str) -> None:
    grey = Image.fromarray(np.full((32, 32, 3), 100, np.uint8)).convert(mode)
    assert abs(png.decode(saved(grey, "JPEG")).astype(int) - 100).max() <= 3


def test_the_rotation_mark_of_a_phone_is_obeyed() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    content = saved(Image.fromarray(picture()), "PNG", exif=exif)
    assert np.array_equal(png.decode(content), picture()[::-1, ::-1])


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (640, 480)])
def test_a_picture_of_any_size_is_resized_whole(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (10, 200, 30))
    assert png.decode(saved(image), 24, 40).shape == (24, 40, 3)
    assert (png.decode(saved(image)) == (10, 200, 30)).all()


def gif() -> bytes:
    return saved(Image.fromarray(picture()), "GIF")


@pytest.mark.parametrize(
    "content", [b"", b"hello", png.encode(picture())[:300], gif()], ids=["", "text", "cut", "gif"]
)
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a PNG or JPEG"):
        png.decode(content)


@pytest.mark.parametrize("side", [8_100, 10_000, 60_000])
def test_a_decompression_bomb_is_refused_unopened(side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
    with pytest.raises(ValueError, match="not a PNG or JPEG"):
        png.decode(bomb)


@settings(max_examples=300)
@given(st.data())
def test_no_damage_raises_anything_but_value_error(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["PNG", "JPEG"]))
    content = bytearray(saved(Image.fromarray(picture()), kind))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        assert png.decode(bytes(content)).shape == (32, 32, 3)
