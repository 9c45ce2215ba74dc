"""Format numbers for people."""

from __future__ import annotations


def format_number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many significant digits, thousands marked; a dash for none."""
    if value is None:
        return "–"
    if abs(value) >= 10**digits or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"
