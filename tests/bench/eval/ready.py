"""Us with everything started: the engine is ready, the workers have imported what they need.

What this takes beyond the limit is lost between decoding and engine, and nowhere else: no video is
decoded during start-up, and none waits for a worker to start.

    python -m tests.bench.eval.ready DATA CHECKPOINT OUT
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from harness.run.runner import Runner
from harness.run.store import RunWriter
from harness.video.pool import DecodePool
from tests.bench.eval.probe import install
from tests.bench.eval.settings import FRAMES, PIXELS


def main() -> int:
    """Run the workload once; write the seconds from the first decode to the last record."""
    data, checkpoint, out = sys.argv[1:]
    install()
    from harness.backends.select import (
        EngineChoice,
        resolve_engine,
    )
    from harness.cli.flags import default_workers
    from harness.run.plan import (
        Choices,
        make_plan,
    )

    choices = Choices(suite="official", max_frames=FRAMES, max_pixels=PIXELS)
    plan = make_plan(["vsibench"], Path(data), choices)
    engine = resolve_engine(checkpoint, EngineChoice(backend="vllm"))
    backend = engine.build()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunWriter(Path(folder), {"schema": 0}) as run,
        DecodePool(workers=default_workers(), timeout_s=600.0, max_bytes=1 << 32) as pool,
    ):
        runner = Runner(plan, run, lambda record: None, patch_multiple=engine.patch_multiple)
        for done, _ in pool.decode([runner.jobs[-1]] * 2 * default_workers()):
            pool.release(done)
        began = time.perf_counter()
        runner.run(backend, pool)
        seconds = time.perf_counter() - began
    backend.close()
    Path(out).write_text(json.dumps({"together_s": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
