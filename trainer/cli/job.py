"""What ``videor1 train`` settles before rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.config.recipe import (
        Algorithm,
        Recipe,
    )
    from trainer.runs.folder import DistInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything settled before rows are read."""

    algorithm: Algorithm
    recipe: Recipe
    out: Path
    dist: DistInfo
