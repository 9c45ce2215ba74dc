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
    from harness.backends.engine_config import EngineConfig
    from harness.backends.select import resolve_engine
    from harness.run.config import EvalConfig, available_processors
    from harness.run.observer import RunObserver
    from harness.run.plan import make_plan

    plan = make_plan(
        EvalConfig(
            tasks=("vsibench",),
            data=Path(data),
            protocol="official",
            max_frames=FRAMES,
            max_pixels=PIXELS,
        )
    )
    engine = resolve_engine(checkpoint, EngineConfig(backend="vllm"))
    backend = engine.build()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunWriter(Path(folder), {"schema": 0}) as run,
        DecodePool(workers=available_processors(), timeout_s=600.0, max_bytes=1 << 32) as pool,
    ):
        runner = Runner(plan, run, RunObserver(), patch_multiple=engine.patch_multiple)
        for done, _ in pool.decode([runner.jobs[-1]] * 2 * available_processors()):
            pool.release(done)
        began = time.perf_counter()
        runner.run(backend, pool)
        seconds = time.perf_counter() - began
    backend.close()
    Path(out).write_text(json.dumps({"together_s": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
