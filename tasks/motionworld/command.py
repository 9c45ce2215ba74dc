"""``videor1 world``: draw the world of small clips, and make the model that can learn it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.errors import UsageError
from harness.files import write_folder

if TYPE_CHECKING:
    from tasks.motionworld.splits import Split

DEFAULT_OUT = Path("results/world")
CHECKPOINT = "checkpoint"
"""Folder of the model that has seen nothing yet, beside the splits."""
FIRST_WORLD = 1
"""Seed of the world that docs/miniature.md is about and the tiny recipes were tuned in."""
FIRST_LESSON = ("direction", "order", "colour", "place")
"""What a model learns in minutes on two cores: two aspects of time, two kinds of still picture."""


class World:
    """The ``world`` command.

    Args:
        splits: What is drawn; None: all of the world.
    """

    help = "draw small clips with exact answers: training rows, a benchmark, an untaught model"

    def __init__(self, splits: Sequence[Split] | None = None) -> None:
        self._splits = splits

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument(
            "--out",
            type=Path,
            default=DEFAULT_OUT,
            metavar="DIR",
            help="a folder that does not exist yet (default: %(default)s)",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=FIRST_WORLD,
            help="another seed is another world (default: %(default)s)",
        )
        parser.add_argument(
            "--model-seed",
            type=int,
            default=0,
            help="another seed is another model that has seen nothing (default: %(default)s)",
        )
        parser.add_argument(
            "--aspects",
            default=",".join(FIRST_LESSON),
            metavar="A,B",
            help="what is asked about, or all (default: %(default)s, what the tiny recipes teach)",
        )
        parser.add_argument(
            "--no-checkpoint",
            action="store_true",
            help="clips and rows only: needs neither PyTorch nor transformers",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Write the world beside its place and move it there whole."""
        from tasks.motionworld.folder import write_world
        from tasks.motionworld.splits import SPLITS

        aspects = _chosen(args.aspects)
        if args.out.exists():
            raise UsageError(f"{args.out} exists; remove it or choose another --out")

        def write(folder: Path) -> None:
            if not args.no_checkpoint:
                from tasks.motionworld.checkpoint import build

                build(folder / CHECKPOINT, args.model_seed)
            write_world(folder, args.seed, aspects, self._splits or SPLITS)

        write_folder(args.out, write)
        return CommandResult(Exit.OK, f"the world is in {args.out}")


def _chosen(text: str) -> tuple[str, ...]:
    from tasks.motionworld.splits import EVERYTHING

    if text == "all":
        return EVERYTHING
    chosen = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in chosen if name not in EVERYTHING]
    if unknown:
        raise UsageError(
            f"--aspects {text}: no aspect {unknown[0]!r}; there are {', '.join(EVERYTHING)}, or all"
        )
    return chosen
