"""The model that learns the world: a Qwen2.5-VL of 1.4 million random weights, and its tokenizer.

What was needed so that two CPU cores can teach it (docs/miniature.md has the measurements):

- What follows a question in the Video-R1 prompt, options and instruction, is the same for a whole
  aspect and one token. The prompt stays the paper's to the letter and takes about 30 tokens with
  its clip, instead of 445.
- Every word of the world is one token.
- Rotary positions turn fast: neighbours in a grid of 2 x 2 tokens have to be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import prompts
from harness.errors import missing_extra
from harness.schema import Kind
from tasks.demo.checkpoint import CHAT_TEMPLATE, VISION_TOKENS, train_tokenizer
from tasks.motionworld.splits import Split, clips, stills

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_PATCHES = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}


def build(folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint with random weights into `folder` and return it.

    Raises:
        UsageError: PyTorch or transformers is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError:
        raise missing_extra("transformers", "transformers") from None

    transformers.logging.disable_progress_bar()
    tokenizer = make_tokenizer()
    torch.manual_seed(seed)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config(tokenizer))
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(**_PATCHES),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(**_PATCHES),
        chat_template=CHAT_TEMPLATE,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_tokenizer() -> PreTrainedTokenizerBase:
    """Train a tokenizer that has a token for every word, tag and fixed wording of the world."""
    from tokenizers import AddedToken

    tokenizer = train_tokenizer(list(_texts()), vocabulary=2048)
    whole = [*_TAGS, *sorted(_fixed_wordings())]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in whole])
    return tokenizer


def config(tokenizer: PreTrainedTokenizerBase) -> Any:
    """Return the configuration: 4 layers of width 128 behind a vision tower of 2 layers."""
    import transformers

    ids = {
        f"{name}_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in VISION_TOKENS.items()
    }
    return transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "tie_word_embeddings": True,
            "initializer_range": 0.03,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [4, 6, 6],
                "rope_theta": 10.0,
            },
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 96,
            "intermediate_size": 192,
            "num_heads": 4,
            "out_hidden_size": 128,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "fullatt_block_indexes": [1],
            "window_size": 112,
            "tokens_per_second": 1,
            "initializer_range": 0.03,
        },
        tie_word_embeddings=True,
        initializer_range=0.03,
        **ids,
    )


def _fixed_wordings() -> set[str]:
    """Return what follows the question for each aspect, and the bare instruction of each kind."""
    one = Split(name="tokenizer", pairs=1, stills=1)
    rows = [item.row for item in chain(clips(one, 0), stills(one, 0))]
    endings = {
        prompts.video_r1("", Kind(row["problem_type"]), prompts.unlettered(row["options"]))
        for row in rows
    }
    return endings | {prompts.video_r1("", kind).rpartition("\n")[2] for kind in Kind}


def _texts() -> Iterator[str]:
    """Yield every wording of the world, without the instructions."""
    split = Split(name="tokenizer", pairs=60, stills=60)
    yield "user\nassistant\nsystem\n" + " ".join(map(str, range(100)))
    for item in chain(clips(split, 0), stills(split, 0)):
        row = item.row
        yield "\n".join([row["problem"] + "Options:", *row["options"], ""])
        yield f"{row['process']}\n{row['solution']}"
