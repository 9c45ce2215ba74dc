"""What is watched, and how: the settings of ``videor1 watch``, one TOML file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from harness.bounds import positive
from harness.config import read_settings
from harness.errors import UsageError
from harness.files import FolderClaim, read_json
from harness.gate.policy import Policy
from trainer.config.recipe import RECIPES

SETTINGS = "watch.json"
CLAIM = FolderClaim(manifest=SETTINGS, kind="watch")


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSettings:
    """The fixed part of the benchmarks that every checkpoint answers."""

    tasks: tuple[str, ...] = ("videommmu", "vsibench", "mvbench", "tempcompass")
    data: Path = Path("data")
    protocol: Literal["video-r1", "official"] = "video-r1"
    items_per_task: int | None = 200
    """Spread over the categories, the same items for every checkpoint; None: all."""
    max_frames: int | None = None
    max_pixels: int | None = None
    backend: Literal["auto", "vllm", "transformers", "fake"] = "auto"
    max_failures: str = "0"
    frame_cache: bool = True
    """Keep decoded frames beside the results, so that each video is decoded once per watch."""
    attempts: int = 3
    """How often an evaluation that crashes is started."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or (self.items_per_task is not None and self.items_per_task < 1):
            raise ValueError("attempts and items_per_task: expected at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When a checkpoint counts as worse than the one that training began with."""

    start: str | None = None
    """The checkpoint to compare with; None: the one that the recipe of the run names."""
    margin: float = 2.0
    """Points that a task's score may truly have dropped by."""
    alpha: float = 0.05
    """Chance of a false REGRESSION over the whole training, all looks together."""
    looks: int | None = None
    """Checkpoints that will be judged; None: as many as the run is going to save."""
    stop_on_regression: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.margin <= 100 or not 0 < self.alpha <= 0.5:
            raise ValueError("margin is 0 to 100 points, alpha above 0 and at most 0.5")
        if self.looks is not None and self.looks < 1:
            raise ValueError(f"looks: expected at least 1, got {self.looks}")

    def policy(self, looks: int) -> Policy:
        """Return the policy of one look of so many.

        Each look spends an equal part of alpha (Bonferroni's alpha spending). Sequential bounds
        that spend less assume that looks accumulate data; here each look is another model.
        """
        return Policy(margin=self.margin, alpha=self.alpha / looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """Everything that ``videor1 watch`` can be told."""

    slice: SliceSettings = field(default_factory=SliceSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    poll_s: float = 10.0
    """Seconds between two looks for new checkpoints."""
    patience_s: float = 600.0
    """Seconds without a sign of life after which a training counts as interrupted."""

    def __post_init__(self) -> None:
        positive(self, "poll_s", "patience_s")


def keep(out: Path, settings: WatchSettings, run: Path) -> None:
    """Write down what is watched and how.

    Raises:
        RunMismatchError: `out` holds a watch of something else.
    """
    asked = {
        "run": str(run.resolve()),
        "slice": {**asdict(settings.slice), "data": str(settings.slice.data)},
        "gate": asdict(settings.gate),
    }
    CLAIM.take(out, asked)


def watched_run(out: Path) -> Path:
    """Return the folder of the training run that a watch's folder belongs to."""
    if not (out / SETTINGS).exists():
        raise UsageError(f"{out}: not the results of `videor1 watch` (no {SETTINGS})")
    return Path(read_json(out / SETTINGS)["run"])


def read_watch_settings(config: str, assignments: Sequence[str] = ()) -> WatchSettings:
    """Read a settings file, or the shipped ``paper`` or ``tiny`` one."""
    presets = {"paper": RECIPES / "watch.toml", "tiny": RECIPES / "watch-tiny.toml"}
    path = Path(config) if config.endswith(".toml") else presets.get(config)
    if path is None:
        raise UsageError(f"--config {config}: neither a .toml file nor one of {', '.join(presets)}")
    return read_settings(WatchSettings, path, assignments)
