"""Collects the faults in the rows of a table and tells each kind of them once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harness.errors import DatasetError, SeveralFaultsError
from tasks.files import Row

Made = TypeVar("Made")
_SHOWN = 10
"""Kinds of faults in one message; whoever has more begins with these."""


class Faults:
    """The faults of one table."""

    def __init__(self, table: Path) -> None:
        self._table = table
        self._found: dict[str, list[tuple[Row, str]]] = {}

    def attempt(self, row: Row, make: Callable[[Row], Made]) -> Made | None:
        """Return what is made of a row; None where that fails, and the fault is kept."""
        try:
            return make(row)
        except DatasetError as error:
            told = str(error).removeprefix(f"{row.where}: ")
            kind = told.partition(", got ")[0].partition(" (")[0]
            self._found.setdefault(kind, []).append((row, told))
        return None

    def add_duplicate(self, row: Row, name: str, before: str) -> None:
        """Keep that a row has the id of one before it."""
        told = (
            f"the id {name!r:.80} is that of {_place(before, self._table)}, expected every id once"
        )
        self._found.setdefault("two rows have one id", []).append((row, told))

    def raise_any(self) -> None:
        """Raise `SeveralFaultsError` with a line per kind of fault, if there is one."""
        if self._found:
            kinds = list(self._found.values())
            lines = [self._tell(rows) for rows in kinds[:_SHOWN]]
            if len(kinds) > _SHOWN:
                lines.append(f"and {len(kinds) - _SHOWN} more kinds of faults")
            raise SeveralFaultsError(str(self._table), lines)

    def _tell(self, rows: list[tuple[Row, str]]) -> str:
        (first, told), *others = rows
        more = ""
        if others:
            places = ", ".join(_place(row.where, self._table) for row, _ in others[:3])
            rest = ", ..." if len(others) > 3 else ""
            more = f" (also {places}{rest}: {len(rows)} rows in all)"
        return f"{first.where}: {told}{more}"


def _place(where: str, table: Path) -> str:
    """Return ``line 3`` of ``FILE, line 3``."""
    return where.removeprefix(f"{table}, ")
