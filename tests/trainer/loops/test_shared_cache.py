"""The cache with each prompt once gives the logits of one with a copy per completion."""

from __future__ import annotations

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

import torch
import transformers

from tests.engines import tiny
from tests.trainer.small_runs import load_small, see
from trainer.loops import shared_attention, shared_cache
from trainer.loops.prefill import prefill
from trainer.loops.shared_cache import SharedPromptCache

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


def sample(loaded, rows, **options):
    """Return the cache, the tokens and the logits of greedy completions of 11 tokens."""
    inputs = prefill(loaded.model, rows, loaded.vision_ids, pad_id=0)
    config = transformers.GenerationConfig(
        do_sample=False, max_new_tokens=11, min_new_tokens=11, pad_token_id=0, eos_token_id=1,
        return_dict_in_generate=True, output_logits=True, **options,
    )  # fmt: skip
    with torch.no_grad():
        found = loaded.model.generate(**inputs, generation_config=config)
    return inputs["past_key_values"], found.sequences, torch.stack(found.logits)


ORDERS = ([0, 0, 1, 3, 0, 2, 2, 1, 3], [3, 3, 3], [1], [0, 1, 2, 3], [2, 0, 2, 0])


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_completions_share_the_keys_of_their_prompt(name, tmp_path, monkeypatch):
    """Prompts of several lengths, with as many completions or not, in any order; buffers of 4
    tokens that grow twice. Tokens are the same, logits to 1e-4."""
    monkeypatch.setattr(shared_cache, "_BLOCK", 4)
    checkpoint = tiny.ARCHITECTURES[name](tmp_path / "model")
    plain, prompts = see(checkpoint, tmp_path)
    packed = load_small(checkpoint)
    assert shared_attention.prepare_model(packed.model) is None
    for order in ORDERS:
        rows = [prompts[at] for at in order]
        copied, tokens, logits = sample(plain, rows)
        assert not isinstance(copied, SharedPromptCache)
        shared, ours, own_logits = sample(packed, rows)
        assert isinstance(shared, SharedPromptCache)
        assert torch.equal(ours, tokens)
        torch.testing.assert_close(own_logits, logits, atol=1e-4, rtol=1e-4)
        assert len(shared.layers[0].prompt_keys) == len(set(order))
        assert shared.get_seq_length() == copied.get_seq_length()


def test_several_tokens_at_once_see_only_what_is_before_them(untrained, tmp_path):
    """As in assisted decoding: three tokens together get the logits that each gets alone."""
    loaded, prompts = see(untrained, tmp_path)
    assert shared_attention.prepare_model(loaded.model) is None
    rows, said = [prompts[0], prompts[0], prompts[1]], torch.tensor([[5, 6, 7]] * 3)

    def logits(parts):
        inputs = prefill(loaded.model, rows, loaded.vision_ids, pad_id=0)
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
