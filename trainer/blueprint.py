"""The weights that a configuration speaks of, for a folder that does not hold them.

Qwen2.5-VL, the model that the paper trains; names and shapes are those of its published files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Weights = dict[str, tuple[int, ...]]

MODEL_TYPE = "qwen2_5_vl"


def planned_weights(config: Mapping[str, Any]) -> Weights:
    """Return the shape of every weight by name; a `KeyError` names what the configuration lacks."""
    text = {**config, **config.get("text_config", {})}
    hidden, vocabulary = text["hidden_size"], text["vocab_size"]
    weights = _vision(config["vision_config"])
    weights["model.embed_tokens.weight"] = (vocabulary, hidden)
    for number in range(text["num_hidden_layers"]):
        weights |= _layer(f"model.layers.{number}", text)
    weights["model.norm.weight"] = (hidden,)
    if not config.get("tie_word_embeddings", False):
        weights["lm_head.weight"] = (vocabulary, hidden)
    return weights


def _layer(name: str, text: Mapping[str, Any]) -> Weights:
    hidden, heads = text["hidden_size"], text["num_attention_heads"]
    kept = hidden // heads * text["num_key_value_heads"]
    return {
        f"{name}.input_layernorm.weight": (hidden,),
        f"{name}.post_attention_layernorm.weight": (hidden,),
        **_linear(f"{name}.self_attn.q_proj", hidden, hidden),
        **_linear(f"{name}.self_attn.k_proj", kept, hidden),
        **_linear(f"{name}.self_attn.v_proj", kept, hidden),
        **_linear(f"{name}.self_attn.o_proj", hidden, hidden, bias=False),
        **_gated(f"{name}.mlp", hidden, text["intermediate_size"], bias=False),
    }


def _vision(vision: Mapping[str, Any]) -> Weights:
    hidden, out = vision["hidden_size"], vision["out_hidden_size"]
    patch, frames = vision.get("patch_size", 14), vision.get("temporal_patch_size", 2)
    merged = hidden * vision.get("spatial_merge_size", 2) ** 2
    weights: Weights = {"visual.patch_embed.proj.weight": (hidden, 3, frames, patch, patch)}
    for number in range(vision["depth"]):
        name = f"visual.blocks.{number}"
        weights |= {
            f"{name}.norm1.weight": (hidden,),
            f"{name}.norm2.weight": (hidden,),
            **_linear(f"{name}.attn.qkv", 3 * hidden, hidden),
            **_linear(f"{name}.attn.proj", hidden, hidden),
            **_gated(f"{name}.mlp", hidden, vision["intermediate_size"]),
        }
    return {
        **weights,
        "visual.merger.ln_q.weight": (hidden,),
        **_linear("visual.merger.mlp.0", merged, merged),
        **_linear("visual.merger.mlp.2", out, merged),
    }


def _gated(name: str, hidden: int, intermediate: int, *, bias: bool = True) -> Weights:
    return {
        **_linear(f"{name}.gate_proj", intermediate, hidden, bias=bias),
        **_linear(f"{name}.up_proj", intermediate, hidden, bias=bias),
        **_linear(f"{name}.down_proj", hidden, intermediate, bias=bias),
    }


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Weights:
    weights: Weights = {f"{name}.weight": (rows, columns)}
    return {**weights, f"{name}.bias": (rows,)} if bias else weights
