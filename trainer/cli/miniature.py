"""``videor1 miniature``: run an experiment at a small scale, from data to report."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import count
from harness.errors import UsageError, missing_extra
from harness.plugins import is_installed

if TYPE_CHECKING:
    from rich.console import Console

    from trainer.miniature.arms import Arm
    from trainer.miniature.experiment import Experiment
    from trainer.miniature.scheduler import (
        Scheduler,
        SchedulerProgress,
    )
    from trainer.miniature.study import Study

DEFAULT_OUT = Path("results/runs/miniature")
SHORTCUT_OUT = Path("results/runs/shortcut")
_SEED_DIGITS = 9


def seed_number(text: str) -> int:
    """Read a whole number from 0 on."""
    if not text.isdecimal() or len(text) > _SEED_DIGITS:
        raise ArgumentTypeError(f"expected a whole number from 0 on, got {text!r:.40}")
    return int(text)


class MiniatureCommand:
    """The ``miniature`` command: trains and evaluates all arms, and writes the report."""

    help = "Video-R1's ablation on small clips: SFT, GRPO, T-GRPO, evaluated, with a table"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags: size of the experiment, arms, seeds and folder."""
        parser.add_argument(
            "--config",
            default="tiny",
            metavar="FILE.toml",
            help="tiny (two CPU cores), gpu (one GPU), shortcut (does training take one?) or a file"
            " (default: %(default)s)",
        )
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="SECTION.FIELD=VALUE",
            help="change one value of the settings; may be repeated",
        )
        parser.add_argument(
            "--seeds", type=count, default=1, metavar="N", help="trainings of each arm (default: 1)"
        )
        parser.add_argument(
            "--first-seed",
            type=seed_number,
            default=0,
            metavar="N",
            help="the first of these seeds (default: 0)",
        )
        parser.add_argument(
            "--steps", type=count, metavar="N", help="updates of reinforcement learning"
        )
        parser.add_argument(
            "--arms",
            metavar="A,B",
            help="only these (sft, zero, grpo, tgrpo-video, tgrpo; --dry-run shows others)",
        )
        parser.add_argument(
            "--jobs", type=count, default=2, metavar="N", help="commands at a time (default: 2)"
        )
        parser.add_argument(
            "--out",
            type=Path,
            metavar="DIR",
            help=f"folder of the results (default: {DEFAULT_OUT}; {SHORTCUT_OUT} for shortcut)",
        )
        parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")

    def run(self, args: Namespace) -> CommandResult:
        """Run the commands that are not done yet, then write and print the report."""
        from harness.files import locked
        from harness.text.console import make_console
        from trainer.miniature.experiment import claim_experiment
        from trainer.miniature.inputs import create_inputs
        from trainer.miniature.scheduler import Scheduler

        experiment = _read_experiment(args)
        if args.dry_run:
            return _dry_run(experiment)
        for package in ("trl", "matplotlib"):
            if not is_installed(package):
                raise missing_extra(package, "train")
        console = make_console(stderr=True)
        claim_experiment(experiment)
        with locked(experiment.out):
            settings = experiment.settings
            scheduler = Scheduler(
                experiment.out, jobs=args.jobs, threads=settings.threads, warm=settings.warm
            )
            try:
                create_inputs(experiment, console.print)
                _run_stages(experiment, scheduler, console)
            except KeyboardInterrupt:
                return CommandResult(
                    Exit.INTERRUPTED,
                    f"the results in {experiment.out} are kept; run the same command to resume",
                )
            for name, reason in scheduler.failed.items():
                console.print(f"{name}: {reason}", style="red", soft_wrap=True)
            if scheduler.failed:
                names = ", ".join(scheduler.failed)
                return CommandResult(
                    Exit.INCOMPLETE, f"{names} failed; run the same command to resume"
                )
            return _conclude(experiment)


def _read_experiment(args: Namespace) -> Experiment:
    from trainer.miniature.experiment import Experiment
    from trainer.miniature.settings import read_miniature
    from trainer.miniature.studies import find_study

    settings = read_miniature(args.config, args.set)
    study = find_study(settings)
    return Experiment(
        out=args.out or _default_out(args.config),
        settings=settings,
        study=study,
        seeds=range(args.first_seed, args.first_seed + args.seeds),
        arms=_choose_arms(args.arms, study),
        steps=args.steps,
    )


def _default_out(config: str) -> Path:
    """Return the folder of an experiment without ``--out``: one for each shipped study."""
    return SHORTCUT_OUT if config == "shortcut" else DEFAULT_OUT


def _choose_arms(names: str | None, study: Study) -> tuple[Arm, ...]:
    """Return the named arms; the arm that one of them starts from has to be named, too."""
    from trainer.miniature.arms import INITIAL

    known = {arm.name: arm for arm in study.arms}
    chosen = list(known) if names is None else [name.strip() for name in names.split(",")]
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UsageError(f"--arms: no arm {unknown[0]!r}; there are {', '.join(known)}")
    arms = tuple(arm for arm in study.arms if arm.name in chosen)
    for arm in arms:
        if arm.start not in (INITIAL, *chosen):
            raise UsageError(f"--arms: {arm.name} starts from {arm.start}; name {arm.start}, too")
    return arms


def _dry_run(experiment: Experiment) -> CommandResult:
    from harness.text.console import make_console

    stages = experiment.stages()
    for stage in stages:
        make_console().print(str(stage), soft_wrap=True)
    return CommandResult(Exit.OK, f"{len(stages)} commands; nothing was run")


def _run_stages(experiment: Experiment, scheduler: Scheduler, console: Console) -> None:
    """Run the stages; show a progress bar on a terminal, and a line per change elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )  # fmt: skip
    with Bar(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        last_line = ""

        def show(progress: SchedulerProgress) -> None:
            nonlocal last_line
            running = ", ".join(process.stage.name for process in progress.running)
            bar.update(task, total=progress.total, completed=progress.done, description=running)
            if running != last_line and not console.is_terminal:
                console.print(f"{progress.done} of {progress.total} done; {running}")
            last_line = running

        scheduler.run(experiment.first_stages(), show)
        if not scheduler.failed:
            scheduler.run(experiment.stages(), show)


def _conclude(experiment: Experiment) -> CommandResult:
    """Write and print the report; return what the experiment found."""
    from harness.board.text import print_tables
    from harness.text.console import make_console
    from trainer.miniature.studies import conclude

    found = conclude(experiment)
    print_tables(make_console(), found.tables)
    written = ", ".join(file.name for file in found.files)
    return CommandResult(Exit.OK, f"{found.summary}; {written} in {experiment.out}")
