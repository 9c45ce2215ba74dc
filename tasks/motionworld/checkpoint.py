"""The model that learns the world: a Qwen2.5-VL of 1.7 million weights that has never seen a thing.

It has been taught the form of answers, by text, and guesses them (`tasks.motionworld.form`).

What was needed so that two CPU cores can teach it (docs/miniature.md has the measurements):

- What follows a question in the Video-R1 prompt, options and instruction, is the same for a whole
  aspect and one token. The prompt stays the paper's to the letter and takes about 20 tokens with
  its clip, instead of 445.
- Every word of the world is one token.
- A picture is one token: the 4 x 4 patches of a frame are merged, as Qwen2.5-VL merges 2 x 2. Where
  something is then stands in the token itself. Rotary positions tell an untaught model no place: in
  100 updates it learnt which way a figure moves from one token per picture, and not at all from
  four.
- Rotary positions turn fast: the four moments of a clip have to be told apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import missing_extra
from harness.schema import Kind
from harness.scoring import prompts
from tasks.motionworld.form import Turns, guesses, teach_form
from tasks.motionworld.splits import Item, Split, clips, stills
from tasks.motionworld.tokenizer import CHAT_TEMPLATE, VISION_TOKENS, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_PATCHES = {"patch_size": 14, "merge_size": 4, "temporal_patch_size": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """How large the model is; the defaults are what two CPU cores can teach."""

    width: int = 128
    """Of the language model; its feed-forward layers have three times as many."""
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    vision_width: int = 48
    """Of the vision tower; its feed-forward layers have twice as many."""
    vision_layers: int = 2
    vision_heads: int = 3

    def __post_init__(self) -> None:
        # Rotary positions split a head of the language model into sixteenths, one of the tower
        # into quarters.
        for width, heads, parts in (
            (self.width, self.heads, 16), (self.vision_width, self.vision_heads, 4),
        ):  # fmt: skip
            if heads < 1 or width % heads or (width // heads) % parts:
                raise ValueError(
                    f"{heads} heads of width {width}: expected each to be a multiple of {parts}"
                )
        if self.key_value_heads < 1 or self.heads % self.key_value_heads:
            raise ValueError(f"key_value_heads: expected a divisor of {self.heads} heads")
        if self.layers < 1 or self.vision_layers < 1:
            raise ValueError("layers and vision_layers: expected at least 1")


def build(folder: Path, seed: int = 0, size: ModelSize | None = None) -> Path:
    """Write a checkpoint that answers in form and sees nothing into `folder`, and return it.

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
    model = transformers.Qwen2_5_VLForConditionalGeneration(config(tokenizer, size or ModelSize()))
    teach_form(model, tokenizer, list(_lessons(seed)), seed)
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


def config(tokenizer: PreTrainedTokenizerBase, size: ModelSize) -> Any:
    """Return the configuration of a model of some size."""
    import transformers

    head = size.width // size.heads

    ids = {
        f"{name}_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in VISION_TOKENS.items()
    }
    return transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size.width,
            "intermediate_size": 3 * size.width,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.key_value_heads,
            "max_position_embeddings": 32768,
            "tie_word_embeddings": True,
            "initializer_range": 0.03,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [head // 8, 3 * head // 16, 3 * head // 16],
                "rope_theta": 10.0,
            },
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
        },
        vision_config={
            "depth": size.vision_layers,
            "hidden_size": size.vision_width,
            "intermediate_size": 2 * size.vision_width,
            "num_heads": size.vision_heads,
            "out_hidden_size": size.width,
            "patch_size": _PATCHES["patch_size"],
            "spatial_merge_size": _PATCHES["merge_size"],
            "temporal_patch_size": _PATCHES["temporal_patch_size"],
            "fullatt_block_indexes": list(range(size.vision_layers)),
            "window_size": 112,
            "tokens_per_second": 1,
            "initializer_range": 0.03,
        },
        tie_word_embeddings=True,
        initializer_range=0.03,
        **ids,
    )


def _lessons(seed: int) -> Iterator[Turns]:
    """Yield questions of every aspect, each with the answer to another one."""
    by_aspect: dict[str, list[Turns]] = {}
    for item in _some(200):
        by_aspect.setdefault(item.row["aspect"], []).append(_turns(item))
    rng = random.Random(seed)
    for turns in by_aspect.values():
        yield from guesses(turns, rng)


def _turns(item: Item) -> Turns:
    row = item.row
    options = prompts.unlettered(row["options"])
    asked = prompts.video_r1(row["problem"], Kind(row["problem_type"]), options)
    return asked, f"{row['process']}\n{row['solution']}"


def _some(number: int) -> Iterator[Item]:
    """Yield questions that belong to no split."""
    split = Split(name="tokenizer", pairs=number, stills=number)
    return chain(clips(split, 0), stills(split, 0))


def _fixed_wordings() -> set[str]:
    """Return what follows the question for each aspect, and the bare instruction of each kind."""
    rows = [item.row for item in _some(1)]
    endings = {
        prompts.video_r1("", Kind(row["problem_type"]), prompts.unlettered(row["options"]))
        for row in rows
    }
    return endings | {prompts.video_r1("", kind).rpartition("\n")[2] for kind in Kind}


def _texts() -> Iterator[str]:
    """Yield every wording of the world, without the instructions."""
    yield "user\nassistant\nsystem\n" + " ".join(map(str, range(100)))
    for item in _some(60):
        row = item.row
        yield "\n".join([row["problem"] + "Options:", *row["options"], ""])
        yield f"{row['process']}\n{row['solution']}"
