"""Inputs on disk: a second epoch decodes and processes nothing, and sees the same numbers."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import numpy as np
import torch

from harness.backends.chat import read_processor
from harness.errors import UsageError
from tests.clips import write_clip
from tests.trainer.checked_trainers import run_tgrpo
from tests.trainer.small_runs import SMALL, checkpoint_of, rows, small_data, tgrpo_recipe
from tests.trainer.times import is_time
from trainer.config.choices import Permutation
from trainer.loops.clips import ClipLoader
from trainer.loops.input_cache import InputCache, make_input_cache
from trainer.loops.inputs import InputBuilder

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture(scope="module")
def processor(untrained):
    return read_processor(untrained)


@pytest.fixture
def build(processor, tmp_path):
    """Build rows as a new process would, from the cache in the test's folder."""

    def run(asked, *, frames=SMALL, identity="p", max_bytes=1 << 30, then=lambda *_: None):
        data = replace(small_data(tmp_path), decode_workers=0)
        cache = InputCache(
            tmp_path / "cache", max_bytes,
            frames=frames, patch_multiple=28, identity={"processor": identity},
        )  # fmt: skip
        with ClipLoader(frames, data, patch_multiple=28) as clips:
            inputs = InputBuilder(processor, clips, cache_mib=0, disk=cache)
            built = [inputs.build(inputs.start([row.sample]))[0] for row in asked]
            then(inputs, built)
            inputs.close()
        return built, (inputs.decodes, inputs.processor_calls), cache

    return run


def _files(folder):
    return sorted((folder / "cache").rglob("*.inputs"))


def _require_equal(first, second):
    for one, other in zip(first, second, strict=True):
        assert (one.id, one.ids, one.prompt) == (other.id, other.ids, other.prompt)
        assert one.tensors.keys() == other.tensors.keys()
        for name, tensor in one.tensors.items():
            assert tensor.dtype == other.tensors[name].dtype
            assert torch.equal(tensor, other.tensors[name])
        for clip, stored in zip(one.clips, other.clips, strict=True):
            assert np.array_equal(clip.frames, stored.frames)
            assert (clip.key, clip.indices, clip.timestamps) == (
                stored.key, stored.indices, stored.timestamps,
            )  # fmt: skip


def test_a_second_time_nothing_is_decoded_and_nothing_processed(build, tmp_path):
    """Three videos and an image, and a question without media, which is not kept."""
    asked = rows(tmp_path / "media")
    text = replace(asked[0], sample=replace(asked[0].sample, id="text", media=()))
    first, counts, _ = build([*asked, text])
    assert counts == (4, 5)
    second, counts, cache = build([*asked, text])
    assert (counts, cache.hits) == ((0, 1), 4)
    _require_equal(first, second)


def test_other_content_frames_processors_and_prompts_are_other_inputs(build, tmp_path):
    """A file of the same name counts for nothing, one of another name and the same content does."""
    asked = rows(tmp_path / "media", videos=1, images=0)
    build(asked)
    assert build(asked, identity="q")[1] == (1, 1)
    assert build(asked, frames=replace(SMALL, max_frames=6))[1] == (1, 1)
    sample = replace(asked[0].sample, question="Another?")
    assert build([replace(asked[0], sample=sample)])[1] == (1, 1)
    write_clip(tmp_path / "media/0.mp4", 17)
    assert build(asked)[1] == (1, 1)
    write_clip(tmp_path / "media/moved.mp4", 17)
    [media] = asked[0].sample.media
    moved = replace(asked[0].sample, media=(replace(media, path=tmp_path / "media/moved.mp4"),))
    assert build([replace(asked[0], sample=moved)])[1] == (0, 0)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:40],
        lambda content: b"",
        lambda content: content[:-9] + b"x" + content[-8:],
        lambda content: content + b"x",
        lambda content: content.replace(b'"ids"', b'"idz"', 1),
        lambda content: b"no digest\n" + content,
    ],
)
def test_a_damaged_file_is_made_again(build, tmp_path, damage):
    """It is never trained on."""
    asked = rows(tmp_path / "media", videos=1, images=0)
    first, _, _ = build(asked)
    [path] = _files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    second, counts, _ = build(asked)
    assert counts == (1, 1)
    _require_equal(first, second)
    assert build(asked)[1] == (0, 0)


@pytest.mark.parametrize("unit", Permutation)
@pytest.mark.parametrize("frames", [4, 5, 6, 7])
def test_a_shuffled_twin_is_that_of_the_processor_bit_for_bit(build, tmp_path, unit, frames):
    """The first of each number of frames goes through the processor, the others are reordered."""
    settings = replace(SMALL, min_frames=frames, max_frames=frames)
    asked = rows(tmp_path / "media", videos=2, images=1)

    def compare(inputs, built):
        for seed in range(4):
            for one in built[:2]:
                made = inputs.shuffled(one, unit, seed)
                plain = inputs._process(one.id, one.prompt, made.clips)
                _require_equal([made], [plain])
        assert inputs.shuffled(built[2], unit, 0) is None
        # 3 rows, 8 twins of which one is processed, 8 for the comparison
        assert inputs.processor_calls == 3 + 1 + 8

    build(asked, frames=settings, then=compare)


def test_the_folder_stays_within_its_bound(build, tmp_path):
    """The least recently used files go first; what is larger than all of it is not kept."""
    asked = rows(tmp_path / "media", videos=6, images=0)
    build(asked[:1])
    size = _files(tmp_path)[0].stat().st_size
    build(asked, max_bytes=3 * size + size // 2)
    assert len(_files(tmp_path)) == 3
    assert build(asked[3:], max_bytes=1 << 30)[1] == (0, 0)
    for path in _files(tmp_path):
        path.unlink()
    build(asked[:1], max_bytes=size // 2)
    assert _files(tmp_path) == []


def test_several_may_write_and_read_at_a_time(build, tmp_path):
    """Each sees whole inputs or none."""
    asked = rows(tmp_path / "media", videos=3, images=0)
    first, _, _ = build(asked)
    for path in _files(tmp_path):
        path.unlink()
    with ThreadPoolExecutor(4) as threads:
        for built, _, _ in threads.map(lambda _: build(asked * 2), range(4)):
            _require_equal(first * 2, built)
    assert [path for path in (tmp_path / "cache").rglob(".*") if path.is_file()] == []
    assert build(asked)[1] == (0, 0)


def test_a_recipe_turns_it_on_and_a_folder_that_cannot_be_written_is_told(untrained, tmp_path):
    """Off by default."""
    recipe = tgrpo_recipe(untrained, tmp_path)
    checkpoint = checkpoint_of(recipe)
    assert make_input_cache(recipe, checkpoint) is None
    (tmp_path / "file").write_text("")
    data = replace(recipe.data, input_cache=tmp_path / "file" / "below")
    with pytest.raises(UsageError, match=r"data.input_cache .*below: inputs cannot be kept here"):
        make_input_cache(replace(recipe, data=data), checkpoint)


def test_a_training_of_two_epochs_decodes_and_processes_each_row_once(student, tmp_path):
    """T-GRPO on four rows, two epochs, nothing kept in memory: 4 decodes, 4 prompts, 1 twin that
    is compared with its reordered pixels. What is logged is what a training without it logs."""
    asked = rows(tmp_path / "media")
    logged = {}
    for name, folder in (("without", None), ("with", tmp_path / "cache")):
        recipe = tgrpo_recipe(student, tmp_path, max_steps=2, per_device_train_batch_size=16)
        data = replace(recipe.data, input_cache=folder, cache_mib=0)
        recipe = replace(recipe, data=data)
        _, inputs = run_tgrpo(recipe, tmp_path / name, asked)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        logged[name] = [
            {key: value for key, value in json.loads(line).items() if not is_time(key)}
            for line in lines
        ]
        texts = (tmp_path / name / "completions.jsonl").read_text()
        logged[name].append(texts)
    assert (inputs.decodes, inputs.processor_calls) == (4, 4 + 1)
    # The program waits for threads when it ends.
    assert [one.name for one in threading.enumerate() if one.name.startswith("inputs")] == []
    assert logged["with"] == logged["without"]
