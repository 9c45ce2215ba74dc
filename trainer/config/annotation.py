"""Settings of ``videor1 annotate``; its flags are generated from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.backends.engine_config import EngineConfig
from harness.bounds import at_least_zero, positive, share
from harness.run.config import DecodeConfig, FailureBudget
from harness.schema import Sampling
from trainer.config.sections import FrameSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateConfig:
    """How rationales are sampled and which rows are kept.

    The defaults are those of Video-R1's chain-of-thought generation, see docs/sources.md.
    """

    limit: int | None = field(default=None, metadata={"metavar": "N"})
    """Rows, evenly spaced through the files (default: all)."""
    exclude_bad_rows: bool = False
    """Leave malformed rows out instead of stopping at them."""
    min_reward: float = field(default=0.6, metadata={"metavar": "R"})
    """Keep answers whose reward is above it."""
    max_frames: int = field(default=FrameSettings().max_frames, metadata={"metavar": "N"})
    """Frames per video at most."""
    temperature: float = field(default=1.0, metadata={"metavar": "T"})
    """Sampling temperature."""
    top_p: float = field(default=0.95, metadata={"metavar": "P"})
    """Share of probability that is sampled from."""
    max_tokens: int = field(default=512, metadata={"metavar": "N"})
    """Tokens of an answer at most."""
    seed: int = field(default=0, metadata={"metavar": "N"})
    """Seed of sampling."""
    max_failures: str = field(default="0", metadata={"metavar": "N|P%"})
    """Failed rows that a complete run may have, a count or a percentage."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)

    def __post_init__(self) -> None:
        positive(self, "limit", "max_frames", "max_tokens", "top_p")
        at_least_zero(self, "temperature")
        share(self, "top_p")
        if not 0 <= self.min_reward < 1:
            raise ValueError(
                f"min_reward: expected a number from 0 to below 1, got {self.min_reward}"
            )
        FailureBudget.parse(self.max_failures)

    @property
    def failure_budget(self) -> FailureBudget:
        """The parsed `max_failures`."""
        return FailureBudget.parse(self.max_failures)

    @property
    def sampling(self) -> Sampling:
        """The sampling that a backend is asked for."""
        return Sampling(
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            seed=self.seed,
        )

    @property
    def frames(self) -> FrameSettings:
        """The frame settings of training, with `max_frames` as their limit."""
        preset = FrameSettings()
        return FrameSettings(
            max_frames=self.max_frames, min_frames=min(preset.min_frames, self.max_frames)
        )
