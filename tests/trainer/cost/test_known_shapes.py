"""Well-known models are measured without the hub; every shipped recipe of theirs dry-runs."""

from __future__ import annotations

import re

import huggingface_hub.constants
import pytest

from harness.cli.exits import Exit
from harness.errors import CheckpointError, UsageError
from tests.trainer.commands import run
from tests.trainer.rows import make_row, write_media, write_rows
from trainer.cli.train import TrainCommand
from trainer.config.algorithms import ALGORITHMS, GRPO, SFT
from trainer.cost.estimate import estimate
from trainer.cost.model_shape import read_shape
from trainer.data.rows import read_training_rows


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network, and nothing that was downloaded before."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "media")
    write_rows(tmp_path / "rows.json", [make_row(n) for n in range(8)])


@pytest.mark.parametrize(
    ("repo", "weights", "vision", "side"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", 8_292_166_656, 676_550_144, 28),
        ("Video-R1/Qwen2.5-VL-7B-COT-SFT", 8_292_166_656, 676_550_144, 28),
        ("Qwen/Qwen3-VL-8B-Instruct", 8_767_123_696, 576_388_336, 32),
    ],
)
def test_the_sizes_are_the_published_ones(repo, weights, vision, side):
    """The sums are those that the hub shows for these checkpoints."""
    shape = read_shape(repo)
    assert (shape.parameters, shape.vision_parameters, shape.patch_multiple) == (
        weights, vision, side,
    )  # fmt: skip
    assert shape.remembered


def test_other_checkpoints_still_need_the_hub():
    """Their sizes are not guessed."""
    with pytest.raises(CheckpointError, match="the hub did not give its headers"):
        read_shape("someone/Qwen2.5-VL-7B-of-mine")


PRESETS = [
    (name, preset)
    for name, algorithm in ALGORITHMS.items()
    for preset in algorithm.presets
    if "qwen" in preset
]


def test_there_is_a_recipe_per_model_and_machine():
    """Eight GPUs, and one of 24 GB."""
    for model in ("qwen2.5-vl-7b", "qwen3-vl-8b"):
        for machine in ("", "-24gb"):
            assert {("sft", model + machine), ("grpo", model + machine)} <= set(PRESETS)


@pytest.mark.parametrize(("algorithm", "preset"), PRESETS)
def test_every_recipe_states_tokens_and_memory(algorithm, preset, capsys):
    """What eight processes share fits GPUs of 80 GB; what one process has fits 24 GB."""
    small = preset.endswith("24gb")
    code = run(
        TrainCommand(), algorithm, "--config", preset, "--dry-run", "--out", "out",
        "--processes", "1" if small else "8", "--set", "data.rows=rows.json",
        "--set", "data.media_roots=media", "--set", "data.check=exists",
    ).code  # fmt: skip
    printed = capsys.readouterr().out
    assert code is Exit.OK, printed
    assert "the sizes are those that videor1 knows" in printed
    assert re.search(r"tokens per update at most [\d,]+: \d+ sequences", printed)
    line = "in all" if small else "sharded"
    gib = float(re.search(rf"{line} +([\d.]+) GiB", printed)[1])
    assert 5 < gib < (20 if small else 70)


def test_weights_in_4_bits_by_hand():
    """28 layers of 233,046,016 weights each in 0.5 + 1/64 + 4/16384 bytes, all others in 2; the
    adapter of 40,370,176 weights in 4."""
    name = "qwen2.5-vl-7b-24gb"
    sets = ["data.rows=rows.json", "data.media_roots=media"]
    recipe = GRPO.read_recipe(name, sets)
    (row, *_) = read_training_rows(recipe.data.rows, recipe.data.media_roots)
    shape = read_shape(recipe.model.checkpoint)
    quantized = 28 * 233_046_016
    others = 8_292_166_656 - quantized
    assert shape.quantizable_parameters == quantized
    memory = estimate(recipe, [row], shape, world_size=1).memory
    whole = int(quantized * 0.515869140625) + 2 * others + 4 * 40_370_176
    assert memory["weights"] == whole
    plain = GRPO.read_recipe(name, [*sets, "model.load_in_4bit=false"])
    unquantized = estimate(plain, [row], shape, world_size=1).memory["weights"]
    assert unquantized == 2 * 8_292_166_656 + 4 * 40_370_176


def test_weights_in_4_bits_need_an_adapter_and_the_policy_as_sampler():
    """They are not trained themselves, and vLLM cannot get them."""
    with pytest.raises(UsageError, match="load_in_4bit: expected an adapter"):
        SFT.read_recipe("paper", ["model.load_in_4bit=true"])
    with pytest.raises(UsageError, match=r"rollout\.engine: expected .transformers. with model"):
        GRPO.read_recipe("qwen3-vl-8b-24gb", ["rollout.engine=vllm"])
