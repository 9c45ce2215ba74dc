"""The recipe of a training run: one frozen dataclass per algorithm, made of sections."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast

from harness.config import NO_PRESETS, read_settings
from harness.errors import UsageError
from trainer.config.choices import RolloutEngine
from trainer.config.renamed import refuse_old_settings
from trainer.config.rl_sections import (
    RewardSettings,
    RewardUse,
    RolloutSettings,
    TemporalRewardSettings,
    TGRPORolloutSettings,
)
from trainer.config.sections import (
    DataSettings,
    FrameSettings,
    ModelSettings,
    OptimSettings,
)
from trainer.config.trl_fields import CORRECTION, SAMPLING, refuse_owned


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The sections that every algorithm has, and what costs and checks need to know of it."""

    model: ModelSettings
    data: DataSettings
    frames: FrameSettings = field(default_factory=FrameSettings)
    optim: OptimSettings = field(default_factory=OptimSettings)
    trl: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of TRL's config class."""

    def __post_init__(self) -> None:
        values = {entry.name: getattr(self, entry.name) for entry in dataclasses.fields(self)}
        refuse_owned(self.trl, {k: type(v) for k, v in values.items() if k != "trl"})

    @property
    def reward_functions(self) -> tuple[RewardUse, ...]:
        """The rewards that the recipe names itself."""
        return ()

    def beside(self, folder: Path) -> Recipe:
        """Return the recipe with the paths of files that it names and that lie in `folder`."""
        return self

    @property
    def samples_completions(self) -> bool:
        """Whether the model writes the completions it learns from, instead of reading targets."""
        return False

    @property
    def group_size(self) -> int:
        """Completions per prompt that get a gradient."""
        return 1

    @property
    def shuffled_group_size(self) -> int:
        """Completions per video prompt that are sampled with shuffled frames."""
        return 0

    @property
    def max_completion_length(self) -> int | None:
        """Tokens of a sampled completion at most; None where targets are read from the rows."""
        return None

    @property
    def needs_reference_model(self) -> bool:
        """Whether the starting weights stay in memory beside the trained ones."""
        return False

    def sequences_per_update(self, world_size: int) -> int:
        """Return how many rows (SFT) or completions an update has, over all processes.

        Raises:
            UsageError: They cannot be divided into groups.
        """
        per_pass = self.optim.per_device_train_batch_size
        passes = self.optim.gradient_accumulation_steps
        sequences = per_pass * passes * world_size
        if sequences % self.group_size:
            raise UsageError(
                f"rollout.num_generations {self.group_size} does not divide the {sequences}"
                f" completions of an update (optim.per_device_train_batch_size {per_pass} x"
                f" optim.gradient_accumulation_steps {passes} x {world_size} processes); change"
                " one of them"
            )
        return sequences

    def require_enough_rows(self, rows: int, world_size: int) -> None:
        """Raise `UsageError` where the rows do not fill one update, so that none would be made.

        The last update of SFT may be smaller than the others; groups are never cut.
        """
        if not self.samples_completions:
            return
        prompts = self.sequences_per_update(world_size) // self.group_size
        if rows < prompts:
            raise UsageError(
                f"an update takes {prompts} different prompts and there are {rows} rows; add"
                " rows, or lower optim.per_device_train_batch_size or"
                " optim.gradient_accumulation_steps"
            )


_SCALING = ("scale_rewards", "multi_objective_aggregation")
"""Fields that say how TRL scales advantages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SFTRecipe(Recipe):
    """Supervised fine-tuning on rows with a rationale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPORecipe(Recipe):
    """Group-relative policy optimisation with the paper's rewards."""

    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    reward: RewardSettings = field(default_factory=RewardSettings)

    def __post_init__(self) -> None:
        Recipe.__post_init__(self)  # slots: no zero-argument super()
        lost = [name for name in SAMPLING if name in self.trl]
        if lost and self.rollout.engine.is_vllm:
            engine = self.rollout.engine
            raise ValueError(f'trl.{lost[0]} cannot be set: rollout.engine = "{engine}" ignores it')
        if self.rollout.ahead and not self.trl.get(CORRECTION, True):
            raise ValueError(
                f"trl.{CORRECTION}: expected true with rollout.ahead, whose completions are of"
                " older weights than the update"
            )
        if self.model.load_in_4bit and self.rollout.engine.is_vllm:
            raise ValueError(
                f'rollout.engine: expected "{RolloutEngine.TRANSFORMERS}" with model.load_in_4bit:'
                " weights in 4 bits cannot be copied to vLLM"
            )
        scaled = [name for name in _SCALING if name in self.trl]
        if scaled and self.reward.task_ema_decay is not None:
            raise ValueError(
                f"trl.{scaled[0]} cannot be set: reward.task_ema_decay scales the advantages"
            )
        if self.reward.task_ema_decay is not None and self.scale_rewards != "group":
            raise ValueError(
                "reward.task_ema_decay: this algorithm says itself what advantages are divided by"
                f" ({self.scale_rewards}); leave it out, or train with grpo or tgrpo"
            )
        self._require_saves_between_batches()

    def _require_saves_between_batches(self) -> None:
        """Raise where a checkpoint would lie amid the updates of one batch of completions.

        The batch is in no checkpoint, so that a resumed run would sample another one.
        """
        updates, between = self.trl.get("num_iterations", 1), self.optim.save_steps
        if isinstance(updates, int) and updates > 1 and between % updates:
            after = (between // updates + 1) * updates
            near = " or ".join(str(n) for n in (after - updates, after) if n)
            raise ValueError(
                f"optim.save_steps: expected a multiple of trl.num_iterations {updates}, got"
                f" {between}: a run resumes exactly only between two batches of completions;"
                f" set {near}"
            )

    @property
    def reward_functions(self) -> tuple[RewardUse, ...]:
        """The rewards that the recipe names itself; empty: the algorithm's own."""
        return self.reward.functions

    def beside(self, folder: Path) -> Recipe:
        """Return the recipe with the paths of its rewards' files."""
        uses = tuple(use.beside(folder) for use in self.reward.functions)
        return replace(self, reward=replace(self.reward, functions=uses))

    @property
    def samples_completions(self) -> bool:
        """True."""
        return True

    @property
    def scale_rewards(self) -> str:
        """What advantages are divided by, as TRL names it, where ``[trl]`` does not say."""
        return "group"

    @property
    def group_size(self) -> int:
        """G, completions per prompt."""
        return self.rollout.num_generations

    @property
    def max_completion_length(self) -> int | None:
        """Tokens of a sampled completion at most."""
        return self.rollout.max_completion_length

    @property
    def needs_reference_model(self) -> bool:
        """Whether there is a KL term; with an adapter the model without it is the reference."""
        return bool(self.reward.beta) and self.model.lora is None


@dataclass(frozen=True, slots=True, kw_only=True)
class TGRPORecipe(GRPORecipe):
    """GRPO with the temporal contrast."""

    rollout: TGRPORolloutSettings = field(default_factory=TGRPORolloutSettings)
    reward: TemporalRewardSettings = field(default_factory=TemporalRewardSettings)

    @property
    def shuffled_group_size(self) -> int:
        """G~, completions per video prompt with shuffled frames."""
        return self.rollout.shuffled_group_size


RecipeT = TypeVar("RecipeT", bound=Recipe)


def read_recipe_file(
    kind: type[RecipeT],
    path: Path,
    assignments: Sequence[str] = (),
    presets: Mapping[str, Path] = NO_PRESETS,
) -> RecipeT:
    """Read a recipe, changed by ``section.field=value`` strings.

    Args:
        kind: The recipe class of the algorithm.
        path: A TOML file.
        assignments: Values that replace the file's (``--set``).
        presets: Shipped recipes by name, which the file may extend.

    Raises:
        UsageError: The file cannot be read, an unknown or old key, or a value of the wrong type or
            out of bounds.
    """
    refuse_old_settings(path, assignments, presets=presets)
    recipe: Any = read_settings(kind, path, assignments, presets).beside(path.parent)
    return cast(RecipeT, recipe)


def as_json(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as JSON types: what a run directory stores and compares."""
    plain: dict[str, Any] = _to_json(dataclasses.asdict(recipe))
    return plain


def _to_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_to_json(item) for item in value]
    return str(value) if isinstance(value, Path | StrEnum) else value
