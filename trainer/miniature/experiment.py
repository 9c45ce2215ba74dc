"""Define the experiment: its folder, the dataset and models it starts from, and all its commands.

Every step is a command that a person could type and that resumes by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import Exit
from harness.files import FolderClaim
from harness.schema import Variant
from trainer.config.renamed import rename_fields
from trainer.miniature.arms import INITIAL, SFT, VIDEO_TASK, Arm
from trainer.miniature.settings import RENAMED, MiniatureSettings, describe_settings
from trainer.miniature.study import Study
from trainer.watch.evaluations import (
    START,
    read_points,
)

if TYPE_CHECKING:
    pass

MANIFEST = "miniature.json"
CLAIM = FolderClaim(
    manifest=MANIFEST,
    kind="experiment",
    compared=partial(rename_fields, renamed=RENAMED),
    must_be_new=True,
)

_OLD_INITIAL = "untaught"
"""Folder of the initial model in experiments of version 0.1."""
_WATCH = "tiny"
"""Preset of ``videor1 watch``."""
_WATCH_EXITS = (Exit.OK, Exit.REGRESSION, Exit.INCONCLUSIVE)
"""Exit codes of a finished watch; each verdict is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command of the experiment."""

    name: str
    words: tuple[str, ...]
    """What follows ``videor1``."""
    needs: str | None = None
    """The stage that has to be done before."""
    accepted: tuple[Exit, ...] = (Exit.OK,)
    """Exit codes with which it is done."""

    def __str__(self) -> str:
        return f"videor1 {shlex.join(self.words)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is trained and evaluated, and where it is stored."""

    out: Path
    settings: MiniatureSettings
    study: Study
    seeds: Sequence[int]
    arms: Sequence[Arm]
    """Those arms of the study that are trained."""
    steps: int | None = None
    """Updates of reinforcement learning; None: the recipes'."""

    @property
    def dataset(self) -> Path:
        """Folder of the dataset, the same for all seeds."""
        return self.out / "world"

    def folder(self, seed: int) -> Path:
        """Return the folder with everything of one seed."""
        return self.out / f"seed-{seed}"

    def run(self, seed: int, arm: Arm) -> Path:
        """Return the folder of an arm's training run."""
        return self.folder(seed) / arm.name

    def initial_model(self, seed: int) -> Path:
        """Return the folder of the model that training without SFT starts from."""
        older = self.folder(seed) / _OLD_INITIAL
        return older if older.exists() else self.folder(seed) / INITIAL

    def checkpoint(self, seed: int, name: str) -> Path:
        """Return the checkpoint of an arm that is evaluated and trained further.

        Args:
            seed: The seed of the training.
            name: Name of an arm, or `INITIAL`.
        """
        if name == INITIAL:
            return self.initial_model(seed)
        arm = self.study.arm(name)
        found = self._cold_start(seed) if arm is SFT and self.study.start_is_chosen else None
        return found or self._last_checkpoint(seed, arm)

    def first_stages(self) -> list[Stage]:
        """List the stages that decide which checkpoints the other arms start from."""
        arms = [arm for arm in self.arms if arm.start == INITIAL]
        trainings = [self._training(seed, arm) for arm in arms for seed in self.seeds]
        if not self.study.start_is_chosen:
            return trainings
        return trainings + [self._watch(seed, arm) for arm in arms for seed in self.seeds]

    def stages(self) -> list[Stage]:
        """List all stages, the trainings of a seed first."""
        return [stage for seed in self.seeds for stage in self._stages_of(seed)]

    def _cold_start(self, seed: int) -> Path | None:
        """Return the first SFT checkpoint with the required score on the development clips.

        A small model learns to use the images suddenly, after a number of updates that depends on
        the seed; a fixed number of updates would be too few for one seed and too many for another.
        """
        for point in read_points(self._watch_folder(seed, SFT)):
            score = point.scores[VIDEO_TASK].score
            good = score is not None and score >= self.settings.min_dev_score
            if point.step != START and good:
                return Path(point.checkpoint)
        return None

    def saved_steps(self, seed: int, arm: Arm) -> list[int]:
        """Return the updates after which an arm saves a checkpoint; the last one is evaluated."""
        optim = arm.algorithm.read_recipe(self.settings.recipes, self._changes(seed, arm)).optim
        assert optim.max_steps is not None, f"{self.settings.recipes}: optim.max_steps is not set"
        return sorted(
            {*range(optim.save_steps, optim.max_steps, optim.save_steps), optim.max_steps}
        )

    def probed_steps(self, seed: int, arm: Arm) -> list[int]:
        """Return the updates whose checkpoints are probed: all, of the start the last one."""
        steps = self.saved_steps(seed, arm)
        return steps[-1:] if arm.start == INITIAL else steps

    def test_run(self, seed: int, arm: Arm, variant: Variant) -> Path:
        """Return the run directory of an arm's final evaluation with one frame order."""
        folder = self.folder(seed) / "test"
        return (
            self._test_probe(seed, arm) / variant
            if self.study.probed
            else (folder / f"{arm.name}-{variant}")
        )

    def dev_run(self, step: int, seed: int, arm: Arm, variant: Variant) -> Path:
        """Return the run directory of a probed checkpoint on the development split."""
        return self._dev_probe(seed, arm, step) / variant

    def _test_probe(self, seed: int, arm: Arm) -> Path:
        return self.folder(seed) / "test" / arm.name

    def _dev_probe(self, seed: int, arm: Arm, step: int) -> Path:
        return self.folder(seed) / "dev" / f"{arm.name}-{step}"

    def _last_checkpoint(self, seed: int, arm: Arm) -> Path:
        return self.run(seed, arm) / f"checkpoint-{self.saved_steps(seed, arm)[-1]}"

    def _stages_of(self, seed: int) -> Iterator[Stage]:
        for arm in self.arms:
            yield self._training(seed, arm)
        for arm in self.arms:
            if self.study.start_is_chosen:
                yield self._watch(seed, arm)
            if self.study.probed:
                yield from self._probes(seed, arm)
            else:
                for variant, tasks in self.study.variants.items():
                    yield self._evaluation(seed, arm, variant, tasks)

    def _training(self, seed: int, arm: Arm) -> Stage:
        sets = [word for change in self._changes(seed, arm) for word in ("--set", change)]
        return Stage(
            name=_stage_name(seed, arm),
            words=(
                "train", arm.algorithm.name, "--config", self.settings.recipes,
                "--out", str(self.run(seed, arm)), *sets,
            ),
            needs=None if arm.start == INITIAL else f"seed-{seed}/{arm.start}",
        )  # fmt: skip

    def _changes(self, seed: int, arm: Arm) -> list[str]:
        """Return what this experiment changes in the recipe, as ``--set`` values."""
        changes = [
            f"data.rows={self.dataset / arm.training_rows}.json",
            f"data.media_roots={self.dataset}",
            f"optim.seed={seed}",
            *arm.changes,
        ]
        steps = self.settings.sft_steps if arm.is_fine_tuning else self.steps
        if steps is not None:
            changes.append(f"optim.max_steps={steps}")
        # Last, because the name of a checkpoint depends on the steps of its arm.
        return [f"model.checkpoint={self.checkpoint(seed, arm.start)}", *changes]

    def _watch(self, seed: int, arm: Arm) -> Stage:
        """Return the evaluation of every checkpoint of an arm, on the development split."""
        return Stage(
            name=f"{_stage_name(seed, arm)}/watch",
            words=(
                "watch", str(self.run(seed, arm)), "--once", "--config", _WATCH,
                "--out", str(self._watch_folder(seed, arm)), "--set", "slice.items_per_task=none",
                "--set", f"slice.data={self.dataset / 'dev'}",
                "--set", f"slice.backend={self.settings.backend}",
            ),
            needs=_stage_name(seed, arm),
            accepted=_WATCH_EXITS,
        )  # fmt: skip

    def _watch_folder(self, seed: int, arm: Arm) -> Path:
        return self.folder(seed) / "watch" / arm.name

    def _evaluation(self, seed: int, arm: Arm, variant: Variant, tasks: Sequence[str]) -> Stage:
        """Return the final evaluation of an arm with one frame order, on the test split."""
        out = self.test_run(seed, arm, variant)
        has_images = self.settings.dataset.has_images
        asked = [task for task in tasks if task == VIDEO_TASK or has_images]
        return Stage(
            name=f"{_stage_name(seed, arm)}/{variant}",
            words=(
                "eval", str(self.checkpoint(seed, arm.name)), "--data", str(self.dataset / "test"),
                "--tasks", ",".join(asked), "--variant", variant,
                "--backend", self.settings.backend, "--workers", "1",
                "--frame-cache", str(self.out / "frames"), "--out", str(out),
            ),
            needs=_stage_name(seed, arm),
        )  # fmt: skip

    def _probes(self, seed: int, arm: Arm) -> Iterator[Stage]:
        """Yield the probes of an arm: its checkpoints on dev, the last one on the test split."""
        for step in self.probed_steps(seed, arm):
            checkpoint = self.run(seed, arm) / f"checkpoint-{step}"
            yield self._probe(
                f"dev-{step}", seed, arm, checkpoint, "dev", self._dev_probe(seed, arm, step)
            )
        checkpoint, out = self.checkpoint(seed, arm.name), self._test_probe(seed, arm)
        yield self._probe("test", seed, arm, checkpoint, "test", out)

    def _probe(
        self, name: str, seed: int, arm: Arm, checkpoint: Path, split: str, out: Path
    ) -> Stage:
        return Stage(
            name=f"{_stage_name(seed, arm)}/{name}",
            words=(
                "probe", str(checkpoint), "--variants", ",".join(self.study.variants),
                "--data", str(self.dataset / split), "--tasks", VIDEO_TASK,
                "--backend", self.settings.backend, "--workers", "1",
                "--temperature", f"{self.settings.temperature:g}",
                "--frame-cache", str(self.out / "frames"), "--out", str(out),
            ),
            needs=_stage_name(seed, arm),
        )  # fmt: skip


def claim_experiment(experiment: Experiment) -> None:
    """Store the settings in the experiment's folder, or check that they are the same.

    Seeds and arms may be added later.

    Raises:
        RunMismatchError: The folder holds an experiment with other settings, or something else.
    """
    asked = {**describe_settings(experiment.settings), "steps": experiment.steps}
    CLAIM.take(experiment.out, asked)


def _stage_name(seed: int, arm: Arm) -> str:
    return f"seed-{seed}/{arm.name}"
