"""Pixels to PNG bytes and back: the only decoder, for training and for serving.

A picture of another size is stretched to the wanted one, so that nothing is cut off; a
transparent one is laid on white; a phone's rotation mark is obeyed.
"""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from scones.images.images import Pixels

PIXEL_LIMIT = 64_000_000
"""A picture of more is refused before it is unpacked: 64 megapixels is 192 MB as RGB."""


def encode(pixels_HWC: Pixels) -> bytes:
    """PNG bytes of red, green and blue values; equal pixels give equal bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels_HWC, "RGB").save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def decode(content: bytes, height: int = 32, width: int = 32) -> Pixels:
    """Red, green and blue values, `height` x `width` x 3, of a PNG or JPEG of any size.

    Raises ValueError for bytes that are no such picture, or one beyond `PIXEL_LIMIT`.
    """
    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise ValueError(f"{picture.width} x {picture.height} pixels")
            return resize(_as_rgb(picture), height, width)
    except UnidentifiedImageError as error:  # Pillow's words name an address in memory
        raise ValueError("not a PNG or JPEG picture that can be read: unknown format") from error
    # What Pillow raises for damaged files, found by flipping bytes of PNG and JPEG files.
    except (
        OSError, SyntaxError, ValueError, struct.error, zlib.error, IndexError, TypeError,
        Image.DecompressionBombError, Image.DecompressionBombWarning,
    ) as error:  # fmt: skip
        raise ValueError(f"not a PNG or JPEG picture that can be read: {error}") from error


def resize(picture: Image.Image, height: int, width: int) -> Pixels:
    """The whole picture at `height` x `width`, averaged down or interpolated up."""
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.array(picture, dtype=np.uint8)


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGB", "RGBA") and not picture.getexif():
        upright = picture
    else:
        upright = ImageOps.exif_transpose(picture)
    if upright.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion clips at 255
        upright = Image.fromarray((np.asarray(upright, np.uint32) >> 8).astype(np.uint8), "L")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright)
    return upright.convert("RGB")
