"""The benchmarks, one module each, and what a benchmark of your own is built from.

`docs/benchmarks.md` shows how to add one. The names below are imported on first use: every command
imports this package, and most commands need none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.base import (
        MICRO,
        MODEL_PIXELS,
        MODEL_SIZED,
        PAPER_FRAMES,
        PAPER_SAMPLING,
        Benchmark,
    )
    from tasks.files import Row, first_existing, inside, json_rows, read_json, read_rows

__all__ = [
    "MICRO",
    "MODEL_PIXELS",
    "MODEL_SIZED",
    "PAPER_FRAMES",
    "PAPER_SAMPLING",
    "Benchmark",
    "Row",
    "first_existing",
    "inside",
    "json_rows",
    "read_json",
    "read_rows",
]

_MODULES = {
    "tasks.base": (
        "MICRO",
        "MODEL_PIXELS",
        "MODEL_SIZED",
        "PAPER_FRAMES",
        "PAPER_SAMPLING",
        "Benchmark",
    ),
    "tasks.files": ("Row", "first_existing", "inside", "json_rows", "read_json", "read_rows"),
}

if not TYPE_CHECKING:  # a type checker would take any name for one of these

    def __getattr__(name: str) -> object:
        """Import an exported name on first use."""
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
