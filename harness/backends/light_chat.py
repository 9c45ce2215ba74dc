"""Renders a prompt with a checkpoint's chat template, without transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.backends.chat import messages
from harness.errors import CheckpointError
from harness.models.chat_template import find_chat_template
from harness.models.parts import read_optional_part
from harness.schema import Clip, Media, Prompt
from harness.scoring.reasoning.template import Template, TemplateError

_TOKENIZER, _SPECIAL = "tokenizer_config.json", "special_tokens_map.json"
_NAMES = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)


def render_prompt(folder: Path, prompt: Prompt, media: Sequence[Clip | Media]) -> str:
    """Return a prompt as the checkpoint in a folder reads it, up to the start of the answer.

    A medium is one placeholder; the processor puts as many tokens in its place as it has.

    Raises:
        CheckpointError: There is no template, or it renders no such prompt.
    """
    template = find_chat_template(folder)
    try:
        text = Template(template.text).render(
            messages(prompt, media), variables={**special_tokens(folder), **prompt.template_args}
        )
    except TemplateError as error:
        raise CheckpointError(
            f"{template.place}: the chat template renders no prompt: {error}"
        ) from None
    return text + prompt.prefill


def special_tokens(folder: Path) -> dict[str, str]:
    """Return the special tokens that chat templates may name, by name, such as ``bos_token``."""
    found: dict[str, str] = {}
    for file in (_SPECIAL, _TOKENIZER):
        stored = read_optional_part(folder / file)
        found |= {name: text for name in _NAMES if (text := _text_of(stored.get(name)))}
    return found


def _text_of(token: Any) -> str | None:
    """Return the text of a token, which is stored as a text or as an object with its content."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None
