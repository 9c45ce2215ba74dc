"""Sample completions with vLLM in the training process.

vLLM gets the frames and times of a clip and a stable name for it, so that a group shares one
encoding and one prefix; ordered and shuffled prompts run in one batch. Changed weights are copied
to vLLM before sampling. Where asked for, the engine sleeps while weights are updated: its weights
and its cache leave the GPU, and come back before the next batch (vLLM's sleep level 2, as in TRL).

TRL's own vLLM mode takes images and no videos: the sampler would not see the video of a prompt.
Only TRL's iteration over (sharded, adapted) weights is used here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from harness.backends.vllm import VLLMBackend
from harness.backends.vllm_engine import VLLMConfig
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.schema import Request, Sampling
from trainer.config.rl_sections import RolloutSettings
from trainer.loops.inputs import PromptInputs
from trainer.loops.phase_clock import SYNC
from trainer.loops.rollouts import Sampled
from trainer.loops.weights import TrainedWeights
from trainer.runs.folder import DistInfo

_log = logging.getLogger(__name__)


class WeightSource(Protocol):
    """Where the weights of a trainer's model come from."""

    def of(self, trainer: Any) -> Iterator[tuple[str, Any]]:
        """Yield name and value of every weight."""


class WeightedEngine(Protocol):
    """An engine whose weights can be replaced, and that may sleep in between."""

    @property
    def can_sleep(self) -> bool:
        """Whether this engine frees its memory when it sleeps."""

    def load(self, weights: Iterator[tuple[str, Any]]) -> None:
        """Replace the weights, and clear what was computed with the old ones."""

    def run(self, rows: Sequence[PromptInputs], params: Sequence[Any]) -> list[Any]:
        """Return vLLM's output for each row, in order."""

    def sleep(self) -> None:
        """Free the memory of weights and cache; the weights are lost."""

    def wake_up(self, part: str) -> None:
        """Take the memory of one part again: ``weights`` or ``kv_cache``."""

    def close(self) -> None:
        """Stop the engine."""


class VLLMRollouts:
    """Samples with a vLLM engine in this process, whose weights follow the trained model.

    Args:
        engine: What `start_engine` returned.
        settings: Sampling parameters.
        vision_ids: Vision tokens, which are never sampled.
        weights: Where the weights come from.
    """

    reports_logps = True

    def __init__(
        self,
        engine: WeightedEngine,
        settings: RolloutSettings,
        *,
        vision_ids: Sequence[int],
        weights: WeightSource | None = None,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._never = dict.fromkeys(vision_ids, -100.0)
        self._weights = weights or TrainedWeights()
        self._loaded_step: int | None = None
        self._sleeps = settings.vllm_enable_sleep_mode and engine.can_sleep
        if settings.vllm_enable_sleep_mode and not engine.can_sleep:
            _log.warning(
                "vLLM cannot sleep on this machine (it needs CUDA, ROCm or XPU): it keeps its"
                " memory while weights are updated"
            )
        if self._sleeps:
            engine.sleep()

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, with the log-probability of each of its tokens.

        Raises:
            BackendError: vLLM tokenizes a prompt differently than the trainer.
        """
        with self._awake(trainer):
            outputs = self._engine.run(rows, [self._sampling_params() for _ in rows])
        for row, output in zip(rows, outputs, strict=True):
            if tuple(output.prompt_token_ids) != row.ids:
                raise BackendError(
                    f"row {row.id}: vLLM's prompt of {len(output.prompt_token_ids)} tokens differs"
                    f" from the trainer's of {len(row.ids)}; use rollout.engine ="
                    ' "transformers"'
                )
        completions = [output.outputs[0] for output in outputs]
        logps = [
            [
                candidates[token].logprob
                for candidates, token in zip(one.logprobs, one.token_ids, strict=True)
            ]
            for one in completions
        ]
        return [list(one.token_ids) for one in completions], logps

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self._engine.close()

    @contextmanager
    def _awake(self, trainer: Any) -> Iterator[None]:
        """Give the engine the weights of this step; let it sleep afterwards."""
        with trainer.clock.phase(SYNC):
            if self._sleeps:
                release_unused_memory()
                self._engine.wake_up("weights")
                self._loaded_step = None  # what slept has none
            if self._loaded_step != trainer.state.global_step:
                self._engine.load(self._weights.of(trainer))
                self._loaded_step = trainer.state.global_step
            if self._sleeps:
                # After the weights: the copies that are made on the way need the room of the cache.
                self._engine.wake_up("kv_cache")
        yield
        if self._sleeps:
            self._engine.sleep()

    def _sampling_params(self) -> Any:
        # A checkpoint contains the state of torch's generator, so a resumed run draws the same
        # seeds.
        import torch
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        return SamplingParams(
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            max_tokens=self._settings.max_completion_length,
            seed=int(torch.randint(2**31, (1,)).item()),
            logprobs=0,
            logit_bias=self._never,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )


def start_engine(
    checkpoint: Checkpoint, settings: RolloutSettings, *, max_num_seqs: int
) -> WeightedEngine:
    """Start an engine in this process.

    Args:
        checkpoint: The checkpoint that training starts from.
        settings: vLLM's share of the GPU memory, and whether it sleeps.
        max_num_seqs: Completions that are sampled at the same time.
    """
    # The weights of an engine in another process could not be replaced.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    several = DistInfo.of_this_process().world_size > 1
    sleeps = settings.vllm_enable_sleep_mode and _Engine.can_sleep_here()
    options = VLLMConfig(
        max_num_seqs=max_num_seqs,
        gpu_memory_utilization=settings.vllm_gpu_memory_utilization,
        executor="external_launcher" if several else None,
        further={"enable_sleep_mode": True} if sleeps else {},
    )
    return _Engine(checkpoint, options)


def release_unused_memory() -> None:
    """Give memory that torch keeps for later back to the device, so that vLLM can take it."""
    from trl.generation.vllm_generation import empty_cache

    empty_cache()


class _Engine(VLLMBackend):
    """The harness's vLLM engine with replaceable weights and vLLM's own sampling parameters."""

    @property
    def can_sleep(self) -> bool:
        """Whether this engine frees its memory when it sleeps."""
        return bool(self._engine.model_config.enable_sleep_mode)

    @staticmethod
    def can_sleep_here() -> bool:
        """Return whether vLLM supports sleeping on this machine."""
        from vllm.platforms import current_platform

        return bool(current_platform.is_sleep_mode_available())

    def sleep(self) -> None:
        """Free the memory of weights and cache; the weights are lost."""
        self._engine.sleep(level=2)

    def wake_up(self, part: str) -> None:
        """Take the memory of one part again."""
        self._engine.wake_up(tags=[part])

    def load(self, weights: Iterator[tuple[str, Any]]) -> None:
        """Replace the weights and clear the caches, which belong to the old weights."""
        runner = self._engine.model_executor.driver_worker.model_runner
        # vLLM may pack weights when it loads them; this call packs the new ones as well.
        runner.reload_weights(weights_iterator=weights)
        self._engine.reset_encoder_cache()
        self._engine.reset_prefix_cache()

    def run(self, rows: Sequence[PromptInputs], params: Sequence[Any]) -> list[Any]:
        """Return vLLM's output for each row, in order."""
        names = []
        for row, one in zip(rows, params, strict=True):
            sampling = Sampling(temperature=one.temperature, max_tokens=one.max_tokens)
            request = Request(id=row.id, prompt=row.prompt, sampling=sampling, clips=row.clips)
            names.append(str(next(self._ids)))
            self._engine.add_request(names[-1], self._prepare(request), one)
        done: dict[str, Any] = {}
        while self._engine.has_unfinished_requests():
            done |= {one.request_id: one for one in self._engine.step() if one.finished}
        return [done[name] for name in names]
