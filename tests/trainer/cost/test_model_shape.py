"""Sizes of checkpoints without their weights, from transformers on the meta device."""

import re
import shutil

import pytest

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")

from harness.cli.exits import Exit
from harness.errors import CheckpointError
from tests.trainer.commands import run, write_checkpoint
from tests.trainer.published import QWEN_3B, QWEN_7B, write_without_weights
from tests.trainer.rows import make_row, write_media, write_rows
from trainer.cli.train import TrainCommand
from trainer.cost.model_shape import read_shape

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "media")
    write_rows(tmp_path / "rows.json", [make_row(n) for n in range(4)])
    return tmp_path


def dry_run(action, *flags):
    return run(
        TrainCommand(), action, "--config", "paper", "--dry-run", "--out", "out",
        "--set", "model.checkpoint=checkpoint", "--set", "data.rows=rows.json",
        "--set", "data.media_roots=media", "--set", "data.decode_workers=1", *flags,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("algorithm", "sequences", "answer", "gib"),
    [
        # By hand, of 30.89 GiB of float32: four times for weights, gradients and two moments, and
        # once more for a reference model; what is sharded besides is a few GiB of activations.
        ("sft", 8, 10, 4 * 30.89),
        ("grpo", 32, 768, 5 * 30.89),
        ("tgrpo", 48, 768, 5 * 30.89),
    ],
)
def test_the_paper_s_7b_model_dry_runs_without_its_weights(
    world, untrained, capsys, algorithm, sequences, answer, gib
):
    """8,292,166,656 weights are published for it, 676,550,144 of them in the vision tower."""
    write_without_weights(world / "checkpoint", QWEN_7B)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(untrained / name, world / "checkpoint" / name)  # the rows are tokenized
    assert dry_run(algorithm, "--processes", "4").code is Exit.OK
    printed = capsys.readouterr().out
    assert "checkpoint (it has no weights; training needs them)" in printed
    assert "8,292,166,656, 676,550,144 of them vision; 8,292,166,656 trained" in printed
    found = re.search(r"at most ([\d,]+): (\d+) sequences of about ([\d,]+) prompt", printed)
    total, rows, prompt = (int(text.replace(",", "")) for text in found.groups())
    assert rows == sequences
    assert 1024 < prompt < 1024 + 300  # 8 pairs of frames of 128 tokens, and the question
    assert total == pytest.approx(sequences * (prompt + answer), rel=0.01)
    memory = dict(re.findall(r"^  (\w[\w ]*?) +([\d.]+) GiB", printed, re.MULTILINE))
    assert float(memory["weights"]) == pytest.approx(30.89, abs=0.01)
    assert gib < float(memory["in all"]) < gib + 15
    assert gib / 4 < float(memory["sharded"]) < gib / 4 + 15


def test_a_shared_embedding_is_counted_once(tmp_path):
    """Of Qwen2.5-VL-3B-Instruct 3,754,622,976 weights are published."""
    assert read_shape(str(write_without_weights(tmp_path, QWEN_3B))).parameters == 3_754_622_976


def test_another_architecture_is_measured_alike(tmp_path):
    """Whatever transformers knows: Qwen2-VL-2B-Instruct has 2,208,985,600 published weights."""
    vision = {"depth": 32, "embed_dim": 1280, "hidden_size": 1536, "mlp_ratio": 4, "num_heads": 16}
    config = {
        **QWEN_3B, "architectures": ["Qwen2VLForConditionalGeneration"], "model_type": "qwen2_vl",
        "hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12,
        "num_hidden_layers": 28, "num_key_value_heads": 2, "vision_config": vision,
    }  # fmt: skip
    assert read_shape(str(write_without_weights(tmp_path, config))).parameters == 2_208_985_600


def test_a_configuration_that_transformers_does_not_know_is_refused(tmp_path):
    """The message names the folder and what transformers said."""
    folder = write_checkpoint(tmp_path / "c")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"has no weights .*transformers builds no model"):
        read_shape(str(folder))
