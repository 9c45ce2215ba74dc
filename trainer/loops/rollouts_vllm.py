"""Sample completions with vLLM in the training process.

vLLM gets the frames and times of a clip and a stable name for it, so that a group shares one
encoding and one prefix; ordered and shuffled prompts run in one batch. Changed weights are copied
to vLLM before sampling.

TRL's own vLLM mode takes images and no videos: the sampler would not see the video of a prompt.
Only TRL's iteration over (sharded, adapted) weights is used here.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from harness.backends.vllm import VLLMBackend
from harness.backends.vllm_engine import VLLMConfig
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.schema import Request, Sampling
from trainer.config.sections import RolloutSettings
from trainer.loops.inputs import PromptInputs
from trainer.loops.rollouts import Sampled
from trainer.runs.folder import DistInfo


class VLLMRollouts:
    """Samples with a vLLM engine in this process, whose weights follow the trained model.

    Args:
        checkpoint: The checkpoint that training starts from.
        settings: Sampling parameters, and vLLM's share of the GPU memory.
        max_num_seqs: Completions that are sampled at the same time.
        vision_ids: Vision tokens, which are never sampled.
    """

    reports_logps = True

    def __init__(
        self,
        checkpoint: Checkpoint,
        settings: RolloutSettings,
        *,
        max_num_seqs: int,
        vision_ids: Sequence[int],
    ) -> None:
        # The weights of an engine in another process could not be replaced.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        several = DistInfo.of_this_process().world_size > 1
        options = VLLMConfig(
            max_num_seqs=max_num_seqs,
            gpu_memory_utilization=settings.vllm_gpu_memory_utilization,
            executor="external_launcher" if several else None,
        )
        self._engine = _Engine(checkpoint, options)
        self._settings = settings
        self._never = dict.fromkeys(vision_ids, -100.0)
        self._weights: Any = None
        self._loaded_step: int | None = None

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, with the log-probability of each of its tokens.

        Raises:
            BackendError: vLLM tokenizes a prompt differently than the trainer.
        """
        self._update_weights(trainer)
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

    def _update_weights(self, trainer: Any) -> None:
        """Copy the weights of this step to the engine, unless it has them."""
        if self._weights is None:
            self._weights = _make_weight_iterator(trainer)
        if self._loaded_step != trainer.state.global_step:
            self._engine.load(self._weights._iter_named_params())
            self._loaded_step = trainer.state.global_step

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


class _Engine(VLLMBackend):
    """The harness's vLLM engine with replaceable weights and vLLM's own sampling parameters."""

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


def _make_weight_iterator(trainer: Any) -> Any:
    """Return TRL's iteration over the trained weights, gathered and merged where necessary."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL warns of vLLM versions that it does not know
        from trl.generation.vllm_generation import VLLMGeneration

    class Weights(VLLMGeneration):  # type: ignore[misc]
        def _init_vllm(self) -> None:
            """Start no engine: `VLLMRollouts` has one."""

    return Weights(trainer.model, trainer.accelerator, trainer.processing_class)
