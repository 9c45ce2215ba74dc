"""The checkpoint that comes with the package, trained by `videor1 miniature`; see README.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHECKPOINT = Path(__file__).parent
"""Checkpoint folder for ``videor1 eval``."""


def card() -> dict[str, Any]:
    """Return ``card.json``: how the checkpoint was trained, and its scores by task and variant."""
    content: dict[str, Any] = json.loads((CHECKPOINT / "card.json").read_text(encoding="utf-8"))
    return content
