"""``videor1 train`` up to where a model would be loaded: dry runs, and bad input."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.cli.exits import Exit
from harness.models import checkpoint
from harness.models.checkpoint import resolve
from tests.trainer.commands import CONFIG, run, write_checkpoint, write_weights
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from trainer.cli.train import TrainCommand
from trainer.config.algorithms import ALGORITHMS, TGRPO
from trainer.config.renamed import RENAMED
from trainer.runs.folder import DistInfo, claim
from trainer.runs.train import TrainJob, make_manifest


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Rows, media and a checkpoint, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "media")
    write_rows(tmp_path / "rows.json", [make_row(n) for n in range(4)])
    write_checkpoint(tmp_path / "checkpoint")
    return tmp_path


@pytest.fixture
def train(world):
    def go(action="tgrpo", *flags, config="paper"):
        return run(
            TrainCommand(), action, "--config", config, "--dry-run", "--out", "out",
            "--set", "model.checkpoint=checkpoint", "--set", "data.rows=rows.json",
            "--set", "data.media_roots=media", "--set", "data.decode_workers=1", *flags,
        )  # fmt: skip

    return go


@pytest.mark.parametrize(
    ("algorithm", "preset"),
    [
        (algorithm, preset)
        for algorithm in ALGORITHMS.values()
        for preset in algorithm.presets
        if preset in ("paper", "code", "qwen2.5-vl-7b", "qwen3-vl-8b")
    ],
)
def test_the_shipped_recipes_dry_run_without_a_gpu(train, algorithm, preset, capsys, world):
    """Rows are validated, parameters counted, tokens and memory estimated; nothing is written."""
    verdict = train(algorithm, "--set", "data.decode_workers=0", config=preset)
    assert verdict.code is Exit.OK, verdict
    printed = capsys.readouterr().out
    # By hand: 96 vision + 2 * 400 embeddings + 2 * (64 + 32 + 128) in two layers.
    assert "parameters 1,536, 96 of them vision; 1,536 trained" in printed
    assert "in all" in printed
    assert not (world / "out").exists()


def test_the_dry_run_counts_a_step_of_four_processes(train, capsys):
    """Four prompts with eight ordered and four shuffled completions each, as in the paper."""
    train("tgrpo", "--processes", "4")
    printed = capsys.readouterr().out
    assert "an update 4 prompts x 8 completions, and 16 shuffled" in printed
    # 16 frames = 8 pairs of 128 tokens, and the text of the question; 768 answer tokens.
    found = re.search(r"at most ([\d,]+): 48 sequences of about ([\d,]+) prompt and 768", printed)
    total, prompt = (int(text.replace(",", "")) for text in found.groups())
    assert 1024 < prompt < 1024 + 300
    assert total == 48 * (prompt + 768)
    assert "1,000 updates, 1,000 passes over 4 rows" in printed


def test_a_folder_without_weights_is_measured_where_torch_is(train, world):
    """Without torch the message says what to install, or to name a hub id."""
    if find_spec("torch"):
        pytest.skip("torch is installed; test_model_shape measures the folder")
    (world / "checkpoint/model.safetensors").unlink()
    result = train()
    assert result.code is Exit.USAGE
    assert "checkpoint has no weights (*.safetensors), and torch" in result.reason
    assert "pip install 'videor1[train]'" in result.reason


def test_memory_is_estimated_per_process_and_sharded(train, capsys):
    """Float32 weights, gradients and two moments: 16 bytes a weight, and 4 for the reference."""
    train("grpo", "--processes", "4", "--set", "optim.per_device_train_batch_size=8")
    printed = capsys.readouterr().out
    assert re.search(r"reference model +0.00 GiB", printed)
    assert "FSDP or ZeRO-3 over 4 processes" in printed


def test_the_checkpoint_is_resolved_once(train, world, monkeypatch):
    """Resolving hashes weights of many gigabytes: once in a dry run."""
    resolved = []
    resolve_once = checkpoint.resolve
    monkeypatch.setattr(
        checkpoint, "resolve", lambda spec: resolved.append(spec) or resolve_once(spec)
    )
    assert train().code is Exit.OK
    assert resolved == ["checkpoint"]


def test_further_fields_of_trl_are_shown_and_belong_to_the_run(train, world, capsys):
    """The dry run prints them; another value is another run."""
    sets = ["--set", "trl.report_to=none", "--set", "trl.lr_scheduler_kwargs={ min_lr = 1e-7 }"]
    assert train("tgrpo", *sets).code is Exit.OK
    printed = capsys.readouterr().out
    assert "report_to = 'none', lr_scheduler_kwargs = {'min_lr': 1e-07}" in printed
    job = _make_job(TGRPO, ["trl.report_to=none"])
    claim(world / "out", make_manifest(job, resolve("checkpoint")))
    result = train("tgrpo", "--set", "trl.report_to=wandb")
    assert result.code is Exit.USAGE
    assert "recipe.trl.report_to: 'none' != 'wandb'" in result.reason


def _make_job(algorithm, sets=()):
    common = [
        "model.checkpoint=checkpoint", "data.rows=rows.json", "data.media_roots=media",
        "data.decode_workers=1",
    ]  # fmt: skip
    recipe = algorithm.read_recipe("paper", [*common, *sets])
    return TrainJob(algorithm=algorithm, recipe=recipe, out=Path("out"), dist=DistInfo())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--set", "optim.lerning_rate=1"], "unknown key 'optim.lerning_rate'; valid keys:"),
        (
            ["--set", "optim.per_device_train_batch_size=6"],
            "num_generations 8 does not divide the 6 completions",
        ),
        (
            ["--processes", "3", "--set", "optim.per_device_train_batch_size=4"],
            "the 12 completions",
        ),
        (["--set", "data.rows=nowhere.json"], "nowhere.json: No such file"),
        (["--set", "model.checkpoint=nowhere"], "nowhere is neither a folder nor a hub id"),
    ],
)
def test_bad_flags_are_usage_errors(train, flags, message):
    """Each names what is wrong and what to do."""
    verdict = train("tgrpo", *flags)
    assert verdict.code is Exit.USAGE
    assert message in verdict.reason


def test_missing_media_stop_the_run_before_it_starts(train, world):
    """The path and the number of rows are in the message."""
    write_rows(world / "rows.json", [make_row(0), make_row(1, path="./gone.mp4")])
    verdict = train()
    assert verdict.code is Exit.USAGE
    assert "media/gone.mp4 is in none of data.media_roots" in verdict.reason
    assert "1 of 2 rows are bad" in verdict.reason


def test_a_mismatching_option_letter_stops_the_run(train, world):
    """An answer D among A to B would make every completion wrong."""
    write_rows(world / "rows.json", [make_row(0, solution="<answer>D</answer>")])
    verdict = train()
    assert verdict.code is Exit.USAGE
    assert "expected one of the letters A, B, got 'D'" in verdict.reason


def test_bad_rows_can_be_left_out(train, world, capsys):
    """By choice, and the report counts them."""
    write_rows(world / "rows.json", [make_row(0), make_row(1, path="./gone.mp4")])
    assert train("tgrpo", "--set", "data.on_bad_row=exclude").code is Exit.OK
    assert "media missing: 1 rows" in capsys.readouterr().out


def test_a_checkpoint_without_video_is_refused(train, world):
    """It would train blind: no video token, or no video processor."""
    write_checkpoint(world / "checkpoint", config={"text_config": CONFIG["text_config"]})
    assert "takes no video" in train().reason
    write_checkpoint(world / "checkpoint", video=False)
    verdict = train()
    assert verdict.code is Exit.USAGE
    assert "has no video processor" in verdict.reason


def test_an_output_folder_with_another_run_is_refused(train, world):
    """The differing fields are named; what is there stays untouched."""
    manifest = make_manifest(_make_job(TGRPO), resolve("checkpoint"))
    claim(world / "out", manifest)
    assert train().code is Exit.OK
    assert train("tgrpo", "--set", "data.decode_workers=3").code is Exit.OK  # moves no number
    verdict = train("tgrpo", "--set", "reward.mu=0.8")
    assert verdict.code is Exit.USAGE
    assert "recipe.reward.mu: 1.0 != 0.8" in verdict.reason
    write_weights(world / "checkpoint/model.safetensors", fill=1)
    assert "checkpoint.weights" in train().reason
    assert json.loads((world / "out/train.json").read_text()) == manifest


def test_a_run_of_the_old_field_names_resumes_under_the_new(train, world):
    """Its ``train.json`` is translated; a value that differs is still refused, by the new name."""
    manifest = make_manifest(_make_job(TGRPO), resolve("checkpoint"))
    del manifest["recipe"]["trl"]  # is newer
    for old, new in RENAMED.items():
        section, field = old.split(".")[0], old.rpartition(".")[2]
        if "lora" not in old:
            table = manifest["recipe"][section]
            table[field] = table.pop(new.rpartition(".")[2])
    manifest["recipe"]["optim"]["schedule"] = "constant"
    (world / "out").mkdir()
    (world / "out/train.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert train().code is Exit.OK
    verdict = train("tgrpo", "--set", "optim.max_steps=7")
    assert verdict.code is Exit.USAGE
    assert "recipe.optim.max_steps: 1000 != 7" in verdict.reason


def test_an_output_folder_with_something_else_is_refused(train, world):
    """Nobody's files end up among checkpoints."""
    (world / "out").mkdir()
    (world / "out/notes.txt").write_text("mine", encoding="utf-8")
    verdict = train()
    assert verdict.code is Exit.USAGE
    assert "holds no training run" in verdict.reason


def test_supervised_rows_need_their_rationale(train, world):
    """The same rows may be fine for reinforcement learning."""
    write_rows(world / "rows.json", [make_row(0, process="", path=IMAGE, data_type="image")])
    assert train("grpo").code is Exit.OK
    verdict = train("sft")
    assert verdict.code is Exit.USAGE
    assert "empty rationale" in verdict.reason
