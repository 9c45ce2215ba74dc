"""Reads TOML files into frozen dataclasses and changes single values by ``--set``.

Types are checked by pydantic against the dataclasses' own annotations; bounds belong into their
``__post_init__``. A file may begin with ``extends = "other.toml"``, a file beside it whose values
it changes. Paths among the values are relative to the working directory, as on the command line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tomllib
from collections.abc import Collection, Hashable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import GenericAlias, MappingProxyType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints, overload

from harness.config_errors import describe_error, is_mapping, suggest, without_none
from harness.errors import DatasetError, UsageError
from harness.files import parse_json, read_file

Settings = TypeVar("Settings")

EXTENDS = "extends"
NO_PRESETS: Mapping[str, Path] = MappingProxyType({})


@overload
def read_settings(
    schema: type[Settings],
    path: Path,
    assignments: Sequence[str] = (),
    presets: Mapping[str, Path] = ...,
) -> Settings: ...


@overload
def read_settings(
    schema: Mapping[str, type],
    path: Path,
    assignments: Sequence[str] = (),
    presets: Mapping[str, Path] = ...,
) -> dict[str, Any]: ...


def read_settings(
    schema: type[Settings] | Mapping[str, type],
    path: Path,
    assignments: Sequence[str] = (),
    presets: Mapping[str, Path] = NO_PRESETS,
) -> Settings | dict[str, Any]:
    """Read a TOML file into one frozen dataclass, or into one per named section.

    One dataclass: ``read_settings(Policy, path)``; its fields are the file's keys, and a field that
    is a dataclass itself is a table. Several: ``read_settings({"eval": EvalConfig, "engine":
    EngineConfig}, path)`` reads the tables ``[eval]`` and ``[engine]`` and returns an object per
    name; a table that the file leaves out has its defaults.

    Args:
        schema: What the file holds.
        path: The file, merged over the one that it extends.
        assignments: ``section.field=value`` strings that replace values of the file (``--set``).
        presets: Shipped files by name, which the file may extend.

    Raises:
        UsageError: The file cannot be read, has an unknown key or lacks one, or a value has
            another type or is out of bounds; the message names file, key, expected and got.
    """
    if isinstance(schema, type):
        return build(schema, override(schema, read_toml(path, (), presets), assignments), str(path))
    joined: Any = read_settings(_join_sections(schema), path, assignments, presets)
    return {name: getattr(joined, name) for name in schema}


def read_toml(
    path: Path,
    above: tuple[Path, ...] = (),
    presets: Mapping[str, Path] | Collection[str] = NO_PRESETS,
) -> dict[str, Any]:
    """Read a TOML file, merged over the one it extends.

    Args:
        path: The file.
        above: The files that extend it.
        presets: Names that a file may extend instead of a file: of shipped files, which are read,
            or of what is no file, which stay in the result.

    Raises:
        UsageError: A file cannot be read, or extends itself.
    """
    try:
        text = read_file(path)
    except UsageError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise UsageError(f"{path}: not a readable TOML file: {reason}") from None
    content = parse_toml(text, path)
    base = content.pop(EXTENDS, None)
    if base is None:
        return content
    place = Path(os.path.realpath(path))
    if isinstance(base, str) and base in presets:
        if not isinstance(presets, Mapping):
            return {EXTENDS: base, **content}
        base = str(presets[base].absolute())
    no_file = not isinstance(base, str) or "\0" in base or place in above
    if no_file or (presets and not base.endswith(".toml")):
        expected = ", ".join((*presets, "another TOML file" if not presets else "or FILE.toml"))
        raise UsageError(f"{path}: {EXTENDS}: expected {expected}, got {base!r:.80}")
    return merged(read_toml(path.parent / base, (*above, place), presets), content)


def parse_toml(text: bytes, path: Path) -> dict[str, Any]:
    """Parse the content of a TOML file; raises `UsageError` where it is none that can be used."""
    try:
        content = tomllib.loads(text.decode("utf-8"))
        # Numbers and levels that JSON readers refuse are refused here, too.
        parse_json(json.dumps(content, default=str, allow_nan=True), str(path), finite=False)
    except RecursionError:
        raise UsageError(f"{path}: not a readable TOML file: too many levels") from None
    except DatasetError as error:
        raise UsageError(str(error).replace("not valid JSON", "not a readable TOML file")) from None
    except ValueError as error:  # TOML, UTF-8, an integer of thousands of digits
        raise UsageError(f"{path}: not a readable TOML file: {error!s:.200}") from None
    return content


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above`; tables are merged, all else is replaced."""
    both = dict(below)
    for key, value in above.items():
        ours = both.get(key)
        tables = isinstance(ours, Mapping) and isinstance(value, Mapping)
        both[key] = merged(ours, value) if tables else value  # type: ignore[arg-type]
    return both


def build(kind: type[Settings], content: Mapping[str, Any], where: str) -> Settings:
    """Build a frozen dataclass from TOML or JSON types, nested dataclasses from nested tables.

    Args:
        kind: The dataclass.
        content: Its values by field name.
        where: Where they come from, for the message.

    Raises:
        UsageError: An unknown or missing key, or a value of another type or out of bounds.
    """
    from pydantic import ValidationError

    adapter = _type_adapter(cast(Hashable, kind))
    text = json.dumps([_expand_home(kind, content)], default=str)
    try:
        # As JSON, the strict mode takes names for enums and lists for tuples, and no "5" for 5.
        built: Settings = adapter.validate_json(text, strict=True)[0]
    except ValidationError as error:
        raise UsageError(f"{where}: {describe_error(kind, error)}") from None
    return built


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
        nested: Any = _parse_value(text.strip(), _hint_of_assignment(kind, names, assignment))
        for name in reversed(names):
            nested = {name: nested}
        changed = merged(changed, nested)
    return changed


def _join_sections(sections: Mapping[str, type]) -> type:
    """Return a dataclass with one field per section; those without required fields may be absent.

    A section with required fields that the file leaves out is reported as a missing key.
    """
    fields: list[Any] = []
    for name, kind in sections.items():
        optional = not _required_fields(kind)
        default = (dataclasses.field(default_factory=kind),) if optional else ()
        fields.append((name, kind, *default))
    return dataclasses.make_dataclass("Sections", fields, frozen=True, kw_only=True)


def _required_fields(kind: Any) -> list[str]:
    missing = dataclasses.MISSING
    return [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is missing and field.default_factory is missing
    ]


@cache
def _type_adapter(kind: Hashable) -> Any:
    """Return pydantic's reader of ``[kind]``; only a list passes `extra` on to dataclasses."""
    from pydantic import ConfigDict, TypeAdapter

    listed: Any = GenericAlias(tuple, (kind,))
    return TypeAdapter(listed, config=ConfigDict(extra="forbid"))


def _hint_of_assignment(kind: type, names: Sequence[str], assignment: str) -> Any:
    """Return the type of the field that ``--set`` names, unions included.

    Raises:
        UsageError: There is no such field, or it is a section.
    """
    hint: Any = kind
    for position, name in enumerate(names):
        table, so_far = without_none(hint), ".".join(names[:position])
        if is_mapping(table):
            hint = get_args(table)[1]
            continue
        if not dataclasses.is_dataclass(table):
            raise UsageError(f"--set {assignment}: {so_far} is a value, not a section")
        hints = get_type_hints(table)
        if name not in hints:
            key = ".".join(names[: position + 1])
            raise UsageError(f"--set {assignment}: unknown key {key!r}; {suggest(name, hints)}")
        hint = hints[name]
    if dataclasses.is_dataclass(without_none(hint)):
        fields = ", ".join(get_type_hints(without_none(hint)))
        raise UsageError(
            f"--set {assignment}: {'.'.join(names)} is a section; its fields: {fields}"
        )
    if is_mapping(without_none(hint)):
        raise UsageError(
            f"--set {assignment}: {'.'.join(names)} is a section; name one of its fields"
        )
    return hint


def _parse_value(text: str, hint: Any) -> Any:
    """Read the text of a ``--set`` value as TOML would, where the field's type asks for it."""
    if text == "none" and type(None) in get_args(hint):
        return None
    hint = without_none(hint)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if get_origin(hint) is tuple:
        return value if isinstance(value, list) else [text]
    return value if isinstance(value, str) or hint in (int, float, bool, Any) else text


def _expand_home(hint: Any, value: Any) -> Any:
    """Replace a leading ``~`` of paths."""
    hint = without_none(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        hints = get_type_hints(hint)
        return {name: _expand_home(hints.get(name), one) for name, one in value.items()}
    if get_origin(hint) is tuple and isinstance(value, list):
        return [_expand_home(get_args(hint)[0], one) for one in value]
    return str(Path(value).expanduser()) if hint is Path and isinstance(value, str) else value
