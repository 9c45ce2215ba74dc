"""Images of every mode become 8-bit RGB without losing the picture."""

import numpy as np
import pytest
from PIL import Image

from harness.video.image_modes import to_rgb
from tests.paths import SHARED

RAMP = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)


@pytest.mark.parametrize("kind", ["<u2", ">u2", "<i4"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, kind):
    """0, 257, 514 ... 65535 become 0, 1, 2 ... 255, in every byte order."""
    pixels = np.asarray(to_rgb(Image.fromarray(RAMP.astype(kind))))
    assert pixels.shape == (16, 16, 3)
    assert pixels[..., 0].ravel().tolist() == list(range(256))
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_a_sixteen_bit_file_is_scaled(tmp_path, suffix):
    """Whatever mode Pillow opens it with."""
    Image.fromarray(RAMP).save(tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / f"a.{suffix}") as image:
        assert np.asarray(to_rgb(image))[..., 1].ravel().tolist() == list(range(256))


@pytest.mark.parametrize(
    "pixels", [np.ones((2, 2), np.float32), np.full((2, 2), 70000, np.int32), np.full((2, 2), -1)]
)
def test_numbers_without_a_known_range_are_refused(pixels):
    """Nobody can say what is white."""
    with pytest.raises(ValueError, match="no known range"):
        to_rgb(Image.fromarray(pixels.astype(np.int32) if pixels.dtype == np.int64 else pixels))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_eight_bits_are_converted_as_pillow_does(mode):
    """As in Video-R1."""
    ramp = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).convert(mode)
    assert (np.asarray(to_rgb(ramp)) == np.asarray(ramp.convert("RGB"))).all()


def test_the_ramp_of_the_cases_is_no_white_picture():
    """Its mean is the middle of the range."""
    path = SHARED / "cases/train/image_16bit_white/ramp16.png"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    with Image.open(path) as image:
        assert 127 <= np.asarray(to_rgb(image)).mean() <= 128
