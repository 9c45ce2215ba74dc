"""Checks the bounds of settings.

Each check is called from a settings class's ``__post_init__`` and raises `ValueError` with the
field's name; whoever reads the settings (a TOML file, flags) adds where the value came from.
"""

from __future__ import annotations


def positive(settings: object, *names: str) -> None:
    """Raise where a field is not above 0; None passes."""
    for name in names:
        value = getattr(settings, name)
        if value is not None and not value > 0:
            raise ValueError(f"{name}: expected more than 0, got {value}")


def at_least_zero(settings: object, *names: str) -> None:
    """Raise where a field is below 0, or no number."""
    for name in names:
        if not getattr(settings, name) >= 0:
            raise ValueError(f"{name}: expected at least 0, got {getattr(settings, name)}")


def share(settings: object, *names: str) -> None:
    """Raise where a field is not within 0 to 1."""
    for name in names:
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name}: expected a share from 0 to 1, got {getattr(settings, name)}")


def between(settings: object, name: str, low: float, high: float, why: str = "") -> None:
    """Raise where a field is not within two bounds, themselves allowed; None passes.

    Args:
        settings: The object that has the field.
        name: The field.
        low: Least value.
        high: Largest value.
        why: The reason for the bounds, for the message.
    """
    value = getattr(settings, name)
    if value is not None and not low <= value <= high:
        reason = f" ({why})" if why else ""
        raise ValueError(
            f"{name}: expected a number from {low:.10g} to {high:.10g}{reason}, got {value!s:.40}"
        )


def ordered(settings: object, low: str, high: str) -> None:
    """Raise where the first of two fields is above the second."""
    if getattr(settings, low) > getattr(settings, high):
        raise ValueError(
            f"{low} is {getattr(settings, low)}, more than {high}, {getattr(settings, high)}"
        )
