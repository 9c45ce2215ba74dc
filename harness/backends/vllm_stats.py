"""Sums vLLM's counters over a run: what its steps did and how long they took.

For every step the engine core reports the numbers of prompt tokens and vision inputs. Its own step
time leaves out the work of a core in this process, so the backend measures it. The workers measure
the time of the vision encoder. vLLM calls these fields unstable; tests/engines/test_feeding.py
checks them against a real run.
"""

from __future__ import annotations

from typing import Any

from harness.backends.base import EngineStats


class StepCounter:
    """Sums up the engine's steps; has the interface of vLLM's stat loggers."""

    def __init__(self) -> None:
        self.prefill_s = 0.0
        self.generate_s = 0.0
        self._reads_prompts = False
        self.vision_encodings = 0
        self.waiting = 0
        """Requests that had not begun at the last step."""
        self.cached_prompt_tokens = 0

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        """Add one step; vLLM calls it."""
        step = scheduler_stats.iteration_details
        self.waiting = scheduler_stats.num_waiting_reqs + scheduler_stats.num_skipped_waiting_reqs
        if step is not None:
            self._reads_prompts = step.num_ctx_tokens > 0
            self.vision_encodings += step.num_encoder_inputs
        if iteration_stats is not None:
            self.cached_prompt_tokens += iteration_stats.prompt_token_stats.cached_tokens

    def spent(self, seconds: float) -> None:
        """Add the seconds that the last recorded step took."""
        if self._reads_prompts:
            self.prefill_s += seconds
        else:
            self.generate_s += seconds

    def install(self, engine: Any) -> None:
        """Replace vLLM's loggers, which would format every step for Prometheus."""
        engine.logger_manager.stat_loggers[:] = [self]

    def stats(self, *, vision_s: float, preprocess_s: float, idle_s: float) -> EngineStats:
        """Return the sums together with the times that were measured elsewhere, in seconds."""
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
        """Do nothing; vLLM calls it at the start."""

    def log(self) -> None:
        """Do nothing; vLLM calls it periodically."""


def vision_seconds(engine: Any) -> float:
    """Return the seconds in the vision encoder since the last call; the slowest worker counts."""
    workers = engine.collective_rpc("get_encoder_timing_stats")
    return max(
        (sum(request["encoder_forward_secs"] for request in one.values()) for one in workers),
        default=0.0,
    )
