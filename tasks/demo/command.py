"""``videor1 demo``: made clips, the checkpoint that comes along, the real commands on both.

The checkpoint has learned a world of small clips (`tasks.motionworld`) and nothing else. What it
knows is examined with the frames in order, shuffled, one at a time and hidden; the four benchmarks'
own layouts, prompts and scorers are exercised on clips that it has no words for.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from harness.cli.board import Board
from harness.cli.commands import Command, run
from harness.cli.evaluate import EvalCommand
from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from harness.cli.gate import Gate
from harness.files import write_folder
from harness.run.config import EvalConfig
from harness.schema import Variant
from tasks.motionworld.trained import CHECKPOINT, card

DEFAULT_OUT = Path("results/demo")
WORLD = ("motionworld", "motionworld-stills")
LAYOUTS = ("videommmu", "vsibench", "mvbench", "tempcompass")
PROBES = (Variant.SHUFFLED, Variant.SINGLE, Variant.BLIND)
"""Ways to ask the world's questions with less to see than the model was taught with."""
BASELINE = Path(__file__).parents[2] / "results" / "baselines" / "demo.parquet"
"""Committed, and not part of the package: the gate is for those who work on this project."""

_MAX_FRAMES = 8
_MAX_PIXELS = 56 * 56
"""What the checkpoint was taught with, so that the world is asked about as its card says."""


class Demo:
    """The ``demo`` command."""

    help = "evaluate a small checkpoint that can see on made clips; offline, about a minute"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument(
            "--out",
            type=Path,
            default=DEFAULT_OUT,
            metavar="DIR",
            help="where data and runs go (default: %(default)s)",
        )
        add_option_flags(parser, EvalConfig, only=("backend",))

    def run(self, args: Namespace) -> CommandResult:
        """Draw what is not there yet, then run the commands that a user would type."""
        from rich.console import Console

        backend = read_option_flags(args, EvalConfig()).engine.backend
        data, whole = args.out / "data", args.out / "run"
        if not data.exists():
            Console(stderr=True).print(f"drawing clips with known answers into {data}")
            write_folder(data, _draw)
        common = [
            str(CHECKPOINT), "--data", str(data), "--backend", backend,
            "--max-frames", str(_MAX_FRAMES), "--max-pixels", str(_MAX_PIXELS),
        ]  # fmt: skip
        verdict = _do(
            EvalCommand(),
            "eval",
            [*common, "--tasks", ",".join(WORLD + LAYOUTS), "--out", str(whole)],
        )
        runs = [str(whole)]
        for variant in PROBES:
            if verdict.code is not Exit.OK:
                return verdict
            runs.append(str(args.out / variant))
            probe = ["--tasks", WORLD[0], "--variant", variant, "--out", runs[-1]]
            verdict = _do(EvalCommand(), "eval", [*common, *probe])
        if verdict.code is not Exit.OK:
            return verdict
        _do(Board(), "board", runs)
        if backend == "fake" or not BASELINE.exists():
            return verdict
        policy = str(BASELINE.with_suffix(".toml"))
        return _do(Gate(), "gate", [str(BASELINE), str(whole), "--policy", policy])


def _do(command: Command, name: str, words: Sequence[str]) -> CommandResult:
    """Say what is run, and run it."""
    from rich.console import Console

    console = Console(stderr=True)
    console.print(f"videor1 {name} {shlex.join(words)}", style="bold", markup=False, soft_wrap=True)
    return run(command, words)


def _draw(folder: Path) -> None:
    """Write the four layouts, and the test split of the world that the checkpoint knows."""
    from tasks.demo.layouts import write_all
    from tasks.motionworld.folder import write_test_split

    made = card()
    write_all(folder)
    write_test_split(folder, made["world_seed"], made["aspects"])
