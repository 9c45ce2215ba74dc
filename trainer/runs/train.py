"""Train a recipe in a folder, or resume the run that the folder holds.

Everything that can be wrong with recipe, rows, checkpoint or folder is found before a model is
loaded. The checkpoint is resolved, which hashes its weights, once per process.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import missing_extra
from harness.files import locked
from harness.models.checkpoint import Checkpoint, full_checkpoint
from harness.models.video_processor import require_video
from harness.plugins import is_installed
from trainer.config.algorithms import Algorithm
from trainer.config.recipe import Recipe
from trainer.config.trl_fields import check_fields
from trainer.cost.lora_targets import check_targets, read_layers
from trainer.data.checks import CheckWatcher, RowNeeds, RowReport, check_rows
from trainer.data.rows import TrainingRow
from trainer.data.special_tokens import special_tokens
from trainer.rewards.registry import check_uses
from trainer.rewards.rewards import require
from trainer.runs import folder
from trainer.runs.checkpoints import is_finished, newest_checkpoint
from trainer.runs.failures import explained_setup
from trainer.runs.folder import STOP, DistInfo
from trainer.runs.learnt import Learnt, read_learnt
from trainer.runs.phase_times import PhaseTimes, read_phase_times


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainJob:
    """What to train, and where."""

    algorithm: Algorithm
    recipe: Recipe
    out: Path
    """Folder of the run."""
    dist: DistInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """How a run ended."""

    checkpoint: Path | None
    """The newest complete checkpoint."""
    learnt: Learnt
    """What the updates learnt from."""
    times: PhaseTimes | None = None
    """Where the time of the updates went."""
    stopped: str | None = None
    """Why `videor1 watch` stopped the run; None: it was not stopped."""


OnChecked = Callable[[int, int], None]
"""Called with (checked, total) media or rows during the check of the rows."""


class TrainObserver:
    """Receives the progress of a training run; the methods of this class show nothing."""

    def checking(self) -> AbstractContextManager[OnChecked]:
        """Return a context that the check runs in, giving what is called as it proceeds."""
        return nullcontext(lambda done, total: None)

    def checked(self, report: RowReport) -> None:
        """Receive what the check found; not called where the result of an earlier one is reused."""

    def trained(self, times: PhaseTimes) -> None:
        """Receive where the time of the updates went, at the end."""

    def training(self, out: Path) -> AbstractContextManager[Sequence[Any]]:
        """Return a context that training runs in, giving callbacks of transformers' Trainer."""
        return nullcontext(())


def train(job: TrainJob, observer: TrainObserver | None = None) -> TrainResult:
    """Train, from the newest checkpoint of the folder where there is one.

    A run that `videor1 watch` stopped is not resumed before its ``stop.json`` is removed. Of a run
    that has made its last update the result is read again.

    Raises:
        UsageError: A package is missing, or the checkpoint, the rows, the recipe or the folder
            cannot be used.
        KeyboardInterrupt: Training was interrupted; its checkpoints are kept.
    """
    observer = observer or TrainObserver()
    for name in job.algorithm.packages:
        if not is_installed(name):
            raise missing_extra(name, "train")
    if job.recipe.model.load_in_4bit and not is_installed("bitsandbytes"):
        raise missing_extra("bitsandbytes", "qlora")
    checkpoint = full_checkpoint(job.recipe.model.checkpoint)
    require_video(checkpoint.path)
    with ExitStack() as stack:
        if job.dist.rank == 0:
            folder.claim(job.out, make_manifest(job, checkpoint))
            stack.enter_context(locked(job.out))
        if not (job.out / STOP).exists() and not is_finished(job.out):
            _train_rows(job, checkpoint, observer)
    return _read_result(job)


def make_manifest(job: TrainJob, checkpoint: Checkpoint) -> dict[str, Any]:
    """Build what ``train.json`` holds of a job."""
    return folder.make_manifest(job.algorithm, job.recipe, checkpoint, job.dist.world_size)


def check_job_rows(
    job: TrainJob, patch_multiple: int, folder: Path, observer: TrainObserver
) -> RowReport:
    """Check the rows of the job's recipe.

    Args:
        job: Whose rows.
        patch_multiple: Multiple of frame sides, in pixels, that the checkpoint needs.
        folder: Folder of the checkpoint, or of its tokenizer files alone.
        observer: Shows how far the check is.
    """
    with observer.checking() as on_checked:
        return check_rows(
            job.recipe.data,
            job.recipe.frames,
            patch_multiple=patch_multiple,
            needs=RowNeeds(
                rationale=job.algorithm.needs_rationale,
                rewarded=job.recipe.samples_completions,
                special_tokens=special_tokens(folder),
                build=job.algorithm.load_row_builder()(
                    folder,
                    job.recipe.frames,
                    job.recipe.data,
                    patch_multiple=patch_multiple,
                    targets=job.algorithm.needs_rationale,
                ),
            ),
            watcher=CheckWatcher(on_checked=on_checked),
        )


def _train_rows(job: TrainJob, checkpoint: Checkpoint, observer: TrainObserver) -> None:
    if job.recipe.model.lora is not None:
        check_targets(job.recipe.model.lora, read_layers(checkpoint.path))
    check_uses(job.recipe.reward_functions)
    rows = _usable_rows(job, checkpoint, observer)
    if job.recipe.trl:
        check_fields(job.recipe.trl, job.algorithm.load_trl_config())
    with observer.training(job.out) as callbacks, explained_setup():
        run_algorithm = job.algorithm.load_trainer()
        run_algorithm(job.recipe, job.out, checkpoint=checkpoint, rows=rows, callbacks=callbacks)


def _usable_rows(
    job: TrainJob, checkpoint: Checkpoint, observer: TrainObserver
) -> Sequence[TrainingRow]:
    """Return the rows without faults, checked now or earlier in this run."""
    data = job.recipe.data
    report, earlier = folder.checked_rows(
        job.out,
        data,
        lambda: check_job_rows(job, checkpoint.patch_multiple, checkpoint.path, observer),
        job.dist,
    )
    if not earlier:
        observer.checked(report)
    rows = report.require(data.on_bad_row)
    job.recipe.require_enough_rows(len(rows), job.dist.world_size)
    if job.recipe.samples_completions:
        require({row.sample.kind for row in rows})
    return rows


def _read_result(job: TrainJob) -> TrainResult:
    stop = job.out / STOP
    reason = json.loads(stop.read_text(encoding="utf-8"))["reason"] if stop.exists() else None
    return TrainResult(
        checkpoint=newest_checkpoint(job.out),
        learnt=read_learnt(job.out),
        times=read_phase_times(job.out),
        stopped=reason,
    )
