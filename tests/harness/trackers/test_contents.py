"""What trackers are sent: names that each of them takes, short tables, and no secrets."""

import math
from dataclasses import replace

import pytest

from harness.run.tracking import COLUMNS, clean_name, item_tables, run_scores
from harness.schema import Failure, Outcome, RepeatFigure, RepeatSummary, TaskSummary
from harness.trackers.redact import HIDDEN, redact
from tests.toys import record

SUMMARY = TaskSummary(
    score=50.0, se=2.5, ci95=(45.0, 55.0), n=10, n_scored=9, n_clusters=4,
    outcomes={"correct": 5, "wrong": 4, "failed": 1}, dropped=0, missing=1,
    breakdown={"easy": {"score": 60.0, "se": None, "n": 5}, "none": {"score": None, "n": 0}},
    scorer="s@1", aggregation="micro", protocol_hash="abc", extra={"match_rate": 90.0},
)  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["api_key", "apiKey", "OPENAI_API_KEY", "key", "Authorization", "hf_token", "HF_TOKEN",
     "access-token", "token", "password", "passwd", "client_secret", "x-api-key", "cookie",
     "secret_key", "bearer", "credentials", "auth"],
)  # fmt: skip
def test_values_under_the_name_of_a_secret_are_hidden(name):
    """Whatever they are, also deep inside."""
    assert redact({"engine": {"extra_body": {name: "v4lue", "list": [{name: 12345}]}}}) == {
        "engine": {"extra_body": {name: HIDDEN, "list": [{name: HIDDEN}]}}
    }


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "min_tokens", "max_new_tokens", "stop_tokens", "tokenizer", "prompt_tokens",
     "keyframes", "monkey", "author", "secretary", "passes", "output tokens"],
)  # fmt: skip
def test_settings_that_only_sound_like_secrets_are_sent(name):
    """A protocol without its token limit would be none."""
    assert redact({name: 1024}) == {name: 1024}


@pytest.mark.parametrize(
    "text",
    ["https://me:pw@host/v1", "sk-abcdefghij0123456789", "use hf_abcdefghijklmnop please",
     "Bearer ghp_0123456789abcdef"],
)  # fmt: skip
def test_secrets_inside_texts_are_hidden(text):
    """By the beginnings that keys have, and as the user part of an address."""
    shown = redact({"note": [text]})["note"][0]
    assert not any(part in shown for part in ("pw@", "abcdefghij", "0123456789"))


def test_scores_have_names_with_their_task():
    """What is not known is left out, not sent as nothing or as NaN."""
    found = run_scores({"toy": SUMMARY})
    assert found == {
        "toy/score": 50.0, "toy/ci95_low": 45.0, "toy/ci95_high": 55.0, "toy/se": 2.5,
        "toy/items": 10.0, "toy/videos": 4.0, "toy/missing": 1.0, "toy/dropped": 0.0,
        "toy/outcomes/correct": 5.0, "toy/outcomes/wrong": 4.0, "toy/outcomes/failed": 1.0,
        "toy/categories/easy": 60.0, "toy/match_rate": 90.0,
    }  # fmt: skip
    unknown = replace(SUMMARY, score=None, se=math.nan, ci95=None)
    assert {"toy/score", "toy/se", "toy/ci95_low"} & set(run_scores({"toy": unknown})) == set()


def test_repeats_are_sent_as_their_figures():
    """pass@k by k, majority, and how many answers change."""
    figure = RepeatFigure(score=70.0, se=None, ci95=None, n=10)
    repeats = RepeatSummary(
        k=2, answers=20, failed=0, pass_at={"1": figure, "2": None}, majority=figure, changed=None
    )
    found = run_scores({"toy": replace(SUMMARY, repeats=repeats)})
    assert found["toy/pass_at_1"] == found["toy/majority"] == 70.0
    assert "toy/pass_at_2" not in found


@pytest.mark.parametrize(
    ("name", "clean"),
    [("vsibench/score", "vsibench/score"), ("lmms:mvbench", "lmms:mvbench"),
     ("*/action", "*/action"),
     ("a\x1b[2Jb", "a_x1b_2Jb"), ("a\nb", "a b"), ("<b>", "_b_"), ("", "_"), ("é", "é"),
     ("x" * 500, "x" * 120)],
)  # fmt: skip
def test_names_are_what_every_tracker_takes(name, clean):
    """Letters, digits and a few marks; no control character, not too long."""
    assert clean_name(name) == clean


def test_items_without_an_answer_come_first_then_wrong_ones():
    """The reader of a short table looks for what went wrong."""
    failure = Failure(stage="media", error="MediaError", message="broken")
    records = [
        record(0),
        record(1, 0.0, Outcome.WRONG),
        replace(record(2, None, Outcome.FAILED), text=None, failure=failure),
        record(3, 0.0, Outcome.TRUNCATED),
    ]
    [table] = item_tables(records, {}, 3)
    assert table.columns == COLUMNS
    assert [row[4] for row in table.rows] == ["failed", "truncated", "wrong"]
    assert table.rows[0][-1] == "media: MediaError: broken"


def test_tasks_share_the_rows():
    """Five rows of two tasks are two and three."""
    records = [
        replace(record(n), id=f"{task}/{n}", task=task) for task in ("a", "b") for n in range(9)
    ]
    assert [len(table.rows) for table in item_tables(records, {}, 5)] == [2, 3]
    assert item_tables(records, {}, 0) == []


def test_long_texts_are_cut_with_their_length():
    """A tracker is not sent a megabyte per item."""
    [table] = item_tables([replace(record(0), text="x" * 10**6)], {}, 1)
    text = table.rows[0][COLUMNS.index("text")]
    assert len(text) < 2_100
    assert text.endswith("(1,000,000 characters)")
