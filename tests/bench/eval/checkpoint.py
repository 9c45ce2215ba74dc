"""A Qwen2.5-VL of about a million random weights that never ends an answer by itself.

The row of the output layer that belongs to the end-of-turn token is zero, so its score is 0 and
some other token always scores higher: every engine writes exactly as many tokens as it may, with no
switch that one of them lacks.
"""

from __future__ import annotations

import random
from pathlib import Path

SEED = 0
WIDTH = 128
CORPUS = [
    "These are frames of a video.\nQuestion 1: if I am standing by the chair and facing the table,",
    "is the sofa, lamp, door, window, shelf or bed to the left or the right of the other one?",
    "Options:\nA. left\nB. right\nAnswer with the option's letter from the given choices directly.",
]


def build(folder: Path) -> Path:
    """Write the checkpoint into `folder`, unless it is there."""
    import torch
    import transformers

    from tasks.motionworld.tokenizer import CHAT_TEMPLATE, VISION_TOKENS, train_tokenizer

    if folder.exists():
        return folder
    tokenizer = train_tokenizer(CORPUS)
    ids = {
        f"{name}_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in VISION_TOKENS.items()
    }
    config = transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 3 * WIDTH,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": False,
            "rope_parameters": {
                "rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12],
            },
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": WIDTH,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 112,
            "fullatt_block_indexes": [1],
        },
        tie_word_embeddings=False,
        **ids,
    )  # fmt: skip
    torch.manual_seed(SEED)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config).to(torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 1.0 / parameter[0].numel() ** 0.5)
        model.lm_head.weight[[tokenizer.eos_token_id, tokenizer.pad_token_id]] = 0.0
    # Sides are on the grid and within the pixel bounds already; no engine may resize again.
    patches = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
    size = {"shortest_edge": 4 * 28 * 28, "longest_edge": 16 * 1024 * 28 * 28}
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(size=size, **patches),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=size, **patches),
        chat_template=CHAT_TEMPLATE,
    )
    beside = folder.with_name(f".{folder.name}.{random.randrange(10**9)}")
    model.save_pretrained(beside)
    processor.save_pretrained(beside)
    beside.rename(folder)
    return folder
