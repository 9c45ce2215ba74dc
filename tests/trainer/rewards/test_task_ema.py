"""Advantages scaled by a moving deviation per problem type (EMA-GRPO): by hand, and kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.errors import CheckpointError
from trainer.rewards.task_ema import FILE, TaskEma

NAN = math.nan


def table(*groups):
    return np.array(groups, dtype=float)


def test_the_first_update_sets_the_moments_and_later_ones_move_them():
    """Rewards 1, 0, 1, 0: m1 = 0.5, m2 = 0.5, deviation 0.5. Then 1, 1, 1, 0 with d = 0.9: means
    0.75 and 0.75, so that both moments are 0.9 * 0.5 + 0.1 * 0.75 = 0.525, the deviation
    sqrt(0.525 - 0.275625) = 0.499374."""
    ema = TaskEma(0.9)
    ema.update(["OCR"], table([1, 0, 1, 0]))
    assert ema.deviation("OCR") == pytest.approx(0.5)
    ema.update(["OCR"], table([1, 1, 1, 0]))
    assert ema.deviation("OCR") == pytest.approx(0.499374, abs=1e-6)
    advantages = ema.advantages(["OCR"], table([1, 1, 1, 0]))
    assert advantages == pytest.approx(np.array([0.25, 0.25, 0.25, -0.75]) / 0.499375, abs=1e-5)


def test_each_problem_type_has_its_own_deviation():
    """Spans vary by 0.1, letters by 0.5: both have advantages of +-1."""
    kinds, rewards = ["span", "letter"], table([0.4, 0.6, 0.4, 0.6], [1, 0, 1, 0])
    ema = TaskEma(0.99)
    ema.update(kinds, rewards)
    expected = [-1, 1, -1, 1, 1, -1, 1, -1]
    assert ema.advantages(kinds, rewards) == pytest.approx(expected, abs=1e-4)
    assert ema.metrics() == {
        "task_ema/letter": pytest.approx(0.5),
        "task_ema/span": pytest.approx(0.1),
    }


def test_groups_of_one_type_share_a_deviation():
    """0, 0, 1, 1 in two groups: their own deviation is 0 and the advantages are 0; a third group of
    0 and 1 has +-0.5 / 0.5."""
    rewards = table([0, 0], [1, 1], [0, 1])
    ema = TaskEma(0.99)
    ema.update(["OCR"] * 3, rewards)
    assert ema.advantages(["OCR"] * 3, rewards) == pytest.approx([0, 0, 0, 0, -1, 1], abs=1e-4)


def test_a_group_beyond_the_guard_is_scaled_by_itself():
    """The type's deviation is 0.001 at least; 0.5 / 0.001 is beyond 5, so that +-0.5 is divided by
    0.5, the group's own deviation."""
    ema = TaskEma(0.99)
    ema.update(["OCR"], table([1, 1]))
    assert ema.deviation("OCR") == pytest.approx(0.001)
    rewards = table([0, 1], [0.999, 1.001])
    assert ema.advantages(["OCR"] * 2, rewards) == pytest.approx([-1, 1, -1, 1], abs=1e-2)


def test_completions_without_rewards_count_nowhere():
    """A failed group moves no mean and has the advantage 0, as has a completion that NaN stands
    for; the mean of its group is that of the others."""
    rewards = table([NAN, NAN, NAN], [0, 1, NAN])
    ema = TaskEma(0.99)
    ema.update(["OCR", "OCR"], rewards)
    assert ema.deviation("OCR") == pytest.approx(0.5)
    expected = [0, 0, 0, -1, 1, 0]
    assert ema.advantages(["OCR", "OCR"], rewards) == pytest.approx(expected, abs=1e-4)
    ema.update(["span"], table([NAN, NAN]))
    assert "task_ema/span" not in ema.metrics()


def test_the_means_are_kept_in_a_checkpoint(tmp_path):
    """To the last bit; a checkpoint without them is refused."""
    ema, other = TaskEma(0.9), TaskEma(0.9)
    ema.update(["OCR", "span"], table([1 / 3, 0.7], [0.1, 0.2]))
    ema.save(tmp_path / "checkpoint-1")
    other.restore(tmp_path / "checkpoint-1")
    for each in (ema, other):
        each.update(["OCR"], table([0.9, 1 / 7]))
    assert ema.metrics() == other.metrics()
    for content in ("[1]", "{", '{"OCR": [1]}', '{"OCR": 1}'):
        (tmp_path / FILE).write_text(content)
        with pytest.raises(CheckpointError, match="task_ema_decay, cannot be read"):
            other.restore(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be read"):
        other.restore(tmp_path / "none")
