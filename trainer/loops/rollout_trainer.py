"""What GRPO and T-GRPO share: TRL's trainer with videos in its prompts.

TRL 1.16 samples, scores and trains on text and images; a video in a prompt reaches its sampler and
not its loss (research/trainer.md, section 2). Six of its methods are overridden here: they add the
media of the rows, and the rewards that belong to a group.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers.trainer_callback import PrinterCallback

from harness.backends import chat
from harness.schema import Sample
from trainer.data.rows import TrainingRow
from trainer.loops.callbacks import (
    StepLines,
    warn_of_failures,
)
from trainer.loops.forward import Seeing
from trainer.loops.groups import Answer, Group, Rollout, group_line, group_metrics, groups_of
from trainer.loops.inputs import InputBuilder, PromptInputs
from trainer.loops.model import ExactResume, prepare
from trainer.loops.rollouts import Rollouts
from trainer.loops.trl_names import GRPOTrainer
from trainer.rewards.rewards import (
    accuracy,
    format_reward,
)
from trainer.runs.folder import COMPLETIONS

NAN = float("nan")


class RolloutTrainer(ExactResume, GRPOTrainer, ABC):  # type: ignore[misc]
    """`GRPOTrainer` on rows with images and videos.

    Args:
        rows: The questions.
        inputs: Builds what the model reads.
        vision_ids: The token that stands for one feature, by modality.
        rollouts: What samples completions.
        bonuses: Reward functions of a group, whose names and order are those of the columns that
            `group_bonuses` returns; they follow accuracy and format.
        trl: Arguments of `GRPOTrainer`; the model has been through `trainer.loops.model.prepare`.
    """

    def __init__(
        self,
        *,
        rows: Sequence[TrainingRow],
        inputs: InputBuilder,
        vision_ids: dict[str, int],
        rollouts: Rollouts,
        bonuses: Sequence[Callable[..., Any]],
        **trl: Any,
    ) -> None:
        super().__init__(
            # Rows stay outside: Arrow would fill in keys, and TRL copies and gathers prompts.
            train_dataset=Dataset.from_dict(
                {"prompt": [row.sample.id for row in rows], "row": range(len(rows))}
            ),
            reward_funcs=[accuracy, format_reward, *bonuses],
            **trl,
        )
        self.remove_callback(PrinterCallback)
        self.data_collator = self._ask
        self.vision_ids = vision_ids
        self._samples: list[Sample] = [row.sample for row in rows]
        self._inputs = inputs
        self._rollouts = rollouts
        self._lines = StepLines(Path(self.args.output_dir) / COMPLETIONS)
        self._shown: list[PromptInputs] = []
        """The rows of the batch that TRL is working on."""
        self._twins: dict[int, list[int]] = {}
        """Completions of shuffled twins, by the place of their row in the batch."""
        self._groups: list[Group] = []
        """The groups of the last rollout batch, of all processes."""
        self._group_rewards = torch.empty(0)
        # TRL then corrects for what sampler and policy disagree on; its own engine was never made.
        self.use_vllm = rollouts.reports_logps
        if self.ref_model is not None:
            prepare(self.accelerator.unwrap_model(self.ref_model))

    def train(self, *args: Any, resume_from_checkpoint: str | None = None, **kwargs: Any) -> Any:
        """Train, and keep of ``completions.jsonl`` what a resumed run will not write again."""
        if self.accelerator.is_main_process:
            step = Path(resume_from_checkpoint).name if resume_from_checkpoint else "checkpoint-0"
            self._lines.keep_until(int(step.rpartition("-")[2]))
        return super().train(*args, resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    # What an algorithm adds.

    @abstractmethod
    def group_bonuses(self, group: Group) -> list[list[float]]:
        """Return the group's columns behind accuracy and format, one value per completion.

        NaN where a column does not apply: it then counts neither as a reward nor in a mean.
        """

    def twins_of(self, rows: Sequence[PromptInputs]) -> Mapping[int, PromptInputs]:
        """Return prompts to be sampled besides `rows`, by the place of the row they belong to."""
        return {}

    def metrics_of(self, groups: Sequence[Group], rewards: torch.Tensor) -> dict[str, float]:
        """Return what is logged about the groups of a step and their rewards, in that order."""
        return group_metrics(groups)

    # What TRL calls, in this order.

    def _send_telemetry(self) -> None:
        """Report nothing to anyone."""

    def _ask(self, examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Start to decode a batch when it is collated, one step before it is needed."""
        asked = self._inputs.ask(self._samples[example["row"]] for example in examples)
        return [{**example, "asked": one} for example, one in zip(examples, asked, strict=True)]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self._shown = rows = self._inputs.build([example["asked"] for example in inputs])
        warn_of_failures(rows)
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        # A failed group has no rewards, hence no advantage; its KL term has to go, too.
        dropped = torch.isnan(self._local(self._group_rewards)[:, 0])
        output["completion_mask"][dropped.to(output["completion_mask"].device)] = 0
        self._write_completions(output["advantages"].tolist())
        return {**output, "rows": rows}

    def _tokenize_prompts(self, prompts: Any) -> tuple[list[list[int]], None, dict[str, Any]]:
        return [list(row.ids) for row in self._shown], None, {}

    def _generate_single_turn(
        self, prompt_ids: Any, *_: Any
    ) -> tuple[list[list[int]], list[list[float]] | None]:
        """Sample for the batch and its twins in one call; a failed row only ends."""
        twins = self.twins_of(self._shown)
        seen = [at for at, row in enumerate(self._shown) if row.failure is None]
        asked = [*(self._shown[at] for at in seen), *twins.values()]
        # Sampling takes all processes where weights are sharded: one whose rows all failed samples
        # for one of them, and what it gets belongs to nothing.
        sampled, logps = self._rollouts.sample(self, asked or self._shown[:1])
        self._twins = dict(zip(twins, sampled[len(seen) :], strict=False))
        ids = self._spread(seen, sampled, [int(self._tokenizer.eos_token_id)])
        return ids, None if logps is None else self._spread(seen, logps, [0.0])

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: Any, completions: Any, ids: list[list[int]]
    ) -> torch.Tensor:
        """Score texts by themselves, then whole groups; shape (completions of all, columns)."""
        here = [
            Rollout(
                row=example["row"],
                answer=None if shown.failure else self._answer(example["row"], tokens),
                twin=self._answer(example["row"], self._twins[at]) if at in self._twins else None,
                failure=shown.failure.message if shown.failure else None,
            )
            for at, (example, shown, tokens) in enumerate(
                zip(inputs, self._shown, ids, strict=True)
            )
        ]
        self._groups = groups_of(gather_object(here), self._samples, self.num_generations)
        self._group_rewards = torch.cat([self._rewards_of(group) for group in self._groups])
        for name, value in self.metrics_of(self._groups, self._group_rewards).items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)
        return self._group_rewards.to(self.accelerator.device)

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self._shown = inputs["rows"]
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **options: Any
    ) -> Any:
        seeing = Seeing(model, self._shown, self.vision_ids, kept=logits_to_keep + 1)
        return super()._get_per_token_logps_and_entropies(
            seeing, input_ids, attention_mask, logits_to_keep, **options
        )

    # Their parts.

    def _spread(self, places: Sequence[int], values: Sequence[Any], other: Any) -> list[Any]:
        """Give each row of the batch its value, or `other` where it has none."""
        known = dict(zip(places, values, strict=False))
        return [known.get(at, other) for at in range(len(self._shown))]

    def _answer(self, row: int, tokens: list[int]) -> Answer:
        text = chat.decode(self.processing_class, tokens)
        return Answer(
            text=text,
            tokens=len(tokens),
            truncated=tokens[-1] not in self.eos_token_ids,
            accuracy=accuracy(self._samples[row], text),
            format=format_reward(text),
        )

    def _rewards_of(self, group: Group) -> torch.Tensor:
        if group.failure is not None:
            return torch.full((len(group.rollouts), len(self.reward_funcs)), NAN)
        columns = [
            [answer.accuracy for answer in group.ordered],
            [answer.format for answer in group.ordered],
            *self.group_bonuses(group),
        ]
        return torch.tensor(columns).T

    def _local(self, per_completion: torch.Tensor) -> torch.Tensor:
        start = self.accelerator.process_index * len(self._shown)
        return per_completion[start : start + len(self._shown)]

    def _write_completions(self, advantages: list[float]) -> None:
        """Write the groups of all processes, from the first one."""
        everywhere = gather_object(advantages)
        if not self.accelerator.is_main_process:
            return
        size = self.num_generations
        totals = (self._group_rewards * self.reward_weights).nansum(dim=1).tolist()
        columns = [
            dict(zip(self.reward_func_names, values, strict=True))
            for values in self._group_rewards.tolist()
        ]
        self._lines.append(
            group_line(
                group,
                step=self.state.global_step + 1,
                question=self._inputs.question(group.sample).text,
                rewards=columns[at : at + size],
                totals=totals[at : at + size],
                advantages=everywhere[at : at + size],
            )
            for at, group in zip(range(0, len(everywhere), size), self._groups, strict=True)
        )
