"""Lists the options of a settings class, for flags, TOML keys and keyword arguments.

An option is a field of a frozen dataclass. Fields that hold another settings class are groups;
their options stand beside the others under their own names (``workers``, not ``decode.workers``),
or behind the prefix that the field's metadata names (``judge_url``). A field that maps names to
values is a flag ``--field NAME=VALUE`` that may be repeated. Help texts are the docstrings under
the fields.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin, get_type_hints

from harness.errors import UsageError

Settings = TypeVar("Settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One setting as a user names it."""

    name: str
    """Flat name with underscores; the flag is ``--`` and the same with dashes."""
    group: str
    """Name of the field of the group; empty for options of the class itself."""
    field: str
    kind: type
    """bool, int, float, str, Path, tuple (of strings), dict or an enumeration of strings."""
    choices: tuple[str, ...] | None
    default: Any
    """None also where the group is optional."""
    help: str
    metavar: str | None
    title: str | None = None
    """Heading of the option in the help text; None: its group's."""

    def parse(self, text: str) -> Any:
        """Read a value that was written as text; raises `ValueError` naming the option."""
        if self.choices is not None and text not in self.choices:
            raise ValueError(
                f"{self.name}: expected one of {', '.join(self.choices)}, got {text!r}"
            )
        if self.kind is tuple:
            return tuple(part.strip() for part in text.split(","))
        if self.kind is dict:
            return self._parse_entries(text)
        if self.kind is bool:
            if text.lower() not in ("true", "false"):
                raise ValueError(f"{self.name}: expected true or false, got {text!r}")
            return text.lower() == "true"
        try:
            return self.kind(text)
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}.get(self.kind, self.kind.__name__)
            raise ValueError(f"{self.name}: expected {wanted}, got {text!r:.40}") from None

    def _parse_entries(self, text: str) -> dict[str, Any]:
        """Read ``NAME=VALUE``, or a JSON object of several names and values."""
        if text.lstrip().startswith("{"):
            content = _parse_any(text)
            if not isinstance(content, dict):
                raise ValueError(f"{self.name}: not a valid JSON object: {text!r:.80}")
            return content
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"{self.name}: expected NAME=VALUE or a JSON object, got {text!r:.80}")
        return {name.strip(): _parse_any(value)}


def options_of(settings: type) -> list[Option]:
    """Return the options of a settings class and of its groups, in the order of the fields."""
    found: list[Option] = []
    for one, hint in _typed_fields(settings):
        inner = _settings_class(hint)
        if inner is None:
            found.append(_option(settings, one, hint))
            continue
        prefix, optional = one.metadata.get("prefix", ""), _is_optional(hint)
        found += [
            _option(inner, field, kind, group=one.name, prefix=prefix, optional=optional)
            for field, kind in _typed_fields(inner)
        ]
    return found


def with_options(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with some options changed.

    Args:
        settings: An instance of a settings class.
        values: New values by flat option name; strings are read as a flag's text would be. Names
            and values of a mapping are added to those that it has.

    Raises:
        UsageError: An unknown name, a value out of bounds, or half of an optional group.
    """
    known = {option.name: option for option in options_of(type(settings))}
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
        option = known[name]
        try:
            read = option.parse(value) if isinstance(value, str) else value
        except ValueError as error:
            raise UsageError(str(error)) from None
        if option.kind is dict:
            read = _joined(_current(settings, option), read)
        changed.setdefault(option.group, {})[option.field] = read
    direct = changed.pop("", {})
    groups = {name: _changed_group(settings, name, new) for name, new in changed.items()}
    try:
        return replace(settings, **direct, **groups)  # type: ignore[type-var]
    except ValueError as error:
        raise UsageError(str(error)) from None


def differing_options(settings: Any) -> dict[str, Any]:
    """Return the options that differ from their defaults, by flat name."""
    found = {}
    for option in options_of(type(settings)):
        value = _current(settings, option)
        if value != option.default:
            found[option.name] = value
    return found


def _current(settings: Any, option: Option) -> Any:
    """Return the value of an option, None where its group is."""
    owner = getattr(settings, option.group) if option.group else settings
    return None if owner is None else getattr(owner, option.field)


def _joined(current: Mapping[str, Any] | None, given: Any) -> dict[str, Any]:
    """Return a mapping with the names and values of another one, or of a list of such."""
    joined = dict(current or {})
    for part in [given] if isinstance(given, Mapping) else given:
        joined |= part
    return joined


def _changed_group(settings: Any, name: str, values: Mapping[str, Any]) -> Any:
    current = getattr(settings, name)
    try:
        if current is not None:
            return replace(current, **values)
        hint = get_type_hints(type(settings))[name]
        inner = _settings_class(hint)
        assert inner is not None
        missing = [
            one.name
            for one in fields(inner)
            if one.name not in values and one.default is MISSING is one.default_factory
        ]
        if missing:
            prefix = next(f for f in fields(settings) if f.name == name).metadata.get("prefix", "")
            together = " and ".join(f"--{prefix}{n}".replace("_", "-") for n in (*values, *missing))
            raise UsageError(f"{together} go together")
        return inner(**values)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _option(
    owner: type,
    one: Field[Any],
    hint: Any,
    *,
    group: str = "",
    prefix: str = "",
    optional: bool = False,
) -> Option:
    kind, choices = _kind(hint)
    default = one.default if one.default_factory is MISSING else one.default_factory()
    return Option(
        name=prefix + one.name,
        group=group,
        field=one.name,
        kind=kind,
        choices=choices,
        default=None if optional or default is MISSING else default,
        help=_docstrings(owner).get(one.name, ""),
        metavar=one.metadata.get("metavar"),
        title=one.metadata.get("title"),
    )


def _typed_fields(settings: type) -> Iterator[tuple[Field[Any], Any]]:
    hints = get_type_hints(settings)
    return ((one, hints[one.name]) for one in fields(settings))


def _settings_class(hint: Any) -> type | None:
    """Return the settings class in ``Class`` or ``Class | None``, None for a plain value."""
    return next((p for p in _parts(hint) if isinstance(p, type) and is_dataclass(p)), None)


def _is_optional(hint: Any) -> bool:
    return NoneType in get_args(hint)


def _parts(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) in (Union, UnionType):
        return tuple(part for part in get_args(hint) if part is not NoneType)
    return (hint,)


def _kind(hint: Any) -> tuple[type, tuple[str, ...] | None]:
    [part] = _parts(hint)
    origin = get_origin(part)
    if origin is Literal:
        return str, get_args(part)
    if origin is tuple:
        return tuple, None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return dict, None
    if isinstance(part, type) and issubclass(part, StrEnum):
        return part, tuple(member.value for member in part)
    if part not in (bool, int, float, str, Path):
        raise TypeError(f"an option cannot be of type {part!r}")
    return part, None


def _parse_any(text: str) -> Any:
    """Read a value of no declared type: a JSON value, else the text itself.

    ``True`` and ``False`` are the booleans, too: as texts, both would count as true.
    """
    if text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


@cache
def _docstrings(settings: type) -> Mapping[str, str]:
    """Return the docstrings under the fields of a class and of its bases, on one line each."""
    found: dict[str, str] = {}
    for owner in reversed(settings.__mro__):
        if is_dataclass(owner):
            found |= _own_docstrings(owner)
    return found


def _own_docstrings(settings: type) -> dict[str, str]:
    [body] = ast.parse(textwrap.dedent(inspect.getsource(settings))).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found
