"""The forward pass encodes every medium once, and raises where features are missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch

from harness.errors import DatasetError
from tests.trainer.checked_trainers import run_tgrpo
from tests.trainer.small_runs import load_small, rows, sft_recipe, small_data, tgrpo_recipe
from trainer.algorithms import (
    sft,
    tgrpo,
)
from trainer.algorithms.tgrpo import VideoTGRPOTrainer
from trainer.loops import (
    collate,
)
from trainer.loops.clips import ClipLoader
from trainer.loops.forward import MissingVisionFeaturesError
from trainer.loops.inputs import InputBuilder
from trainer.loops.rollouts import PolicyRollouts
from trainer.loops.wanted_states import KEPT

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def seen(untrained, tmp_path):
    """A loaded model and the inputs of a video row and an image row."""
    loaded = load_small(untrained)
    recipe = tgrpo_recipe(untrained, tmp_path)
    data = rows(tmp_path / "media", videos=1, images=1)
    with ClipLoader(recipe.frames, small_data(tmp_path), patch_multiple=28) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=64)
        yield loaded, inputs.build(inputs.start(one.sample for one in data))


@pytest.mark.parametrize(("place", "kind"), [(0, "video"), (1, "image")])
def test_a_forward_pass_without_the_features_raises(seen, place, kind):
    """The model itself would treat the placeholder tokens as text."""
    loaded, shown = seen
    ids = torch.tensor([shown[place].ids])
    with pytest.raises(
        MissingVisionFeaturesError, match=rf"\d+ {kind} tokens but no {kind} features"
    ):
        loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids))
    with pytest.raises(MissingVisionFeaturesError):
        loaded.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=2)


def test_the_features_of_one_modality_do_not_replace_those_of_the_other(seen):
    """A batch of a video and an image needs both."""
    loaded, shown = seen
    batch = collate.make_batch(shown, [[5], [5]], loaded.vision_ids, 0)
    del batch["pixel_values"]
    with pytest.raises(MissingVisionFeaturesError, match="image"):
        loaded.model(**{**batch, "shown": {"image": [], "video": [0]}})


def test_training_as_trl_does_it_raises(student, tmp_path):
    """TRL's own computation of log-probabilities passes token ids alone."""

    class Blind(VideoTGRPOTrainer):
        def _get_per_token_logps_and_entropies(self, *args, **options):
            return super(VideoTGRPOTrainer.__mro__[1], self)._get_per_token_logps_and_entropies(
                *args, **options
            )

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1)
    with pytest.raises(MissingVisionFeaturesError):
        run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media"), kind=Blind)


def test_placeholders_are_never_sampled(student, tmp_path):
    """Even by a policy that wants nothing else."""

    class Eager(VideoTGRPOTrainer):
        def _generate_single_turn(self, *args):
            head = self.model.lm_head.weight
            wanted = sorted(self.vision_ids.values())
            before = head.detach().clone()
            with torch.no_grad():
                # The two rows cancel out, so one of the two is large for every hidden state.
                head[wanted[0]], head[wanted[1]] = 100 * before.sum(0), -100 * before.sum(0)
                sampled = super()._generate_single_turn(*args)
                head.copy_(before)
            assert not {token for ids in sampled[0] for token in ids} & set(wanted)
            self.checked = True
            return sampled

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1)
    trainer, _ = run_tgrpo(recipe, tmp_path / "run", rows(tmp_path / "media"), kind=Eager)
    assert trainer.checked


def test_each_distinct_medium_is_encoded_once(seen):
    """Three rows of a video and two of an image: one call of the tower on the patches of two; the
    hidden states are those of five rows encoded one by one."""
    loaded, (video, image) = seen
    listed = [video, image, video, image, video]
    completions = [[5, 6], [7], [8, 9, 10], [11], [12]]
    patches = []
    loaded.model.base_model.visual.register_forward_pre_hook(
        lambda module, args, kwargs: patches.append(len(args[0])), with_kwargs=True
    )
    batch = collate.make_batch(listed, completions, loaded.vision_ids, 0)
    with torch.no_grad():
        together = loaded.model(**batch).logits
    pixels = (video.tensors["pixel_values_videos"], image.tensors["pixel_values"])
    one_each = sum(len(part) for part in pixels)
    assert patches == [one_each]
    for at, (row, completion) in enumerate(zip(listed, completions, strict=True)):
        with torch.no_grad():
            alone = loaded.model(**collate.make_batch([row], [completion], loaded.vision_ids, 0))
        width = len(completion)
        start = max(len(row.ids) for row in listed)
        ours = together[at, start - 1 : start - 1 + width]
        torch.testing.assert_close(ours, alone.logits[0, -width - 1 : -1], atol=1e-5, rtol=0)


def test_only_the_kept_columns_reach_the_head(seen):
    """The last columns alone; the next forward pass has all columns again."""
    loaded, (video, _) = seen
    batch = collate.make_batch([video], [[5, 6, 7]], loaded.vision_ids, 0)
    with torch.no_grad():
        whole = loaded.model(**batch).logits
        kept = loaded.model(**batch, **{KEPT: 4}).logits
        again = loaded.model(**batch).logits
    torch.testing.assert_close(kept, whole[:, -4:], atol=1e-6, rtol=0)
    assert again.shape == whole.shape


@pytest.mark.parametrize("share_prompt", [True, False])
def test_sampling_sees_the_video(student, tmp_path, share_prompt):
    """Greedy completions of a batch with shared features, and with shared prompts, are those of
    each row alone."""

    class Greedy(VideoTGRPOTrainer):
        pass

    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, learning_rate=1e-12)
    data = rows(tmp_path / "media")
    trainer, inputs = run_tgrpo(recipe, tmp_path / "run", data, kind=Greedy)
    trainer.generation_config.do_sample = False
    shown = inputs.build(inputs.start(one.sample for one in data))
    sampler = PolicyRollouts(share_prompt=share_prompt)
    sampled, _ = sampler.sample(trainer, [row for row in shown for _ in range(2)])
    for at, row in enumerate(shown):
        ids = torch.tensor([row.ids])
        alone = trainer.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            mm_token_type_ids=collate.token_types(ids, trainer.vision_ids),
            **row.tensors,
            generation_config=trainer.generation_config,
        )[0, ids.shape[1] :].tolist()
        length = len(sampled[2 * at])
        assert sampled[2 * at] == sampled[2 * at + 1] == alone[:length]
    assert len({tuple(ids) for ids in sampled}) > 1


def test_another_kind_of_layer_is_sampled_by_the_loop_of_transformers(student, tmp_path, caplog):
    """The completions are the same, in the order of the rows, and the log says so once."""
    recipe = tgrpo_recipe(student, tmp_path, max_steps=1, learning_rate=1e-12)
    recipe = replace(recipe, rollout=replace(recipe.rollout, share_prompt=True))
    data = rows(tmp_path / "media")
    trainer, inputs = run_tgrpo(recipe, tmp_path / "run", data)
    assert trainer.shares_prompts
    trainer.generation_config.do_sample = False
    first, second, *_ = inputs.build(inputs.start(one.sample for one in data))
    sampler = PolicyRollouts(share_prompt=True)
    ours, _ = sampler.sample(trainer, [first, second, second, first, second])
    assert ours[0] == ours[3] != ours[1] == ours[2] == ours[4]
    assert not caplog.messages
    for layer in trainer.model.base_model.language_model.layers:
        layer.__class__ = type("OtherLayer", (type(layer),), {})
    for _ in range(2):
        theirs, _ = sampler.sample(trainer, [first, second, second, first, second])
        assert theirs == ours
    (message,) = caplog.messages
    assert message.endswith("transformers' own, slower loop: layers of class OtherLayer")


@pytest.mark.parametrize("train", [sft.train, tgrpo.train], ids=["sft", "tgrpo"])
def test_missing_media_are_found_before_anything_is_loaded(tmp_path, train):
    """Not even the checkpoint is opened, which does not exist here."""
    recipe = (sft_recipe if train is sft.train else tgrpo_recipe)(tmp_path / "none", tmp_path)
    data = rows(tmp_path / "media")
    data[1].sample.media[0].path.unlink()
    with pytest.raises(DatasetError, match=r"1 of 4 rows lack their media, first row-1: .*1\.mp4"):
        train(recipe, tmp_path / "run", checkpoint=None, rows=data)
