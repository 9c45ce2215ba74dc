"""Choose what the ids of training rows begin with, so that files of one name are told apart."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.errors import DatasetError


def id_prefixes(files: Sequence[Path]) -> list[str]:
    """Return what the ids of each file's rows begin with: its stem, or as much as differs.

    ``rows`` for ``data/rows.json`` alone; ``a/rows`` and ``b/rows`` for files of one name in two
    folders.

    Raises:
        DatasetError: A file is named twice.
    """
    plain = [Path(os.path.normpath(path)) for path in files]
    found = []
    for path in plain:
        others = [other for other in plain if other is not path]
        if path in others:
            raise DatasetError(f"data.rows names {path} twice")
        names = (Path(*path.parts[-count:]) for count in range(1, len(path.parts) + 1))
        ends = (str(name.with_suffix("")) for name in names if _differs(name, others))
        found.append(next(ends, str(path)))
    return found


def _differs(name: Path, others: Sequence[Path]) -> bool:
    """Return whether no other file ends in the same parts, apart from its suffix."""
    parts = name.with_suffix("").parts
    return all(other.with_suffix("").parts[-len(parts) :] != parts for other in others)
