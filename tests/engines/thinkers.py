"""Tiny checkpoints that write one reply, token by token, whatever is asked.

The weights are set so that each token is followed by a certain next one: attention and MLP add
nothing to the residual stream, the embedding of a token is a unit vector of its own, and the output
layer maps it to the token that follows. So the replies of an engine are known, and everything else
is the engine's own path: chat template, processor, generation, decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tiny
import torch
import transformers

from harness.models.checkpoint import Checkpoint, resolve

OPEN, CLOSE = "<think>", "</think>"
THINKS = ("\n", OPEN, "It", " ends", " at", " C", CLOSE, "B")
"""Behind a prompt ``assistant\\n`` the whole of it, behind ``<think>`` the rest, and behind
``</think>`` the answer alone."""
PLAIN = ("\n", "B")
"""``B``; also behind ``<think>`` and ``</think>``."""


def build(
    folder: Path, architecture: str, chain: Sequence[str], template: str, *, special: bool = False
) -> Checkpoint:
    """Build a checkpoint whose reply is a chain of tokens.

    Args:
        folder: Where it is saved.
        architecture: A name of `tiny.ARCHITECTURES`.
        chain: Tokens that follow each other; the last one ends the reply.
        template: Chat template.
        special: The marks of thoughts are special tokens, which decoders leave out by default.
    """
    tiny.ARCHITECTURES[architecture](folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    tokenizer = processor.tokenizer
    tokenizer.add_tokens([OPEN, CLOSE], special_tokens=special)
    tokenizer.add_tokens([word for word in chain if len(tokenizer.encode(word)) != 1])
    model.resize_token_embeddings(len(tokenizer))
    ids = [tokenizer.convert_tokens_to_ids(OPEN), tokenizer.convert_tokens_to_ids(CLOSE)]
    steps = [tokenizer.encode(word)[0] for word in chain]
    follow = dict(zip(steps, [*steps[1:], tokenizer.eos_token_id], strict=True))
    for mark in ids:
        follow.setdefault(mark, steps[-1])
    _set_weights(model, follow)
    processor.chat_template = template
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return resolve(str(folder))


def _set_weights(model: Any, follow: dict[int, int]) -> None:
    """Make each token be followed by the one that the table names."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("self_attn.o_proj.weight", "mlp.down_proj.weight")) and (
                "visual" not in name
            ):
                parameter.zero_()
        embeddings = model.get_input_embeddings().weight
        output = model.get_output_embeddings().weight
        embeddings.zero_()
        output.zero_()
        for place, (token, following) in enumerate(follow.items()):
            embeddings[token, place] = 1.0
            output[following, place] += 1.0
