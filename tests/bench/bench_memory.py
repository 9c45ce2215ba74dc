"""Does memory stay bounded? Many long videos in front of an engine slower than the decoding.

    python -m tests.bench.bench_memory [--quick]

Runs the stock ``videor1 eval`` on 200 files of two minutes (30 with ``--quick``), no two with the
same bytes, while every engine step is held up so that decoding gets ahead as far as it may. The
table says how many bytes of frames were alive at most (every array counted from its arrival until
nothing refers to it), what the pool itself counted, and the resident memory.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.eval import checkpoint
from tests.bench.eval.contenders import Contender, Result, run
from tests.bench.eval.probe import STEP_DELAY_S
from tests.bench.eval.settings import FRAMES
from tests.bench.eval.workloads import Workload, prepare

MIB = 1 << 20
PIXELS = 256 * 28 * 28
"""Video-R1's: 9.2 MiB a video, so that 200 exceed the cap."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many videos, under which cap, before how slow an engine."""

    videos: int
    cap_mib: int
    step_delay_s: float


# On two cores 13 s a step holds up to nine tenths of the cap; faster decoding comes up against it.
FULL = Shape(videos=200, cap_mib=1024, step_delay_s=13.0)
QUICK = Shape(videos=30, cap_mib=64, step_delay_s=0.5)


def main() -> int:
    """Run once and print the table; exit 1 when the cap was exceeded by more than one video."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--work", type=Path, default=Path("results/bench/work"))
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    args = parser.parse_args()
    shape = QUICK if args.quick else FULL
    workload = Workload(name="memory", source="copies", videos=shape.videos, per_video=1)
    prepared = prepare(workload, args.work)
    contender = Contender(
        name="videor1",
        module="tests.bench.eval.ours",
        arguments=("--look-ahead", str(shape.cap_mib), "--max-pixels", str(PIXELS)),
        settings=f"--look-ahead {shape.cap_mib}, {FRAMES} frames of {PIXELS} pixels",
    )
    os.environ[STEP_DELAY_S] = str(shape.step_delay_s)
    began = time.time()
    result = run(contender, prepared, checkpoint.build(args.work / "checkpoint"), 0)
    if result.failure is not None:
        print(f"FAILED: {result.failure}")  # noqa: T201
        return 1
    return _report(shape, contender, result, time.time() - began, args.out)


def _report(shape: Shape, contender: Contender, result: Result, seconds: float, out: Path) -> int:
    counts = result.probe["counts"]
    alive = counts["peak_held_bytes"] / MIB
    one = FRAMES * PIXELS * 3 / MIB
    pool = result.extra.get("decode", {}).get("peak_bytes")
    told = {
        "videos": shape.videos, "settings": contender.settings, "cap_mib": shape.cap_mib,
        "one_video_mib": one, "peak_alive_mib": alive,
        "peak_counted_by_pool_mib": None if pool is None else pool / MIB,
        "rss_engine_ready_mib": counts["rss_at_ready_mib"], "peak_rss_mib": result.max_rss_mib,
        "decodes": sum(result.probe["decodes"].values()), "seconds": seconds,
        "holds": alive <= shape.cap_mib + one,
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / "memory.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    for name, value in told.items():
        print(f"{name:26} {value:.1f}" if isinstance(value, float) else f"{name:26} {value}")  # noqa: T201
    return 0 if told["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
