"""Settings of an evaluation: what is asked, what answers, what decodes.

The flags of ``videor1 eval`` and ``videor1 annotate``, the keys of ``--config eval.toml`` and the
model arguments of the lmms-eval model are generated from these classes (`harness.run.options`): a
new option is one new field with its docstring, and the code that uses it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.backends.engine_config import EngineConfig
from harness.bounds import between
from harness.replicas.address import split_address
from harness.schema import FramePolicy, Sampling, TemplateArgs, Variant
from harness.task.protocol import Protocol
from harness.task.suites import expand_suites
from harness.trackers.choose import check_names

DEFAULT_TASKS = ("videommmu", "vsibench", "mvbench", "tempcompass")
DEFAULT_DATA = Path("data")
DEFAULT_RUNS = Path("results/runs")
STOP_AFTER_FAILURES = 20


def available_processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureBudget:
    """The failed items that a run may have and still count as complete."""

    count: int = 0
    percent: float | None = None
    """Share of all items; takes the place of `count`."""

    def __str__(self) -> str:
        return str(self.count) if self.percent is None else f"{self.percent:g}%"

    def allows(self, failed: int, total: int) -> bool:
        """Return whether `failed` of `total` items are within the budget."""
        if self.percent is not None:
            return failed <= total * self.percent / 100
        return failed <= self.count

    @classmethod
    def parse(cls, text: str) -> FailureBudget:
        """Read ``12`` or ``1.5%``; raises `ValueError` for anything else."""
        try:
            if text.endswith("%"):
                percent = float(text[:-1])
                if 0 <= percent <= 100:
                    return cls(percent=percent)
            elif int(text) >= 0:
                return cls(count=int(text))
        except ValueError:
            pass
        raise ValueError(f"max_failures: expected a count or a percentage, got {text!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeConfig:
    """How videos are decoded; none of it changes a frame."""

    workers: int = field(default_factory=available_processors, metadata={"metavar": "N"})
    """Decode processes."""
    decode_timeout: float = field(default=120.0, metadata={"metavar": "S"})
    """Seconds that one file may take."""
    look_ahead: int = field(default=4096, metadata={"metavar": "MIB"})
    """Memory in MiB for decoded frames whose questions are not answered yet."""
    frame_cache: Path | None = field(default=None, metadata={"metavar": "DIR"})
    """Keep decoded frames in this folder, so that the next checkpoint decodes nothing."""
    frame_cache_size: int = field(default=50, metadata={"metavar": "GIB"})
    """Size limit of the frame cache in GiB; the least recently used frames are deleted."""

    def __post_init__(self) -> None:
        between(self, "workers", 1, 1024, "each is a process")
        between(self, "decode_timeout", 0.01, 86400, "seconds, one day at most")
        between(self, "look_ahead", 1, 1 << 22, "MiB, 4 TiB at most")
        between(self, "frame_cache_size", 1, 1 << 20, "GiB, 1 PiB at most")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """How many engines answer, and where; none of it changes an answer."""

    replicas: str = field(default="1", metadata={"metavar": "N|all"})
    """Engines that share the videos, all: as many as there are GPUs; more than one needs Ray."""
    ray: str | None = field(default=None, metadata={"metavar": "auto|HOST:PORT"})
    """Address of the Ray cluster on which the engines run (default: this machine alone)."""

    def __post_init__(self) -> None:
        if self.replicas != "all" and not (self.replicas.isdecimal() and int(self.replicas) > 0):
            raise ValueError(f"replicas: expected a number from 1 or all, got {self.replicas!r}")
        if self.ray is not None:
            split_address(self.ray)

    @property
    def on_ray(self) -> bool:
        """Whether engines are started by Ray."""
        return self.ray is not None or self.replicas != "1"


_TRACK = {"title": "trackers"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeConfig:
    """A judge model behind an OpenAI-compatible server; off by default."""

    url: str = field(metadata={"metavar": "URL"})
    """Server that rates the replies which official rules cannot read (TempCompass)."""
    model: str = field(metadata={"metavar": "NAME"})
    """Model name at --judge-url."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackConfig:
    """Experiment trackers that are told of a run; none of it changes an answer."""

    report_to: tuple[str, ...] = field(default=(), metadata={**_TRACK, "metavar": "A,B"})
    """Trackers that get scores, outcomes and tables of items: wandb, trackio, tensorboard (default:
    none)."""
    track_project: str = field(default="videor1", metadata={**_TRACK, "metavar": "NAME"})
    """Project of the trackers."""
    track_name: str | None = field(default=None, metadata={**_TRACK, "metavar": "NAME"})
    """Name of the run in the trackers (default: that of its folder)."""
    track_items: int = field(default=200, metadata={**_TRACK, "metavar": "N"})
    """Items in the tables, those without an answer and wrong ones first; 0: no tables."""

    def __post_init__(self) -> None:
        check_names(self.report_to)
        between(self, "track_items", 0, 100_000, "rows that a tracker has to hold")
        if not self.track_project:
            raise ValueError("track_project: expected a name, got an empty text")


_PROTOCOL = {"title": "protocol"}
_SAMPLING = (
    "temperature", "max_tokens", "top_p", "top_k", "min_p", "presence_penalty",
    "frequency_penalty", "repetition_penalty", "seed",
)  # fmt: skip


def _protocol_field(metavar: str) -> Any:
    """Return a field that changes a value of the protocol; None leaves it as it is."""
    return field(default=None, metadata={**_PROTOCOL, "metavar": metavar})


def _without_unset(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None, and tables in which nothing is left."""
    tables = {
        name: _without_unset(value) if isinstance(value, Mapping) else value
        for name, value in changes.items()
    }
    return {name: value for name, value in tables.items() if value not in (None, {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalConfig:
    """Everything that an evaluation can be told besides the checkpoint.

    None leaves a value as the protocol has it.
    """

    tasks: tuple[str, ...] = field(default=DEFAULT_TASKS, metadata={"metavar": "A,B"})
    """Benchmarks, separated by commas: NAME, NAME:CATEGORY, a suite such as paper, or a file of
    your own such as ./traffic.jsonl or ./traffic.py."""
    data: Path = field(default=DEFAULT_DATA, metadata={"metavar": "DIR"})
    """Folder that holds one folder per benchmark."""
    protocol: str = field(default="video-r1", metadata={"metavar": "video-r1|official|FILE.toml"})
    """Preset of prompts, frames, sampling and scorer, or a file that changes one."""
    max_frames: int | None = _protocol_field("N")
    """Frames per video at most (default: the protocol's)."""
    max_pixels: int | None = _protocol_field("N")
    """Pixels per frame at most (default: the protocol's)."""
    fps: float | None = _protocol_field("N")
    """Frames per second, for frame rules that have a rate (default: the protocol's)."""
    variant: Variant | None = field(default=None, metadata=_PROTOCOL)
    """Frames in order, shuffled, reversed, the middle one alone, or none (default: in order)."""
    seed: int | None = _protocol_field("N")
    """Seed of sampling and of shuffled frames (default: the protocol's, 0 in the presets)."""
    max_tokens: int | None = _protocol_field("N")
    """Generated tokens at most, those of a thought included (default: the protocol's)."""
    temperature: float | None = _protocol_field("T")
    """Sampling temperature, 0 is greedy (default: the protocol's)."""
    top_p: float | None = _protocol_field("P")
    """Share of probability that is sampled from (default: the protocol's)."""
    top_k: int | None = _protocol_field("N")
    """Number of most probable tokens that are sampled from, 0: all (default: the protocol's)."""
    min_p: float | None = _protocol_field("P")
    """Least probability of a token, as a share of the highest one (default: the protocol's)."""
    presence_penalty: float | None = _protocol_field("X")
    """Penalty of tokens that the answer has already (default: the protocol's)."""
    frequency_penalty: float | None = _protocol_field("X")
    """Penalty per occurrence of a token in the answer (default: the protocol's)."""
    repetition_penalty: float | None = _protocol_field("X")
    """Divisor of the logits of tokens in prompt and answer (default: the protocol's)."""
    system: str | None = _protocol_field("TEXT|@FILE")
    """System prompt, or the file that holds it (default: the protocol's)."""
    reasoning: str | None = _protocol_field("auto|in-text|TAG")
    """How thought and answer are told apart: by the checkpoint's chat template, not at all, or by a
    tag such as think (default: the protocol's)."""
    thinking_budget: int | None = _protocol_field("N")
    """Tokens after which the engine closes a thought (default: the protocol's)."""
    template_arg: TemplateArgs = field(default_factory=dict, metadata=_PROTOCOL)
    """Value of one of the chat template's own variables (enable_thinking=true)."""
    repeats: int | None = _protocol_field("K")
    """How often each item is asked, with different seeds (default: the protocol's)."""
    option_rotation: int | None = _protocol_field("K")
    """Ask only multiple-choice questions, with their options moved down by K places (default: the
    protocol's, 0 in the presets)."""
    scorer: str | None = _protocol_field("NAME")
    """Scorer of the answers; `videor1 tasks` lists them (default: the protocol's)."""
    limit: int | None = field(default=None, metadata={"metavar": "N"})
    """Items per task, spread over its categories (default: all)."""
    ids: tuple[str, ...] | None = field(default=None, metadata={"metavar": "FILE|ID,.."})
    """Only questions with these ids, or with the ids that a file lists (default: all)."""
    category: tuple[str, ...] | None = field(default=None, metadata={"metavar": "GLOB,.."})
    """Only questions of categories that match, such as object_* (default: all)."""
    allow_missing: bool = False
    """Leave out questions whose media are missing; the run ends as incomplete."""
    include_path: Path | None = field(default=None, metadata={"metavar": "DIR"})
    """Folder of further lmms-eval tasks."""
    out: Path | None = field(default=None, metadata={"metavar": "RUNDIR"})
    """Run directory (default: one per checkpoint and protocol under results/runs)."""
    max_failures: str | None = field(default=None, metadata={"metavar": "N|P%"})
    """Failed items that a complete run may have, a count or a percentage; where it is given, the
    run ends as soon as it has more (default: 0, judged at the end)."""
    stop_after_failures: int = field(default=STOP_AFTER_FAILURES, metadata={"metavar": "N"})
    """End the run after so many equal failures in a row from the start, 0: never."""
    engine: EngineConfig = field(default_factory=EngineConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    cluster: ClusterConfig = field(default_factory=ClusterConfig)
    track: TrackConfig = field(default_factory=TrackConfig)
    judge: JudgeConfig | None = field(default=None, metadata={"prefix": "judge_"})

    def __post_init__(self) -> None:
        between(self, "max_frames", 1, 4096, "frames are decoded into memory")
        between(self, "max_pixels", 1, 1 << 26, "pixels of one frame, 8192 x 8192 at most")
        between(self, "max_tokens", 1, 1 << 24, "tokens; no model writes more")
        between(self, "limit", 1, 10**9, "items per task")
        for name in ("ids", "category"):
            chosen = getattr(self, name)
            if chosen is not None and (not chosen or not all(chosen)):
                raise ValueError(f"{name}: expected at least one name, got {chosen!r}")
        self._check_protocol_changes()
        if not self.tasks or not all(self.tasks):
            raise ValueError(f"tasks: expected at least one name, got {self.tasks!r}")
        object.__setattr__(self, "tasks", expand_suites(self.tasks))
        between(self, "stop_after_failures", 0, 10**6, "0: never")
        FailureBudget.parse(self.max_failures or "0")

    @property
    def failure_budget(self) -> FailureBudget:
        """The parsed `max_failures`."""
        return FailureBudget.parse(self.max_failures or "0")

    @property
    def protocol_changes(self) -> dict[str, Any]:
        """The fields of a protocol that these settings change, with their values, as JSON types."""
        changes = {
            "frames": {
                "max_frames": self.max_frames,
                "max_pixels": self.max_pixels,
                "fps": self.fps,
                "order": self.variant,
                "seed": self.seed,
            },
            "sampling": {name: getattr(self, name) for name in _SAMPLING},
            "system": self.system,
            "reasoning": self.reasoning,
            "template_args": dict(self.template_arg),
            "thinking_budget": self.thinking_budget,
            "repeats": self.repeats,
            "option_rotation": self.option_rotation,
        }
        return _without_unset(changes)

    def _check_protocol_changes(self) -> None:
        """Raise `ValueError` for values that no protocol may have."""
        changes = self.protocol_changes
        Sampling(**{"temperature": 0.0, "max_tokens": 1, **changes.pop("sampling", {})})
        FramePolicy(**changes.pop("frames", {}))
        Protocol(
            suite="any",
            task="any",
            template="any",
            frames=None,
            sampling=None,
            scorer="any",
            **changes,
        )
