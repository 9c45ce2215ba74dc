"""Sample the batch of an update in rounds, until its groups have different rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from accelerate.utils import gather_object

from trainer.loops.ahead import Wait
from trainer.loops.batches import PromptBatches
from trainer.loops.group_filter import (
    FilledBatch,
    GroupFilter,
    SampledGroup,
    has_spread,
)
from trainer.loops.groups import make_groups
from trainer.loops.inputs import PromptInputs, warn_of_failures
from trainer.loops.prompt_batch import PromptBatch

if TYPE_CHECKING:
    from trainer.rewards.advantages import UpdateRewards
    from trainer.rewards.completions import CompletionGroup, Rollout

Completions = tuple[list[list[int]], list[list[float]] | None]
"""Token ids of each completion of this process, and log-probabilities if the sampler has them."""


_ZERO = 1e-6
"""Advantages up to this size are rounding."""


class FilteredSampling(PromptBatches):
    """Mixin of `RolloutTrainer`: replaces groups without spread before TRL sees the batch."""

    accelerator: Any
    num_generations: int
    group_filter: GroupFilter | None = None
    """What chooses the groups; None: every group is trained on."""
    multi_objective_aggregation: str
    reward_weights: Any
    _filled: FilledBatch | None = None
    """The batch that TRL is working on, where groups are filtered."""
    _batch: list[PromptInputs]
    _prompts: PromptBatch
    _wait: Wait

    if TYPE_CHECKING:

        def _sample_batch(self) -> Completions: ...

        def _measured(self, rows: Sequence[int], ids: Sequence[list[int]]) -> list[Rollout]: ...

        def _reward(self, groups: Sequence[CompletionGroup]) -> UpdateRewards: ...

    def filter_groups(self, rounds: int) -> None:
        """Train on groups with spread alone.

        Args:
            rounds: How often an update asks further rows at most.
        """
        processes = self.accelerator.num_processes
        self.group_filter = GroupFilter(
            rows=len(self._samples),
            rounds=rounds,
            seed=self.args.seed,
            teaches=self._teaches,
            multiple=processes // math.gcd(processes, self.num_generations),
        )

    def _sample_in_rounds(self, examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Sample in rounds and return what TRL shall work on; `_batch` has its inputs.

        All processes call it: each round is sampled, gathered and judged in all of them.
        """
        assert self.group_filter is not None
        rows = [example["row"] for example in examples]
        known = dict(zip(rows, self._batch, strict=True))

        def ask(further: Sequence[int]) -> list[SampledGroup]:
            mine = self._share([row for row in further for _ in range(self.num_generations)])
            batch = self.make_batch(self.start_decoding(mine), self.state.global_step)
            self._prompts, self._batch = batch, batch.rows
            self._wait = lambda: self._rollouts.sample(self, batch.prompts)
            warn_of_failures(batch.rows)
            known.update(zip(mine, self._batch, strict=True))
            return self._sample_groups(mine)

        first = self._sample_groups(rows)
        filled = self.group_filter.fill(first, ask, step=self.state.global_step)
        self._filled = filled
        chosen = self._share([one.row for one in filled.groups for _ in one.tokens])
        moved = [row for row in dict.fromkeys(chosen) if row not in known]  # sampled elsewhere
        known.update(zip(moved, self._inputs.build(self.start_decoding(moved)), strict=True))
        self._batch = [known[row] for row in chosen]
        return [
            {**example, "row": row, "prompt": self._samples[row].id}
            for example, row in zip(examples, chosen, strict=True)
        ]

    def _filled_completions(self, filled: FilledBatch) -> Completions:
        """Return this process's completions of the batch."""
        ids = self._share([tokens for one in filled.groups for tokens in one.tokens])
        logps = self._share([values for one in filled.groups for values in one.logps])
        return ids, None if None in logps else logps

    def _sample_groups(self, rows: Sequence[int]) -> list[SampledGroup]:
        """Sample the batch of this process and return the groups of all processes."""
        ids, logps = self._sample_batch()
        known: Sequence[list[float] | None] = [None] * len(ids) if logps is None else logps
        sampled = gather_object(list(zip(self._measured(rows, ids), ids, known, strict=True)))
        groups = make_groups([one for one, *_ in sampled], self._samples, self.num_generations)
        size = self.num_generations
        return [
            SampledGroup(
                group=group,
                rewards=self._reward([group]),
                tokens=[tokens for _, tokens, _ in sampled[at : at + size]],
                logps=[values for *_, values in sampled[at : at + size]],
            )
            for at, group in zip(range(0, len(sampled), size), groups, strict=True)
        ]

    def _teaches(self, sampled: SampledGroup) -> bool:
        """Return whether a group has advantages, the algorithm's own where it has them."""
        if sampled.group.failure is not None:
            return False
        weights = self.reward_weights.tolist()
        own = self.advantages(sampled.rewards, weights)
        if own is not None:
            return bool(np.abs(own).max() > _ZERO)
        per_reward = self.multi_objective_aggregation == "normalize_then_sum"
        return has_spread(sampled.rewards.ordered, weights, per_reward=per_reward)

    def _share(self, values: Sequence[Any]) -> list[Any]:
        """Return this process's part of what all processes have, in their order."""
        size = len(values) // self.accelerator.num_processes
        start = self.accelerator.process_index * size
        return list(values[start : start + size])
