"""Checks the columns of ``records.parquet`` that a board reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.board.entry import REPEAT, schema
from harness.schema import Outcome

if TYPE_CHECKING:
    import pyarrow as pa


def find_problem(table: pa.Table) -> str | None:
    """Return which column or row is wrong, None for a sound table.

    Whole columns are checked at once: a board reads dozens of runs.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for field in schema():
        found = table.schema.field(field.name).type
        if not _has_kind(found, field.type):
            return f"column {field.name!r}: expected {field.type}, got {found!s:.80}"
        if field.name != "value" and table[field.name].null_count:
            expected = "a text" if pa.types.is_string(field.type) else "a whole number"
            return f"column {field.name!r}: expected {expected} in every row, got null"
    values = table["value"]
    outside = pc.or_(pc.is_nan(values), pc.or_(pc.less(values, 0.0), pc.greater(values, 1.0)))
    row = pc.index(outside, True).as_py()
    if row >= 0:
        return f"row {row}: field 'value': expected 0 to 1 or null, got {values[row].as_py()}"
    known = [outcome.value for outcome in Outcome]
    for outcome in pc.unique(table["outcome"]).to_pylist():
        if outcome not in known:
            return f"field 'outcome': expected one of {', '.join(known)}, got {outcome!r:.80}"
    distinct = table.group_by(["id", REPEAT]).aggregate([]).num_rows
    repeated = table.num_rows - distinct
    return f"expected every id once, got {repeated} repeated" if repeated else None


def _has_kind(found: pa.DataType, expected: pa.DataType) -> bool:
    """Return whether a column's type is a form of the expected one."""
    import pyarrow as pa

    if pa.types.is_floating(expected):
        return bool(pa.types.is_floating(found))
    if pa.types.is_integer(expected):
        return bool(pa.types.is_integer(found))
    return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
