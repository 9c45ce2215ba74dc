"""What rewards did to the advantages of a run: written, read, and told to people."""

import json

import pytest

from trainer.rewards.advantages import Effect
from trainer.runs.effects import describe_effects, effect_metrics, effects_at, read_effects
from trainer.runs.learnt import read_learnt


def log(step, change, groups, name="temporal_bonus"):
    return {
        "step": step,
        "loss": 0.1,
        **effect_metrics({name: Effect(change=change, groups=groups)}),
    }


def test_the_mean_counts_every_update_once():
    """A log of one update and one of the three after it: (0.4 + 3 * 0.2) / 4, (0 + 3 * 0.8) / 4.
    The last line of a training has no effects."""
    found = read_effects([log(1, 0.4, 0.0), log(4, 0.2, 0.8), {"step": 4, "train_loss": 0.1}])
    assert found["temporal_bonus"].change == pytest.approx(0.25)
    assert found["temporal_bonus"].groups == pytest.approx(0.6)


def test_a_reward_that_was_not_logged_at_first_has_its_own_updates():
    """Both are means over the updates in which they were logged; logs of before have none."""
    found = read_effects([{"step": 2}, log(4, 0.4, 1.0), log(5, 0.1, 0.5, "length_bonus")])
    assert found["temporal_bonus"] == Effect(change=0.4, groups=1.0)
    assert found["length_bonus"] == Effect(change=0.1, groups=0.5)
    assert read_effects([{"step": 1}]) == {}


def test_an_update_is_found_in_the_log_that_counts_it():
    """The third update was logged with the fourth."""
    logs = [log(1, 0.4, 0.0), log(4, 0.2, 0.8)]
    assert effects_at(logs, 3)["temporal_bonus"].change == pytest.approx(0.2)
    assert effects_at(logs, 5) == {}


def test_small_changes_are_told_with_their_digits():
    """0.004 % is not nothing, and nothing is."""
    effects = {"temporal_bonus": Effect(change=4e-5, groups=0.0), "x": Effect(change=1.3, groups=1)}
    assert describe_effects(effects) == (
        "advantages changed by temporal_bonus 0.004 % (0 % of groups by more than 1 %),"
        " x 130 % (100 % of groups by more than 1 %)"
    )
    assert describe_effects({}) == ""


def test_the_end_of_a_run_knows_them(tmp_path):
    """From its metrics; a run without them ends as before."""
    (tmp_path / "completions.jsonl").write_text("")
    (tmp_path / "metrics.jsonl").write_text(json.dumps(log(1, 0.4, 0.0)) + "\n")
    assert str(read_learnt(tmp_path)) == (
        "1 updates; advantages changed by temporal_bonus 40 % (0 % of groups by more than 1 %)"
    )
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n')
    assert str(read_learnt(tmp_path)) == "1 updates"
