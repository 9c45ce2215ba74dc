"""What the trained models answered at the end, seed by seed and question by question.

Read from the run directories of ``videor1 eval`` and held against the questions of the world: a
comparison needs every question answered by every model under one protocol, so a gap is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DatasetError, RunMismatchError
from harness.files import diff
from harness.run.store import (
    read_manifest,
    read_records,
)
from harness.schema import Record, Sample, Variant
from tasks.motionworld.task import MotionWorld, MotionWorldStills
from trainer.miniature.arms import VARIANTS, Arm


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Exam:
    """Questions and scores of every arm and seed."""

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    samples: Mapping[str, tuple[Sample, ...]]
    """Questions per task; a task about which nothing is asked is left out."""
    scores: Mapping[tuple[str, Variant, str], NDArray[np.float64]]
    """Values in [0, 1] by name of the arm, variant and task, shape (seeds, questions)."""
    protocols: Mapping[str, Mapping[str, Any]]
    """How the ordered questions of a task were asked, as in ``run.json``."""


def read_exam(out: Path, seeds: Sequence[int], arms: Sequence[Arm]) -> Exam:
    """Read every evaluation below the folder of the experiment.

    Raises:
        DatasetError: A question was not answered or failed, or an answer is to another question.
        RunMismatchError: Two runs of a variant differ in their protocol or data.
        UsageError: A run is missing.
    """
    samples = _questions(out / "world" / "test")
    scores: dict[tuple[str, Variant, str], NDArray[np.float64]] = {}
    protocols: Mapping[str, Mapping[str, Any]] = {}
    for variant, tasks in VARIANTS.items():
        asked = {task: samples[task] for task in tasks if task in samples}
        manifest = _agreed([_folder(out, seed, arm, variant) for arm in arms for seed in seeds])
        if variant is Variant.ORDERED:
            protocols = {task: manifest["protocol"][task] for task in asked}
        for arm in arms:
            answered = [_values(_folder(out, seed, arm, variant), asked) for seed in seeds]
            for task in asked:
                scores[arm.name, variant, task] = np.array([values[task] for values in answered])
    return Exam(
        arms=tuple(arms), seeds=tuple(seeds), samples=samples, scores=scores, protocols=protocols
    )


def _folder(out: Path, seed: int, arm: Arm, variant: Variant) -> Path:
    return out / f"seed-{seed}" / "test" / f"{arm.name}-{variant}"


def _questions(world: Path) -> dict[str, tuple[Sample, ...]]:
    clips, stills = MotionWorld(), MotionWorldStills()
    tasks = [clips, stills] if (world / stills.name).exists() else [clips]
    return {task.name: tuple(task.load(world / task.name).samples) for task in tasks}


def _agreed(folders: Sequence[Path]) -> Mapping[str, Any]:
    """Return the manifest of the first run after checking that the others measure the same."""
    first, *others = [(folder, read_manifest(folder)) for folder in folders]
    for folder, manifest in others:
        lines = [
            line
            for part in ("protocol", "data")
            for line in diff(first[1][part], manifest[part], f"{part}.")
        ]
        if lines:
            raise RunMismatchError(
                f"{first[0]} and {folder} cannot be compared: {'; '.join(lines)};"
                " delete the one that is not of this experiment"
            )
    return first[1]


def _values(folder: Path, asked: Mapping[str, Sequence[Sample]]) -> dict[str, list[float]]:
    """Return the values of one run, per task in the order of its questions."""
    records = {record.id: record for record in read_records(folder)}
    known = {sample.id for samples in asked.values() for sample in samples}
    unknown = next((name for name in records if name not in known), None)
    if unknown is not None:
        raise DatasetError(f"{folder}: {unknown} is no question of this experiment's world")
    return {
        task: [_value(folder, sample.id, records.get(sample.id)) for sample in samples]
        for task, samples in asked.items()
    }


def _value(folder: Path, name: str, record: Record | None) -> float:
    if record is None:
        raise DatasetError(f"{folder}: {name} has no record; run the evaluation again to go on")
    if record.value is None:
        reason = "" if record.failure is None else f" ({record.failure.message})"
        raise DatasetError(
            f"{folder}: {name} has no value, it {record.outcome}{reason};"
            " run the evaluation again to ask once more"
        )
    return record.value
