"""Sampling completions with vLLM beside the model that is trained.

vLLM gets the frames and times of a clip and a stable name for it, so that a group shares one
encoding and one prefix; ordered and shuffled prompts run in one batch. The weights are handed over
whenever they have changed.

TRL has a vLLM mode of its own, which knows images and no videos: a prompt with a video would be
sampled blind. Only the way it walks through (sharded, adapted) weights is taken from it.
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
from trainer.runs.folder import Place


class VLLMRollouts:
    """Samples with an engine in this process, whose weights follow the trained model.

    Args:
        checkpoint: What training starts from.
        settings: Sampling, and how much memory the engine may take.
        max_num_seqs: Completions that are sampled at the same time.
        vision_ids: Tokens that are never sampled.
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
        # The weights of an engine in another process would be out of reach.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        several = Place.of_this_process().processes > 1
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
            BackendError: vLLM's processor makes other tokens of a prompt than the trainer's did.
        """
        self._follow(trainer)
        outputs = self._engine.run(rows, [self._params(trainer, at) for at in range(len(rows))])
        for row, output in zip(rows, outputs, strict=True):
            if tuple(output.prompt_token_ids) != row.ids:
                raise BackendError(
                    f"row {row.id}: vLLM reads {len(output.prompt_token_ids)} prompt tokens, the"
                    f" trainer {len(row.ids)} or others; sample with rollout.engine ="
                    ' "transformers"'
                )
        answers = [output.outputs[0] for output in outputs]
        logps = [
            [at[token].logprob for at, token in zip(answer.logprobs, answer.token_ids, strict=True)]
            for answer in answers
        ]
        return [list(answer.token_ids) for answer in answers], logps

    def close(self) -> None:
        """Stop the engine and free its memory."""
        self._engine.close()

    def _follow(self, trainer: Any) -> None:
        """Give the engine the weights of this step."""
        if self._weights is None:
            self._weights = _walk_through(trainer)
        if self._loaded_step != trainer.state.global_step:
            self._engine.load(self._weights._iter_named_params())
            self._loaded_step = trainer.state.global_step

    def _params(self, trainer: Any, at: int) -> Any:
        # Torch's generator is saved with a checkpoint, so a resumed run draws the same seeds.
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
    """The harness's engine, given sampling parameters of vLLM's own and asked for all at once."""

    def load(self, weights: Iterator[tuple[str, Any]]) -> None:
        """Replace the weights, and forget what was computed with the old ones."""
        runner = self._engine.model_executor.driver_worker.model_runner
        # vLLM may have packed the weights it was started with; this packs the new ones, too.
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


def _walk_through(trainer: Any) -> Any:
    """Return TRL's walk through the trained weights: gathered and merged where need be."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TRL complains of vLLM versions it does not know
        from trl.generation.vllm_generation import VLLMGeneration

    class Weights(VLLMGeneration):  # type: ignore[misc]
        def _init_vllm(self) -> None:
            """Start no engine: there is one."""

    return Weights(trainer.model, trainer.accelerator, trainer.processing_class)
