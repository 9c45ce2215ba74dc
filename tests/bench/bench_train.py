"""How long is an update? Ours beside TRL's GRPO trainer with equal tokens and vision work.

    python -m tests.bench.bench_train [--shapes short,paper,long] [--repeats 3] [--updates 4]
    python -m tests.bench.bench_train --gpu     # 0.5B, 3B and 7B in bfloat16, into results/gpu
    python -m tests.bench.bench_train --smoke   # does it run?

The arms take turns, in another order each time. The tables have medians of the updates without the
first one, in seconds by phase, and per update the media encoded, the prompts that went through a
language model, its tokens, and the prompts that were processed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.train.arms import ARMS, Measured, measure
from tests.bench.train.shapes import CPU_SHAPES, GPU_SHAPES, TOY, Shape, build_checkpoint
from tests.bench.train.timing import PHASES, UPDATE


def main() -> int:
    """Run all shapes, print a table for each and write them."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    args = _read_arguments()
    known = [TOY] if args.smoke else list(GPU_SHAPES if args.gpu else CPU_SHAPES)
    shapes = [one for one in known if not args.shapes or one.name in args.shapes.split(",")]
    found = {}
    for shape in shapes:
        with tempfile.TemporaryDirectory(dir=args.work) as work:
            runs = run_shape(shape, Path(work), args.repeats, args.updates)
        found[shape.name] = table = summarize(runs)
        say(describe(shape.name, table))
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / "bench_train.json"
    path.write_text(json.dumps({"device": _device(), "shapes": found}, indent=1) + "\n", "utf-8")
    say(str(path))
    return 0


def run_shape(shape: Shape, work: Path, repeats: int, updates: int) -> list[Measured]:
    """Measure every arm `repeats` times, in turns."""
    checkpoint = build_checkpoint(shape, work / "model")
    turns = [ARMS[at % len(ARMS) :] + ARMS[: at % len(ARMS)] for at in range(repeats)]
    return [
        measure(arm, shape, checkpoint, work / f"{at}", updates)
        for at, turn in enumerate(turns)
        for arm in turn
    ]


def summarize(runs: Sequence[Measured]) -> dict[str, dict[str, float]]:
    """Return the row of each arm: medians over all updates, counts per update, and speed."""
    rows = {}
    for arm in ARMS:
        own = [run for run in runs if run.arm == arm]
        medians = {
            phase: median(second for run in own for second in run.seconds[phase])
            for phase in (UPDATE, *PHASES)
        }
        rows[arm] = own[-1].row(medians)
    for row in rows.values():
        row["speed"] = rows["trl"][UPDATE] / row[UPDATE]
    return rows


def describe(name: str, table: dict[str, dict[str, float]]) -> str:
    """Return a shape's table as text."""
    columns = list(next(iter(table.values())))
    lines = [f"\n{name}", "arm    " + "".join(f"{column:>11}" for column in columns)]
    for arm, row in table.items():
        lines.append(f"{arm:<7}" + "".join(f"{row[column]:>11.2f}" for column in columns))
    return "\n".join(lines)


def say(text: str) -> None:
    """Print a text at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _read_arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--shapes", help="names, separated by commas (default: all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--updates", type=int, default=4, help="per run; the first does not count")
    parser.add_argument("--gpu", action="store_true", help="published sizes, in bfloat16")
    parser.add_argument("--smoke", action="store_true", help="a toy, once")
    parser.add_argument("--work", type=Path, help="where checkpoints and clips go")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    if args.smoke:
        args.repeats, args.updates = 1, 2
    if args.out is None:
        args.out = Path("results/gpu" if args.gpu else "results/bench")
    return args


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return f"{torch.get_num_threads()} CPU threads"


if __name__ == "__main__":
    raise SystemExit(main())
