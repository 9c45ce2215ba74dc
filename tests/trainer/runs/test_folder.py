"""The folder of a training run, its processes, and what a recipe costs."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.errors import CheckpointError, DatasetError, UsageError
from harness.schema import MediaKind
from tests.trainer.commands import HIDDEN, INTERMEDIATE, LAYERS, VOCABULARY, write_checkpoint
from tests.trainer.fake_runs import save
from tests.trainer.rows import make_row, write_media, write_rows
from trainer.config.algorithms import GRPO, SFT, TGRPO
from trainer.config.choices import OnBadRow
from trainer.config.sections import DataSettings, FrameSettings, LoraSettings
from trainer.cost.estimate import (
    estimate,
    vision_tokens,
)
from trainer.cost.model_shape import read_shape
from trainer.data.checks import RowNeeds, check_rows
from trainer.data.rows import read_training_rows
from trainer.runs.checkpoints import newest_checkpoint
from trainer.runs.folder import (
    DistInfo,
    checked_rows,
    default_out,
)


@pytest.fixture
def world(tmp_path):
    """Settings for two sound rows, and how often they were checked."""
    write_media(tmp_path)
    path = write_rows(tmp_path / "rows.json", [make_row(0), make_row(1)])
    data = DataSettings(rows=(path,), media_roots=(tmp_path,), decode_workers=1)
    checks = []

    def check():
        checks.append(1)
        return check_rows(data, FrameSettings(), patch_multiple=28, needs=RowNeeds())

    check.data, check.checks, check.path = data, checks, path
    (tmp_path / "out").mkdir()
    return check


def test_rows_are_checked_once_per_run(world, tmp_path):
    """A resumed run reads what the check found."""
    report, earlier = checked_rows(tmp_path / "out", world.data, world, DistInfo())
    assert not earlier
    again, earlier = checked_rows(tmp_path / "out", world.data, world, DistInfo())
    assert earlier
    assert again == report
    assert len(world.checks) == 1


def test_changed_rows_are_checked_again(world, tmp_path):
    """The question files are part of what was checked."""
    checked_rows(tmp_path / "out", world.data, world, DistInfo())
    write_rows(world.path, [make_row(0)])
    report, _ = checked_rows(tmp_path / "out", world.data, world, DistInfo())
    assert len(report.rows) == 1
    assert len(world.checks) == 2


def test_a_report_that_stops_the_run_is_not_kept(world, tmp_path):
    """Once the row is mended the same command goes on."""
    write_rows(world.path, [make_row(0, path="./gone.mp4")])
    with pytest.raises(DatasetError, match="media missing"):
        checked_rows(tmp_path / "out", world.data, world, DistInfo())
    assert not (tmp_path / "out/rows.json").exists()


def test_left_out_rows_stay_left_out(world, tmp_path):
    """A resumed run trains on the same rows in the same order."""
    write_rows(world.path, [make_row(0), make_row(1, path="./gone.mp4"), make_row(2)])
    data = replace(world.data, on_bad_row=OnBadRow.EXCLUDE)
    first, _ = checked_rows(tmp_path / "out", data, world, DistInfo())
    again, _ = checked_rows(tmp_path / "out", data, world, DistInfo())
    assert [row.sample.id for row in again.rows] == ["rows/0", "rows/2"]
    assert again == first


def test_other_processes_wait_for_the_first_ones_check(world, tmp_path):
    """Each file is decoded once, not once per process."""
    found = []
    other = threading.Thread(
        target=lambda: found.append(
            checked_rows(tmp_path / "out", world.data, world, DistInfo(rank=1, world_size=2))
        )
    )
    other.start()
    report, _ = checked_rows(tmp_path / "out", world.data, world, DistInfo(rank=0, world_size=2))
    other.join(timeout=30)
    assert found == [(report, True)]
    assert len(world.checks) == 1


def test_the_launcher_says_which_process_this_is(monkeypatch):
    """``accelerate launch`` sets these two."""
    assert DistInfo.of_this_process() == DistInfo(0, 1)
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert DistInfo.of_this_process() == DistInfo(3, 4)


def test_a_run_is_named_after_its_recipe():
    """A file that begins with the algorithm does not repeat it."""
    assert str(default_out("tgrpo", "paper")) == "results/runs/tgrpo-paper"
    assert str(default_out("sft", "my/sft-small.toml")) == "results/runs/sft-small"


def test_the_newest_checkpoint_is_found_by_number_if_it_is_whole(tmp_path):
    """10 comes after 9; one that is still being written, or no checkpoint, is passed over."""
    assert newest_checkpoint(tmp_path) is None
    for step in (9, 10):
        save(tmp_path, step)
    save(tmp_path, 11, state=False)
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


def test_groups_have_to_be_whole():
    """4 completions x 2 passes x 3 processes are three groups of eight."""
    recipe = GRPO.read_recipe(
        "paper",
        ["optim.per_device_train_batch_size=4", "optim.gradient_accumulation_steps=2"],
    )
    assert recipe.sequences_per_update(3) == 24
    with pytest.raises(UsageError, match="the 12 completions"):
        replace(
            recipe, optim=replace(recipe.optim, gradient_accumulation_steps=1)
        ).sequences_per_update(3)


def test_rows_have_to_fill_an_update():
    """32 completions are 4 prompts; of 3 rows no update would ever be made, and TRL would end
    without a word."""
    recipe = TGRPO.read_recipe("paper", ["optim.per_device_train_batch_size=16"])
    recipe.require_enough_rows(4, world_size=2)
    with pytest.raises(UsageError, match="takes 4 different prompts and there are 3 rows"):
        recipe.require_enough_rows(3, world_size=2)
    SFT.read_recipe("paper").require_enough_rows(1, world_size=8)  # may be smaller


def test_vision_tokens_by_hand(tmp_path):
    """16 frames are 8 pairs of 128 squares of 28 x 28 pixels; an image is 512 squares."""
    shape = read_shape(str(write_checkpoint(tmp_path / "c")))
    assert vision_tokens(MediaKind.VIDEO, FrameSettings(), shape) == 1024
    assert vision_tokens(MediaKind.IMAGE, FrameSettings(), shape) == 512


def test_memory_by_hand(tmp_path):
    """Full training in float32 of 1,536 weights, with a reference model, one group of eight."""
    shape = read_shape(str(write_checkpoint(tmp_path / "c")))
    write_media(tmp_path)
    rows = read_training_rows([write_rows(tmp_path / "r.json", [make_row()])], [tmp_path])
    sets = [
        "model.dtype=float32", "rollout.max_completion_length=100",
        "optim.gradient_checkpointing=false",
    ]  # fmt: skip
    cost = estimate(TGRPO.read_recipe("paper", sets), rows, shape, world_size=2)
    assert (cost.rows_per_step, cost.sequences, cost.shuffled) == (2, 16, 8)
    assert cost.trained == shape.parameters == 1536
    length = cost.prompt_tokens + 100
    assert cost.tokens_per_step == 24 * length
    tokens = 8 * length
    assert cost.memory == {
        "weights": 4 * 1536,
        "gradients": 4 * 1536,
        "optimizer": 8 * 1536,
        "activations": LAYERS * tokens * (8 * HIDDEN + 3 * INTERMEDIATE) * 4,
        "logits": 8 * 100 * VOCABULARY * 4 + HIDDEN * VOCABULARY * 4,  # and the head's gradient
        "reference model": 4 * 1536,
        # 8 ordered and 4 shuffled sequences; keys and values of one head of 4 numbers
        "rollout cache": 12 * length * LAYERS * 8 * 4,
    }


def test_an_adapter_trains_its_own_weights_only(tmp_path):
    """Rank 2 on the query of both layers: 2 x (8 + 8) each; no reference model is needed."""
    shape = read_shape(str(write_checkpoint(tmp_path / "c")))
    assert shape.lora_parameters(LoraSettings(r=2, target_modules=("q_proj",))) == 2 * 2 * 16
    write_media(tmp_path)
    rows = read_training_rows([write_rows(tmp_path / "r.json", [make_row()])], [tmp_path])
    sets = ["model.lora.r=2", 'model.lora.target_modules=["q_proj"]']
    cost = estimate(GRPO.read_recipe("paper", sets), rows, shape, world_size=1)
    assert cost.trained == 64
    assert cost.memory["weights"] == 4 * 64 + 2 * 1536  # the frozen ones in bfloat16
    assert "reference model" not in cost.memory


def test_of_a_hub_id_only_configurations_and_headers_are_fetched(tmp_path, monkeypatch):
    """A dry run on a 7B model does not download 16 GB."""
    folder = write_checkpoint(tmp_path / "c")
    (folder / "model.safetensors").unlink()
    asked = []

    def snapshot_download(repo, *, revision, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        return str(folder)

    def get_safetensors_metadata(repo, *, revision):
        file = SimpleNamespace(tensors={"lm_head.weight": SimpleNamespace(shape=[50, 8])})
        return SimpleNamespace(files_metadata={"model.safetensors": file})

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    monkeypatch.setattr("huggingface_hub.get_safetensors_metadata", get_safetensors_metadata)
    assert read_shape("org/name@v1").parameters == 400
    assert asked == [("org/name", "v1", ["*.json", "*.jinja"])]


def test_a_hub_that_does_not_answer_is_a_checkpoint_error(monkeypatch):
    """The message keeps both readings open: no folder, or no hub."""

    def snapshot_download(repo, **options):
        raise OSError("offline")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(CheckpointError, match=r"no such folder, and the hub.*headers: offline"):
        read_shape("nobody/nothing")
