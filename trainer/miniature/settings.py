"""Read the settings of the experiment from a TOML file; ``tiny`` and ``gpu`` are shipped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from harness.bounds import positive
from harness.config import read_settings
from tasks.motionworld.checkpoint import ModelSize
from tasks.motionworld.splits import ALL_ASPECTS, Split
from tasks.motionworld.stills import STILLS
from trainer.config.algorithms import ALGORITHMS
from trainer.config.presets import find_config, presets_of
from trainer.config.renamed import refuse_old_settings

RENAMED: Mapping[str, str] = MappingProxyType({"world": "dataset", "enough": "min_dev_score"})
"""Old names of settings and their new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSettings:
    """The MotionWorld dataset: its aspects and the sizes of its splits."""

    aspects: tuple[str, ...]
    sft: int
    """Contrast pairs per video aspect, and images per image aspect, for supervised fine-tuning."""
    rl: int
    """The same for reinforcement learning."""
    dev: int
    """The same for tuning and for the evaluation of every checkpoint."""
    test: int
    """The same for the final evaluation."""
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.aspects if name not in ALL_ASPECTS]
        if unknown or not self.aspects:
            raise ValueError(f"aspects: no {unknown[:1]}; there are {', '.join(ALL_ASPECTS)}")
        positive(self, "sft", "rl", "dev", "test")

    @property
    def has_images(self) -> bool:
        """True if the dataset has image questions."""
        return any(name in STILLS for name in self.aspects)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits with their sizes."""
        return (
            Split(name="sft", pairs=self.sft, stills=self.sft),
            Split(name="rl", pairs=self.rl, stills=self.rl),
            Split(name="dev", pairs=self.dev, stills=self.dev, held_out=True),
            Split(name="test", pairs=self.test, stills=self.test, held_out=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureSettings:
    """All settings of the experiment except the seeds and the recipes."""

    recipes: str
    """Preset of ``videor1 train sft|grpo|tgrpo`` with which every arm is trained."""
    dataset: DatasetSettings
    model: ModelSize = field(default_factory=ModelSize)
    backend: Literal["auto", "transformers", "vllm"] = "transformers"
    """Engine of the evaluations."""
    min_dev_score: float = 80.0
    """Points on the development clips that an SFT checkpoint needs.

    Reinforcement learning starts from the first SFT checkpoint with this score, or from the last
    one where none has it.
    """
    sft_steps: int | None = None
    """Updates of supervised fine-tuning; None: the recipe's."""
    threads: int | None = None
    """CPU threads of every command; None: the libraries' choice. The last bits of results depend on
    it."""

    def __post_init__(self) -> None:
        positive(self, "sft_steps", "threads")
        for algorithm in ALGORITHMS.values():
            if self.recipes not in algorithm.presets:
                raise ValueError(
                    f"recipes: {algorithm} has no preset {self.recipes!r}; it has"
                    f" {', '.join(algorithm.presets)}"
                )


def read_miniature(config: str, assignments: Sequence[str] = ()) -> MiniatureSettings:
    """Read a settings file or a shipped one, changed by ``section.field=value`` strings.

    Raises:
        UsageError: No such file, an unknown or renamed key, or a value of the wrong type or range.
    """
    path, presets = find_config("miniature", config), presets_of("miniature")
    refuse_old_settings(path, assignments, RENAMED, presets)
    return read_settings(MiniatureSettings, path, assignments, presets)
