"""Reads JSON texts into dataclasses and says which field is wrong.

pydantic checks against the dataclasses' own annotations, in strict mode: no ``"1.0"`` for 1.0. It
is imported on the first call because that takes a tenth of a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import cache
from types import GenericAlias
from typing import Any, TypeVar, cast

from harness.errors import DatasetError
from harness.files.content import parse_json

Shape = TypeVar("Shape")

_EXPECTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "tuple_type": "a list",
    "list_type": "a list",
    "dataclass_type": "an object",
    "dict_type": "an object",
    "mapping_type": "an object",
}


def reader_of(kind: type[Shape], *, extra: bool = False) -> Callable[[bytes, str], Shape]:
    """Return a function that reads one JSON object into a dataclass.

    Args:
        kind: The dataclass; its annotations are the types of the fields.
        extra: Accept fields that the dataclass does not have, and leave them out.

    Returns:
        A function of the text and of its place, for messages. It raises `DatasetError` with place,
        field, expected and found.
    """
    adapter = _type_adapter(cast(Hashable, kind), "ignore" if extra else "forbid")
    from pydantic import ValidationError

    def read(text: bytes, where: str) -> Shape:
        try:
            return validate(text)
        except ValidationError as error:
            content = parse_json(text, where)  # Python's own message, where it is no JSON at all
            if error.errors(include_url=False)[0]["type"] != "json_invalid":
                raise DatasetError(f"{where}: {_describe(error, content)}") from None
        try:
            return validate(json.dumps(content).encode())  # halves of UTF-16 pairs are replaced
        except ValidationError as error:
            raise DatasetError(f"{where}: {_describe(error, content)}") from None

    def validate(text: bytes) -> Shape:
        built: Shape = adapter.validate_json(b"[" + text + b"]", strict=True)[0]
        return built

    return read


@cache
def _type_adapter(kind: Hashable, extra: str) -> Any:
    """Return pydantic's reader of ``[kind]``; only a list passes the config on to dataclasses."""
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(extra=extra, allow_inf_nan=False)  # type: ignore[typeddict-item]
    listed: Any = GenericAlias(tuple, (kind,))
    return TypeAdapter(listed, config=config)


def _describe(error: Any, content: Any) -> str:
    """Say of the first error where it is, what was expected and what was found."""
    if not isinstance(content, Mapping):
        return f"holds a {type(content).__name__}, expected a JSON object"
    first = error.errors(include_url=False)[0]
    field = field_name(first["loc"][1:])
    match first["type"]:
        case "missing":
            return f"field {field!r} is missing"
        case "unexpected_keyword_argument":
            return f"unknown field {field!r}; a newer version may have written it"
        case "enum" | "literal_error":
            expected = f"one of {first['ctx']['expected']}"
        case other:
            expected = _EXPECTED.get(other, first["msg"])
    return f"field {field!r}: expected {expected}, got {first['input']!r:.80}"


def field_name(path: Sequence[str | int]) -> str:
    """Return a path of names and positions as ``a.b[2]``."""
    name = ""
    for part in path:
        name += f"[{part}]" if isinstance(part, int) else f".{part}" if name else part
    return name
