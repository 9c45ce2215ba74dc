"""``videor1 train`` on a tiny model: the whole command, again, stopped, and looked into."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from harness.cli.exits import Exit
from harness.cli.faults import result_of
from harness.errors import HarnessError
from tests.interrupts import interruptible
from tests.paths import ROOT
from tests.trainer.commands import run
from tests.trainer.fake_runs import Evaluator
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from tests.trainer.small_runs import rows, sft_recipe, train_small
from trainer.algorithms import sft
from trainer.cli.train import TrainCommand
from trainer.config.sections import LoraSettings
from trainer.cost.model_shape import read_shape
from trainer.loops.callbacks import StopFile
from trainer.runs.checkpoints import saved_checkpoints
from trainer.runs.folder import STOP
from trainer.watch.evaluations import read_points
from trainer.watch.settings import (
    GateSettings,
    WatchSettings,
)
from trainer.watch.timeline import (
    GAP,
    REWARD,
    read_timeline,
)
from trainer.watch.watcher import Watcher

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def world(tmp_path, monkeypatch):
    """Three video rows and an image row in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    write_media(tmp_path / "media")
    asked = [make_row(n) for n in range(3)] + [make_row(3, path=IMAGE, data_type="image")]
    write_rows(tmp_path / "rows.json", asked)
    return tmp_path


@pytest.fixture
def train(world, untrained):
    """Train a tiny model for two steps by the paper's recipe, cut to size."""

    def words(action, *flags, **changes):
        values = {
            "model.checkpoint": untrained, "model.dtype": "float32", "data.rows": "rows.json",
            "data.media_roots": "media", "data.decode_workers": 0, "frames.max_frames": 4,
            "frames.min_pixels": 3136, "frames.max_pixels": 3136, "frames.image_max_pixels": 3136,
            "optim.max_steps": 2, "optim.save_steps": 1, "optim.gradient_checkpointing": "false",
            "optim.per_device_train_batch_size": 4,
        } | {name.replace("__", "."): value for name, value in changes.items()}  # fmt: skip
        sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        return [str(word) for word in (action, "--config", "paper", "--out", "out", *sets, *flags)]

    def go(action, *flags, **changes):
        return run(TrainCommand(), *words(action, *flags, **changes))

    go.words = words
    return go


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
ROLLOUT = {"rollout__num_generations": 4, "rollout__max_completion_length": 8}


def test_supervised_training_ends_with_checkpoints_and_names_the_next_command(train, world):
    """Rows are checked once per run; the same command again is a no-op."""
    verdict = train("sft")
    assert (verdict.code, verdict.reason) == (
        Exit.OK,
        "trained (2 updates, 0.0% of rows failed); evaluate it: videor1 eval out/checkpoint-2",
    )
    assert [saved.step for saved in saved_checkpoints(world / "out")] == [1, 2]
    metrics = (world / "out/metrics.jsonl").read_text()
    assert train("sft").code is Exit.OK
    assert [saved.step for saved in saved_checkpoints(world / "out")] == [1, 2]
    assert (world / "out/metrics.jsonl").read_text() == metrics
    modes = {path.stat().st_mode for path in (world / "out/checkpoint-2").iterdir()}
    assert len(modes) == 1
    assert "None" not in (world / "out/README.md").read_text()
    losses = [json.loads(line).get("loss") for line in metrics.splitlines()]
    assert [loss for loss in losses if loss is not None]


def test_tgrpo_writes_completions_that_show_prints(train, world, capsys, monkeypatch):
    """Prompts with their ordered and shuffled answers and the reward columns."""
    monkeypatch.setenv("COLUMNS", "160")
    verdict = train("tgrpo", **ROLLOUT, rollout__shuffled_group_size=2)
    assert verdict.code is Exit.INCOMPLETE
    assert "nothing was learnt: every completion was cut at rollout.max_comple" in verdict.reason
    assert "2 updates, 2 groups, 0 failed, 2 without spread, 100.0% of comp" in verdict.reason
    capsys.readouterr()
    verdict = run(TrainCommand(), "show", "out", "--limit", "9")
    assert verdict.code is Exit.OK
    printed = capsys.readouterr().out
    for text in ("ordered frames", "accuracy", "temporal", "advantage", "gold: B"):
        assert text in printed
    timeline = read_timeline(world / "nothing-watched", world / "out")
    steps, rewards = timeline.curve(REWARD)
    assert steps == [1, 2]
    assert all(isinstance(reward, float) for reward in rewards)
    assert timeline.curve(GAP)[0]


def test_ctrl_c_keeps_the_checkpoints_and_the_same_command_goes_on(train, world):
    """Exit 130 from the real command, no checkpoint touched, and the rest as in one go: the
    weights are those of a run that nobody interrupted."""
    changes = {"optim.max_steps": 6, "optim.save_steps": 2}
    changes |= {name.replace("__", "."): value for name, value in ROLLOUT.items()}
    # Every part runs in a process of its own: other tests of this one change torch's threads, and
    # with them the last bits.
    command = [sys.executable, "-m", "harness", "train", *train.words("tgrpo", **changes)]
    process = subprocess.Popen(
        interruptible(command), stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )
    while not saved_checkpoints(world / "out"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert "training in out" in printed
    assert "run the same command again" in printed.splitlines()[-1]
    assert not (world / "out/checkpoint-6").exists()
    for words in (command, [*command, "--out", "whole"]):
        ended = subprocess.run(words, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        # The rewards of a random model have no spread: such a run is trained and incomplete.
        assert ended.returncode == 4, ended.stderr
    ours, theirs = (
        load_file(world / run / "checkpoint-6/model.safetensors") for run in ("out", "whole")
    )
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_disk_that_fills_up_in_a_training_is_incomplete(train, world):
    """A checkpoint that does not fit is exit 4 with the reason; with more room the same command
    goes on."""
    command = [sys.executable, "-m", "harness", "train", *train.words("sft")]
    full = subprocess.run(
        ["bash", "-c", 'ulimit -f 40; exec "$@"', "-", *command],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    last = full.stderr.splitlines()[-1]
    assert full.returncode == 4, full.stderr
    assert "File too large" in last
    assert "Traceback" not in full.stderr
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)


class _Regression(TrainerCallback):
    """Writes what `videor1 watch` writes, after the first step."""

    def __init__(self, path):
        self._path = path

    def on_step_end(self, args, state, control, **_):
        self._path.write_text('{"step": 1, "reason": "evaluation 1 of 5: worse"}', encoding="utf-8")


def test_a_stop_file_ends_training_with_a_last_checkpoint(untrained, tmp_path):
    """Fifty steps were asked for, and a checkpoint every forty."""
    recipe = sft_recipe(untrained, tmp_path, max_steps=50, save_steps=40)
    stop = tmp_path / "stop.json"
    callbacks = [_Regression(stop), StopFile(stop)]
    train_small(sft, recipe, tmp_path / "out", rows=rows(tmp_path / "media"), callbacks=callbacks)
    assert [saved.step for saved in saved_checkpoints(tmp_path / "out")] == [1]


class _Watching(TrainerCallback):
    """Looks at every checkpoint as soon as it is there, as `videor1 watch` does beside it."""

    def __init__(self, watcher):
        self._watcher = watcher

    def on_save(self, args, state, control, **_):
        assert self._watcher.catch_up()


def test_a_regression_that_watch_sees_ends_the_training(untrained, tmp_path):
    """The second checkpoint is worse than the start: training ends one step later, of fifty."""
    run_folder, out = tmp_path / "run", tmp_path / "watch"
    out.mkdir()
    good, bad = [1.0] * 400, [0.0] * 400
    scores = {"start": good, "checkpoint-1": good, "checkpoint-2": bad}
    gate = GateSettings(start="start", evaluations=5, stop_on_regression=True)
    watcher = Watcher(run_folder, out, WatchSettings(gate=gate), Evaluator(scores))
    recipe = sft_recipe(untrained, tmp_path, max_steps=50, save_steps=1)
    callbacks = [_Watching(watcher), StopFile(run_folder / STOP)]
    train_small(sft, recipe, run_folder, rows=rows(tmp_path / "media"), callbacks=callbacks)
    assert [saved.step for saved in saved_checkpoints(run_folder)] == [1, 2, 3]
    assert [point.verdict for point in read_points(out)] == [None, "PASS", "REGRESSION"]


def test_a_stopped_run_does_not_go_on(train, world):
    """Until the file is removed."""
    assert train("sft").code is Exit.OK
    reason = {"step": 2, "reason": "evaluation 2 of 5: worse"}
    (world / "out/stop.json").write_text(json.dumps(reason), encoding="utf-8")
    verdict = train("sft")
    assert verdict.code is Exit.REGRESSION
    assert (
        "stopped by `videor1 watch`: evaluation 2 of 5: worse; remove out/stop.json"
        in verdict.reason
    )


def test_a_damaged_file_is_found_before_the_first_step(train, world):
    """No model is loaded, no checkpoint written."""
    (world / "media/clips/a.mp4").write_bytes(b"no video")
    verdict = train("grpo", **ROLLOUT)
    assert verdict.code is Exit.USAGE
    assert "media unreadable" in verdict.reason
    assert not list((world / "out").glob("checkpoint-*"))
    write_media(world / "media")  # mended
    assert train("grpo", **ROLLOUT).code is Exit.INCOMPLETE  # it trains, on cut completions


def test_a_folder_without_weights_has_the_sizes_of_the_saved_ones(untrained, tmp_path):
    """Of the model, its vision tower and an adapter; only names of weights differ."""
    for path in untrained.glob("*.json"):
        shutil.copy(path, tmp_path)
    planned, saved = read_shape(str(tmp_path)), read_shape(str(untrained))
    assert planned.parameters == saved.parameters
    assert planned.vision_parameters == saved.vision_parameters
    lora = LoraSettings(r=2)
    assert planned.lora_parameters(lora) == saved.lora_parameters(lora) > 0
    assert replace(planned, tensors={}) == replace(saved, tensors={})


def test_another_recipe_in_the_same_folder_is_refused(train):
    """Nothing of the first run is touched."""
    assert train("sft").code is Exit.OK
    verdict = train("sft", optim__seed=1)
    assert verdict.code is Exit.USAGE
    assert "recipe.optim.seed: 0 != 1" in verdict.reason


@pytest.mark.parametrize("changes", [{"optim__learning_rate": 1e30}, {"optim__learning_rate": 1e8}])
def test_a_training_that_diverges_stops_without_a_checkpoint_of_it(train, world, changes):
    """The update is named with the newest finite checkpoint; no file holds NaN."""
    with pytest.raises(HarnessError, match=r"^update \d: .*(nan|inf|not finite)") as raised:
        train("sft", **changes, optim__max_steps=6, optim__max_grad_norm=1e9)
    assert result_of(raised.value).code is Exit.INCOMPLETE
    saved = saved_checkpoints(world / "out")
    assert len(saved) < 6
    newest = f"checkpoint is out/{saved[-1].folder.name}" if saved else "there is no checkpoint"
    assert newest in str(raised.value)
    for one in saved:
        weights = load_file(world / one.folder / "model.safetensors")
        assert all(bool(weight.isfinite().all()) for weight in weights.values())
    assert "NaN" not in (world / "out/metrics.jsonl").read_text()


def test_a_target_of_an_adapter_that_does_not_exist_is_refused(train, world):
    """Before the model is loaded, with the names that exist; in a dry run, too."""
    for flags in ([], ["--dry-run"]):
        verdict = train("sft", *flags, model__lora__target_modules="no_such_proj")
        assert verdict.code is Exit.USAGE
        assert "no linear layer 'no_such_proj'; it has " in verdict.reason


def test_a_special_token_in_a_row_is_found_before_the_model_is_loaded(train, world):
    """In a dry run, too."""
    write_rows(world / "rows.json", [make_row(n) for n in range(3)] + [
        make_row(3, problem="<|video_pad|> What?")
    ])  # fmt: skip
    for flags in ([], ["--dry-run"]):
        verdict = train("sft", *flags)
        assert verdict.code is Exit.USAGE
        assert "row 3: text that the tokenizer does not take as text: problem" in verdict.reason


def test_sigterm_saves_the_update_in_progress(train, world):
    """Exit 130, and the same command goes on there."""
    command = [sys.executable, "-m", "harness", "train",
               *train.words("sft", optim__max_steps=500, optim__save_steps=400)]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    while not (world / "out/metrics.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, printed = process.communicate(timeout=120)
    assert process.returncode == 130, printed
    assert len(saved_checkpoints(world / "out")) == 1
