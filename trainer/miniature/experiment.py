"""Define the experiment: its folder, the dataset and models it starts from, and all its commands.

Every step is a command that a person could type and that resumes by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from harness.cli.exits import Exit
from harness.files import FolderClaim, write_folder
from harness.schema import Variant
from trainer.config import algorithms
from trainer.config.renamed import rename_fields
from trainer.miniature.arms import ARMS, INITIAL, SFT, VARIANTS, VIDEO_TASK, Arm
from trainer.miniature.settings import RENAMED, MiniatureSettings
from trainer.watch.evaluations import (
    START,
    read_points,
)

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
    seeds: Sequence[int]
    arms: Sequence[Arm] = ARMS
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
        arm = next(arm for arm in ARMS if arm.name == name)
        found = self._cold_start(seed) if arm is SFT else None
        return found or self._last_checkpoint(seed, arm)

    def first_stages(self) -> list[Stage]:
        """List the stages that decide which checkpoints the other arms start from."""
        arms = [arm for arm in self.arms if arm.start == INITIAL]
        trainings = [self._training(seed, arm) for arm in arms for seed in self.seeds]
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

    def _last_checkpoint(self, seed: int, arm: Arm) -> Path:
        recipe = arm.algorithm.read_recipe(self.settings.recipes, self._changes(seed, arm))
        return self.run(seed, arm) / f"checkpoint-{recipe.optim.max_steps}"

    def _stages_of(self, seed: int) -> Iterator[Stage]:
        for arm in self.arms:
            yield self._training(seed, arm)
        for arm in self.arms:
            yield self._watch(seed, arm)
            for variant, tasks in VARIANTS.items():
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
        split = "sft" if arm.algorithm is algorithms.SFT else "rl"
        changes = [
            f"data.rows={self.dataset / split}.json",
            f"data.media_roots={self.dataset}",
            f"optim.seed={seed}",
            *arm.changes,
        ]
        steps = self.settings.sft_steps if arm.algorithm is algorithms.SFT else self.steps
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
        out = self.folder(seed) / "test" / f"{arm.name}-{variant}"
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


def claim_experiment(experiment: Experiment) -> None:
    """Store the settings in the experiment's folder, or check that they are the same.

    Seeds and arms may be added later.

    Raises:
        RunMismatchError: The folder holds an experiment with other settings, or something else.
    """
    asked = {**asdict(experiment.settings), "steps": experiment.steps}
    CLAIM.take(experiment.out, asked)


def create_inputs(experiment: Experiment, report: Callable[[str], None]) -> None:
    """Create the dataset and the initial models that do not exist yet.

    Args:
        experiment: What to create, and where.
        report: Called with a line before each long step.
    """
    if not experiment.dataset.exists():
        report(f"drawing the dataset into {experiment.dataset}")
        write_folder(experiment.dataset, partial(_write_dataset, experiment=experiment))
    for seed in experiment.seeds:
        folder = experiment.initial_model(seed)
        if not folder.exists():
            report(f"making the initial model of seed {seed} in {folder}")
            folder.parent.mkdir(exist_ok=True)
            write_folder(folder, partial(_build_model, experiment=experiment, seed=seed))


def _stage_name(seed: int, arm: Arm) -> str:
    return f"seed-{seed}/{arm.name}"


def _write_dataset(folder: Path, experiment: Experiment) -> None:
    from tasks.motionworld.folder import write_dataset

    dataset = experiment.settings.dataset
    write_dataset(folder, dataset.seed, dataset.aspects, dataset.splits)


def _build_model(folder: Path, experiment: Experiment, seed: int) -> None:
    """Build the initial model with the threads that the commands have.

    The last bits of its weights depend on the number of threads.
    """
    import torch

    from tasks.motionworld.checkpoint import build

    before, threads = torch.get_num_threads(), experiment.settings.threads
    torch.set_num_threads(threads or before)
    try:
        build(folder, seed, experiment.settings.model)
    finally:
        torch.set_num_threads(before)
