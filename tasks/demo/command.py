"""``videor1 demo``: made clips, a made checkpoint, the real evaluation on all four benchmarks."""

from __future__ import annotations

import shlex
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

from harness.cli.evaluate import Eval
from harness.cli.exits import Verdict
from harness.engines import BACKENDS, EngineChoice

DEFAULT_OUT = Path("results/demo")
TASKS = ("videommmu", "vsibench", "mvbench", "tempcompass")

_MAX_FRAMES = 8
_MAX_PIXELS = 168 * 112
"""The demo's clips at their own size."""


class Demo:
    """The ``demo`` command."""

    help = "evaluate a tiny checkpoint on made clips; offline, under two minutes on a laptop"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the flags."""
        parser.add_argument(
            "--out",
            type=Path,
            default=DEFAULT_OUT,
            metavar="DIR",
            help="where data, checkpoint and run go (default: %(default)s)",
        )
        parser.add_argument("--backend", choices=BACKENDS, default=EngineChoice().backend)

    def run(self, args: Namespace) -> Verdict:
        """Make what is not there yet, then run the same ``eval`` a user would type."""
        from rich.console import Console

        console = Console(stderr=True)
        data, checkpoint = args.out / "data", args.out / "checkpoint"
        if not data.exists():
            console.print(f"drawing clips with known answers into {data}")
            _make(data, _write_data)
        if args.backend != "fake" and not checkpoint.exists():
            console.print(f"making a tiny Qwen2.5-VL checkpoint in {checkpoint}")
            _make(checkpoint, lambda folder: _write_checkpoint(folder, data))
        command = [
            str(checkpoint), "--data", str(data), "--tasks", ",".join(TASKS),
            "--max-frames", str(_MAX_FRAMES), "--max-pixels", str(_MAX_PIXELS),
            "--backend", args.backend, "--out", str(args.out / "run"),
        ]  # fmt: skip
        console.print(f"[bold]videor1 eval {shlex.join(command)}[/bold]")
        parser = ArgumentParser()
        evaluate = Eval()
        evaluate.configure(parser)
        return evaluate.run(parser.parse_args(command))


def _write_data(folder: Path) -> None:
    from tasks.demo.layouts import write_all

    write_all(folder)


def _write_checkpoint(folder: Path, data: Path) -> None:
    from harness import task as task_registry
    from tasks.demo.checkpoint import build

    build(folder, [s for name in TASKS for s in task_registry.get(name).load(data / name).samples])


def _make(folder: Path, write: Callable[[Path], None]) -> None:
    """Write a folder beside its place and move it there whole, so that a kill leaves no half."""
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    write(beside)
    beside.rename(folder)
