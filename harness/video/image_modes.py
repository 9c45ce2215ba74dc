"""Convert images of any Pillow mode to 8-bit RGB.

Pillow's ``convert("RGB")`` cuts 16-bit grey values at 255, which makes almost every such picture
white; here they are scaled. Images of 8 bits are converted by Pillow, as in Video-R1.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

_16_BIT = 65535


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as 8-bit RGB.

    Raises:
        ValueError: Its numbers have no known range: floating-point, or integers beyond 16 bits.
    """
    if not image.mode.startswith(("I", "F")):
        return image.convert("RGB")
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > _16_BIT:
        raise ValueError(
            f"mode {image.mode!r} with values from {values.min()} to {values.max()} has no known"
            " range; save the image with 8 or 16 bits per channel"
        )
    grey = np.rint(values.astype(np.float64) * (255 / _16_BIT)).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
