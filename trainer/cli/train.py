"""``videor1 train``: supervised fine-tuning, GRPO, T-GRPO and what packages add.

The same command resumes an interrupted run. ``--dry-run`` checks everything that can be checked
without loading a model, and stops there.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count
from harness.errors import UsageError
from trainer.cli.check import add_check_action
from trainer.cli.runs import add_run_actions
from trainer.cli.serve import add_serve_action
from trainer.config.algorithms import find_algorithms

if TYPE_CHECKING:
    from trainer.runs.train import TrainJob, TrainObserver


class TrainCommand:
    """The ``train`` command."""

    help = (
        "train a checkpoint (sft, grpo, tgrpo), serve it to trainings (serve), or inspect rows"
        " (check) or a run (show, timeline)"
    )

    def configure(self, parser: ArgumentParser) -> None:
        """Declare one action per algorithm, ``check``, ``show``, ``timeline`` and ``serve``.

        Raises:
            UsageError: An algorithm of another package cannot be used.
        """
        actions = parser.add_subparsers(metavar="ACTION", required=True)
        for name, algorithm in find_algorithms().items():
            text = algorithm.help
            sub = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
            _recipe_flags(sub)
            sub.set_defaults(action=_run_action, algorithm=algorithm)
        add_check_action(actions)
        add_run_actions(actions)
        add_serve_action(actions)

    def run(self, args: Namespace) -> CommandResult:
        """Run the chosen action and return its result."""
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


def _run_action(args: Namespace) -> CommandResult:
    from harness.text.console import make_console
    from trainer.cli.dryrun import dry_run
    from trainer.cli.observer import ConsoleObserver

    job = _make_job(args)
    console = make_console(stderr=not args.dry_run, quiet=job.dist.rank > 0)
    if args.dry_run:
        return dry_run(job, ConsoleObserver(console), console)
    return _train_job(job, ConsoleObserver(console))


def _make_job(args: Namespace) -> TrainJob:
    from trainer.runs.folder import DistInfo, default_out
    from trainer.runs.train import TrainJob

    if args.processes and not args.dry_run:
        raise UsageError(
            "--processes belongs to --dry-run; to train with several, start them with"
            " `accelerate launch -m harness train ...`"
        )
    algorithm = args.algorithm
    dist = DistInfo(0, args.processes) if args.processes else DistInfo.of_this_process()
    recipe = algorithm.read_recipe(args.config, args.set)
    recipe.sequences_per_update(dist.world_size)  # refuses incomplete groups
    out = args.out or default_out(algorithm.name, args.config)
    return TrainJob(algorithm=algorithm, recipe=recipe, out=out, dist=dist)


def _train_job(job: TrainJob, observer: TrainObserver) -> CommandResult:
    """Train, and say how the run ended and what can be done with the result."""
    from trainer.runs.folder import STOP
    from trainer.runs.train import train

    try:
        result = train(job, observer)
    except KeyboardInterrupt:
        return CommandResult(
            Exit.INTERRUPTED,
            f"the checkpoints in {job.out} are kept; run the same command again to resume",
        )
    if result.stopped is not None:
        return CommandResult(
            Exit.REGRESSION,
            f"stopped by `videor1 watch`: {result.stopped}; remove {job.out / STOP} to resume",
        )
    if result.times is not None and job.dist.rank == 0:
        observer.trained(result.times)
    answers = f"videor1 train show {job.out}" if job.recipe.samples_completions else ""
    if result.learnt.nothing is not None:
        ending = f"nothing was learnt: {result.learnt.nothing} ({result.learnt})"
        return CommandResult(
            Exit.INCOMPLETE, f"{ending}; {answers and f'answers: {answers}; '}change the recipe or"
            " the rows, and train in another folder"
        )  # fmt: skip
    ending = f"trained ({result.learnt}); evaluate it: videor1 eval {result.checkpoint}"
    return CommandResult(Exit.OK, f"{ending}; answers: {answers}" if answers else ending)
