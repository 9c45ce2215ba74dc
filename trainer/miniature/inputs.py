"""Create what the commands of an experiment start from: the dataset and the initial models."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.files import write_folder
from trainer.miniature.experiment import Experiment

if TYPE_CHECKING:
    from tasks.motionworld.splits import Item

_FORMAT_PAIRS = 100
"""Pairs of clips with marks on whose questions an initial model learns the answer format."""


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


def _write_dataset(folder: Path, experiment: Experiment) -> None:
    from tasks.motionworld.folder import write_dataset, write_marked_dataset

    dataset = experiment.settings.dataset
    if dataset.marks is None:
        write_dataset(folder, dataset.seed, dataset.aspects, dataset.splits)
    else:
        write_marked_dataset(
            folder,
            dataset.seed,
            dataset.splits,
            order_share=dataset.marks.order_share,
            agreements=dataset.marks.agreements,
        )


def _format_questions(experiment: Experiment) -> list[Item] | None:
    """Return the questions on which the initial model learns the format; None: of all aspects."""
    from tasks.motionworld.marks import undecided_rows
    from tasks.motionworld.splits import Split

    dataset = experiment.settings.dataset
    if dataset.marks is None:
        return None
    split = Split(name="tokenizer", pairs=_FORMAT_PAIRS, stills=0)
    return list(undecided_rows(split, dataset.seed, dataset.marks.order_share))


def _build_model(folder: Path, experiment: Experiment, seed: int) -> None:
    """Build the initial model with the threads that the commands have.

    The last bits of its weights depend on the number of threads.
    """
    import torch

    from tasks.motionworld.checkpoint import build

    before, threads = torch.get_num_threads(), experiment.settings.threads
    torch.set_num_threads(threads or before)
    try:
        build(folder, seed, experiment.settings.model, _format_questions(experiment))
    finally:
        torch.set_num_threads(before)
