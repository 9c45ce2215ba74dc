"""``videor1 train --dry-run``: check rows, recipe, checkpoint and folder, and estimate the cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from harness.cli.exits import CommandResult, Exit
from harness.models.checkpoint import full_checkpoint
from harness.plugins import is_installed
from harness.text.console import styled
from trainer.config.trl_fields import check_fields
from trainer.cost.estimate import Estimate, estimate
from trainer.cost.lora_targets import check_targets
from trainer.cost.model_shape import ModelShape, has_weights, linear_layers, read_shape
from trainer.data.rows import TrainingRow
from trainer.rewards.registry import check_uses
from trainer.runs import folder
from trainer.runs.train import TrainJob, TrainObserver, check_job_rows, make_manifest


def dry_run(job: TrainJob, observer: TrainObserver, console: Console) -> CommandResult:
    """Check everything that needs no model in memory, and print what an update will cost.

    Raises:
        UsageError: The recipe, the rows, the checkpoint or the folder cannot be used.
    """
    recipe = job.recipe
    trl = _check_trl(job)
    check_uses(recipe.reward_functions)
    shape = read_shape(recipe.model.checkpoint)
    if has_weights(recipe.model.checkpoint):  # a hub id's weights are not downloaded for this
        checkpoint = full_checkpoint(recipe.model.checkpoint)
        folder.refuse_other(job.out, make_manifest(job, checkpoint))
    if recipe.model.lora is not None:
        check_targets(recipe.model.lora, linear_layers(shape.tensors))
    report = check_job_rows(job, shape.patch_multiple, shape.folder, observer)
    observer.checked(report)
    rows = report.require(recipe.data.on_bad_row)
    recipe.require_enough_rows(len(rows), job.dist.world_size)
    _print_estimate(console, job, rows, shape, trl)
    return CommandResult(
        Exit.OK, f"{len(rows):,} rows and the recipe are valid; nothing was trained"
    )


def _check_trl(job: TrainJob) -> str:
    """Check the ``[trl]`` table where TRL is installed; return it with what was checked."""
    fields = job.recipe.trl
    if not fields:
        return ""
    text = ", ".join(f"{name} = {value!r}" for name, value in fields.items())
    if not is_installed("trl"):
        return f"{text} (not checked: TRL is not installed)"
    check_fields(fields, job.algorithm.load_trl_config())
    return f"{text} (fields of {job.algorithm.trl_config})"


def _print_estimate(
    console: Console, job: TrainJob, rows: Sequence[TrainingRow], shape: ModelShape, trl: str
) -> None:
    """Print the estimates; every figure is an upper bound or says that it is rough."""
    cost = estimate(job.recipe, rows, shape, world_size=job.dist.world_size)
    lines = {
        "checkpoint": _describe_checkpoint(job.recipe.model.checkpoint, shape),
        "run directory": str(job.out),
        "processes": f"{job.dist.world_size}",
        "further TRL fields": trl,
        "parameters": _describe_parameters(shape, cost),
        "an update": _describe_update(job, cost),
        "tokens per update": _describe_tokens(cost),
        "training": _describe_training(job, rows, cost),
    }
    for name, text in lines.items():
        if text:
            console.print(styled((name, "bold"), f" {text}"), soft_wrap=True)
    _print_memory(console, cost, job.dist.world_size)


def _describe_checkpoint(spec: str, shape: ModelShape) -> str:
    if shape.remembered:
        return f"{spec} (the hub was not reached; the sizes are those that videor1 knows)"
    absent = Path(spec).expanduser().is_dir() and not has_weights(spec)
    return f"{spec} (it has no weights; training needs them)" if absent else spec


def _describe_parameters(shape: ModelShape, cost: Estimate) -> str:
    vision = f"{shape.vision_parameters:,} of them vision"
    return f"{shape.parameters:,}, {vision}; {cost.trained:,} trained"


def _describe_update(job: TrainJob, cost: Estimate) -> str:
    if not job.recipe.samples_completions:
        return f"{cost.sequences} rows"
    shuffled = f", and {cost.shuffled} shuffled where all are videos" if cost.shuffled else ""
    return f"{cost.rows_per_step} prompts x {job.recipe.group_size} completions{shuffled}"


def _describe_tokens(cost: Estimate) -> str:
    return (
        f"at most {cost.tokens_per_step:,}: {cost.sequences + cost.shuffled} sequences of about"
        f" {cost.prompt_tokens:,} prompt and {cost.completion_tokens:,} answer tokens"
    )


def _describe_training(job: TrainJob, rows: Sequence[TrainingRow], cost: Estimate) -> str:
    optim = job.recipe.optim
    by_epochs = max(1, round(optim.num_train_epochs * len(rows) / cost.rows_per_step))
    steps = optim.max_steps or by_epochs
    passes = steps * cost.rows_per_step / len(rows)
    return f"{steps:,} updates, {passes:,.{3 if passes < 1 else 0}f} passes over {len(rows):,} rows"


def _print_memory(console: Console, cost: Estimate, world_size: int) -> None:
    total = sum(cost.memory.values())
    console.print(styled(("memory per process", "bold"), ", roughly:"))
    for name, size in cost.memory.items():
        console.print(f"  {name:<16} {_format_gib(size)}")
    console.print(f"  {'in all':<16} {_format_gib(total)}")
    if world_size > 1:
        sharded = total - cost.states + cost.states // world_size
        console.print(
            f"  {'sharded':<16} {_format_gib(sharded)} (FSDP or ZeRO-3 over {world_size}"
            " processes)",
        )


def _format_gib(size: int) -> str:
    return f"{size / 2**30:8.2f} GiB"
