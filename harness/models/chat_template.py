"""Finds the chat template of a checkpoint in every form in which transformers saves one.

In the order of transformers 5.19 (``ProcessorMixin.get_processor_dict``, then the tokenizer's
``from_pretrained``): ``chat_template`` in processor_config.json; chat_template.json;
chat_template.jinja, or ``default`` of additional_chat_templates/*.jinja; ``chat_template`` in
tokenizer_config.json. A field may hold one template, or several with names: ``default`` is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError
from harness.models.parts import read_optional_part, read_part

JINJA, LEGACY = "chat_template.jinja", "chat_template.json"
ADDITIONAL = "additional_chat_templates"
DEFAULT = "default"
_PROCESSOR, _TOKENIZER = "processor_config.json", "tokenizer_config.json"
_FIELD = "chat_template"
_MAX_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The template that prompts are rendered with."""

    text: str
    """Jinja source."""
    place: Path
    """The file that holds it."""
    stored: object
    """What that file holds for it: the text, or all templates with their names."""


def find_chat_template(folder: Path) -> ChatTemplate:
    """Return the chat template of a model folder.

    Raises:
        CheckpointError: There is none, it is damaged, or none of several is the default.
    """
    found = next(_stored_templates(folder), None)
    if found is None:
        raise CheckpointError(
            f"{folder} has no chat template ({JINJA}); copy it from the base model"
        )
    place, stored = found
    return ChatTemplate(_pick_default(stored, place), place, stored)


def _stored_templates(folder: Path) -> Iterator[tuple[Path, Any]]:
    """Yield the places that hold a template, with what they hold, the preferred one first."""
    processor = folder / _PROCESSOR
    inside = read_optional_part(processor).get(_FIELD)
    legacy = folder / LEGACY
    additional = _read_folder(folder / ADDITIONAL)
    if legacy.is_file() and additional:
        raise CheckpointError(
            f"{folder} holds {LEGACY} and {ADDITIONAL}/, which transformers refuses to load"
            f" together; save the template as {JINJA}"
        )
    if inside is not None:
        yield processor, inside
    if legacy.is_file():
        yield legacy, read_part(legacy).get(_FIELD)
    jinja = folder / JINJA
    if jinja.is_file():
        yield jinja, _read_text(jinja)
    elif additional:
        yield folder / ADDITIONAL, additional
    tokenizer = folder / _TOKENIZER
    inside = read_optional_part(tokenizer).get(_FIELD)
    if inside is not None:
        yield tokenizer, inside


def _read_folder(folder: Path) -> dict[str, str]:
    if not folder.is_dir():
        return {}
    return {path.stem: _read_text(path) for path in sorted(folder.glob("*.jinja"))}


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CheckpointError(f"{path} is larger than {_MAX_BYTES:,} bytes; copy it again")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read as text: {error}; copy it again") from None


def _pick_default(stored: object, place: Path) -> str:
    """Return the one template, or the one named default of several."""
    if isinstance(stored, list):
        stored = _named_templates(stored, place)
    if isinstance(stored, Mapping):
        if DEFAULT not in stored:
            names = ", ".join(map(str, stored)) or "none"
            raise CheckpointError(
                f"{place} holds several chat templates and none is named {DEFAULT!r} ({names});"
                f" save the one to use as {JINJA}"
            )
        stored = stored[DEFAULT]
    if not isinstance(stored, str):
        raise CheckpointError(
            f"{place}: {_FIELD}: expected a text, got {type(stored).__name__}; copy it from the"
            " base model"
        )
    if not stored.strip():
        raise CheckpointError(f"{place}: the chat template is empty; copy it from the base model")
    return stored


def _named_templates(stored: list[Any], place: Path) -> dict[str, Any]:
    """Return templates by name from the list that tokenizer_config.json may hold."""
    try:
        return {entry["name"]: entry["template"] for entry in stored}
    except (TypeError, KeyError):
        raise CheckpointError(
            f"{place}: {_FIELD}: expected a list of objects with name and template; copy it from"
            " the base model"
        ) from None
