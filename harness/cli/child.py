"""Build the command line of a ``videor1`` command that runs in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterable

PREFIX = (sys.executable, "-P", "-m", "harness")
"""``-P`` keeps the working directory off the import path: a ``tasks.py`` of the user there would
be imported in place of the package ``tasks``."""


def child_command(words: Iterable[object]) -> list[str]:
    """Return the command line for what follows ``videor1``, such as ``["eval", "CHECKPOINT"]``."""
    return [*PREFIX, *map(str, words)]
