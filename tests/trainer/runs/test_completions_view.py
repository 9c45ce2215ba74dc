"""``videor1 train show``: completions of a run, readable."""

import json

import pytest

from harness.cli.exits import Exit
from tests.trainer.commands import run
from trainer.cli.train import TrainCommand


def _group(step, row_id, **changes):
    def wrote(text, accuracy, **more):
        return {"text": text, "tokens": 12, "truncated": False} | {
            "rewards": {
                "accuracy": accuracy, "format_reward": 1.0, "length_bonus": 0.0,
                "temporal_bonus": None,
            },
            **more,
        }  # fmt: skip

    return {
        "step": step, "id": row_id, "kind": "multiple choice", "question": f"What is [{row_id}]?",
        "media": ["clips/a.mp4"], "gold": "B", "failure": None,
        "ordered": [
            wrote("<answer>B</answer>", 1.0, reward=1.3, advantage=0.71),
            wrote("<answer>A", 0.0, reward=0.0, advantage=-0.71) | {"truncated": True},
        ],
        "shuffled": [{"text": "hm", "tokens": 3, "truncated": False, "rewards": {"accuracy": 0.5}}],
    } | changes  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    groups = [
        _group(1, "r/1"),
        _group(2, "r/2"),
        _group(2, "r/3", failure="clips/a.mp4: cut short", ordered=[], shuffled=[]),
    ]
    text = "".join(f"{json.dumps(group)}\n" for group in groups) + '{"step": 3, "id": '
    (tmp_path / "completions.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def show(folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *flags: run(TrainCommand(), "show", folder, *flags)


def test_the_last_whole_step_is_shown_with_both_groups_and_every_reward(show, capsys):
    """At 80 columns; the line that a kill tore is not there, and a truncated answer says so."""
    verdict = show()
    assert verdict.code is Exit.OK
    assert verdict.reason == "2 of 2 prompts of step 2 shown; steps 1-2"
    printed = " ".join(capsys.readouterr().out.split())
    for text in (
        "r/2 (multiple choice), step 2", "What is [r/2]?", "gold: B", "ordered frames",
        "shuffled frames", "<answer>B</answer>", "hm",
        "reward 1.3; advantage 0.71; accuracy 1, format 1, length 0, temporal -; 12 tokens",
        "reward 0; advantage -0.71", "12 tokens, cut off", "accuracy 0.5; 3 tokens",
        "dropped: clips/a.mp4: cut short",
    ):  # fmt: skip
        assert text in printed


def test_what_each_reward_did_to_the_advantages_of_the_step_is_shown(show, folder, capsys):
    """From the metrics; a run of before has none, and says nothing of it."""
    show()
    assert "advantages changed" not in capsys.readouterr().out
    logged = [
        {"step": step, "effect/temporal_bonus": 0.04 * step, "effect/temporal_bonus/groups": 0.5}
        for step in (1, 2)
    ]
    text = "".join(json.dumps(line) + "\n" for line in logged)
    (folder / "metrics.jsonl").write_text(text, encoding="utf-8")
    show("--step", "1")
    printed = " ".join(capsys.readouterr().out.split())
    assert "changed by temporal_bonus 4 % (50 % of groups by more than 1 %)" in printed


def test_the_log_ratio_of_an_answer_is_shown(folder, show, capsys):
    """With tgrpo-evidence, of the answers that were compared."""
    group = _group(1, "r/1")
    group["ordered"][0]["log_ratio"] = 0.125
    (folder / "completions.jsonl").write_text(json.dumps(group) + "\n", encoding="utf-8")
    show()
    printed = capsys.readouterr().out
    assert printed.count("log ratio 0.125") == printed.count("log ratio") == 1


def test_a_step_and_a_row_can_be_chosen(show, capsys):
    """``--id`` alone takes the row's last step."""
    assert "1 of 1 prompts of step 1" in show("--step", "1").reason
    assert "1 of 1 prompts of step 1" in show("--id", "r/1").reason
    assert "1 of 2 prompts of step 2" in show("--limit", "1").reason
    assert "r/3" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--step", "9"], "no completions of step 9; there are some of 2 steps, 1 to 2"),
        (["--id", "r/9"], "no completions of row 'r/9'"),
    ],
)
def test_what_is_not_there_says_what_is(show, flags, message):
    """Bad input, exit 2."""
    verdict = show(*flags)
    assert verdict.code is Exit.USAGE
    assert message in verdict.reason


def test_a_run_without_completions_says_why(tmp_path):
    """SFT samples nothing."""
    assert "GRPO and T-GRPO runs write it" in run(TrainCommand(), "show", tmp_path).reason
