"""How large the experiment is: one TOML file, ``tiny`` for two CPU cores, ``gpu`` for one GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.bounds import positive
from harness.config import read_settings
from tasks.motionworld.checkpoint import ModelSize
from tasks.motionworld.splits import ALL_ASPECTS, Split
from tasks.motionworld.stills import STILLS
from trainer.config.algorithms import ALGORITHMS
from trainer.config.presets import find_config


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What is drawn."""

    aspects: tuple[str, ...]
    sft: int
    """Pairs of clips per aspect, and still pictures per kind, that supervision teaches with."""
    rl: int
    """The same for reinforcement learning."""
    dev: int
    """The same for tuning and continuous evaluation."""
    test: int
    """The same for the result."""
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [name for name in self.aspects if name not in ALL_ASPECTS]
        if unknown or not self.aspects:
            raise ValueError(f"aspects: no {unknown[:1]}; there are {', '.join(ALL_ASPECTS)}")
        positive(self, "sft", "rl", "dev", "test")

    @property
    def has_stills(self) -> bool:
        """Whether anything is asked about still pictures."""
        return any(name in STILLS for name in self.aspects)

    @property
    def splits(self) -> tuple[Split, ...]:
        """The same as splits of the world."""
        return (
            Split(name="sft", pairs=self.sft, stills=self.sft),
            Split(name="rl", pairs=self.rl, stills=self.rl),
            Split(name="dev", pairs=self.dev, stills=self.dev, held_out=True),
            Split(name="test", pairs=self.test, stills=self.test, held_out=True),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MiniatureSettings:
    """Everything that the experiment depends on besides the seeds and the recipes."""

    recipes: str
    """Preset of ``videor1 train sft|grpo|tgrpo`` that every arm is trained by."""
    world: WorldSettings
    model: ModelSize = field(default_factory=ModelSize)
    backend: Literal["auto", "transformers", "vllm"] = "transformers"
    """What evaluates."""
    enough: float = 80.0
    """Points on the development clips at which supervision has taught enough.

    Rewards go on from the first checkpoint that has them, from the last one where none has.
    """
    sft_steps: int | None = None
    """Updates of supervision; None: the recipe's."""
    threads: int | None = None
    """Of every command; None: what libraries choose. The last bits of results depend on it."""

    def __post_init__(self) -> None:
        positive(self, "sft_steps", "threads")
        for algorithm in ALGORITHMS.values():
            if self.recipes not in algorithm.presets:
                raise ValueError(
                    f"recipes: {algorithm} has no preset {self.recipes!r}; it has"
                    f" {', '.join(algorithm.presets)}"
                )


def read_miniature(config: str, assignments: Sequence[str] = ()) -> MiniatureSettings:
    """Read a settings file or a shipped one, changed by ``section.field=value`` strings."""
    return read_settings(MiniatureSettings, find_config("miniature", config), assignments)
