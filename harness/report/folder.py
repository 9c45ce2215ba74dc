"""Makes place for pages in a folder: an older report there is deleted, anything else is kept."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.errors import UsageError
from harness.files import write_json

FRAMES, ASSETS = "frames", "assets"
"""Folders of pictures, and of styles and scripts."""
INDEX = "index.html"
MARK = "report.json"
"""File by which a folder is known to be a report; it is written first."""


def make_place(out: Path, *folders: str) -> None:
    """Delete an older report in a folder, and mark the folder as one.

    Args:
        out: The folder of the report.
        folders: Which folders it has beside its assets.

    Raises:
        UsageError: The folder holds other files.
    """
    own = {*folders, ASSETS}
    names = set()
    if out.exists():
        names = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
    if names and (MARK not in names or not names <= {*own, MARK, INDEX}):
        raise UsageError(
            f"{out}: exists and is not a report; choose another folder with -o, or empty this one"
        )
    for name in own:
        shutil.rmtree(out / name, ignore_errors=True)
    (out / INDEX).unlink(missing_ok=True)
    write_json(out / MARK, {"videor1_report": 1})
