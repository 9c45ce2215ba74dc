"""Finds plugins that installed packages declare as entry points, one per group and name."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points, version

from harness.errors import UsageError


def discover(group: str) -> dict[str, EntryPoint]:
    """Map the names in an entry-point group to its entry points.

    Raises:
        UsageError: Two packages declare different plugins of one name.
    """
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise UsageError(
                f"two plugins are named {point.name!r} in {group}: {other.value} and {point.value};"
                " uninstall one of them"
            )
    return found


def installed_version() -> str:
    """Return the version of this package as it is installed, for example ``0.2.0``."""
    return version("videor1")
