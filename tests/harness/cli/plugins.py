"""Commands of another package, installed for one test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    module: str,
    commands: Mapping[str, str],
    code: str,
) -> Path:
    """Put a distribution with commands (name -> class) on the import path; return its folder."""
    meta = folder / f"{module}-1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    points = "".join(f"{name} = {module}:{cls}\n" for name, cls in commands.items())
    (meta / "entry_points.txt").write_text(f"[videor1.commands]\n{points}")
    (folder / f"{module}.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    return folder
