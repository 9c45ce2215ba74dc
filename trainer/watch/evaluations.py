"""One look at a checkpoint: its scores on the slice, and whether it is worse than the start.

A look is one JSON file, written when its evaluation is complete; the timeline is made of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import RunMismatchError
from harness.files import write_json
from harness.gate.baseline import freeze
from harness.gate.policy import Policy
from harness.gate.report import verdict_sentence
from harness.gate.verdict import judge_run
from harness.run.store import (
    SUMMARY,
    read_manifest,
    read_records,
)

START = 0
"""Step of the checkpoint that training began with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScore:
    """One benchmark's score in points."""

    score: float | None
    ci95: tuple[float, float] | None
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One evaluated checkpoint."""

    step: int
    checkpoint: str
    weights: str
    """Hash of the weights that were evaluated; the id of a model on the hub."""
    scores: Mapping[str, TaskScore]
    judgement: str | None = None
    """A `harness.gate.verdict.Verdict` against the start; None: not judged."""
    reason: str = ""


def look_file(out: Path, step: int) -> Path:
    """Name the file of a look."""
    return out / f"step-{step:06d}.json"


def run_folder(out: Path, step: int) -> Path:
    """Name the run directory of a look."""
    return out / f"step-{step:06d}"


def log_file(out: Path, step: int) -> Path:
    """Name the file that the evaluation's own output goes to."""
    return out / f"step-{step:06d}.log"


def read_looks(out: Path) -> list[Look]:
    """Return the looks of a watch, by step."""
    return sorted((_read(path) for path in out.glob("step-*.json")), key=lambda look: look.step)


def read_look(out: Path, step: int) -> Look | None:
    """Return the look at a step, None before there is one."""
    path = look_file(out, step)
    return _read(path) if path.exists() else None


def write_look(out: Path, look: Look) -> None:
    """Write a look, whole or not at all."""
    write_json(look_file(out, look.step), asdict(look))


def read_scores(run: Path) -> dict[str, TaskScore]:
    """Read the scores of a finished evaluation."""
    tasks = json.loads((run / SUMMARY).read_text(encoding="utf-8"))["tasks"]
    return {
        name: TaskScore(score=task["score"], ci95=_pair(task["ci95"]), n=task["n"])
        for name, task in tasks.items()
    }


def judged_against(start: Path, run: Path, policy: Policy) -> tuple[str, str]:
    """Judge one run directory against another; returns the judgement and a sentence.

    Raises:
        RunMismatchError: They were not asked the same.
    """
    baseline = freeze(read_manifest(start), read_records(start), None)
    gate = judge_run(baseline, read_manifest(run), read_records(run), policy)
    return str(gate.verdict), verdict_sentence(gate)


def require_same(look: Look, weights: str) -> None:
    """Raise where a checkpoint is no longer the one that was looked at."""
    if look.weights != weights:
        raise RunMismatchError(
            f"{look.checkpoint} has other weights than those that were evaluated as step"
            f" {look.step}; watch the new training with another --out"
        )


def _read(path: Path) -> Look:
    content = json.loads(path.read_text(encoding="utf-8"))
    scores = {
        name: TaskScore(score=score["score"], ci95=_pair(score["ci95"]), n=score["n"])
        for name, score in content.pop("scores").items()
    }
    return Look(**content, scores=scores)


def _pair(interval: list[float] | None) -> tuple[float, float] | None:
    return None if interval is None else (interval[0], interval[1])
