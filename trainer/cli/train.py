"""``videor1 train``: supervised fine-tuning, GRPO and T-GRPO from one recipe file each.

The same command goes on with an interrupted run. Everything that can be wrong with recipe, rows,
checkpoint or output folder is found before a model is loaded; ``--dry-run`` stops there.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count
from harness.errors import UsageError, missing_extra
from trainer.cli.job import Job
from trainer.cli.runs import add_looking

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.data.checks import RowReport
    from trainer.data.rows import TrainingRow

_HELP = {
    "sft": "supervised fine-tuning on rows with a rationale",
    "grpo": "group-relative policy optimisation with the paper's rewards",
    "tgrpo": "GRPO that also rewards answers for depending on the order of the frames",
}
_PACKAGES = ("torch", "transformers", "datasets", "accelerate", "peft", "trl")


class Train:
    """The ``train`` command."""

    help = "train a checkpoint (sft, grpo, tgrpo), or look into a run (show, timeline)"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare one action per algorithm, and those that look into a run."""
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        for algorithm, text in _HELP.items():
            sub = actions.add_parser(algorithm, help=text, description=text, allow_abbrev=False)
            _recipe_flags(sub)
            sub.set_defaults(action=_train, algorithm=algorithm)
        add_looking(actions)

    def run(self, args: Namespace) -> CommandResult:
        """Do the chosen action."""
        result: CommandResult = args.action(args)
        return result


def _recipe_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        required=True,
        metavar="FILE.toml",
        help="recipe file, or a shipped one: paper (its values), code (those of its published"
        " code), tiny (two CPU cores, on what `videor1 world` draws)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.FIELD=VALUE",
        help="change one value of the recipe; may be repeated",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the run (default: results/runs/NAME)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, estimate the cost, train nothing"
    )
    parser.add_argument(
        "--processes",
        type=count,
        metavar="N",
        help="with --dry-run: how many processes will train (default: this one)",
    )


def _train(args: Namespace) -> CommandResult:
    from rich.console import Console

    job = _job(args)
    console = Console(stderr=not args.dry_run, quiet=job.dist.rank > 0)
    return _dry_run(job, console) if args.dry_run else _run(job, console)


def _job(args: Namespace) -> Job:
    from trainer.config.recipe import (
        Algorithm,
        GRPORecipe,
        completions_per_update,
        read_recipe,
    )
    from trainer.runs.folder import (
        DistInfo,
        default_out,
    )

    algorithm = Algorithm(args.algorithm)
    if args.processes and not args.dry_run:
        raise UsageError(
            "--processes belongs to --dry-run; to train with several, start them with"
            " `accelerate launch -m harness train ...`"
        )
    dist = DistInfo(0, args.processes) if args.processes else DistInfo.of_this_process()
    recipe = read_recipe(algorithm, args.config, args.set)
    if isinstance(recipe, GRPORecipe):
        completions_per_update(recipe, dist.world_size)  # refuses groups that are cut
    out = args.out or default_out(algorithm, args.config)
    return Job(algorithm=algorithm, recipe=recipe, out=out, dist=dist)


def _dry_run(job: Job, console: Console) -> CommandResult:
    """Check rows, checkpoint and folder, and print what an update will cost."""
    from trainer.cli.dryrun import print_estimate
    from trainer.config.recipe import require_enough_rows
    from trainer.cost.model_shape import (
        has_weights,
        read_shape,
    )
    from trainer.data.checks import print_report
    from trainer.runs import folder

    shape = read_shape(job.recipe.model.checkpoint)
    if has_weights(job.recipe.model.checkpoint):  # a hub id's are not fetched for this
        folder.refuse_other(job.out, _manifest(job))
    report = _check(job, shape.patch_multiple, console)
    print_report(console, report)
    rows = report.require(job.recipe.data.on_bad_row)
    require_enough_rows(job.recipe, len(rows), job.dist.world_size)
    print_estimate(console, job, rows, shape)
    return CommandResult(
        Exit.OK, f"{len(rows):,} rows and the recipe are sound; nothing was trained"
    )


def _run(job: Job, console: Console) -> CommandResult:
    """Claim the folder and train in it, or find that the run was stopped."""
    from harness.files import locked
    from harness.models.checkpoint import full_checkpoint
    from harness.models.video_processor import require_video
    from trainer.runs import folder

    for name in _PACKAGES:
        if find_spec(name) is None:
            raise missing_extra(name, "train")
    checkpoint = full_checkpoint(job.recipe.model.checkpoint)
    require_video(checkpoint.path)
    if job.dist.rank > 0:
        return _go_on(job, console, checkpoint.patch_multiple)
    folder.claim(job.out, _manifest(job))
    with locked(job.out):
        return _go_on(job, console, checkpoint.patch_multiple)


def _go_on(job: Job, console: Console, patch_multiple: int) -> CommandResult:
    """Train from where the run is."""
    from trainer.runs.folder import STOP

    stop = job.out / STOP
    if not stop.exists():
        rows = _rows(job, console, patch_multiple)
        console.print(f"training in {job.out}; the same command goes on with it")
        # Only now: the trainers import torch and TRL.
        callbacks = import_module("trainer.loops.callbacks")
        algorithm = import_module(f"trainer.algorithms.{job.algorithm}")
        try:
            with callbacks.ProgressBar(console) as bar:
                algorithm.train(
                    job.recipe, job.out, rows=rows, callbacks=[bar, callbacks.StopFile(stop)]
                )
        except KeyboardInterrupt:
            return CommandResult(
                Exit.INTERRUPTED,
                f"what is saved in {job.out} is kept; run the same command again to go on",
            )
    return _concluded(job)


def _rows(job: Job, console: Console, patch_multiple: int) -> Sequence[TrainingRow]:
    """Return the sound rows, checked now or earlier in this run."""
    from trainer.config.recipe import (
        GRPORecipe,
        require_enough_rows,
    )
    from trainer.data.checks import print_report
    from trainer.rewards.rewards import require
    from trainer.runs.folder import checked_rows

    data = job.recipe.data
    report, earlier = checked_rows(
        job.out, data, lambda: _check(job, patch_multiple, console), job.dist
    )
    if not earlier:
        print_report(console, report)
    rows = report.require(data.on_bad_row)
    require_enough_rows(job.recipe, len(rows), job.dist.world_size)
    if isinstance(job.recipe, GRPORecipe):
        require({row.sample.kind for row in rows})
    return rows


def _manifest(job: Job) -> dict[str, Any]:
    from harness.models.checkpoint import full_checkpoint
    from trainer.runs.folder import make_manifest

    checkpoint = full_checkpoint(job.recipe.model.checkpoint)
    return make_manifest(job.algorithm, job.recipe, checkpoint, job.dist.world_size)


def _check(job: Job, patch_multiple: int, console: Console) -> RowReport:
    """Check the rows of the recipe, with a progress bar for the decoding."""
    from rich.progress import Progress

    from trainer.config.recipe import SFTRecipe
    from trainer.data.checks import check_rows

    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("decoding media", total=None)
        return check_rows(
            job.recipe.data,
            job.recipe.frames,
            patch_multiple=patch_multiple,
            rationale=isinstance(job.recipe, SFTRecipe),
            on_decoded=lambda done, total: progress.update(bar, completed=done, total=total),
        )


def _concluded(job: Job) -> CommandResult:
    """Say why the run ended, where its result is, and what can be done with it."""
    from trainer.config.recipe import SFTRecipe
    from trainer.runs.checkpoints import newest_checkpoint
    from trainer.runs.folder import STOP

    out = job.out
    if (out / STOP).exists():
        reason = json.loads((out / STOP).read_text(encoding="utf-8"))["reason"]
        return CommandResult(
            Exit.REGRESSION, f"stopped by `videor1 watch`: {reason}; remove {out / STOP} to go on"
        )
    answers = "" if isinstance(job.recipe, SFTRecipe) else f"; answers: videor1 train show {out}"
    newest = newest_checkpoint(out)
    return CommandResult(Exit.OK, f"trained; evaluate it: videor1 eval {newest}{answers}")
