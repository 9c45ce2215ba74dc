"""The command ``videor1 demo``: evaluate the shipped checkpoint on generated clips.

The checkpoint was trained on MotionWorld (`tasks.motionworld`) and nothing else. It is probed there
with the frames in order, shuffled, one at a time and without frames, and with the options moved; on
generated clips in the four benchmarks' layouts, their real loaders, prompts and scorers run, and it
can only guess.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cli.board import BoardCommand
from harness.cli.commands import Command, run
from harness.cli.evaluate import EvalCommand
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.cli.gate import GateCommand
from harness.cli.probe import ProbeCommand
from harness.files import write_folder
from harness.probe.config import OPTIONS
from harness.run.config import EvalConfig
from harness.schema import Variant
from tasks.motionworld.trained import CHECKPOINT, card

DEFAULT_OUT = Path("results/demo")
MOTIONWORLD = ("motionworld", "motionworld-stills")
LAYOUTS = "paper"
"""The suite of the paper's benchmarks."""
LACKING = (Variant.SHUFFLED.value, Variant.SINGLE.value, Variant.BLIND.value)
"""Variants of MotionWorld's clips that lack what the model was trained to use."""
VARIANTS = (Variant.ORDERED.value, *LACKING, OPTIONS)
BASELINE = Path(__file__).parents[2] / "results" / "baselines" / "demo.parquet"
"""In the repository and not in the package: only a checkout of this project runs the gate."""

_MAX_FRAMES = 8
_MAX_PIXELS = 56 * 56
"""The settings that the checkpoint was trained and scored with."""


RunCommand = Callable[[Command, str, Sequence[str]], CommandResult]
"""Runs a command by its name with the words that follow it."""


class DemoCommand:
    """The ``demo`` command.

    Args:
        run_command: Runs one command with its name and arguments.
    """

    help = "evaluate a small trained checkpoint on generated clips; offline, about a minute"

    def __init__(self, run_command: RunCommand | None = None) -> None:
        self._run_command = run_command or _announce_and_run

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags of ``videor1 demo``."""
        parser.add_argument(
            "--out",
            type=Path,
            default=DEFAULT_OUT,
            metavar="DIR",
            help="folder for data and runs (default: %(default)s)",
        )
        add_option_flags(parser, EvalConfig, only=("backend",))

    def run(self, args: Namespace) -> CommandResult:
        """Generate missing data, then run the commands as a user would type them."""
        from harness.text.console import make_console

        backend = read_option_flags(args, EvalConfig()).engine.backend
        data = args.out / "data"
        if not data.exists():
            make_console(stderr=True).print(f"generating clips with known answers in {data}")
            write_folder(data, _write_data)
        common = [
            str(CHECKPOINT), "--data", str(data), "--backend", backend,
            "--max-frames", str(_MAX_FRAMES), "--max-pixels", str(_MAX_PIXELS),
        ]  # fmt: skip
        run, probe = args.out / "run", args.out / "probe"
        every, world = ",".join((*MOTIONWORLD, LAYOUTS)), MOTIONWORLD[0]
        result = self._run_command(
            EvalCommand(), "eval", [*common, "--tasks", every, "--out", str(run)]
        )
        if result.code is not Exit.OK:
            return result
        asked = ["--tasks", world, "--variants", ",".join(VARIANTS), "--out", str(probe)]
        result = self._run_command(ProbeCommand(), "probe", [*common, *asked])
        if result.code is not Exit.OK:
            return result
        runs = [str(run), *(str(probe / variant) for variant in LACKING)]
        board = self._run_command(BoardCommand(), "board", runs)
        if board.code is not Exit.OK or backend == "fake" or not BASELINE.exists():
            return result if board.code is Exit.OK else board
        policy = str(BASELINE.with_suffix(".toml"))
        return self._run_command(
            GateCommand(), "gate", [str(BASELINE), str(run), "--policy", policy]
        )


def _announce_and_run(command: Command, name: str, words: Sequence[str]) -> CommandResult:
    """Print a command line and run it."""
    from harness.text.console import make_console

    console = make_console(stderr=True)
    console.print(f"videor1 {name} {shlex.join(words)}", style="bold", soft_wrap=True)
    return run(command, words)


def _write_data(folder: Path) -> None:
    """Write the four layouts, and the test split of the dataset that the checkpoint is from."""
    from tasks.demo.layouts import write_all
    from tasks.motionworld.folder import write_test_split

    trained_on = card()
    write_all(folder)
    write_test_split(folder, trained_on["world_seed"], trained_on["aspects"])
