"""The command ``videor1 world``: generate the MotionWorld dataset and its initial model."""

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
"""Folder of the initial model, beside the splits."""
DEFAULT_SEED = 1
"""Seed of the dataset in docs/miniature.md, which the tiny recipes were tuned on."""
DEFAULT_ASPECTS = ("direction", "order", "colour", "place")
"""Two aspects of clips and two of stills: a model learns them in minutes on two CPU cores."""


class WorldCommand:
    """The ``world`` command.

    Args:
        splits: The splits to write; None: all of them.
    """

    help = "draw small clips with exact answers: training rows, a benchmark, an initial model"

    def __init__(self, splits: Sequence[Split] | None = None) -> None:
        self._splits = splits

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags of ``videor1 world``."""
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
            default=DEFAULT_SEED,
            help="seed of the dataset (default: %(default)s)",
        )
        parser.add_argument(
            "--model-seed",
            type=int,
            default=0,
            help="seed of the initial model (default: %(default)s)",
        )
        parser.add_argument(
            "--aspects",
            default=",".join(DEFAULT_ASPECTS),
            metavar="A,B",
            help="aspects to ask about, or all (default: %(default)s, for the tiny recipes)",
        )
        parser.add_argument(
            "--no-checkpoint",
            action="store_true",
            help="clips and rows only: needs neither PyTorch nor transformers",
        )

    def run(self, args: Namespace) -> CommandResult:
        """Write the dataset to a temporary folder, then rename that to ``--out``."""
        from tasks.motionworld.folder import write_dataset
        from tasks.motionworld.splits import SPLITS

        aspects = _parse_aspects(args.aspects)
        if args.out.exists():
            raise UsageError(f"{args.out} exists; remove it or choose another --out")

        def write(folder: Path) -> None:
            if not args.no_checkpoint:
                from tasks.motionworld.checkpoint import build

                build(folder / CHECKPOINT, args.model_seed)
            write_dataset(folder, args.seed, aspects, self._splits or SPLITS)

        write_folder(args.out, write)
        return CommandResult(Exit.OK, f"dataset written to {args.out}")


def _parse_aspects(text: str) -> tuple[str, ...]:
    from tasks.motionworld.splits import ALL_ASPECTS

    if text == "all":
        return ALL_ASPECTS
    chosen = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in chosen if name not in ALL_ASPECTS]
    if unknown:
        raise UsageError(
            f"--aspects {text}: unknown aspect {unknown[0]!r}; expected all or some of"
            f" {', '.join(ALL_ASPECTS)}"
        )
    return chosen
