"""The most bfloat16 operations per second that GPUs can do, as NVIDIA states them.

Dense matrices, accumulated in float32; datasheets that state sparse figures are halved. The
sources are listed in docs/sources.md, "Peaks of GPUs". A multiplication and an addition are two
operations.
"""

from __future__ import annotations

from collections.abc import Sequence

_TERA = 10**12

PEAKS: Sequence[tuple[str, float]] = (
    ("B200", 2250 * _TERA),
    ("H200 NVL", 835 * _TERA),
    ("H200", 989 * _TERA),
    ("H100 NVL", 835 * _TERA),
    ("H100 PCIe", 756 * _TERA),
    ("H100", 989 * _TERA),
    ("GH200", 989 * _TERA),
    ("A100", 312 * _TERA),
    ("A40", 149.7 * _TERA),
    ("A30", 165 * _TERA),
    ("A10", 125 * _TERA),
    ("L40S", 362 * _TERA),
    ("L40", 181 * _TERA),
    ("L4", 121 * _TERA),
    ("RTX 4090", 165.2 * _TERA),
    ("RTX 3090", 71 * _TERA),
)
"""Part of the name that torch gives a device, and its peak; the first part that fits counts."""


def find_peak(device: str) -> float | None:
    """Return the bfloat16 peak of a device by the name that torch gives it; None: not known."""
    words = f" {device.replace('-', ' ')} "
    return next((peak for name, peak in PEAKS if f" {name} " in words), None)
