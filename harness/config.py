"""From TOML to frozen dataclasses: types are checked, unknown keys refused with the valid ones.

A file may begin with ``extends = "other.toml"``, a file beside it whose values it changes. Paths
in values are relative to the working directory, as on the command line.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError

Settings = TypeVar("Settings")

EXTENDS = "extends"


def read_toml(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a TOML file, merged over the one it extends."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: not a readable TOML file: {error}") from None
    base = content.pop(EXTENDS, None)
    if base is None:
        return content
    if not isinstance(base, str) or path in above:
        raise UsageError(f"{path}: {EXTENDS}: expected another TOML file, got {base!r}")
    return merged(read_toml(path.parent / base, (*above, path)), content)


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above`; tables are merged, all else is replaced."""
    both = dict(below)
    for key, value in above.items():
        ours = both.get(key)
        tables = isinstance(ours, Mapping) and isinstance(value, Mapping)
        both[key] = merged(ours, value) if tables else value  # type: ignore[arg-type]
    return both


def build(kind: type[Settings], content: Mapping[str, Any], where: str) -> Settings:
    """Build a frozen dataclass from a mapping, nested ones from nested tables.

    Raises:
        UsageError: An unknown or missing key, or a value of another type; names `where` and key.
    """
    return _table(kind, content, where, "")  # type: ignore[no-any-return]


def override(kind: type, content: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return `content` changed by ``section.field=value`` strings, checked against `kind`.

    A value is written as in TOML; a text needs no quotes, a list of one no brackets, and ``none``
    unsets what may be unset.
    """
    changed = dict(content)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        names = key.strip().split(".")
        if not equals:
            raise UsageError(f"--set {assignment}: expected section.field=value")
        hint = _hint_of(kind, names, assignment)
        nested: Any = _typed(text.strip(), hint)
        for name in reversed(names):
            nested = {name: nested}
        changed = merged(changed, nested)
    return changed


def _hint_of(kind: Any, names: Sequence[str], assignment: str) -> Any:
    """Follow the dotted names down to the type of a field."""
    for position, name in enumerate(names):
        kind = _inner(kind)
        if not dataclasses.is_dataclass(kind):
            raise UsageError(
                f"--set {assignment}: {'.'.join(names[:position])} is a value, not a section"
            )
        hints = get_type_hints(kind)
        if name not in hints:
            raise _unknown(f"--set {assignment}", ".".join(names[: position + 1]), list(hints))
        kind = hints[name]
    if dataclasses.is_dataclass(_inner(kind)):
        hints = get_type_hints(_inner(kind))
        raise UsageError(
            f"--set {assignment}: {'.'.join(names)} is a section; its fields: {', '.join(hints)}"
        )
    return kind


def _typed(text: str, hint: Any) -> Any:
    """Read the text of a ``--set`` value as TOML would, where the field's type asks for it."""
    if text == "none" and type(None) in get_args(hint):
        return None
    hint = _inner(hint)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if get_origin(hint) is tuple:
        return value if isinstance(value, list) else [text]
    return value if isinstance(value, str) or hint in (int, float, bool) else text


def _table(kind: Any, content: Any, where: str, prefix: str) -> Any:
    if not isinstance(content, Mapping):
        raise _wrong(where, prefix.rstrip("."), "a table", content)
    hints = get_type_hints(kind)
    unknown = sorted(set(content) - set(hints))
    if unknown:
        raise _unknown(where, prefix + unknown[0], list(hints))
    required = {
        field.name
        for field in dataclasses.fields(kind)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(content))
    if missing:
        raise UsageError(f"{where}: key {prefix + missing[0]!r} is missing")
    values = {
        name: _value(hints[name], value, where, prefix + name) for name, value in content.items()
    }
    try:
        return kind(**values)
    except ValueError as error:
        raise UsageError(f"{where}: {prefix.rstrip('.') or 'settings'}: {error}") from None


def _value(hint: Any, value: Any, where: str, key: str) -> Any:
    """Check one value against the type of its field and convert it."""
    if value is None and type(None) in get_args(hint):
        return None
    hint = _inner(hint)
    if dataclasses.is_dataclass(hint):
        return _table(hint, value, where, f"{key}.")
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise _wrong(where, key, "a list", value)
        convert = partial(_value, get_args(hint)[0], where=where, key=key)
        return tuple(convert(item) for item in value)
    return _scalar(hint, value, where, key)


def _scalar(hint: Any, value: Any, where: str, key: str) -> Any:
    if get_origin(hint) is Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        choices = get_args(hint) or [member.value for member in hint]
        if value not in choices:
            raise _wrong(where, key, f"one of {', '.join(map(repr, choices))}", value)
        return value if get_args(hint) else hint(value)
    if hint is Path and isinstance(value, str):
        return Path(value).expanduser()
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise _wrong(where, key, _NAMES[hint], value)
    return value


_NAMES = {
    str: "a text",
    Path: "a path",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _inner(hint: Any) -> Any:
    """Return T of ``T | None``, and any other type as it is."""
    if get_origin(hint) in (Union, UnionType):
        return next(kind for kind in get_args(hint) if kind is not type(None))
    return hint


def _unknown(where: str, key: str, valid: Sequence[str]) -> UsageError:
    return UsageError(f"{where}: unknown key {key!r}; valid keys: {', '.join(valid)}")


def _wrong(where: str, key: str, expected: str, got: object) -> UsageError:
    return UsageError(f"{where}: {key}: expected {expected}, got {got!r}")
