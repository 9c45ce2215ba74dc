"""Numeric settings have bounds, and the message says why."""

import pytest

from harness.backends.engine_config import EngineConfig
from harness.run.config import DecodeConfig, EvalConfig


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (DecodeConfig, {"decode_timeout": 1e10}),
        (DecodeConfig, {"decode_timeout": float("nan")}),
        (DecodeConfig, {"decode_timeout": float("inf")}),
        (DecodeConfig, {"workers": 100_000}),
        (DecodeConfig, {"look_ahead": 10**12}),
        (DecodeConfig, {"frame_cache_size": 10**12}),
        (EvalConfig, {"max_frames": 10**9}),
        (EvalConfig, {"max_pixels": 10**14}),
        (EvalConfig, {"limit": 10**400}),
        (EvalConfig, {"seed": -1}),
        (EvalConfig, {"seed": 10**20}),
        (EngineConfig, {"frame_grid": 100_000}),
        (EngineConfig, {"max_model_len": 10**12}),
    ],
)
def test_a_value_out_of_bounds_names_the_bounds_and_the_reason(settings, values):
    """They hung, took gigabytes or ended in a traceback."""
    [name] = values
    with pytest.raises(ValueError, match=rf"^{name}: expected a number from .* to .* \(.+\), got"):
        settings(**values)
