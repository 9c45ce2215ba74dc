"""vLLM's own counters, summed over a run: what its steps were for and how long they took.

The core reports of every step how many prompt tokens and vision inputs it had; its own time for the
step leaves out what a core in this process does, so the driver takes the time. The time inside the
vision encoder is kept by the workers. vLLM calls these fields unstable, so
tests/engines/test_feeding.py holds them to what a run shows.
"""

from __future__ import annotations

from typing import Any

from harness.backends.base import EngineStats


class StepCounter:
    """Sums up the engine's steps; vLLM takes it for one of its stat loggers."""

    def __init__(self) -> None:
        self.prefill_s = 0.0
        self.generate_s = 0.0
        self._reads_prompts = False
        self.vision_encodings = 0
        self.cached_prompt_tokens = 0

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        """Take in one step, as vLLM hands it over."""
        step = scheduler_stats.iteration_details
        if step is not None:
            self._reads_prompts = step.num_ctx_tokens > 0
            self.vision_encodings += step.num_encoder_inputs
        if iteration_stats is not None:
            self.cached_prompt_tokens += iteration_stats.prompt_token_stats.cached_tokens

    def spent(self, seconds: float) -> None:
        """Take in how long the step took that was recorded last."""
        if self._reads_prompts:
            self.prefill_s += seconds
        else:
            self.generate_s += seconds

    def install(self, engine: Any) -> None:
        """Take the place of vLLM's loggers, which would format every step for Prometheus."""
        engine.logger_manager.stat_loggers[:] = [self]

    def stats(self, *, vision_s: float, preprocess_s: float, idle_s: float) -> EngineStats:
        """Return the sums together with what is counted elsewhere."""
        return EngineStats(
            preprocess_s=preprocess_s,
            idle_s=idle_s,
            vision_s=vision_s,
            prefill_s=max(self.prefill_s - vision_s, 0.0),
            generate_s=self.generate_s,
            vision_encodings=self.vision_encodings,
            cached_prompt_tokens=self.cached_prompt_tokens,
        )

    def log_engine_initialized(self) -> None:
        """Nothing to log; vLLM calls it."""

    def log(self) -> None:
        """Nothing to log; vLLM calls it now and then."""


def vision_seconds(engine: Any) -> float:
    """Return the seconds spent in the vision encoder since the last call, the slowest worker's."""
    workers = engine.collective_rpc("get_encoder_timing_stats")
    return max(
        (sum(request["encoder_forward_secs"] for request in one.values()) for one in workers),
        default=0.0,
    )
