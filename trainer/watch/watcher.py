"""Continuous evaluation: every checkpoint of a training run, once, as soon as it is whole.

Each evaluation is a ``videor1 eval`` in a process of its own, so that a crash costs one checkpoint
and its memory is free afterwards. All state is on disk: the run directory of an evaluation, which
the same command resumes, and one file per finished look. So a watch that is killed goes on where it
was, and an evaluation that outlived it is waited for.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.backends.select import EngineConfig
from harness.cli.child import child_command
from harness.cli.flags import flags_of
from harness.errors import UsageError
from harness.files import is_locked, write_json
from harness.gate.verdict import Verdict
from harness.run.config import DecodeConfig, EvalConfig
from trainer.runs.checkpoints import (
    Saved,
    saved_checkpoints,
    weights_of,
)
from trainer.runs.folder import (
    MANIFEST,
    STOP,
    read_manifest,
)
from trainer.watch import evaluations
from trainer.watch.evaluations import (
    START,
    Look,
)
from trainer.watch.liveness import Pulse
from trainer.watch.settings import (
    SliceSettings,
    WatchSettings,
)

Evaluate = Callable[[str, Path, Path], int]
"""Evaluates a checkpoint into a run directory, logging to a file; returns the exit code."""

BUSY = -1
"""What `Evaluate` returns where another process is still at this evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Something to evaluate."""

    step: int
    spec: str
    saved: Saved | None = None
    """None: the checkpoint that training began with."""

    @property
    def weights(self) -> str | None:
        """Hash of the weights, None where they are gone; a hub id stands for itself."""
        folder = Path(self.spec)
        try:
            return weights_of(folder) if folder.is_dir() or self.saved else self.spec
        except FileNotFoundError:
            return None


class Watcher:
    """Evaluates the checkpoints of a run, oldest first.

    Args:
        run: Folder of the training run; need not exist yet.
        out: Folder of the results.
        settings: What to evaluate and how to judge.
        evaluate: Does one evaluation; `in_its_own_process` outside of tests.
        on_look: Told after every look.
    """

    def __init__(
        self,
        run: Path,
        out: Path,
        settings: WatchSettings,
        evaluate: Evaluate,
        on_look: Callable[[Look], None] = lambda look: None,
    ) -> None:
        self.failures: dict[int, str] = {}
        """Steps that were given up, with the reason. The next watch tries them again."""
        self.interrupted = False
        """Whether the watch ended because the training did, before its last step."""
        self._run = run
        self._out = out
        self._settings = settings
        self._pulse = Pulse(run, settings.patience_s)
        self._evaluate = evaluate
        self._on_look = on_look

    def watch(self, *, once: bool = False) -> None:
        """Evaluate until the training is over, gone or to be stopped; with `once`, what is there.

        Raises:
            UsageError: Nothing says what the training began with.
            RunMismatchError: A checkpoint changed after it was evaluated.
        """
        while True:
            # Asked before catching up, which takes long: what is saved meanwhile is for the next
            # round.
            over, gone = self.is_over(), self._pulse.is_gone()
            if self.catch_up() and (once or over or gone):
                self.interrupted = gone and not over and not once
                return
            time.sleep(self._settings.poll_s)

    def catch_up(self) -> bool:
        """Deal with all that is whole; False where an earlier evaluation is still under way."""
        for target in self._targets():
            if not self._deal_with(target):
                return False
            if START in self.failures or self._must_stop():
                break
        return True

    def is_over(self) -> bool:
        """Tell whether no further checkpoint is going to be evaluated."""
        saved = saved_checkpoints(self._run)
        last = bool(saved) and saved[-1].step >= saved[-1].max_steps
        return last or START in self.failures or self._must_stop()

    def _targets(self) -> Iterator[Target]:
        """Yield what is there: first what training began with, then its checkpoints by step."""
        saved = saved_checkpoints(self._run)
        start = self._settings.gate.start
        if start is None and (self._run / MANIFEST).exists():
            start = read_manifest(self._run)["recipe"]["model"]["checkpoint"]
        if start is None:
            if saved:
                raise UsageError(
                    f"{self._run} has no {MANIFEST}, so nothing says what its training began with;"
                    " name it with --set gate.start=CHECKPOINT"
                )
            return
        yield Target(step=START, spec=start)
        for one in saved:
            yield Target(step=one.step, spec=str(one.folder), saved=one)

    def _deal_with(self, target: Target) -> bool:
        """Evaluate and judge a checkpoint, or find that this has been done or given up."""
        if target.step in self.failures:
            return True
        weights, known = target.weights, evaluations.read_look(self._out, target.step)
        if weights is None:
            return self._give_up(target, "was deleted before it was evaluated")
        if known is not None:
            evaluations.require_same(known, weights)
            return True
        code = self._evaluated(target)
        if code == BUSY:
            return False
        if code != 0:
            log = evaluations.log_file(self._out, target.step)
            return self._give_up(target, f"`videor1 eval` ended with exit {code}, see {log}")
        if target.weights not in (weights, None):  # None: evaluated, then rotated away
            return self._give_up(target, "changed while it was evaluated")
        self._look_at(target, weights)
        return True

    def _give_up(self, target: Target, reason: str) -> bool:
        self.failures[target.step] = f"{target.spec} {reason}"
        return True

    def _evaluated(self, target: Target) -> int:
        """Evaluate, again where that fails; returns the last exit code."""
        code = BUSY
        for _ in range(self._settings.slice.attempts):
            folder = evaluations.run_folder(self._out, target.step)
            code = self._evaluate(target.spec, folder, evaluations.log_file(self._out, target.step))
            if code in (0, BUSY):
                break
        return code

    def _look_at(self, target: Target, weights: str) -> None:
        """Judge an evaluated checkpoint and write the look down."""
        look = Look(
            step=target.step,
            checkpoint=target.spec,
            weights=weights,
            scores=evaluations.read_scores(evaluations.run_folder(self._out, target.step)),
        )
        if target.saved is not None:
            look = self._judged(look, target.saved)
        evaluations.write_look(self._out, look)
        self._on_look(look)

    def _judged(self, look: Look, saved: Saved) -> Look:
        gate = self._settings.gate
        planned = gate.looks or -(-saved.max_steps // saved.save_steps)
        before = sum(other.step != START for other in evaluations.read_looks(self._out))
        if before >= planned:
            return replace(look, reason=f"not judged: all {planned} planned looks are spent")
        judgement, reason = evaluations.judged_against(
            evaluations.run_folder(self._out, START),
            evaluations.run_folder(self._out, look.step),
            gate.policy(planned),
        )
        return replace(
            look, judgement=judgement, reason=f"look {before + 1} of {planned}: {reason}"
        )

    def _must_stop(self) -> bool:
        """Tell the training to stop where a look says so and the settings ask for it."""
        if not self._settings.gate.stop_on_regression:
            return False
        worse = [k for k in evaluations.read_looks(self._out) if k.judgement == Verdict.REGRESSION]
        if worse and not (self._run / STOP).exists():
            reason = f"step {worse[0].step}, {worse[0].reason}"
            write_json(self._run / STOP, {"step": worse[0].step, "reason": reason})
        return bool(worse)


def eval_command(spec: str, folder: Path, asked: SliceSettings, cache: Path) -> list[str]:
    """Return the command line that evaluates one checkpoint on the slice."""
    config = EvalConfig(
        tasks=asked.tasks,
        data=asked.data,
        protocol=asked.protocol,
        limit=asked.items_per_task,
        max_frames=asked.max_frames,
        max_pixels=asked.max_pixels,
        max_failures=asked.max_failures,
        out=folder,
        engine=EngineConfig(backend=asked.backend),
        decode=DecodeConfig(frame_cache=cache if asked.frame_cache else None),
    )
    return child_command(["eval", spec, *flags_of(config)])


def in_its_own_process(asked: SliceSettings, out: Path) -> Evaluate:
    """Return what runs ``videor1 eval`` for one checkpoint and waits for its end."""

    def evaluate(spec: str, folder: Path, log: Path) -> int:
        if is_locked(folder):
            return BUSY
        with log.open("ab") as file:
            command = eval_command(spec, folder, asked, out / "frames")
            return subprocess.run(command, stdout=file, stderr=file, check=False).returncode

    return evaluate
