"""The recipe of a training run: one TOML file, read into frozen dataclasses.

Presets come with each algorithm, where they make sense: ``paper`` (the paper's values), ``code``
(those of its published code), and the miniature's ``tiny`` (two CPU cores) and ``gpu`` (one GPU).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.config import read_settings
from harness.errors import UsageError
from trainer.config.renamed import refuse_old_settings
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
    ModelSettings,
    OptimSettings,
    RewardSettings,
    RolloutSettings,
    TemporalRewardSettings,
    TwinRolloutSettings,
)

RECIPES = Path(__file__).parent / "recipes"


class Algorithm(StrEnum):
    """What ``videor1 train`` can do; a recipe file belongs to one."""

    SFT = "sft"
    GRPO = "grpo"
    TGRPO = "tgrpo"


@dataclass(frozen=True, slots=True, kw_only=True)
class SFTRecipe:
    """Supervised fine-tuning on rows with a rationale."""

    model: ModelSettings
    data: DataSettings
    frames: FrameSettings = field(default_factory=FrameSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPORecipe:
    """Group-relative policy optimisation with the paper's rewards."""

    model: ModelSettings
    data: DataSettings
    frames: FrameSettings = field(default_factory=FrameSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class TGRPORecipe(GRPORecipe):
    """GRPO with the temporal contrast."""

    rollout: TwinRolloutSettings = field(default_factory=TwinRolloutSettings)
    reward: TemporalRewardSettings = field(default_factory=TemporalRewardSettings)


Recipe = SFTRecipe | GRPORecipe | TGRPORecipe

RECIPE_OF: Mapping[Algorithm, type[Recipe]] = MappingProxyType(
    {Algorithm.SFT: SFTRecipe, Algorithm.GRPO: GRPORecipe, Algorithm.TGRPO: TGRPORecipe}
)


def read_recipe(algorithm: Algorithm, config: str, assignments: Sequence[str] = ()) -> Recipe:
    """Read a recipe by file or preset name, changed by ``section.field=value`` strings.

    Args:
        algorithm: Whose recipe it is.
        config: Path of a TOML file, or a preset, such as ``paper`` or ``tiny``.
        assignments: Values that replace the file's.

    Raises:
        UsageError: No such file or preset, an unknown key, or a value of the wrong type or range.
    """
    path = find_recipe(algorithm, config)
    kind = RECIPE_OF[algorithm]
    refuse_old_settings(path, assignments)
    return read_settings(kind, path, assignments)


def find_recipe(algorithm: Algorithm, config: str) -> Path:
    """Return the file of a recipe: a path, or one of the presets that come with the trainer."""
    if Path(config).suffix == ".toml":
        return Path(config)
    presets = presets_of(algorithm)
    if config not in presets:
        raise UsageError(
            f"--config {config}: neither a .toml file nor a preset of {algorithm}; presets:"
            f" {', '.join(presets)}"
        )
    return presets[config]


def presets_of(algorithm: Algorithm) -> dict[str, Path]:
    """Map preset names to the recipe files that come with the trainer."""
    files = {"paper": RECIPES / f"{algorithm}.toml"}
    files |= {name: RECIPES / f"{algorithm}-{name}.toml" for name in ("code", "tiny", "gpu")}
    return {name: path for name, path in files.items() if path.is_file()}


def completions_per_update(recipe: GRPORecipe, processes: int) -> int:
    """Return how many completions an update is made of, over all processes.

    Raises:
        UsageError: They are not whole groups.
    """
    group = recipe.rollout.num_generations
    per_pass = recipe.optim.per_device_train_batch_size
    passes = recipe.optim.gradient_accumulation_steps
    completions = per_pass * passes * processes
    if completions % group:
        raise UsageError(
            f"rollout.num_generations {group} does not divide the {completions} completions of an"
            f" update (optim.per_device_train_batch_size {per_pass} x"
            f" optim.gradient_accumulation_steps {passes} x {processes} processes); change one of"
            " them"
        )
    return completions


def require_enough_rows(recipe: Recipe, rows: int, processes: int) -> None:
    """Raise `UsageError` where the rows do not fill one update, so that none would ever be made.

    Supervised updates may be smaller than asked for; groups of completions are never cut.
    """
    if not isinstance(recipe, GRPORecipe):
        return
    prompts = completions_per_update(recipe, processes) // recipe.rollout.num_generations
    if rows < prompts:
        raise UsageError(
            f"an update takes {prompts} different prompts and there are {rows} rows; give more"
            " rows, or lower optim.per_device_train_batch_size or optim.gradient_accumulation_steps"
        )


def as_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON types: what a run directory stores and compares."""
    plain: dict[str, Any] = _plain(dataclasses.asdict(recipe))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path | StrEnum) else value
