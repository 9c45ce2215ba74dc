"""Settings of engines: an engine gets what it knows, and refuses the rest by name."""

from __future__ import annotations

import pytest

from harness.backends.engine_config import (
    EngineConfig,
    given_settings,
    numeric_settings,
    refuse_unknown,
)
from harness.backends.select import resolve_engine
from harness.errors import UsageError

OF_VLLM = {
    "quantization": "fp8",
    "tensor_parallel": 2,
    "gpu_memory_utilization": 0.5,
    "max_num_seqs": 8,
    "max_model_len": 4096,
    "engine_arg": {"enforce_eager": "true"},
}
OF_SERVERS = {"video_as_images": True, "frame_grid": 32}


@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("transformers", OF_VLLM),
        ("openai", OF_VLLM | {"dtype": "float16"}),
        ("fake", OF_VLLM | OF_SERVERS | {"dtype": "float16"}),
        ("vllm", OF_SERVERS),
        ("transformers", OF_SERVERS),
    ],
)
def test_a_setting_that_an_engine_does_not_know_is_refused_by_its_flag(backend, settings):
    """It would have no effect, and the user would not know."""
    for name, value in settings.items():
        flag = "--" + name.replace("_", "-")
        with pytest.raises(UsageError, match=f"^{flag}: the engine {backend} has no such setting"):
            refuse_unknown(EngineConfig(**{name: value}), backend)


@pytest.mark.parametrize(
    ("backend", "settings"),
    [
        ("vllm", OF_VLLM | {"dtype": "float16"}),
        ("transformers", {"dtype": "float16"}),
        ("openai", OF_SERVERS),
        ("fake", {}),
    ],
)
def test_an_engine_takes_the_settings_that_it_knows(backend, settings):
    """None is refused."""
    refuse_unknown(EngineConfig(**settings), backend)


def test_a_setting_is_refused_before_the_checkpoint_is_looked_for():
    """Hashing a large checkpoint takes minutes."""
    config = EngineConfig(backend="fake", tensor_parallel=2)
    with pytest.raises(UsageError, match="--tensor-parallel"):
        resolve_engine("no such checkpoint", config)


def test_settings_that_are_left_to_the_engine_are_not_recorded():
    """A run with the defaults equals a run that was made before there were settings."""
    assert given_settings(EngineConfig()) == {}
    assert given_settings(EngineConfig(dtype="float16", max_num_seqs=8)) == {
        "dtype": "float16",
        "max_num_seqs": 8,
    }


def test_what_can_change_an_answer_is_told_from_memory_and_speed():
    """Only the former is compared on resume."""
    settings = given_settings(EngineConfig(dtype="float16", **OF_VLLM))
    assert set(numeric_settings(settings)) == {"dtype", "quantization", "engine_arg"}
    assert numeric_settings(given_settings(EngineConfig(**OF_SERVERS))) == OF_SERVERS
