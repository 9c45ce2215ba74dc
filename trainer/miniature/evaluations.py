"""Read the final evaluations of all arms and seeds into arrays of scores.

The scores come from the run directories of ``videor1 eval``. A comparison needs every question to
be answered by every model under one protocol, so that a missing answer is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
class Evaluations:
    """Questions and scores of every arm and seed."""

    arms: tuple[Arm, ...]
    seeds: tuple[int, ...]
    samples: Mapping[str, tuple[Sample, ...]]
    """Questions per task; a task without questions is left out."""
    scores: Mapping[tuple[str, Variant, str], NDArray[np.float64]]
    """Values in [0, 1] by name of the arm, variant and task, shape (seeds, questions)."""
    answers: Mapping[tuple[str, Variant, str], NDArray[np.str_]]
    """The answers that were read from the texts, in the same shape; empty where there is none."""
    protocols: Mapping[str, Mapping[str, Any]]
    """Protocol of each task with ordered frames, as in ``run.json``."""


RunFolder = Callable[[int, Arm, Variant], Path]
"""Returns the run directory of the final evaluation of a seed and an arm with one frame order."""


def read_evaluations(
    out: Path,
    seeds: Sequence[int],
    arms: Sequence[Arm],
    *,
    split: str = "test",
    variants: Mapping[Variant, tuple[str, ...]] = VARIANTS,
    run_folder: RunFolder | None = None,
) -> Evaluations:
    """Read every final evaluation in the folder of the experiment.

    Args:
        out: Folder of the experiment.
        seeds: Its seeds.
        arms: Its arms.
        split: The split that was asked.
        variants: The frame orders, each with its benchmarks.
        run_folder: Returns the run directory of an evaluation; None: as the ablation has them.

    Raises:
        DatasetError: A question has no answer or its answer failed, or an answer belongs to another
            question.
        RunMismatchError: Two runs of a variant differ in protocol or data.
        UsageError: A run is missing.
    """
    find = run_folder or (lambda *which: _run_folder(out, *which))
    samples = _read_questions(out / "world" / split)
    scores: dict[tuple[str, Variant, str], NDArray[np.float64]] = {}
    answers: dict[tuple[str, Variant, str], NDArray[np.str_]] = {}
    protocols: Mapping[str, Mapping[str, Any]] = {}
    for variant, tasks in variants.items():
        asked = {task: samples[task] for task in tasks if task in samples}
        folders = [find(seed, arm, variant) for arm in arms for seed in seeds]
        manifest = _read_common_manifest(folders)
        if variant is Variant.ORDERED:
            protocols = {task: manifest["protocol"][task] for task in asked}
        for arm in arms:
            found = [_read_answers(find(seed, arm, variant), asked) for seed in seeds]
            for task in asked:
                of_seeds = [records[task] for records in found]
                scores[arm.name, variant, task] = np.array(
                    [[record.value for record in records] for records in of_seeds], np.float64
                )
                answers[arm.name, variant, task] = np.array(
                    [[record.answer or "" for record in records] for records in of_seeds], np.str_
                )
    return Evaluations(
        arms=tuple(arms),
        seeds=tuple(seeds),
        samples=samples,
        scores=scores,
        answers=answers,
        protocols=protocols,
    )


def _run_folder(out: Path, seed: int, arm: Arm, variant: Variant) -> Path:
    return out / f"seed-{seed}" / "test" / f"{arm.name}-{variant}"


def _read_questions(folder: Path) -> dict[str, tuple[Sample, ...]]:
    videos, images = MotionWorld(), MotionWorldStills()
    tasks = [videos, images] if (folder / images.name).exists() else [videos]
    return {task.name: tuple(task.load(folder / task.name).samples) for task in tasks}


def _read_common_manifest(folders: Sequence[Path]) -> Mapping[str, Any]:
    """Return the manifest of the first run; the others must have its protocol and data."""
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
                " delete the one that does not belong to this experiment"
            )
    return first[1]


def _read_answers(folder: Path, asked: Mapping[str, Sequence[Sample]]) -> dict[str, list[Record]]:
    """Return the records of one run, per task in the order of its questions; all have a value."""
    records = {record.id: record for record in read_records(folder)}
    known = {sample.id for samples in asked.values() for sample in samples}
    unknown = next((name for name in records if name not in known), None)
    if unknown is not None:
        raise DatasetError(f"{folder}: {unknown} is not a question of this experiment's dataset")
    return {
        task: [_require_value(folder, sample.id, records.get(sample.id)) for sample in samples]
        for task, samples in asked.items()
    }


def _require_value(folder: Path, name: str, record: Record | None) -> Record:
    if record is None:
        raise DatasetError(f"{folder}: {name} has no record; run the evaluation again to resume")
    if record.value is None:
        reason = "" if record.failure is None else f" ({record.failure.message})"
        raise DatasetError(
            f"{folder}: {name} has no value, its outcome is {record.outcome}{reason};"
            " run the evaluation again to retry it"
        )
    return record
