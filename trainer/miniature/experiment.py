"""The experiment as commands: every step is one that a person could type, and goes on by itself."""

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
from trainer.miniature.arms import ARMS, CLIPS, SFT, UNTAUGHT, VARIANTS, Arm
from trainer.miniature.settings import MiniatureSettings
from trainer.watch.evaluations import (
    START,
    read_points,
)

_WATCH = "tiny"
"""Preset of ``videor1 watch``."""
_JUDGED = (Exit.OK, Exit.REGRESSION, Exit.INCONCLUSIVE)
"""How a watch may end: whatever it finds is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One command."""

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
    """What is trained and examined, and where it is kept."""

    out: Path
    settings: MiniatureSettings
    seeds: Sequence[int]
    arms: Sequence[Arm] = ARMS
    steps: int | None = None
    """Updates of reinforcement learning; None: the recipes'."""

    @property
    def world(self) -> Path:
        """The clips, one world for all seeds."""
        return self.out / "world"

    def folder(self, seed: int) -> Path:
        """Everything of one seed."""
        return self.out / f"seed-{seed}"

    def run(self, seed: int, arm: Arm) -> Path:
        """The training of an arm."""
        return self.folder(seed) / arm.name

    def checkpoint(self, seed: int, name: str) -> Path:
        """The untaught model, or the one that an arm is taken to have ended with."""
        if name == UNTAUGHT:
            return self.folder(seed) / UNTAUGHT
        arm = next(arm for arm in ARMS if arm.name == name)
        found = self._cold_start(seed) if arm is SFT else None
        return found or self._last(seed, arm)

    def _cold_start(self, seed: int) -> Path | None:
        """Return the first checkpoint of SFT that is good enough on the development clips.

        A small model learns to see all at once, now sooner, now later; a fixed number of updates
        would stop one seed before it and another behind.
        """
        for point in read_points(self._watch(seed, SFT)):
            score = point.scores[CLIPS].score
            if point.step != START and score is not None and score >= self.settings.enough:
                return Path(point.checkpoint)
        return None

    def _last(self, seed: int, arm: Arm) -> Path:
        recipe = arm.algorithm.read_recipe(self.settings.recipes, self._changes(seed, arm))
        return self.run(seed, arm) / f"checkpoint-{recipe.optim.max_steps}"

    def beginnings(self) -> list[Stage]:
        """List what has to be done before it is known what the other arms go on with."""
        arms = [arm for arm in self.arms if arm.start == UNTAUGHT]
        trainings = [self._training(seed, arm) for arm in arms for seed in self.seeds]
        return trainings + [self._watching(seed, arm) for arm in arms for seed in self.seeds]

    def stages(self) -> list[Stage]:
        """List every step, the trainings of a seed first."""
        return [stage for seed in self.seeds for stage in self._of_seed(seed)]

    def _of_seed(self, seed: int) -> Iterator[Stage]:
        for arm in self.arms:
            yield self._training(seed, arm)
        for arm in self.arms:
            yield self._watching(seed, arm)
            for variant, tasks in VARIANTS.items():
                yield self._examination(seed, arm, variant, tasks)

    def _training(self, seed: int, arm: Arm) -> Stage:
        sets = [word for change in self._changes(seed, arm) for word in ("--set", change)]
        return Stage(
            name=_name(seed, arm),
            words=(
                "train", arm.algorithm.name, "--config", self.settings.recipes,
                "--out", str(self.run(seed, arm)), *sets,
            ),
            needs=None if arm.start == UNTAUGHT else f"seed-{seed}/{arm.start}",
        )  # fmt: skip

    def _changes(self, seed: int, arm: Arm) -> list[str]:
        """Return what this experiment changes of the recipe."""
        split = "sft" if arm.algorithm is algorithms.SFT else "rl"
        changes = [
            f"data.rows={self.world / split}.json",
            f"data.media_roots={self.world}",
            f"optim.seed={seed}",
            *arm.changes,
        ]
        steps = self.settings.sft_steps if arm.algorithm is algorithms.SFT else self.steps
        if steps is not None:
            changes.append(f"optim.max_steps={steps}")
        # Asked for last: the name of a checkpoint depends on the steps of the arm it belongs to.
        return [f"model.checkpoint={self.checkpoint(seed, arm.start)}", *changes]

    def _watching(self, seed: int, arm: Arm) -> Stage:
        """EvalPoint at every checkpoint of a training, on the clips for tuning."""
        return Stage(
            name=f"{_name(seed, arm)}/watch",
            words=(
                "watch", str(self.run(seed, arm)), "--once", "--config", _WATCH,
                "--out", str(self._watch(seed, arm)), "--set", "slice.items_per_task=none",
                "--set", f"slice.data={self.world / 'dev'}",
                "--set", f"slice.backend={self.settings.backend}",
            ),
            needs=_name(seed, arm),
            accepted=_JUDGED,
        )  # fmt: skip

    def _watch(self, seed: int, arm: Arm) -> Path:
        return self.folder(seed) / "watch" / arm.name

    def _examination(self, seed: int, arm: Arm, variant: Variant, tasks: Sequence[str]) -> Stage:
        out = self.folder(seed) / "test" / f"{arm.name}-{variant}"
        asked = [task for task in tasks if task == CLIPS or self.settings.world.has_stills]
        return Stage(
            name=f"{_name(seed, arm)}/{variant}",
            words=(
                "eval", str(self.checkpoint(seed, arm.name)), "--data", str(self.world / "test"),
                "--tasks", ",".join(asked), "--variant", variant,
                "--backend", self.settings.backend, "--workers", "1",
                "--frame-cache", str(self.out / "frames"), "--out", str(out),
            ),
            needs=_name(seed, arm),
        )  # fmt: skip


def _name(seed: int, arm: Arm) -> str:
    return f"seed-{seed}/{arm.name}"


MANIFEST = "miniature.json"
CLAIM = FolderClaim(manifest=MANIFEST, kind="experiment", must_be_new=True)


def claim(experiment: Experiment) -> None:
    """Make a folder that of this experiment; seeds and arms may be added to it later.

    Raises:
        RunMismatchError: It holds another experiment, or something else.
    """
    asked = {**asdict(experiment.settings), "steps": experiment.steps}
    CLAIM.take(experiment.out, asked)


def prepare(experiment: Experiment, say: Callable[[str], None]) -> None:
    """Draw the world and make the untaught models, where they are not there yet."""
    if not experiment.world.exists():
        say(f"drawing the world into {experiment.world}")
        write_folder(experiment.world, partial(_draw, experiment=experiment))
    for seed in experiment.seeds:
        folder = experiment.folder(seed) / UNTAUGHT
        if not folder.exists():
            say(f"making the untaught model of seed {seed} in {folder}")
            folder.parent.mkdir(exist_ok=True)
            write_folder(folder, partial(_build, experiment=experiment, seed=seed))


def _draw(folder: Path, experiment: Experiment) -> None:
    from tasks.motionworld.folder import write_dataset

    world = experiment.settings.world
    write_dataset(folder, world.seed, world.aspects, world.splits)


def _build(folder: Path, experiment: Experiment, seed: int) -> None:
    """Build with as many threads as the commands have: the last bits depend on it."""
    import torch

    from tasks.motionworld.checkpoint import build

    before, threads = torch.get_num_threads(), experiment.settings.threads
    torch.set_num_threads(threads or before)
    try:
        build(folder, seed, experiment.settings.model)
    finally:
        torch.set_num_threads(before)
