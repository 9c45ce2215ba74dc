"""The checkpoint that comes along: what `videor1 miniature` trained; README.md is its card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHECKPOINT = Path(__file__).parent
"""A folder as ``videor1 eval`` takes it."""


def card() -> dict[str, Any]:
    """Return how the checkpoint was made, and its scores in points by task and variant."""
    content: dict[str, Any] = json.loads((CHECKPOINT / "card.json").read_text(encoding="utf-8"))
    return content
