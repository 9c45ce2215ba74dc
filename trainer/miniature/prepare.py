"""What the experiment begins with: the world, and one untaught model per seed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

from harness.errors import RunMismatchError
from harness.protocol import diff
from harness.store import write_folder, write_json
from trainer.miniature.arms import UNTAUGHT
from trainer.miniature.stages import Experiment

MANIFEST = "miniature.json"


def claim(experiment: Experiment) -> None:
    """Make a folder that of this experiment; seeds and arms may be added to it later.

    Raises:
        RunMismatchError: It holds another experiment, or something else.
    """
    out, path = experiment.out, experiment.out / MANIFEST
    asked = {**asdict(experiment.settings), "steps": experiment.steps}
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunMismatchError(
                f"{out} exists and holds no experiment (no {MANIFEST}); choose another --out"
            )
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, asked)
    lines = diff(json.loads(path.read_text(encoding="utf-8")), json.loads(json.dumps(asked)))
    if lines:
        raise RunMismatchError(
            f"{out} holds another experiment (stored != asked): {'; '.join(lines)}; choose"
            " another --out"
        )


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
    from tasks.motionworld.folder import write_world

    world = experiment.settings.world
    write_world(folder, world.seed, world.aspects, world.splits)


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
