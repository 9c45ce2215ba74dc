"""Read the settings of ``videor1 watch``: what to evaluate, and when a checkpoint is worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from harness.backends.engine_config import EngineConfig, given_settings
from harness.bounds import between, positive
from harness.config import read_settings
from harness.errors import UsageError
from harness.files import FolderClaim, read_json
from harness.gate.policy import Policy, ProbeRule
from harness.probe.config import ProbeConfig
from harness.run.config import TrackConfig
from harness.run.protocol_files import find_protocol
from harness.run.selections import check_selections
from harness.schema import Variant
from harness.task.suites import expand_suites
from trainer.config.presets import find_config, presets_of
from trainer.config.renamed import refuse_old_settings, rename_fields

SETTINGS = "watch.json"

RENAMED: Mapping[str, str] = MappingProxyType(
    {"patience_s": "stalled_after_s", "gate.looks": "gate.evaluations"}
)
"""Old names of settings and their new ones."""

_SERVED = "a watch starts its own engine for every checkpoint; leave it out"
NOT_FOR_WATCHES: Mapping[str, str] = MappingProxyType(
    {
        "backend": "name it as slice.backend",
        **dict.fromkeys(
            ("base_url", "concurrency", "extra_body", "video_as_images", "frame_grid"), _SERVED
        ),
    }
)
"""Settings of engines that a watch does not take, with the reason."""

CLAIM = FolderClaim(
    manifest=SETTINGS, kind="watch", compared=partial(rename_fields, renamed=RENAMED)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceSettings:
    """The part of the benchmarks on which every checkpoint is evaluated."""

    tasks: tuple[str, ...] = ("videommmu", "vsibench", "mvbench", "tempcompass")
    data: Path = Path("data")
    protocol: str = "video-r1"
    """A preset, or a protocol file as `videor1 eval --protocol` takes it."""
    items_per_task: int | None = 200
    """Spread over the categories, the same items for every checkpoint; None: all items."""
    max_frames: int | None = None
    max_pixels: int | None = None
    backend: Literal["auto", "vllm", "transformers", "fake"] = "auto"
    max_failures: str = "0"
    frame_cache: bool = True
    """Store decoded frames in the watch's folder, so that each video is decoded once per watch."""
    attempts: int = 3
    """How often an evaluation is started before it counts as failed."""
    variants: tuple[str, ...] = ()
    """Variants of `videor1 probe` that are asked, ordered among them; empty: ordered alone."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", expand_suites(self.tasks))
        if self.attempts < 1 or (self.items_per_task is not None and self.items_per_task < 1):
            raise ValueError("attempts and items_per_task: expected at least 1")
        if self.variants:
            ProbeConfig(variants=self.variants)  # refuses unknown ones, and those without ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSettings:
    """When a checkpoint counts as worse than the one that training started from."""

    start: str | None = None
    """The checkpoint to compare with; None: the one that the run's recipe names."""
    margin: float = 2.0
    """Accepted drop of a task's score, in points."""
    gain_margin: float | None = None
    """Accepted drop of a task's temporal gain, in points; None: `margin`."""
    alpha: float = 0.05
    """Probability of a false REGRESSION over the whole training, all evaluations together."""
    evaluations: int | None = None
    """Number of checkpoints that get a verdict; None: as many as the run is going to save."""
    stop_on_regression: bool = False

    def __post_init__(self) -> None:
        between(self, "gain_margin", 0, 100)
        if not 0 <= self.margin <= 100 or not 0 < self.alpha <= 0.5:
            raise ValueError("margin is 0 to 100 points, alpha above 0 and at most 0.5")
        if self.evaluations is not None and self.evaluations < 1:
            raise ValueError(f"evaluations: expected at least 1, got {self.evaluations}")

    def policy(self, evaluations: int) -> Policy:
        """Return the gate policy of one of so many evaluations.

        Each evaluation spends an equal part of alpha (Bonferroni). Sequential tests, which spend
        less, assume that evaluations accumulate data; here each one tests another model.
        """
        return Policy(
            margin=self.margin,
            alpha=self.alpha / evaluations,
            probe=ProbeRule(margin=self.gain_margin),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """All settings of ``videor1 watch``."""

    slice: SliceSettings = field(default_factory=SliceSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    poll_s: float = 10.0
    """Seconds between two checks for new checkpoints."""
    stalled_after_s: float = 600.0
    """Seconds without a sign of life after which a training counts as interrupted."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    """Settings of the engine, as for `videor1 eval`; the backend stands in `slice`."""
    track: TrackConfig = field(default_factory=TrackConfig)
    """Trackers that get the scores of every checkpoint, with the training step as step."""

    def __post_init__(self) -> None:
        positive(self, "poll_s", "stalled_after_s")
        if self.gate.gain_margin is not None and Variant.SHUFFLED not in self.slice.variants:
            raise ValueError(
                "gate.gain_margin: there is no temporal gain without slice.variants ="
                ' ["ordered", "shuffled"]'
            )
        for name, reason in NOT_FOR_WATCHES.items():
            if getattr(self.engine, name) != getattr(EngineConfig(), name):
                raise ValueError(f"engine.{name}: {reason}")


def read_watch_settings(config: str, assignments: Sequence[str] = ()) -> WatchSettings:
    """Read a settings file, or the shipped ``paper`` or ``tiny`` one.

    Args:
        config: Path of a TOML file, or the name of a shipped one.
        assignments: ``section.field=value`` strings that replace values of the file.

    Raises:
        UsageError: No such file, an unknown or renamed key, or a value of the wrong type or range.
    """
    path, presets = find_config("watch", config), presets_of("watch")
    refuse_old_settings(path, assignments, RENAMED, presets)
    settings = read_settings(WatchSettings, path, assignments, presets)
    local = check_selections(settings.slice.tasks)  # a wrong name would fail every evaluation
    find_protocol(settings.slice.protocol, local)
    return settings


def claim_watch(out: Path, settings: WatchSettings, run: Path) -> None:
    """Store which run is watched and how, or check that the folder belongs to the same watch.

    Raises:
        RunMismatchError: The folder holds a watch of another run or with other settings.
    """
    CLAIM.take(out, describe_watch(settings, run))


def describe_watch(settings: WatchSettings, run: Path) -> dict[str, Any]:
    """Return which run is watched and how, as JSON types.

    Fields that version 0.1 did not have are left out where they are unset, so that its watches go
    on.
    """
    described: dict[str, Any] = {
        "run": str(run.resolve()),
        "slice": {**asdict(settings.slice), "data": str(settings.slice.data)},
        "gate": asdict(settings.gate),
    }
    for part, name in (("slice", "variants"), ("gate", "gain_margin")):
        if not described[part][name]:
            del described[part][name]
    engine = given_settings(settings.engine)
    return described | ({"engine": engine} if engine else {})


def watched_run(out: Path) -> Path:
    """Return the folder of the training run that a watch's folder belongs to."""
    if not (out / SETTINGS).exists():
        raise UsageError(f"{out}: not the results of `videor1 watch` (no {SETTINGS})")
    return Path(read_json(out / SETTINGS)["run"])
