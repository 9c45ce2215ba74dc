"""Sampling with each prompt once gives what transformers gives with a copy per completion."""

from __future__ import annotations

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from copy import deepcopy
from dataclasses import replace

import peft
import torch
import transformers

from tests.engines import tiny
from tests.trainer.small_runs import load_small, see
from trainer.loops import decoder, shared_attention, shared_cache
from trainer.loops.decoder import Decoder, find_obstacle
from trainer.loops.prefill import prefill
from trainer.loops.shared_cache import SharedPromptCache

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def sample(loaded, rows, decode, **options):
    """Return the cache, the tokens and the logits of completions of 11 tokens.

    Args:
        decode: Whether our loop samples, or transformers'.
    """
    prompts = prefill(loaded.model, rows, loaded.vision_ids, pad_id=0)
    plain = {"do_sample": False, "max_new_tokens": 11, "min_new_tokens": 11, "eos_token_id": 1}
    config = transformers.GenerationConfig(pad_token_id=0, **{**plain, **options})
    seen = Seen()
    loop = None
    if decode:
        assert find_obstacle(loaded.model) is None
        loop = Decoder(prompts.cache, prompts.positions)
    torch.manual_seed(7)
    with torch.no_grad():
        tokens = loaded.model.generate(
            **prompts.inputs, generation_config=config, logits_processor=[seen],
            custom_generate=loop,
        )  # fmt: skip
    return prompts.inputs["past_key_values"], tokens, torch.stack(seen.logits)


class Seen:
    """A processor of logits that keeps them."""

    def __init__(self):
        self.logits = []

    def __call__(self, ids, scores):
        self.logits.append(scores.clone())
        return scores


ORDERS = ([0, 0, 0, 1, 1, 2, 2, 3, 3], [3, 3, 3], [1], [0, 1, 2, 3], [2, 2, 0, 0], [0, 0, 1])


@pytest.fixture(scope="module", params=["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def models(request, tmp_path_factory):
    """A model with copies of prompts, the same with shared ones, and four prompts."""
    folder = tmp_path_factory.mktemp(request.param)
    checkpoint = tiny.ARCHITECTURES[request.param](folder / "model")
    plain, prompts = see(checkpoint, folder)
    packed = load_small(checkpoint)
    assert shared_attention.prepare_model(packed.model) is None
    return plain, packed, prompts


@pytest.mark.parametrize("decode", [True, False], ids=["our loop", "transformers' loop"])
def test_completions_share_the_keys_of_their_prompt(models, monkeypatch, decode):
    """Prompts of several lengths, with as many completions or not; buffers of 4 tokens that grow
    twice. Tokens are the same, logits to 1e-4."""
    monkeypatch.setattr(shared_cache, "_BLOCK", 4)
    monkeypatch.setattr(decoder, "_ROTARY_TOKENS", 3)
    plain, packed, prompts = models
    for order in ORDERS:
        rows = [prompts[at] for at in order]
        copied, tokens, logits = sample(plain, rows, False)
        assert not isinstance(copied, SharedPromptCache)
        shared, ours, own_logits = sample(packed, rows, decode)
        assert isinstance(shared, SharedPromptCache)
        assert torch.equal(ours, tokens)
        torch.testing.assert_close(own_logits, logits, atol=1e-4, rtol=1e-4)
        assert len(shared.layers[0].prompt_keys) == len(set(order))
        assert shared.get_seq_length() == max(len(row.ids) for row in rows) - 1 + 11


def test_our_loop_draws_the_tokens_of_transformers(models):
    """With temperature, top-k, a repetition penalty and the same seed; ends are padded."""
    plain, packed, prompts = models
    rows = [prompts[at] for at in (0, 0, 0, 3, 3, 1)]
    options = {
        "do_sample": True, "temperature": 0.7, "top_k": 40, "repetition_penalty": 1.2,
        "min_new_tokens": 1, "max_new_tokens": 30, "eos_token_id": list(range(5, 60)),
    }  # fmt: skip
    _, theirs, _ = sample(plain, rows, False, **options)
    _, ours, _ = sample(packed, rows, True, **options)
    assert torch.equal(ours, theirs)
    assert bool((ours[:, -1] == 0).any()), "no completion ended early"


def test_our_loop_has_the_present_weights(models):
    """Copies of weights are those at the time of the batch."""
    plain, packed, prompts = models
    rows = [prompts[0], prompts[0]]
    before = sample(packed, rows, True)[2]
    for model in (plain.model, packed.model):
        with torch.no_grad():
            for layer in model.base_model.language_model.layers:
                layer.mlp.down_proj.weight.mul_(-3)
    _, tokens, logits = sample(plain, rows, False)
    _, ours, own_logits = sample(packed, rows, True)
    assert torch.equal(ours, tokens)
    torch.testing.assert_close(own_logits, logits, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(own_logits, before, atol=1e-2)


def test_our_loop_samples_with_an_adapter(models, tmp_path):
    """Linear layers with an adapter are called, not copied."""
    plain, packed, prompts = models
    rows = [prompts[0], prompts[0], prompts[2]]
    found = []
    for loaded, decode in ((plain, False), (packed, True)):
        torch.manual_seed(3)
        config = peft.LoraConfig(
            target_modules=["q_proj", "v_proj", "up_proj"], exclude_modules=".*visual.*",
            init_lora_weights=False, task_type="CAUSAL_LM",
        )  # fmt: skip
        model = peft.get_peft_model(loaded.model, config)
        try:
            _, tokens, logits = sample(replace(loaded, model=model), rows, decode)
        finally:
            model.unload()
        found.append((tokens, logits))
    (tokens, logits), (ours, own_logits) = found
    assert torch.equal(ours, tokens)
    torch.testing.assert_close(own_logits, logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16])
def test_our_loop_samples_in_half_precision(models, weights):
    """Under autocast, as full training computes, and with weights in bfloat16, as below an adapter:
    the logits of the first two tokens are those of transformers' loop within the format's error."""
    _, packed, prompts = models
    rows = [prompts[at] for at in (0, 0, 1, 3)]
    loaded = replace(packed, model=deepcopy(packed.model).to(weights))
    with torch.autocast("cpu", torch.bfloat16, enabled=weights is torch.float32):
        _, tokens, logits = sample(loaded, rows, False)
        _, ours, own_logits = sample(loaded, rows, True)
    assert torch.equal(ours[:, :-10], tokens[:, :-10])
    error = 0.03 * float(logits.abs().max())
    torch.testing.assert_close(own_logits[:2], logits[:2], atol=error, rtol=0)
    assert own_logits.dtype is torch.float32


def test_what_our_loop_cannot_do_is_named(models):
    """Weights of which a process has none or a part, and layers of another kind."""
    _, packed, _ = models
    layers = packed.model.base_model.language_model.layers
    weight = layers[0].mlp.up_proj.weight
    whole = weight.data
    weight.data = whole[:0]
    assert find_obstacle(packed.model) == "weights that are divided among processes"
    weight.data = whole
    layers.append(torch.nn.Linear(2, 2))
    assert find_obstacle(packed.model) == "layers of class Linear"
    del layers[-1]
    assert find_obstacle(packed.model) is None


def test_several_tokens_at_once_see_only_what_is_before_them(untrained, tmp_path):
    """As in assisted decoding: three tokens together get the logits that each gets alone."""
    loaded, prompts = see(untrained, tmp_path)
    assert shared_attention.prepare_model(loaded.model) is None
    rows, said = [prompts[0], prompts[0], prompts[1]], torch.tensor([[5, 6, 7]] * 3)

    def logits(parts):
        inputs = prefill(loaded.model, rows, loaded.vision_ids, pad_id=0).inputs
        cache, mask = inputs["past_key_values"], inputs["attention_mask"][:, :-1]
        found = []
        for part in parts:
            mask = torch.cat([mask, torch.ones_like(part)], dim=1)
            positions = cache.get_seq_length() + torch.arange(part.shape[1])
            with torch.no_grad():
                found.append(
                    loaded.model(
                        input_ids=part, attention_mask=mask, past_key_values=cache, use_cache=True,
                        position_ids=positions.expand(3, len(rows), -1),
                    ).logits
                )  # fmt: skip
        return torch.cat(found, dim=1)

    together, alone = logits([said]), logits(said.split(1, dim=1))
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
