"""Long prompts fit: no pass holds all logits, and checkpointed layers keep their inputs alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from trl.kernels import chunked_logprob
from trl.trainer.utils import add_fused_lm_head

from harness.schema import Media
from tests.clips import write_clip
from tests.engines import tiny
from tests.trainer.small_runs import SMALL, load_small, row, small_data
from trainer.loops import collate, shared_attention
from trainer.loops.clips import ClipLoader
from trainer.loops.forward import VisionForward
from trainer.loops.inputs import InputBuilder

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]
FRAMES = 64
ANSWERS = [[20 + (7 * at + 3 * i) % 250 for i in range(30)] for at in range(4)]


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def seen(request, tmp_path_factory):
    """A model that takes packed rows, and a prompt with 64 frames for each of four answers."""
    folder = tmp_path_factory.mktemp(request.param)
    loaded = load_small(tiny.ARCHITECTURES[request.param](folder / "model"))
    assert shared_attention.prepare_model(loaded.model) is None
    add_fused_lm_head(loaded.model, outputs=("log_probs", "entropy"))
    frames = replace(SMALL, fps=30.0, max_frames=FRAMES)
    one = row(0, Media(path=write_clip(folder / "long.mp4", 2 * FRAMES)))
    multiple = loaded.checkpoint.patch_multiple
    with ClipLoader(frames, small_data(folder), patch_multiple=multiple) as clips:
        inputs = InputBuilder(loaded.processor, clips, cache_mib=64)
        (prompt,) = inputs.build(inputs.start([one.sample]))
    assert prompt.tensors["video_grid_thw"][0, 0] == FRAMES // 2  # pairs of frames
    return loaded, [prompt] * len(ANSWERS)


def backward(loaded, prompts, *, share):
    """Run a policy pass and its backward pass; returns log-probabilities and gradients."""
    batch = collate.make_batch(prompts, ANSWERS, loaded.vision_ids, 0)
    columns = len(ANSWERS[0])
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, collate.IGNORED)
    labels[:, :-columns] = collate.IGNORED
    loaded.model.zero_grad()
    passed = VisionForward(
        loaded.model, prompts, loaded.vision_ids, columns=columns, share_prompts=share
    )
    found = passed(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels,
        fused_lm_head=True,
    )  # fmt: skip
    logps = found.log_probs[:, -columns:]
    (logps * torch.linspace(-1, 1, logps.numel()).view_as(logps)).sum().backward()
    return logps.detach(), {name: one.grad.clone() for name, one in loaded.model.named_parameters()}


class LargestLogits(TorchDispatchMode):
    """Notes the most numbers of a tensor that has an axis of the vocabulary."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for one in tree_leaves(output):
            if isinstance(one, torch.Tensor) and self.vocabulary in one.shape:
                self.numbers = max(self.numbers, one.numel())
        return output


@pytest.mark.parametrize("share", [True, False])
def test_no_pass_holds_the_logits_of_all_answers(seen, share, monkeypatch):
    """They are computed in tiles, and again in the backward pass, on packed and single rows: the
    largest tensor with an axis of the vocabulary is the head itself. Tiles are 8 tokens here."""
    loaded, prompts = seen
    monkeypatch.setattr(chunked_logprob, "TOKEN_CHUNK_SIZE", 8)
    vocabulary, hidden = loaded.model.get_output_embeddings().weight.shape
    scored = sum(map(len, ANSWERS))
    assert hidden < scored
    with LargestLogits(vocabulary) as seen_by:
        tiled = backward(loaded, prompts, share=share)
    assert 0 < seen_by.numbers <= hidden * vocabulary
    monkeypatch.undo()
    whole = backward(loaded, prompts, share=share)
    torch.testing.assert_close(tiled[0], whole[0], atol=1e-5, rtol=0)
    for name, gradient in whole[1].items():
        torch.testing.assert_close(tiled[1][name], gradient, atol=1e-5, rtol=1e-5)
    batch = collate.make_batch(prompts, ANSWERS, loaded.vision_ids, 0)
    with LargestLogits(vocabulary) as seen_by, torch.no_grad():
        loaded.model(**batch)
    assert seen_by.numbers > scored * vocabulary, "a pass with logits would have been seen"


def test_checkpointed_layers_keep_their_inputs_alone(seen):
    """Of packed rows with 64 frames: every layer, of the vision tower as well, runs twice, less
    than half of the activations is kept, and the gradients are the same."""
    loaded, prompts = seen
    backbone = loaded.model.base_model
    layers = [*backbone.visual.blocks, *backbone.language_model.layers]
    loaded.model.train()
    kept, calls, gradients = {}, {}, {}
    for checkpointed in (False, True):
        if checkpointed:
            loaded.model.gradient_checkpointing_enable()
        counts: Counter[int] = Counter()
        sizes: dict[int, int] = {}
        hooks = [
            layer.register_forward_pre_hook(lambda *_, at=at, counts=counts: counts.update([at]))
            for at, layer in enumerate(layers)
        ]

        def keep(tensor, sizes=sizes):
            sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with saved_tensors_hooks(keep, lambda tensor: tensor):
            gradients[checkpointed] = backward(loaded, prompts, share=True)[1]
        for hook in hooks:
            hook.remove()
        kept[checkpointed], calls[checkpointed] = sum(sizes.values()), set(counts.values())
    loaded.model.gradient_checkpointing_disable()
    assert calls == {False: {1}, True: {2}}
    weights = sum(one.nbytes for one in loaded.model.parameters())
    assert kept[True] - weights < (kept[False] - weights) / 2
    for name, gradient in gradients[False].items():
        torch.testing.assert_close(gradients[True][name], gradient, atol=1e-5, rtol=1e-5)
