"""What ``videor1 train --dry-run`` prints: the model, an update's tokens, a process's memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.config.recipe import GRPORecipe
from trainer.cost.estimate import (
    Estimate,
    estimate,
)
from trainer.cost.model_shape import (
    ModelShape,
    has_weights,
)
from trainer.data.rows import TrainingRow

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.cli.job import Job


def print_estimate(
    console: Console, job: Job, rows: Sequence[TrainingRow], shape: ModelShape
) -> None:
    """Print the estimates; every figure is an upper bound or says that it is rough."""
    cost = estimate(job.recipe, rows, shape, processes=job.dist.world_size)
    lines = [
        ("checkpoint", _checkpoint(job.recipe.model.checkpoint)),
        ("run directory", str(job.out)),
        ("processes", f"{job.dist.world_size}"),
        ("parameters", _parameters(shape, cost)),
        ("an update", _update(job, cost)),
        ("tokens per update", _tokens(cost)),
        ("training", _training(job, rows, cost)),
    ]
    for name, text in lines:
        console.print(f"[bold]{name}[/bold] {text}", highlight=False, soft_wrap=True)
    _print_memory(console, cost, job.dist.world_size)


def _checkpoint(spec: str) -> str:
    absent = Path(spec).expanduser().is_dir() and not has_weights(spec)
    return f"{spec} (it has no weights; training needs them)" if absent else spec


def _parameters(shape: ModelShape, cost: Estimate) -> str:
    vision = f"{shape.vision_parameters:,} of them vision"
    return f"{shape.parameters:,}, {vision}; {cost.trained:,} trained"


def _update(job: Job, cost: Estimate) -> str:
    if not isinstance(job.recipe, GRPORecipe):
        return f"{cost.sequences} rows"
    shuffled = f", and {cost.shuffled} shuffled where all are videos" if cost.shuffled else ""
    return (
        f"{cost.rows_per_step} prompts x {job.recipe.rollout.num_generations} completions{shuffled}"
    )


def _tokens(cost: Estimate) -> str:
    return (
        f"at most {cost.tokens_per_step:,}: {cost.sequences + cost.shuffled} sequences of about"
        f" {cost.prompt_tokens:,} prompt and {cost.completion_tokens:,} answer tokens"
    )


def _training(job: Job, rows: Sequence[TrainingRow], cost: Estimate) -> str:
    optim = job.recipe.optim
    steps = optim.max_steps or max(
        1, round(optim.num_train_epochs * len(rows) / cost.rows_per_step)
    )
    passes = steps * cost.rows_per_step / len(rows)
    return f"{steps:,} updates, {passes:,.{3 if passes < 1 else 0}f} passes over {len(rows):,} rows"


def _print_memory(console: Console, cost: Estimate, processes: int) -> None:
    total = sum(cost.memory.values())
    console.print("[bold]memory per process[/bold], roughly:", highlight=False)
    for name, size in cost.memory.items():
        console.print(f"  {name:<16} {_gib(size)}", highlight=False)
    console.print(f"  {'in all':<16} {_gib(total)}", highlight=False)
    if processes > 1:
        sharded = total - cost.states + cost.states // processes
        console.print(
            f"  {'sharded':<16} {_gib(sharded)} (FSDP or ZeRO-3 over {processes} processes)",
            highlight=False,
        )


def _gib(size: int) -> str:
    return f"{size / 2**30:8.2f} GiB"
