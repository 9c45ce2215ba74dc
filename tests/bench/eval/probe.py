"""Clocks and counters inside a contender's process, the same for every contender.

vLLM, qwen-vl-utils and our decode workers are wrapped when they are imported, not before, so that
a contender's order of doing things stays its own. At exit everything is written as one JSON file.
What a contender does not import stays 0.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import resource
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

OUT = "VIDEOR1_BENCH_PROBE"
"""Environment variable that names the file to write."""
STEP_DELAY_S = "VIDEOR1_BENCH_STEP_DELAY_S"
"""Environment variable that makes every engine step last longer: a large model, to memory."""


class Probe:
    """What is counted; times of day are `time.time`, so that the starting process can compare."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        """When something happened first, or last for ``last_answer``."""
        self.seconds: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.decodes: Counter[str] = Counter()
        """By file."""
        self.encodings: Counter[str] = Counter()
        """By vLLM's hash of the medium."""
        self.settings: dict[str, Any] = {}
        self._lock = threading.RLock()  # finalizers run anywhere, also inside a locked block

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Add the time of a block, from whatever thread, to `seconds`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[name] += time.perf_counter() - began

    def first(self, event: str) -> None:
        """Note the time of an event the first time it happens."""
        self.at.setdefault(event, time.time())

    def decoded(self, file: str | Path, seconds: float) -> None:
        """Count one decoding."""
        with self._lock:
            self.decodes[str(Path(file).resolve())] += 1
            self.seconds["decode"] += seconds
            self.counts["decodes_before_ready"] += "engine_ready" not in self.at

    def holds(self, frames: Any) -> None:
        """Count the bytes of an array until nothing refers to it any more."""
        size = int(frames.nbytes)
        self._hold(size)
        weakref.finalize(frames, self._hold, -size)

    def _hold(self, size: int) -> None:
        with self._lock:
            self.counts["held_bytes"] += size
            held = max(self.counts["peak_held_bytes"], self.counts["held_bytes"])
            self.counts["peak_held_bytes"] = held

    def write(self, path: Path) -> None:
        """Write everything down."""
        path.write_text(
            json.dumps({
                "at": self.at, "seconds": dict(self.seconds), "counts": dict(self.counts),
                "decodes": dict(self.decodes), "encodings": dict(self.encodings),
                "settings": self.settings, "max_rss_mib": _max_rss_mib(),
            })
        )  # fmt: skip


def _max_rss_mib() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) / 1024


def install() -> Probe:
    """Start counting in this process; `OUT` says where to write at exit."""
    probe = Probe()
    probe.first("main")
    hooks = {
        "vllm.v1.engine.llm_engine": _watch_engine,
        "vllm.v1.worker.gpu_model_runner": _watch_model,
        "vllm.renderers.base": _watch_renderer,
        "qwen_vl_utils.vision_process": _watch_reader,
        "harness.video.worker": _watch_workers,
    }
    sys.meta_path.insert(0, _AfterImport(hooks, probe))
    atexit.register(probe.write, Path(os.environ[OUT]))
    return probe


Hook = Callable[[ModuleType, Probe], None]


class _AfterImport(MetaPathFinder):
    """Runs a hook when a module has been imported."""

    def __init__(self, hooks: dict[str, Hook], probe: Probe) -> None:
        self._hooks, self._probe = hooks, probe

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        hook = self._hooks.pop(fullname, None)
        if hook is None:
            return None
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            _run_after(spec.loader, hook, self._probe)
        return spec


def _run_after(loader: Loader, hook: Hook, probe: Probe) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        hook(module, probe)

    loader.exec_module = exec_module  # type: ignore[method-assign]


def _watch_engine(module: ModuleType, probe: Probe) -> None:
    engine = module.LLMEngine
    start, step, add = engine.__init__, engine.step, engine.add_request

    def timed_start(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> None:
        start(self, vllm_config, *args, **kwargs)
        probe.first("engine_ready")
        probe.counts["rss_at_ready_mib"] = int(_max_rss_mib())
        probe.settings |= _settings(vllm_config)

    delay = float(os.environ.get(STEP_DELAY_S, "0"))

    def timed_step(self: Any) -> Any:
        time.sleep(delay)
        with probe.timed("step"):
            outputs = step(self)
        probe.counts["steps"] += 1
        for output in outputs:
            if output.finished:
                probe.at["last_answer"] = time.time()
                probe.counts["answers"] += 1
                probe.counts["prompt_tokens"] += len(output.prompt_token_ids)
                probe.counts["cached_tokens"] += output.num_cached_tokens or 0
                probe.counts["output_tokens"] += sum(len(o.token_ids) for o in output.outputs)
        return outputs

    def timed_add(self: Any, *args: Any, **kwargs: Any) -> Any:
        probe.first("first_request")
        with probe.timed("add_request"):
            return add(self, *args, **kwargs)

    engine.__init__, engine.step, engine.add_request = timed_start, timed_step, timed_add


def _settings(config: Any) -> dict[str, Any]:
    """Read back what the engine runs with, whoever configured it."""
    return {
        "dtype": str(config.model_config.dtype),
        "max_model_len": config.model_config.max_model_len,
        "enforce_eager": config.model_config.enforce_eager,
        "max_num_seqs": config.scheduler_config.max_num_seqs,
        "max_num_batched_tokens": config.scheduler_config.max_num_batched_tokens,
        "chunked_prefill": config.scheduler_config.enable_chunked_prefill,
        "prefix_caching": config.cache_config.enable_prefix_caching,
        "kv_cache_bytes": config.cache_config.kv_cache_memory_bytes,
        "mm_processor_cache_gb": config.model_config.multimodal_config.mm_processor_cache_gb,
        "multiprocessing": os.environ.get("VLLM_ENABLE_V1_MULTIPROCESSING", "vLLM's default"),
    }


def _watch_model(module: ModuleType, probe: Probe) -> None:
    runner = module.GPUModelRunner  # the CPU's derives from it
    execute, encode = runner.execute_model, runner._execute_mm_encoder
    batch = runner._batch_mm_inputs_from_scheduler

    def timed_execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        with probe.timed("model"):
            return execute(self, *args, **kwargs)

    def timed_encode(self: Any, *args: Any, **kwargs: Any) -> Any:
        with probe.timed("vision"):
            return encode(self, *args, **kwargs)

    def counted_batch(self: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = batch(self, *args, **kwargs)
        probe.encodings.update(inputs[0])
        return inputs

    runner.execute_model, runner._execute_mm_encoder = timed_execute, timed_encode
    runner._batch_mm_inputs_from_scheduler = counted_batch


def _watch_renderer(module: ModuleType, probe: Probe) -> None:
    renderer = module.BaseRenderer
    process = renderer.process_for_engine

    def timed_process(self: Any, *args: Any, **kwargs: Any) -> Any:
        with probe.timed("preprocess"):
            return process(self, *args, **kwargs)

    renderer.process_for_engine = timed_process


def _watch_reader(module: ModuleType, probe: Probe) -> None:
    readers = module.VIDEO_READER_BACKENDS
    for name, reader in list(readers.items()):

        def counted(element: dict[str, Any], reader: Any = reader) -> Any:
            began = time.perf_counter()
            frames = reader(element)
            probe.decoded(element["video"], time.perf_counter() - began)
            return frames

        readers[name] = counted


def _watch_workers(module: ModuleType, probe: Probe) -> None:
    worker = module.Worker
    decode = worker.decode

    def counted(self: Any, media: Any, *args: Any, **kwargs: Any) -> Any:
        clip = decode(self, media, *args, **kwargs)
        if not getattr(clip, "cached", False):
            probe.decoded(media.path, getattr(clip, "decode_s", 0.0))
        if hasattr(clip, "frames"):
            probe.holds(clip.frames)
        return clip

    worker.decode = counted
