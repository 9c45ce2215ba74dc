"""Build the initial model of MotionWorld: a Qwen2.5-VL with 1.7 million random weights.

It is trained on text to answer in the right format (`tasks.motionworld.answer_format`) and has seen
no images. These choices make it trainable on two CPU cores; docs/miniature.md has the measurements:

- In the Video-R1 prompt, the options and the instruction that follow a question are the same for a
  whole aspect, and the tokenizer has one token for them. The prompt remains Video-R1's, character
  by character, and takes about 20 tokens with its clip instead of 445.
- Every word in questions and answers is one token.
- A picture is one token: 4 x 4 patches are merged, where Qwen2.5-VL merges 2 x 2, so that the
  token's features contain the positions of figures. With four tokens per picture, position is only
  in the rotary embedding: in 100 updates such a model did not learn directions of motion, and a
  model with one token per picture did.
- The rotary base is small (10), so that the four time steps of a clip have distinct embeddings.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plugins import importing
from harness.schema import Kind
from harness.scoring import prompts
from tasks.motionworld.answer_format import Turns, shuffle_answers, train_answer_format
from tasks.motionworld.splits import Item, Split, clips, stills
from tasks.motionworld.tokenizer import CHAT_TEMPLATE, VISION_TOKENS, train_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TAGS = ("<think>", "</think>", "<answer>", "</answer>")
_PATCHES = {"patch_size": 14, "merge_size": 4, "temporal_patch_size": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """The model's size; the defaults can be trained on two CPU cores."""

    width: int = 128
    """Hidden size of the language model; its feed-forward layers are three times as wide."""
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2
    vision_width: int = 48
    """Hidden size of the vision tower; its feed-forward layers are twice as wide."""
    vision_layers: int = 2
    vision_heads: int = 3

    def __post_init__(self) -> None:
        # Rotary embeddings split a head's width by 16 in the language model, by 4 in the tower.
        for width, heads, parts in (
            (self.width, self.heads, 16), (self.vision_width, self.vision_heads, 4),
        ):  # fmt: skip
            if heads < 1 or width % heads or (width // heads) % parts:
                raise ValueError(
                    f"{heads} heads of width {width}: expected the width of one head to be a"
                    f" multiple of {parts}"
                )
        if self.key_value_heads < 1 or self.heads % self.key_value_heads:
            raise ValueError(f"key_value_heads: expected a divisor of {self.heads} heads")
        if self.layers < 1 or self.vision_layers < 1:
            raise ValueError("layers and vision_layers: expected at least 1")


def build(
    folder: Path,
    seed: int = 0,
    size: ModelSize | None = None,
    questions: Sequence[Item] | None = None,
) -> Path:
    """Write the initial checkpoint, which answers in the right format, to `folder` and return that.

    Args:
        folder: A folder that does not exist yet.
        seed: Seed of the weights and of the format training.
        size: The model's size; None: `ModelSize()`.
        questions: What it learns the format on, and what gets tokens beside the words of all
            aspects; None: questions of all aspects.

    Raises:
        UsageError: PyTorch or transformers is not installed.
    """
    with importing("torch", "transformers"):
        import torch
    with importing("transformers", "transformers"):
        import transformers

    transformers.logging.disable_progress_bar()
    tokenizer = make_tokenizer(questions or ())
    torch.manual_seed(seed)
    model = transformers.Qwen2_5_VLForConditionalGeneration(config(tokenizer, size or ModelSize()))
    examples = _format_examples(_draw_items(200) if questions is None else questions, seed)
    train_answer_format(model, tokenizer, list(examples), seed)
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(**_PATCHES),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(**_PATCHES),
        chat_template=CHAT_TEMPLATE,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def make_tokenizer(questions: Sequence[Item] = ()) -> PreTrainedTokenizerBase:
    """Train a tokenizer with one token per word, tag and fixed text of the dataset.

    Args:
        questions: Further questions whose words get tokens.
    """
    from tokenizers import AddedToken

    tokenizer = train_tokenizer(list(_training_texts(questions)), vocabulary=2048)
    whole = [*_TAGS, *sorted(_fixed_texts())]
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in whole])
    return tokenizer


def config(tokenizer: PreTrainedTokenizerBase, size: ModelSize) -> Any:
    """Return the configuration of a model of the given size."""
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


def _format_examples(items: Iterable[Item], seed: int) -> Iterator[Turns]:
    """Yield questions of every aspect, each with the answer to another question of that aspect."""
    by_aspect: dict[str, list[Turns]] = {}
    for item in items:
        by_aspect.setdefault(item.row["aspect"], []).append(_make_turns(item))
    rng = random.Random(seed)
    for turns in by_aspect.values():
        yield from shuffle_answers(turns, rng)


def _make_turns(item: Item) -> Turns:
    row = item.row
    options = prompts.unlettered(row["options"])
    question = prompts.video_r1(row["problem"], Kind(row["problem_type"]), options)
    return question, f"{row['process']}\n{row['solution']}"


def _draw_items(number: int) -> Iterator[Item]:
    """Yield questions of every aspect, drawn apart from the splits."""
    split = Split(name="tokenizer", pairs=number, stills=number)
    return chain(clips(split, 0), stills(split, 0))


def _fixed_texts() -> set[str]:
    """Return the text after the question for each aspect, and the instruction of each kind."""
    rows = [item.row for item in _draw_items(1)]
    endings = {
        prompts.video_r1("", Kind(row["problem_type"]), prompts.unlettered(row["options"]))
        for row in rows
    }
    kinds = [kind for kind in Kind if kind is not Kind.SPAN]  # younger than the vocabulary
    return endings | {prompts.video_r1("", kind).rpartition("\n")[2] for kind in kinds}


def _training_texts(questions: Sequence[Item]) -> Iterator[str]:
    """Yield every word of questions and answers, without the instructions."""
    yield "user\nassistant\nsystem\n" + " ".join(map(str, range(100)))
    for item in chain(_draw_items(60), questions):
        row = item.row
        yield "\n".join([row["problem"] + "Options:", *row["options"], ""])
        yield f"{row['process']}\n{row['solution']}"
