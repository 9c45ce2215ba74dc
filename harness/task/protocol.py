"""Defines a protocol: all settings that can change a score, with a hash.

Two runs of a task are comparable only if their protocols are equal; `harness.files.diff` lists the
fields in which they differ.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from typing import Any

from harness.bounds import between
from harness.schema import LATER, FramePolicy, Sampling, TemplateArgs
from harness.scoring.answers import MAX_OPTIONS
from harness.scoring.reasoning.marks import IN_TEXT, parse_rule

PRESETS = ("video-r1", "official")
"""Protocols that every task has."""

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The settings with which one task is asked and scored."""

    suite: str
    """``video-r1`` or ``official``, the preset whose fields a file or flags may have changed;
    ``stored`` for texts generated elsewhere."""
    task: str
    """``name@version``; the version changes with prompts or the handling of items."""
    template: str
    """Name of the prompt template that the task uses."""
    frames: FramePolicy | None
    """None if the texts were generated elsewhere and only scored here."""
    sampling: Sampling | None
    scorer: str
    """``name@version``."""
    system: str | None = field(default=None, metadata=LATER)
    """System prompt; None: the one of the task's template, which most do not have."""
    reasoning: str = field(default=IN_TEXT, metadata=LATER)
    """How thought and answer are told apart before the answer is scored: ``in-text`` (they are
    not: the text is scored as it is), ``auto`` (by the marks of the checkpoint's chat template), or
    a pair of marks, by name (``think`` for ``<think>...</think>``) or as OPEN...CLOSE."""
    template_args: TemplateArgs = field(default_factory=dict, metadata=LATER)
    """Values of the chat template's own variables, such as ``enable_thinking``."""
    thinking_budget: int | None = field(default=None, metadata=LATER)
    """Tokens after which the engine closes a thought; None: it does not."""
    repeats: int = field(default=1, metadata=LATER)
    """How often each item is asked, with different seeds; its value is the mean."""
    option_rotation: int = field(default=0, metadata=LATER)
    """Places by which the options of multiple-choice questions move down, the last ones to the top,
    with the gold answer; other questions are left out. 0: as published."""

    def __post_init__(self) -> None:
        between(self, "thinking_budget", 0, 1 << 24, "tokens; no model writes more")
        between(self, "repeats", 1, 10_000, "each asks every item once more")
        between(self, "option_rotation", 0, MAX_OPTIONS - 1, "places; options have letters")
        parse_rule(self.reasoning)
        for name, value in self.template_args.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"template_args.{name}: expected a finite number, got {value}")

    def canonical(self) -> str:
        """Return the JSON text that is hashed: sorted keys, no spaces, no later field unchanged."""
        return json.dumps(_hashed_fields(self), sort_keys=True, separators=(",", ":"))

    @property
    def hash(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of `canonical()`."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]


def complete(stored: Fields) -> dict[str, Any]:
    """Return a stored protocol with the fields that a later version added, at their defaults.

    Protocols that different versions wrote can then be compared field by field.
    """
    found = _later_defaults(Protocol) | dict(stored)
    if isinstance(found.get("sampling"), Mapping):
        found["sampling"] = _later_defaults(Sampling) | dict(found["sampling"])
    whole: dict[str, Any] = json.loads(json.dumps(found))  # lists for tuples, as in files
    return whole


def complete_all(manifest: Fields) -> dict[str, Any]:
    """Return a manifest, or a baseline's metadata, with `complete` applied to each protocol."""
    protocols = manifest.get("protocol")
    if not isinstance(protocols, Mapping):
        return dict(manifest)
    whole = {
        task: complete(stored) if isinstance(stored, Mapping) else stored
        for task, stored in protocols.items()
    }
    return {**manifest, "protocol": whole}


def repeats_of(protocols: Mapping[str, Fields]) -> dict[str, int]:
    """Return how often stored protocols ask each item, by task."""
    return {task: complete(stored)["repeats"] for task, stored in protocols.items()}


def keep_numbers(protocol: Protocol, stored: Fields) -> Protocol:
    """Return a protocol that writes numbers as a stored one does: 2 stays 2 and is not 2.0.

    A reader makes floats of whole numbers in float fields. They are equal, but a hash is made of
    their text.
    """
    kept: Protocol = _keep_numbers(protocol, stored)
    return kept


def _keep_numbers(settings: Any, stored: Fields) -> Any:
    kept: dict[str, Any] = {}
    for one in fields(settings):
        value, old = getattr(settings, one.name), stored.get(one.name)
        if is_dataclass(value) and isinstance(old, Mapping):
            kept[one.name] = _keep_numbers(value, old)
        elif isinstance(value, float) and type(old) is int and old == value:
            kept[one.name] = old
    return replace(settings, **kept)


def _hashed_fields(settings: Any) -> dict[str, Any]:
    """Return the fields that make a difference; a later one at its default makes none."""
    later = _later_defaults(type(settings))
    found: dict[str, Any] = {}
    for one in fields(settings):
        value = getattr(settings, one.name)
        if one.name not in later or value != later[one.name]:
            found[one.name] = _hashed_fields(value) if is_dataclass(value) else _as_json(value)
    return found


def _later_defaults(kind: Any) -> dict[str, Any]:
    """Return the fields of a settings class that were added later, with their defaults."""
    return {
        one.name: one.default if one.default_factory is MISSING else one.default_factory()
        for one in fields(kind)
        if one.metadata.get("later")
    }


def _as_json(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
