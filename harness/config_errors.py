"""Says what is wrong with a value or a key of a settings file, from pydantic's error."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

_EXPECTED = {
    "string_type": "a text",
    "path_type": "a path",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dataclass_type": "a table",
    "dict_type": "a table",
    "mapping_type": "a table",
}


_SCALARS = ("bool", "int", "float", "str")


def describe_error(kind: type, error: Any) -> str:
    """Say of the first error which key it is about, what was expected and what was got."""
    errors = error.errors(include_url=False)
    # A misspelt key is often why another one is missing.
    first = min(errors, key=lambda one: one["type"] != "unexpected_keyword_argument")
    names = [name for name in first["loc"][1:] if isinstance(name, str)]
    key, context = ".".join(names), first.get("ctx", {})
    if names and names[-1] in _SCALARS and len(errors) > 1:  # one error per type of a union
        key = ".".join(names[:-1])
        return f"{key}: expected a text, a number, true or false, got {first['input']!r:.80}"
    match first["type"]:
        case "unexpected_keyword_argument":
            valid = get_type_hints(_hint_at(kind, names[:-1]))
            return f"unknown key {key!r}; {suggest(names[-1], valid)}"
        case "missing":
            return f"key {key!r} is missing"
        case "value_error":  # of a __post_init__
            return f"{key}: {context['error']}" if key else str(context["error"])
        case "enum" | "literal_error":
            expected = f"one of {context['expected']}"
        case other:
            expected = _EXPECTED.get(other, first["msg"])
    return f"{key}: expected {expected}, got {first['input']!r:.80}"


def suggest(name: str, valid: Collection[str]) -> str:
    """Return the valid keys, and the one that is nearest to a name."""
    near = get_close_matches(name, valid, n=1)
    meant = f". Did you mean {near[0]!r}?" if near else ""
    return f"valid keys: {', '.join(valid)}{meant}"


def _hint_at(hint: Any, names: Sequence[str]) -> Any:
    """Return the type that dotted names lead to; None where they leave the dataclass."""
    for name in names:
        hint = without_none(hint)
        if dataclasses.is_dataclass(hint):
            hint = get_type_hints(hint).get(name)
        else:
            hint = get_args(hint)[1] if is_mapping(hint) else None
    return without_none(hint)


def is_mapping(hint: Any) -> bool:
    """Return whether a type is a mapping from names to values."""
    return isinstance(origin := get_origin(hint), type) and issubclass(origin, Mapping)


def without_none(hint: Any) -> Any:
    """Return T of ``T | None``, and any other type as it is."""
    if get_origin(hint) in (Union, UnionType):
        return next(kind for kind in get_args(hint) if kind is not type(None))
    return hint
