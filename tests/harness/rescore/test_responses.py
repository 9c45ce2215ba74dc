"""Scoring and rescoring from Python, without the command line."""

import json
from dataclasses import replace

import pytest

from harness.cli import main
from harness.errors import DatasetError, RunMismatchError
from harness.rescore.reasons import Reason
from harness.rescore.report import rescore_page
from harness.rescore.rescore import RescoreConfig, rescore_run
from harness.rescore.responses import ScoreConfig, read_responses, score_responses
from harness.run.store import read_manifest, read_records
from tests.harness.rescore.test_rescore import ROWS, TEXTS, write_data


@pytest.fixture
def config(tmp_path):
    """Four stored texts of four VSI-Bench questions."""
    lines = [json.dumps({"id": f"vsibench/{n}", "text": text}) for n, text in enumerate(TEXTS)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines))
    return ScoreConfig(
        task="vsibench",
        responses=tmp_path / "texts.jsonl",
        data=write_data(tmp_path / "data"),
        out=tmp_path / "run",
    )


def test_stored_texts_are_scored_and_kept_as_a_run(config):
    """0.6 and 1 of two counts, 1 and 0 of two routes: the mean of the types is 65 %."""
    scored = score_responses(config)
    assert scored.results.tasks["vsibench"].score == pytest.approx(65.0)
    assert [record.value for record in scored.records.values()] == pytest.approx([0.6, 1, 1, 0])
    assert read_manifest(config.out)["backend"] == "replay"
    assert len(read_records(config.out)) == 4


def test_a_run_is_rescored_with_both_results_at_hand(config):
    """Video-R1's rule gives 0.5, 0, 0 and 1; all four items changed, each with a reason."""
    score_responses(config)
    run = rescore_run(config.out, RescoreConfig(scorer="video-r1", data=config.data))
    assert run.before.tasks["vsibench"].score == pytest.approx(65.0)
    assert run.after.tasks["vsibench"].score == pytest.approx(37.5)
    changed = run.changed["vsibench"]
    assert [item.after.value for item in changed] == [0.5, 0.0, 0.0, 1.0]
    assert (changed[0].reason, changed[3].reason) == (Reason.BOUNDARY, Reason.TAG)
    assert run.scores_file == config.out / "scores-video-r1.jsonl"


def _write_thinking(config, thought):
    lines = [
        json.dumps({"id": f"vsibench/{n}", "text": thought + text}) for n, text in enumerate(TEXTS)
    ]
    config.responses.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "thought",
    ["<think>Frame 12 shows 7. A? B!</think>", "7, so A\n</think>\n\n", "◁think▷7◁/think▷",
     "Here are my reasoning steps:\n7\n[BEGIN FINAL RESPONSE]\n"],
)  # fmt: skip
def test_stored_thoughts_are_split_off(config, thought):
    """0.6 and 1, 1 and 1: the last answer, in its tags, is read; numbers of thoughts are not."""
    _write_thinking(config, thought)
    scored = score_responses(replace(config, reasoning="auto"))
    assert scored.results.tasks["vsibench"].score == pytest.approx(90.0)
    assert [record.text for record in scored.records.values()] == [*TEXTS[:3], "A"]
    assert score_responses(replace(config, out=None)).results.tasks["vsibench"].score < 65


def test_a_run_is_rescored_with_its_thoughts_split_off(config):
    """Texts stored whole are split; texts that were split when they were written are not again."""
    _write_thinking(config, "<think>7, A or B</think>")
    whole = score_responses(config)
    assert whole.results.tasks["vsibench"].score < 65
    again = RescoreConfig(scorer="official", data=config.data, reasoning="auto")
    assert rescore_run(config.out, again).after.tasks["vsibench"].score == pytest.approx(90.0)
    parted = replace(config, reasoning="think", out=config.out.parent / "parted")
    score_responses(parted)
    for rule in ("auto", "in-text"):
        run = rescore_run(parted.out, replace(again, reasoning=rule))
        assert run.after.tasks["vsibench"].score == pytest.approx(90.0)


def test_a_thought_that_was_cut_stays_without_an_answer(config):
    """Also when its run is scored again, by a scorer that reads everything."""
    _write_thinking(config, "<think>I think it is ")
    scored = score_responses(replace(config, reasoning="auto"))
    assert {record.outcome for record in scored.records.values()} == {"no_answer"}
    run = rescore_run(config.out, RescoreConfig(scorer="flexible", data=config.data))
    assert run.after.tasks["vsibench"].score == 0
    assert run.after.tasks["vsibench"].outcomes["no_answer"] == 4


def test_the_commands_take_the_rule(config, capsys):
    """``--reasoning`` of score and rescore; a wrong one is refused with the names."""
    _write_thinking(config, "<think>7</think>")
    words = ["--data", str(config.data), "--reasoning", "auto"]
    scoring = ["score", "--task", "vsibench", "--responses", str(config.responses)]
    assert main([*scoring, "--out", str(config.out), *words]) == 0
    assert "90.0" in capsys.readouterr().out
    assert main(["rescore", str(config.out), "--scorer", "flexible", *words]) == 0
    assert main([*scoring, *words[:-1], "thinks"]) == 2
    assert "auto, in-text, one of think" in capsys.readouterr().err


def test_the_page_is_self_contained(config):
    """One style sheet inside, nothing from elsewhere, texts escaped."""
    score_responses(config)
    run = rescore_run(config.out, RescoreConfig(scorer="video-r1", data=config.data))
    page = rescore_page("a <b>", run)
    assert page.startswith("<!doctype html>")
    assert "<h1>a &lt;b&gt;</h1>" in page
    assert "http:" not in page
    assert "https:" not in page
    assert "src=" not in page


def test_other_questions_are_refused_with_both_fingerprints(config, tmp_path):
    """The message says what was found, what was expected and which flag names the folder."""
    score_responses(config)
    other = write_data(tmp_path / "other", ROWS[:1])
    with pytest.raises(RunMismatchError, match=r"got 1 items.* expected 4 items.*--data"):
        rescore_run(config.out, RescoreConfig(scorer="official", data=other))


def test_a_duplicated_id_is_refused(tmp_path):
    """Which of the two texts is the answer cannot be known."""
    file = tmp_path / "texts.jsonl"
    file.write_text('{"id": "a", "text": "1"}\n{"id": "a", "text": "2"}\n')
    with pytest.raises(DatasetError, match="line 2: id 'a' is duplicated"):
        read_responses(file)


def _write_repeats(config, repeats):
    lines = [
        json.dumps({"id": f"vsibench/{n}", "repeat": repeat, "text": text})
        for repeat, texts in enumerate(repeats)
        for n, text in enumerate(texts)
    ]
    config.responses.write_text("\n".join(lines))


def test_items_that_were_asked_several_times_are_scored_by_their_means(config):
    """65 and 0 percent make 32.5; pass@2 is the better one, and the run holds both answers."""
    _write_repeats(config, [TEXTS, ["nothing"] * 4])
    summary = score_responses(config).results.tasks["vsibench"]
    assert summary.score == pytest.approx(32.5)
    assert (summary.repeats.k, summary.repeats.pass_at["2"].score) == (2, pytest.approx(65.0))
    assert {record.key for record in read_records(config.out)} == {
        (f"vsibench/{n}", repeat) for n in range(4) for repeat in (0, 1)
    }
    assert read_manifest(config.out)["protocol"]["vsibench"]["repeats"] == 2


def test_a_repeat_that_is_missing_is_missing(config, capsys):
    """The command says how many answers have no record."""
    _write_repeats(config, [TEXTS, TEXTS[:3]])
    words = ["score", "--task", "vsibench", "--responses", config.responses, "--data", config.data]
    assert main([str(word) for word in words]) == 4
    assert "1 of 8 answers have no record" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("repeats", "words"),
    [
        ([0, 0], "id 'a' is duplicated (repeat 0)"),
        ([1, 1], "is duplicated (repeat 1)"),
        ([-1], "field 'repeat': expected a whole number from 0 to 9,999, got -1"),
        ([10_000], "expected a whole number from 0 to 9,999, got 10000"),
        ([1.0], "got 1.0"),
        ([True], "got True"),
        (["1"], "got '1'"),
        ([None], "got None"),
    ],
)
def test_a_wrong_repeat_is_refused_with_its_line(tmp_path, repeats, words):
    """A number of a repeat is a whole number, and stands there once per id."""
    file = tmp_path / "texts.jsonl"
    lines = [json.dumps({"id": "a", "text": "A", "repeat": repeat}) for repeat in repeats]
    file.write_text("\n".join(lines))
    with pytest.raises(DatasetError, match=f"line {len(repeats)}: ") as caught:
        read_responses(file)
    assert words in str(caught.value)
