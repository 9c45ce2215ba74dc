"""Tiny random checkpoints of four video models, built without a network.

Every folder is complete: config, float32 weights, a byte-level BPE tokenizer trained on a few
sentences, processors, chat template, and a ``generation_config.json`` with sampling defaults that
the engines must ignore. The weights are random but scaled up, so that the next token depends on the
question and on the frames instead of being nearly uniform.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from tasks.motionworld.tokenizer import CHAT_TEMPLATE, VISION_TOKENS, train_tokenizer

SEED = 0
PATCH_14 = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
PATCH_16 = {"patch_size": 16, "merge_size": 2, "temporal_patch_size": 2}
PIXELS = {"shortest_edge": 4 * 28 * 28, "longest_edge": 256 * 28 * 28}
LANGUAGE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
CORPUS = [
    "How many chairs are in the room? Answer with the option's letter from the given choices.",
    "Which direction does the ball move after it leaves the table: left, right, up or down?",
    "<think>The video shows a person opening the door, then walking away.</think>",
    "<answer>A</answer> <answer>B</answer> <answer>C</answer> <answer>12</answer>",
]


def qwen2_vl(folder: Path) -> Path:
    """Build a Qwen2-VL checkpoint: native resolution, no time in positions."""
    tokenizer = _tokenizer()
    config = transformers.Qwen2VLConfig(
        text_config={**LANGUAGE, **_vocabulary(tokenizer), "rope_parameters": _mrope([4, 6, 6])},
        vision_config={
            "depth": 2,
            "embed_dim": 64,
            "hidden_size": 64,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
        **_vision_ids(tokenizer),
    )
    processor = transformers.Qwen2VLProcessor(
        transformers.Qwen2VLImageProcessor(size=PIXELS, **PATCH_14),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=PIXELS, **PATCH_14),
        chat_template=CHAT_TEMPLATE,
    )
    return _save(folder, transformers.Qwen2VLForConditionalGeneration, config, processor)


def qwen2_5_vl(folder: Path) -> Path:
    """Build a Qwen2.5-VL checkpoint: native resolution, positions in seconds."""
    tokenizer = _tokenizer()
    config = transformers.Qwen2_5_VLConfig(
        text_config={**LANGUAGE, **_vocabulary(tokenizer), "rope_parameters": _mrope([4, 6, 6])},
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 64,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 112,
            "fullatt_block_indexes": [1],
        },
        **_vision_ids(tokenizer),
    )
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(size=PIXELS, **PATCH_14),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=PIXELS, **PATCH_14),
        chat_template=CHAT_TEMPLATE,
    )
    return _save(folder, transformers.Qwen2_5_VLForConditionalGeneration, config, processor)


def qwen3_vl(folder: Path) -> Path:
    """Build a Qwen3-VL checkpoint: a grid of 32 pixels, times written as text.

    Unlike the published ones its image and video processors normalise differently.
    """
    tokenizer = _tokenizer()
    config = transformers.Qwen3VLConfig(
        text_config={
            **LANGUAGE,
            **_vocabulary(tokenizer),
            "head_dim": 32,
            "rope_parameters": {**_mrope([6, 5, 5]), "mrope_interleaved": True},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 64,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        **_vision_ids(tokenizer),
    )
    processor = transformers.Qwen3VLProcessor(
        transformers.Qwen2VLImageProcessor(size=PIXELS, **PATCH_16),
        tokenizer,
        transformers.Qwen3VLVideoProcessor(size=PIXELS, **PATCH_16),
        chat_template=CHAT_TEMPLATE,
    )
    return _save(folder, transformers.Qwen3VLForConditionalGeneration, config, processor)


def llava_onevision(folder: Path) -> Path:
    """Build a LLaVA-OneVision checkpoint: every frame becomes one square of fixed size."""
    tokenizer = _tokenizer()
    side, patch = 56, 14
    config = transformers.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **LANGUAGE, **_vocabulary(tokenizer)},
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": side,
            "patch_size": patch,
            "vision_use_head": False,
        },
        image_token_index=tokenizer.convert_tokens_to_ids(VISION_TOKENS["image_token"]),
        video_token_index=tokenizer.convert_tokens_to_ids(VISION_TOKENS["video_token"]),
        image_grid_pinpoints=[[side, side], [side, 2 * side]],
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    size = {"height": side, "width": side}
    processor = transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(
            size=size, image_grid_pinpoints=config.image_grid_pinpoints
        ),
        tokenizer,
        transformers.LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=(side // patch) ** 2,
        vision_feature_select_strategy="full",
        chat_template=CHAT_TEMPLATE,
    )
    return _save(folder, transformers.LlavaOnevisionForConditionalGeneration, config, processor)


def language_adapter(folder: Path, base: Path) -> Path:
    """Build a LoRA adapter of the language model, large enough to change its answers."""
    return _adapter(folder, base, r".*language_model.*\.(q|v)_proj")


def vision_adapter(folder: Path, base: Path) -> Path:
    """Build a LoRA adapter of the vision tower."""
    return _adapter(folder, base, r".*visual.*attn\.(qkv|proj)")


ARCHITECTURES: dict[str, Callable[[Path], Path]] = {
    "qwen2_vl": qwen2_vl,
    "qwen2_5_vl": qwen2_5_vl,
    "qwen3_vl": qwen3_vl,
    "llava_onevision": llava_onevision,
}
ADAPTERS: dict[str, Callable[[Path, Path], Path]] = {
    "language_adapter": language_adapter,
    "vision_adapter": vision_adapter,
}


def _tokenizer() -> Any:
    return train_tokenizer(CORPUS, vocabulary=384)


def _vocabulary(tokenizer: Any) -> dict[str, int]:
    return {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }


def _vision_ids(tokenizer: Any) -> dict[str, Any]:
    ids = {
        f"{name}_id": tokenizer.convert_tokens_to_ids(text) for name, text in VISION_TOKENS.items()
    }
    return {**ids, "tie_word_embeddings": False}


def _mrope(sections: list[int]) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections}


def _adapter(folder: Path, base: Path, modules: str) -> Path:
    import peft

    model = transformers.AutoModelForImageTextToText.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(r=4, lora_alpha=16, target_modules=modules, init_lora_weights=False)
    torch.manual_seed(SEED + 1)
    peft.get_peft_model(model, config).save_pretrained(folder)
    return folder


def _save(folder: Path, model_class: Any, config: Any, processor: Any) -> Path:
    torch.manual_seed(SEED)
    model = model_class(config).to(torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 1.2 / parameter[0].numel() ** 0.5)
    model.generation_config = transformers.GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_k=5,
        repetition_penalty=1.3,
        bos_token_id=processor.tokenizer.pad_token_id,
        eos_token_id=[processor.tokenizer.eos_token_id, processor.tokenizer.pad_token_id],
        pad_token_id=processor.tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
