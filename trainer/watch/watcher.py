"""Evaluate every checkpoint of a training run once, as soon as it is complete.

Each evaluation is a ``videor1 eval`` or ``probe`` in a process of its own, so that a crash costs
one checkpoint and the memory is free afterwards. All state is on disk: the run directory of an
evaluation, which the same command resumes, and one file per evaluated checkpoint. A watch that is
killed therefore resumes, and an evaluation that is still running is waited for.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends.engine_config import EngineConfig
from harness.cli.child import child_command
from harness.cli.flags import flags_of
from harness.errors import UsageError
from harness.files import is_locked, write_json
from harness.gate.result import Verdict
from harness.run.config import DecodeConfig, EvalConfig
from harness.schema import Variant
from trainer.runs.checkpoints import (
    SavedCheckpoint,
    hash_folder_weights,
    saved_checkpoints,
)
from trainer.runs.folder import (
    MANIFEST,
    STOP,
    read_manifest,
)
from trainer.watch import evaluations
from trainer.watch.evaluations import (
    START,
    EvalPoint,
)
from trainer.watch.liveness import Liveness
from trainer.watch.model_card import renew_card
from trainer.watch.settings import (
    SliceSettings,
    WatchSettings,
)

Evaluate = Callable[[str, Path, Path], int]
"""Evaluates a checkpoint; takes checkpoint, run directory and log file, returns the exit code."""

BUSY = -1
"""Returned by `Evaluate` where another process is still running this evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checkpoint to evaluate."""

    step: int
    checkpoint: str
    """Folder or hub id."""
    saved: SavedCheckpoint | None = None
    """None: the checkpoint that training started from."""

    @property
    def weights(self) -> str | None:
        """Hash of the weights, None where they were deleted; for a model on the hub its id."""
        folder = Path(self.checkpoint)
        try:
            return hash_folder_weights(folder) if folder.is_dir() or self.saved else self.checkpoint
        except FileNotFoundError:
            return None


class Watcher:
    """Evaluates the checkpoints of a run, oldest first.

    Args:
        run: Folder of the training run; need not exist yet.
        out: Folder of the results.
        settings: What to evaluate, and when a checkpoint is worse.
        evaluate: Runs one evaluation; `evaluate_in_process` outside of tests.
        on_point: Called with every evaluated checkpoint.
    """

    def __init__(
        self,
        run: Path,
        out: Path,
        settings: WatchSettings,
        evaluate: Evaluate,
        on_point: Callable[[EvalPoint], None] = lambda point: None,
    ) -> None:
        self.failures: dict[int, str] = {}
        """Reasons of the checkpoints that could not be evaluated, by step; the next watch tries
        them again."""
        self.interrupted = False
        """Whether the watch ended because the training stopped before its last step."""
        self._run = run
        self._out = out
        self._settings = settings
        self._liveness = Liveness(run, settings.stalled_after_s)
        self._evaluate = evaluate
        self._on_point = on_point

    def watch(self, *, once: bool = False) -> None:
        """Evaluate until the training has ended, stalled or is told to stop.

        Args:
            once: Evaluate the checkpoints that exist now and return.

        Raises:
            UsageError: It is not known which checkpoint the training started from.
            RunMismatchError: A checkpoint changed after it was evaluated.
        """
        while True:
            # Checked before the evaluations, which take long: a checkpoint that is saved during
            # them is for the next round.
            over, stalled = self.is_over(), self._liveness.is_stalled()
            if self.catch_up() and (once or over or stalled):
                self.interrupted = stalled and not over and not once
                return
            time.sleep(self._settings.poll_s)

    def catch_up(self) -> bool:
        """Evaluate all complete checkpoints; False where an earlier evaluation is still running."""
        for target in self._targets():
            if not self._process(target):
                return False
            if START in self.failures or self._must_stop():
                break
        return True

    def is_over(self) -> bool:
        """Return whether no later checkpoint is going to be evaluated."""
        saved = saved_checkpoints(self._run)
        last = bool(saved) and saved[-1].step >= saved[-1].max_steps
        return last or START in self.failures or self._must_stop()

    def _targets(self) -> Iterator[Target]:
        """Yield the checkpoint that training started from, then the saved ones by step."""
        saved = saved_checkpoints(self._run)
        start = self._settings.gate.start
        if start is None and (self._run / MANIFEST).exists():
            start = read_manifest(self._run)["recipe"]["model"]["checkpoint"]
        if start is None:
            if saved:
                raise UsageError(
                    f"{self._run} has no {MANIFEST}, so it is not known which checkpoint the"
                    " training started from; name it with --set gate.start=CHECKPOINT"
                )
            return
        yield Target(step=START, checkpoint=start)
        for one in saved:
            yield Target(step=one.step, checkpoint=str(one.folder), saved=one)

    def _process(self, target: Target) -> bool:
        """Evaluate a checkpoint unless that is done; False where another process is doing it."""
        if target.step in self.failures:
            return True
        weights, known = target.weights, evaluations.read_point(self._out, target.step)
        if weights is None:
            return self._record_failure(target, "was deleted before it was evaluated")
        if known is not None:
            evaluations.require_same_weights(known, weights)
            return True
        code = self._run_evaluation(target)
        if code == BUSY:
            return False
        if code != 0:
            log = evaluations.eval_log(self._out, target.step)
            command = "probe" if self._settings.slice.variants else "eval"
            return self._record_failure(
                target, f"`videor1 {command}` ended with exit {code}, see {log}"
            )
        if target.weights not in (weights, None):  # None: deleted by the training's rotation
            return self._record_failure(target, "changed while it was evaluated")
        self._record_point(target, weights)
        return True

    def _record_failure(self, target: Target, reason: str) -> bool:
        self.failures[target.step] = f"{target.checkpoint} {reason}"
        return True

    def _run_evaluation(self, target: Target) -> int:
        """Run an evaluation, again where it fails; returns the last exit code."""
        code = BUSY
        for _ in range(self._settings.slice.attempts):
            folder = evaluations.run_folder(self._out, target.step)
            log = evaluations.eval_log(self._out, target.step)
            code = self._evaluate(target.checkpoint, folder, log)
            if code in (0, BUSY):
                break
        return code

    def _record_point(self, target: Target, weights: str) -> None:
        """Compare an evaluated checkpoint with the start and write it to disk."""
        point = EvalPoint(
            step=target.step,
            checkpoint=target.checkpoint,
            weights=weights,
            scores=evaluations.read_scores(evaluations.run_folder(self._out, target.step)),
        )
        if target.saved is not None:
            point = self._with_verdict(point, target.saved)
        evaluations.write_point(self._out, point)
        renew_card(self._run)
        self._on_point(point)

    def _with_verdict(self, point: EvalPoint, saved: SavedCheckpoint) -> EvalPoint:
        gate = self._settings.gate
        planned = gate.evaluations or -(-saved.max_steps // saved.save_steps)
        before = sum(other.step != START for other in evaluations.read_points(self._out))
        if before >= planned:
            return replace(
                point,
                reason=f"no verdict: all {planned} planned evaluations (gate.evaluations) are done",
            )
        verdict, reason = evaluations.compare_with_start(
            evaluations.run_folder(self._out, START),
            evaluations.run_folder(self._out, point.step),
            gate.policy(planned),
        )
        return replace(
            point, verdict=verdict, reason=f"evaluation {before + 1} of {planned}: {reason}"
        )

    def _must_stop(self) -> bool:
        """Tell the training to stop if a checkpoint is a REGRESSION and the settings ask for it."""
        if not self._settings.gate.stop_on_regression:
            return False
        points = evaluations.read_points(self._out)
        worse = next((point for point in points if point.verdict == Verdict.REGRESSION), None)
        if worse is not None and not (self._run / STOP).exists():
            reason = f"step {worse.step}, {worse.reason}"
            write_json(self._run / STOP, {"step": worse.step, "reason": reason})
        return worse is not None


def eval_command(
    checkpoint: str,
    folder: Path,
    asked: SliceSettings,
    cache: Path,
    engine: EngineConfig | None = None,
) -> list[str]:
    """Return the command line that evaluates one checkpoint, or probes it.

    Args:
        checkpoint: Folder or hub id.
        folder: The run directory, or the probe's folder.
        asked: What to evaluate.
        cache: Folder for decoded frames.
        engine: Settings of the engine; None: its own.
    """
    config = EvalConfig(
        tasks=asked.tasks,
        data=asked.data,
        protocol=asked.protocol,
        limit=asked.items_per_task,
        max_frames=asked.max_frames,
        max_pixels=asked.max_pixels,
        max_failures=None if asked.max_failures == "0" else asked.max_failures,
        out=folder,
        engine=replace(engine or EngineConfig(), backend=asked.backend),
        decode=DecodeConfig(frame_cache=cache if asked.frame_cache else None),
    )
    if not asked.variants:
        return child_command(["eval", checkpoint, *flags_of(config)])
    variants = ",".join(asked.variants)
    return child_command(["probe", checkpoint, "--variants", variants, *flags_of(config)])


def evaluate_in_process(
    asked: SliceSettings, out: Path, engine: EngineConfig | None = None
) -> Evaluate:
    """Return a function that runs one evaluation or probe in a process and waits for its end.

    Args:
        asked: What to evaluate.
        out: Folder of the watch; decoded frames are stored below it.
        engine: Settings of the engine; None: its own.
    """

    def evaluate(checkpoint: str, folder: Path, log: Path) -> int:
        if is_locked(folder / Variant.ORDERED if asked.variants else folder):
            return BUSY
        with log.open("ab") as file:
            command = eval_command(checkpoint, folder, asked, out / "frames", engine)
            return subprocess.run(command, stdout=file, stderr=file, check=False).returncode

    return evaluate
