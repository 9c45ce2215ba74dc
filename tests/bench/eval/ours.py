"""Us: the stock ``videor1 eval``, with counters around it.

python -m tests.bench.eval.ours DATA CHECKPOINT RUNDIR [more flags of eval]
"""

from __future__ import annotations

import runpy
import sys

from tests.bench.eval.probe import install
from tests.bench.eval.settings import FRAMES, PIXELS


def main() -> None:
    """Run the command line a user would type, through the same entry as ``python -m harness``."""
    data, checkpoint, out, *more = sys.argv[1:]
    install()
    sys.argv = [
        "videor1", "eval", checkpoint, "--data", data, "--tasks", "vsibench", "--out", out,
        "--protocol", "official", "--max-frames", str(FRAMES), "--max-pixels", str(PIXELS),
        "--backend", "vllm", *more,
    ]  # fmt: skip
    runpy.run_module("harness", run_name="__main__")


if __name__ == "__main__":
    main()
