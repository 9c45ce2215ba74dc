"""Read the settings of an experiment from a TOML file, a shipped one or another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from harness.bounds import at_least_zero, between, positive
from harness.config import read_settings
from tasks.motionworld.checkpoint import ModelSize
from tasks.motionworld.marks import ASPECT, CHANCE
from tasks.motionworld.splits import ALL_ASPECTS, Split
from tasks.motionworld.stills import STILLS
from trainer.config.algorithms import ALGORITHMS, Algorithm
from trainer.config.presets import find_config, presets_of
from trainer.config.renamed import refuse_old_settings

RENAMED: Mapping[str, str] = MappingProxyType({"world": "dataset", "enough": "min_dev_score"})
"""Old names of settings and their new ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSettings:
    """Clips with a mark that may name the answer (`tasks.motionworld.marks`)."""

    order_share: float
    """Share of the rows for supervised fine-tuning whose rationale reads the order of the frames;
    the others read the mark."""
    agreements: tuple[float, ...]
    """Shares of the rows for reinforcement learning whose mark agrees with the answer; each is an
    arm of its own. With 0.5 the mark says nothing."""

    def __post_init__(self) -> None:
        between(self, "order_share", 0, 1)
        wrong = [share for share in self.agreements if not CHANCE <= share <= 1]
        if wrong or len(set(self.agreements)) < len(self.agreements):
            raise ValueError(
                f"agreements: expected different shares from {CHANCE} to 1, got {self.agreements}"
            )
        if CHANCE not in self.agreements:
            raise ValueError(f"agreements: {CHANCE}, the control without a shortcut, is missing")


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
    marks: MarkSettings | None = None
    """Clips with marks, of the aspect `order` alone; None: clips and images without marks."""

    def __post_init__(self) -> None:
        unknown = [name for name in self.aspects if name not in ALL_ASPECTS]
        if unknown or not self.aspects:
            raise ValueError(f"aspects: no {unknown[:1]}; there are {', '.join(ALL_ASPECTS)}")
        positive(self, "sft", "rl", "dev", "test")
        if self.marks is not None and self.aspects != (ASPECT,):
            raise ValueError(f"aspects: clips with marks are of {ASPECT} alone, got {self.aspects}")

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
    """Preset of ``videor1 train`` with which every arm is trained."""
    dataset: DatasetSettings
    study: Literal["ablation", "shortcut"] = "ablation"
    """Which arms are trained, how they are evaluated, and what the report asks."""
    algorithms: tuple[str, ...] = ()
    """The algorithms that `shortcut` compares; the first one is what the others are compared with.
    """
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
    temperature: float = 0.0
    """Sampling temperature of the evaluations of `shortcut`; at 1 a model answers as it does in
    training, so that a share of answers is seen where greedy decoding shows the larger one."""
    warm: bool = False
    """Run the commands in forks of processes that have imported PyTorch: for trainings that take
    less time than its import."""
    margin: float = 5.0
    """Points below which a difference does not matter, for the answers of `shortcut`."""
    threads: int | None = None
    """CPU threads of every command; None: the libraries' choice. The last bits of results depend on
    it."""

    def __post_init__(self) -> None:
        positive(self, "sft_steps", "threads")
        at_least_zero(self, "temperature", "margin")
        unknown = [name for name in self.algorithms if name not in ALGORITHMS]
        if unknown:
            raise ValueError(f"algorithms: no {unknown[0]!r}; there are {', '.join(ALGORITHMS)}")
        if (self.study == "shortcut") != (self.dataset.marks is not None and bool(self.algorithms)):
            raise ValueError(
                "study: expected shortcut with dataset.marks and algorithms, or ablation without"
            )
        for algorithm in self.used_algorithms:
            if self.recipes not in algorithm.presets:
                raise ValueError(
                    f"recipes: {algorithm} has no preset {self.recipes!r}; it has"
                    f" {', '.join(algorithm.presets)}"
                )

    @property
    def used_algorithms(self) -> tuple[Algorithm, ...]:
        """The algorithms that need a recipe."""
        names = self.algorithms or ("grpo", "tgrpo")
        return tuple(ALGORITHMS[name] for name in ("sft", *names))


def describe_settings(settings: MiniatureSettings) -> dict[str, Any]:
    """Return the settings as a folder stores them.

    Settings that version 0.1 did not have are left out where they are unset, so that its
    experiments go on.
    """
    described = asdict(settings)
    for part, name in (
        (described["dataset"], "marks"), *((described, name) for name in _ONLY_OF_SHORTCUT),
    ):  # fmt: skip
        if settings.study == "ablation":
            del part[name]
    return described


_ONLY_OF_SHORTCUT = ("study", "algorithms", "temperature", "warm", "margin")


def read_miniature(config: str, assignments: Sequence[str] = ()) -> MiniatureSettings:
    """Read a settings file or a shipped one, changed by ``section.field=value`` strings.

    Raises:
        UsageError: No such file, an unknown or renamed key, or a value of the wrong type or range.
    """
    path, presets = find_config("miniature", config), presets_of("miniature")
    refuse_old_settings(path, assignments, RENAMED, presets)
    return read_settings(MiniatureSettings, path, assignments, presets)
