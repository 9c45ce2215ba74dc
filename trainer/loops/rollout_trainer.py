"""Train with TRL's GRPO trainer on prompts with images and videos.

TRL 1.16 passes a video in a prompt to its sampler and not to its loss. Seven of its methods are
overridden here: they add the media of the rows, and the rewards of whole groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers.trainer_callback import PrinterCallback

from harness.schema import Sample
from trainer.data.rows import TrainingRow
from trainer.loops import phase_clock, shared_attention
from trainer.loops.blank_media import in_several_processes
from trainer.loops.completion_lines import CompletionLines
from trainer.loops.filtered_sampling import FilteredSampling
from trainer.loops.forward import VisionForward
from trainer.loops.groups import make_groups, update_rewards
from trainer.loops.inputs import InputBuilder, PromptInputs, warn_of_failures
from trainer.loops.kept_features import KeptFeatures, is_frozen
from trainer.loops.model import ExactResume, prepare_model
from trainer.loops.phases import time_methods
from trainer.loops.prefill import encode_media
from trainer.loops.regroup import gather_prompts, warn_of_repeats
from trainer.loops.rollouts import Rollouts
from trainer.loops.scoring import CompletionScorer
from trainer.loops.trl_arguments import name_for_trl
from trainer.loops.trl_names import GRPOTrainer
from trainer.loops.update_advantages import UpdateAdvantages
from trainer.rewards.advantages import (
    UpdateRewards,
    join_rewards,
)
from trainer.rewards.completions import CompletionGroup, Rollout
from trainer.rewards.reward import Reward
from trainer.rewards.spans import with_duration


@time_methods(
    {
        "_generate_single_turn": phase_clock.ROLLOUT,
        "_calculate_rewards": phase_clock.REWARD,
        "_get_per_token_logps_and_entropies": phase_clock.POLICY,
    }
)
class RolloutTrainer(FilteredSampling, UpdateAdvantages, ExactResume, GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` on rows with images and videos.

    Args:
        rows: The prompts and their reference answers.
        inputs: Builds the model inputs of a row.
        vision_ids: The placeholder token of each modality.
        rollouts: Samples completions.
        share_prompts: Whether to compute each prompt once per pass, for all of its completions.
        rewards: All rewards of a group, in the order of the columns; ``args.reward_weights`` has
            their weights.
        trl: Arguments of `GRPOTrainer`; the model is one that `trainer.loops.model.load` returned.
    """

    _buffered_inputs: Any
    """The parts of the batch that TRL is working on."""

    def __init__(
        self,
        *,
        rows: Sequence[TrainingRow],
        inputs: InputBuilder,
        vision_ids: dict[str, int],
        rollouts: Rollouts,
        share_prompts: bool,
        rewards: Sequence[Reward],
        **trl: Any,
    ) -> None:
        self.shares_prompts = share_prompts and shared_attention.accepts_packed_rows(trl["model"])
        """Whether completions share their prompts in the policy and reference passes."""
        super().__init__(
            # Row numbers alone: Arrow would add missing keys, and TRL copies and gathers prompts.
            train_dataset=Dataset.from_dict(
                {"prompt": [row.sample.id for row in rows], "row": range(len(rows))}
            ),
            reward_funcs=[name_for_trl(reward.name) for reward in rewards],
            **trl,
        )
        self.remove_callback(PrinterCallback)
        self.data_collator = self.collate
        self.vision_ids = vision_ids
        self._samples: list[Sample] = [row.sample for row in rows]
        self._inputs = inputs
        self._rollouts = rollouts
        self._rewards = list(rewards)
        self._scorer = CompletionScorer(
            self.processing_class, rewards, self.eos_token_ids, shuffled=self.scores_shuffled
        )
        self._lines = CompletionLines(Path(self.args.output_dir))
        self._batch: list[PromptInputs] = []
        """Inputs of the batch that TRL is working on."""
        self._shuffled: dict[int, list[list[int]]] = {}
        """Completions of shuffled prompts, by the index of their row in the batch."""
        self._groups: list[CompletionGroup] = []
        """The groups of the last rollout batch, of all processes."""
        self._update: UpdateRewards
        """Their rewards."""
        # TRL then corrects for the difference between sampler and policy. TRL's own vLLM engine is
        # created only in its constructor, so this creates none.
        self.use_vllm = rollouts.reports_logps
        if self.ref_model is not None:
            reference = self.accelerator.unwrap_model(self.ref_model)
            prepare_model(reference)
            if self.shares_prompts:
                shared_attention.prepare_model(reference)
        if self.shares_prompts:
            warn_of_repeats(self)
        frozen = self.shares_prompts and is_frozen(self.model)
        self.kept_features: KeptFeatures | None = KeptFeatures() if frozen else None
        """Vision features of the batch, where sampler, reference and policy have the same ones."""

    def train(self, *args: Any, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """Train; removes the lines of ``completions.jsonl`` that a resumed run writes again."""
        if self.accelerator.is_main_process:
            step = Path(resume_from_checkpoint).name if resume_from_checkpoint else "checkpoint-0"
            self._lines.keep_until(int(step.rpartition("-")[2]))
        self.restore_batch(resume_from_checkpoint)
        self.restore_task_ema(resume_from_checkpoint)
        return super().train(*args, resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    # Methods that TRL calls, in this order.

    def _send_telemetry(self) -> None:
        """Send no telemetry."""

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._prompts, self._wait = self.take_batch(inputs)
        self._batch = self._prompts.rows
        warn_of_failures(self._batch)
        if self.group_filter is not None:
            inputs = self._sample_in_rounds(inputs)
            if self.kept_features is not None:  # each round has kept its own prompts' features
                encode_media(self, self._batch)
        rows = self._batch
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        advantages = self._replace_advantages(output)
        self._leave_out(output)
        if self.accelerator.is_main_process:
            self._write_groups(advantages)
        return {**output, "rows": rows}

    def _tokenize_prompts(self, prompts: Any) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(row.ids) for row in self._batch], None, {}

    def _generate_single_turn(
        self, prompt_ids: Any, *_: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        filled = self._filled
        return self._sample_batch() if filled is None else self._filled_completions(filled)

    def _sample_batch(self) -> tuple[list[list[int]], list[list[float]] | None]:
        """Sample ordered and shuffled prompts in one call; a failed row gets an end token only."""
        if self.kept_features is not None:
            encode_media(self, [*self._batch, *([] if self.use_vllm else self._prompts.prompts)])
        sampled, logps = self._wait()
        self.begin_next_batch()
        self._shuffled = self._prompts.of_shuffled(sampled)
        ids = self._prompts.fill(sampled, [int(self._tokenizer.eos_token_id)])
        return ids, None if logps is None else self._prompts.fill(logps, [0.0])

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: Any, ids: list[list[int]]
    ) -> torch.Tensor:
        """Score completions, then groups; shape (completions of all processes, rewards)."""
        filled = self._filled
        if filled is not None:
            self._groups = [one.group for one in filled.groups]
            self._update = join_rewards([one.rewards for one in filled.groups])
        else:
            measured = self._measured([example["row"] for example in inputs], ids)
            self._groups = make_groups(gather_object(measured), self._samples, self.num_generations)
            self._update = self._reward(self._groups)
        table = torch.from_numpy(self._update.ordered).float()
        metrics = {**self._update_task_ema(), **self.step_metrics(self._groups, table)}
        metrics |= {**self._effects(), **(filled.metrics() if filled else {})}
        for name, value in metrics.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)
        return table.to(self.accelerator.device)

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Return the next part of a batch; completions of one prompt are in as few as possible."""
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        parts = self._buffered_inputs
        if parts is before or parts is None or not self.shares_prompts:
            return inputs
        self._buffered_inputs = gather_prompts(parts)
        return self._buffered_inputs[self._step % len(parts)]

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self._batch = inputs["rows"]
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **options: Any
    ) -> Any:
        # The router's loss of a mixture of experts counts the tokens of every row.
        share = self.shares_prompts and not options.get("compute_aux_loss")
        if share and (rows := options.get("batch_size")):  # no gradient: whole groups are small
            options["batch_size"] = rows + -rows % self.num_generations
        forward = VisionForward(
            model,
            self._batch,
            self.vision_ids,
            columns=logits_to_keep,
            share_prompts=share,
            kept=self.kept_features,
        )
        return super()._get_per_token_logps_and_entropies(
            forward, input_ids, attention_mask, logits_to_keep, **options
        )

    # What an algorithm may use.

    @property
    def current_rows(self) -> Sequence[PromptInputs]:
        """The prompt of each row of the batch."""
        return self._batch

    @contextmanager
    def with_rows(self, rows: Sequence[PromptInputs]) -> Iterator[None]:
        """Have the next passes over completions show these prompts instead of the batch's.

        In several processes their media are encoded in each, also where the features of all are
        known: sharded processes have to call the vision tower equally often.
        """
        before = self._batch, self.kept_features
        self._batch = list(rows)
        if in_several_processes():
            self.kept_features = None
        try:
            yield
        finally:
            self._batch, self.kept_features = before

    # Helpers of the methods above.

    def _measured(self, rows: Sequence[int], ids: Sequence[list[int]]) -> list[Rollout]:
        """Score the batch of this process.

        Args:
            rows: Index of the row in the training data, per row of the batch.
            ids: The ordered completions.
        """
        rollouts = [
            self._scorer.make_rollout(
                row, with_duration(self._samples[row], self._batch[at].clips),
                self._batch[at].failure, tokens, self._shuffled.get(at, ()),
                self.state.global_step + 1,
            )
            for at, (row, tokens) in enumerate(zip(rows, ids, strict=True))
        ]  # fmt: skip
        return list(self.measure(rollouts, ids))

    def _reward(self, groups: Sequence[CompletionGroup]) -> UpdateRewards:
        step = self.state.global_step + 1
        return update_rewards(self._rewards, groups, step, shuffled=self.scores_shuffled)

    def _leave_out(self, output: dict[str, Any]) -> None:
        """Mask the completions that teach nothing: without a reward, or of a place left unfilled.

        They have no advantage; their KL term and their tokens must not count either.
        """
        left_out: Any = np.isnan(self._update.ordered).all(axis=1)
        for place in self._filled.unfilled if self._filled else ():
            left_out[place * self.num_generations : (place + 1) * self.num_generations] = True
        if not left_out.any():
            return
        mask = output["completion_mask"]
        mask[torch.from_numpy(self._of_this_process(left_out)).to(mask.device)] = 0
        output["num_items_in_batch"] = self.accelerator.gather(mask.sum()).sum()

    def _write_groups(self, advantages: Sequence[float]) -> None:
        """Write the groups of the update, and those that were sampled for it in vain."""
        step, weights = self.state.global_step + 1, self.reward_weights.tolist()
        why = None if self._filled is None else self._filled.why_in_batch()
        self._lines.write(step, self._groups, self._update, weights, advantages, why)
        others = self._filled.left_out if self._filled else ()
        if others:
            groups = [one.group for one, _ in others]
            rewards = join_rewards([one.rewards for one, _ in others])
            none = [None] * (len(others) * self.num_generations)
            self._lines.write(step, groups, rewards, weights, none, [str(why) for _, why in others])
