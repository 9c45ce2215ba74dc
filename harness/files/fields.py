"""Reads single fields of a parsed JSON object and says which one is wrong.

For objects of which a command reads a part, such as manifests; whole records have a dataclass and
`harness.files.shapes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one JSON object.

    Every method takes a field's name and `optional`: a missing field, and one that is null, is then
    None instead of a `DatasetError` with place, field, expected and found.
    """

    content: Mapping[str, Any]
    where: str
    """File, and line where there is one."""
    prefix: str = ""
    """Path of the object within the file, with its dot."""

    def text(self, name: str, *, optional: bool = False) -> str | None:
        """Return a text that is not empty."""
        value = self._value(name, "a text", optional=optional)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.bad(name, "a text")
        return value

    def texts(self, name: str, *, optional: bool = False) -> list[str] | None:
        """Return a list of texts."""
        value = self._value(name, "a list of texts", optional=optional)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            raise self.bad(name, "a list of texts")
        return value

    def whole(self, name: str, low: int, *, optional: bool = False) -> int | None:
        """Return a whole number of at least `low`."""
        expected = f"a whole number of at least {low}"
        value = self._value(name, expected, optional=optional)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise self.bad(name, expected)
        return value

    def number(self, name: str, low: float, high: float, *, optional: bool = False) -> float | None:
        """Return a finite number within two bounds."""
        expected = "a finite number"
        if low > -math.inf:
            upper = f" to {high:.6g}" if high < math.inf else " on"
            expected = f"a number from {low:g}{upper}"
        value = self._value(name, expected, optional=optional)
        if value is None:
            return None
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not low <= value <= high:
            raise self.bad(name, expected)
        return float(value)

    def table(self, name: str, *, optional: bool = False) -> Fields | None:
        """Return the fields of an object within this one."""
        value = self._value(name, "an object", optional=optional)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise self.bad(name, "an object")
        return Fields(value, self.where, f"{self.prefix}{name}.")

    def tables(self, name: str) -> Iterator[tuple[str, Fields]]:
        """Yield the name and the fields of every object within a required object."""
        inner = self.table(name)
        assert inner is not None
        for key in inner.content:
            one = inner.table(key)
            assert one is not None
            yield key, one

    def bad(self, name: str, expected: str) -> DatasetError:
        """Build the error for a field that is missing or has an unexpected value."""
        field = f"{self.prefix}{name}"
        if name not in self.content:
            return DatasetError(f"{self.where}: field {field!r} is missing; expected {expected}")
        got = f"{self.content[name]!r:.80}"
        return DatasetError(f"{self.where}: field {field!r}: expected {expected}, got {got}")

    def _value(self, name: str, expected: str, *, optional: bool) -> Any:
        value = self.content.get(name)
        if value is None and not optional:
            raise self.bad(name, expected)
        return value
