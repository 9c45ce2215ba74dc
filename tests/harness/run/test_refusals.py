"""A refusal counts as 0 and is shown; reasoning without an answer is kept; any text is stored."""

import json
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest

from harness.cli import main
from harness.rescore.rescore import RescoreConfig, rescore_run
from harness.rescore.responses import ScoreConfig, score_responses
from harness.run.record import make_record
from harness.run.store import RunWriter, read_records, write_parquet
from harness.schema import Completion, Outcome
from tasks.base import MICRO
from tasks.tempcompass import TempCompass
from tests.harness.rescore.test_rescore import write_data
from tests.tasks.test_judge import CAPTIONING, YES_NO
from tests.toys import planned, record, sample

REFUSAL = Completion(text="I cannot", finish_reason="refusal", refused=True)


def _write_texts(path, *texts):
    rows = ({"id": f"vsibench/{n}", "text": text} for n, text in enumerate(texts))
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_a_refusal_is_worth_nothing_and_not_scored():
    """Its words are kept, but no rule looks for an answer in them."""
    done = make_record(planned([sample(1)]), sample(1), REFUSAL)
    assert (done.outcome, done.value, done.answer) == (Outcome.REFUSED, 0.0, None)
    assert (done.text, done.failure) == ("I cannot", None)


def test_a_null_response_stays_in_the_mean(tmp_path):
    """Right, right, refused, refused: half of each of the two types, so 50 %."""
    texts = _write_texts(tmp_path / "texts.jsonl", "2", None, "B", None)
    config = ScoreConfig(
        task="vsibench", responses=texts, data=write_data(tmp_path / "data"), out=tmp_path / "run"
    )
    summary = score_responses(config).results.tasks["vsibench"]
    assert summary.n_scored == 4
    assert (summary.outcomes["refused"], summary.outcomes["failed"]) == (2, 0)
    assert summary.score is not None
    assert summary.score <= 50
    again = rescore_run(tmp_path / "run", RescoreConfig(scorer="video-r1", data=config.data))
    assert again.after.tasks["vsibench"].outcomes["refused"] == 2


def test_refusals_are_a_column_of_the_summary_and_of_the_board(tmp_path, capsys):
    """They are no item to try again: the command ends with 0."""
    texts = _write_texts(tmp_path / "texts.jsonl", "2", None, "B", "A")
    data, out = str(write_data(tmp_path / "data")), str(tmp_path / "run")
    words = ["score", "--task", "vsibench", "--responses", str(texts), "--data", data, "--out", out]
    assert main(words) == 0
    assert "refused" in capsys.readouterr().out
    assert main(["board", out, "--format", "csv"]) == 0
    head, line = capsys.readouterr().out.splitlines()[:2]
    assert dict(zip(head.split(","), line.split(","), strict=False))["refused"] == "1"
    assert main(["board", out, "--format", "md"]) == 0
    assert "refused %" in capsys.readouterr().out


def test_a_refused_caption_is_left_out_with_the_other_captions():
    """Without a judge no caption has a value; with other tasks a refusal is 0."""
    scorer = TempCompass().scorers["official"]
    assert scorer.aggregation is MICRO
    assert scorer.score_refusal(CAPTIONING).value is None
    assert scorer.score_refusal(YES_NO).value == 0.0


@pytest.mark.parametrize(("reason", "outcome"), [("stop", "no_answer"), ("length", "truncated")])
def test_reasoning_beside_an_empty_text_is_kept(reason, outcome):
    """The item has no answer, and the record says what the model thought."""
    answer = Completion(text="", finish_reason=reason, reasoning="so <answer>A</answer>")
    done = make_record(planned([sample(1)]), sample(1), answer)
    assert (done.outcome, done.text, done.reasoning) == (outcome, "", "so <answer>A</answer>")


def test_records_without_reasoning_are_read(tmp_path):
    """Runs made before the field was there."""
    with RunWriter(tmp_path, {"schema": 1}):
        pass
    fields = asdict(record(1))
    del fields["reasoning"]
    (tmp_path / "records-0.jsonl").write_text(json.dumps(fields) + "\n")
    assert read_records(tmp_path) == [record(1)]


def test_half_of_a_character_does_not_stop_the_table(tmp_path):
    """Text, answer, id: what UTF-8 cannot hold is replaced, whole pairs stay."""
    odd = type(record(1))(
        **{**asdict(record(1)), "text": "x \ud83d \U0001f600 \ude00", "answer": "\udcff"}
    )
    write_parquet(tmp_path, [odd])
    row = pq.read_table(tmp_path / "records.parquet").to_pylist()[0]
    assert (row["text"], row["answer"]) == ("x \ufffd \U0001f600 \ufffd", "\ufffd")
