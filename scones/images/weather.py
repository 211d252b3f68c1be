"""What happens to a camera: blur, darkness, hard compression; done to pixels, for drills."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from scones.images import png
from scones.images.images import Pixels

BLUR_RADIUS = 1.5
"""Pixels of 32: wheels are still seen, spokes are not."""
DARKNESS = 0.35
"""Share of the light that is left."""
JPEG_QUALITY = 12
"""Of 95; blocks of 8 pixels show."""


def blur(pixels_HWC: Pixels) -> bytes:
    """A lens out of focus."""
    blurred = Image.fromarray(pixels_HWC, "RGB").filter(ImageFilter.GaussianBlur(BLUR_RADIUS))
    return png.encode(np.asarray(blurred))


def dark(pixels_HWC: Pixels) -> bytes:
    """Nightfall."""
    return png.encode((pixels_HWC * DARKNESS).astype(np.uint8))


def jpeg(pixels_HWC: Pixels) -> bytes:
    """A camera that now sends small JPEG files."""
    stream = io.BytesIO()
    Image.fromarray(pixels_HWC, "RGB").save(stream, "JPEG", quality=JPEG_QUALITY)
    return stream.getvalue()


CHANGES: dict[str, Callable[[Pixels], bytes]] = {"blur": blur, "dark": dark, "jpeg": jpeg}
