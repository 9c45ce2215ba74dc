"""A tiny Qwen2.5-VL checkpoint, made here: config, tokenizer, seconds of learning the format.

It has never seen a video. A few seconds of text-only training teach it to close its reasoning and
give some answer, so that the demo's scores are those of a guesser and its texts are short. Nothing
is downloaded.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import prompts
from harness.answers import letters
from harness.errors import missing_extra
from harness.schema import Kind, Sample

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHAT_TEMPLATE = """\
{%- for message in messages %}{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content %}
{%- if part.type == 'image' %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif part.type == 'video' %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}
{%- elif part.type == 'text' %}{{ part.text }}{% endif %}
{%- endfor %}{% endif %}{{ '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

VISION_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
END_OF_TURN = "<|im_end|>"

_STEPS, _BATCH, _LEARNING_RATE = 150, 16, 4e-3
_VOCABULARY = 1024


def build(folder: Path, samples: Sequence[Sample], seed: int = 0) -> Path:
    """Write the checkpoint into `folder` and return it.

    Args:
        folder: Where to write; an existing checkpoint is replaced.
        samples: Questions whose wording the tokenizer and the format training learn.
        seed: Seed of weights and training order.

    Raises:
        UsageError: PyTorch or transformers is not installed.
    """
    try:
        import torch
        import transformers
    except ImportError:
        raise missing_extra("transformers", "transformers") from None

    transformers.logging.disable_progress_bar()
    turns = list(_turns(samples, random.Random(seed)))
    random.Random(seed).shuffle(turns)
    tokenizer = train_tokenizer([part for turn in turns for part in turn])
    torch.manual_seed(seed)
    model = transformers.Qwen2_5_VLForConditionalGeneration(_config(tokenizer))
    _teach_format(model, tokenizer, turns)
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(**_PATCHES),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(**_PATCHES),
        chat_template=CHAT_TEMPLATE,
    )
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def train_tokenizer(texts: Sequence[str], vocabulary: int = _VOCABULARY) -> PreTrainedTokenizerBase:
    """Train a byte-level BPE tokenizer with the special tokens Qwen-VL models use."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", END_OF_TURN, *VISION_TOKENS.values()]
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END_OF_TURN,
        pad_token="<|endoftext|>",
        extra_special_tokens=VISION_TOKENS,
    )


_PATCHES = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}


def _config(tokenizer: PreTrainedTokenizerBase) -> Any:
    import transformers

    ids = {
        f"{name}_id": tokenizer.convert_tokens_to_ids(token)
        for name, token in VISION_TOKENS.items()
    }
    return transformers.Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 64,
            "intermediate_size": 192,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "max_position_embeddings": 32768,
            "tie_word_embeddings": False,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [4, 6, 6],
                "rope_theta": 1e6,
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
            "out_hidden_size": 64,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "fullatt_block_indexes": [1],
            "window_size": 112,
        },
        **ids,
    )


def _turns(samples: Sequence[Sample], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield (user turn, model turn) texts; the answers are guesses and never the gold ones."""
    for sample in samples:
        question = prompts.video_r1(sample.question, sample.kind, sample.options)
        if sample.kind is Kind.MULTIPLE_CHOICE:
            answer = rng.choice(letters(len(sample.options)))
        else:
            answer = str(rng.randint(1, 30))
        yield question, f"<think>Let me think.</think>\n<answer>{answer}</answer>"


def _teach_format(
    model: Any, tokenizer: PreTrainedTokenizerBase, turns: Sequence[tuple[str, str]]
) -> None:
    """Train on the model turns alone, with the user turns as context."""
    import torch

    rows = [_encoded(tokenizer, question, answer) for question, answer in turns]
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=_STEPS)
    model.train()
    for step in range(_STEPS):
        batch = [rows[(step * _BATCH + offset) % len(rows)] for offset in range(_BATCH)]
        ids, labels = (
            _padded(part, value)
            for part, value in zip(
                zip(*batch, strict=True), (tokenizer.pad_token_id, -100), strict=True
            )
        )
        loss = model(
            input_ids=ids, attention_mask=ids != tokenizer.pad_token_id, labels=labels
        ).loss
        loss.backward()
        optimizer.step()
        decay.step()
        optimizer.zero_grad()
    model.eval()


def _encoded(
    tokenizer: PreTrainedTokenizerBase, question: str, answer: str
) -> tuple[list[int], list[int]]:
    """Return token ids and labels of one conversation; the user turn carries no loss."""
    asked: list[int] = tokenizer(
        f"<|im_start|>user\n{question}{END_OF_TURN}\n<|im_start|>assistant\n"
    ).input_ids
    told: list[int] = tokenizer(f"{answer}{END_OF_TURN}").input_ids
    return asked + told, [-100] * len(asked) + told


def _padded(rows: Sequence[list[int]], value: int) -> torch.Tensor:
    import torch

    width = max(len(row) for row in rows)
    return torch.tensor([row + [value] * (width - len(row)) for row in rows])
