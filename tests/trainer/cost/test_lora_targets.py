"""An adapter goes on layers that exist."""

import pytest

from harness.errors import UsageError
from trainer.config.sections import LoraSettings
from trainer.cost.lora_targets import check_targets, linear_layers

SHAPES = {
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.bias": (8,),
    "model.layers.0.mlp.up_proj.weight": (16, 8),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.embed_tokens.weight": (50, 8),
    "visual.blocks.0.attn.qkv.weight": (24, 8),
    "lm_head.weight": (50, 8),
}


@pytest.mark.parametrize("target", ["q_proj", "up_proj", "self_attn.q_proj", "0.mlp.up_proj"])
def test_the_end_of_a_layers_name_is_a_target(target):
    """As for peft."""
    check_targets(LoraSettings(target_modules=(target,)), linear_layers(SHAPES))


@pytest.mark.parametrize(
    "targets",
    [("no_such_proj",), ("lm_head",), ("q_proj", "o_proj"), ("qkv",), ("proj",), ("",), ()],
)
def test_a_target_that_no_layer_has_is_refused_with_the_valid_names(targets):
    """Embeddings, the head and the vision tower get no adapter; one unknown name is enough."""
    with pytest.raises(UsageError, match=r"target_modules: .*(q_proj, up_proj|at least one)"):
        check_targets(LoraSettings(target_modules=targets), linear_layers(SHAPES))
