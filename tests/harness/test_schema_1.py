"""A run of schema 1, made before the code was rearranged, gives the same numbers now."""

import csv
import io
import json
import math
import shutil

import pytest

from harness.cli import main
from harness.gate.baseline import freeze_run, read_baseline
from harness.gate.compare import compare_runs
from harness.task.protocol import complete_all
from tests.paths import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
SCORES = "scores_official_schema_1.json"

# What has changed on purpose since the run was made; everything else must be the same.
WIDER_INTERVALS = ("tempcompass", "videommmu", "vsibench")
"""Their videos have unequal numbers of questions, which costs degrees of freedom."""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A copy of the run in a working directory of its own: commands write into it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(FIXTURES / "run_schema_1", tmp_path / "run")
    return tmp_path / "run"


def _assert_same(now, before, where="top"):
    """Compare two JSON values; numbers to 12 digits. Counts that are newer may be there as 0."""
    if isinstance(before, dict):
        newer = set(now) - set(before)
        assert newer <= {"refused", "ci95_low", "ci95_high"}, where
        assert not now.get("refused"), where
        assert set(before) <= set(now), where
        for key in before:
            _assert_same(now[key], before[key], f"{where}.{key}")
    elif isinstance(before, list):
        assert len(now) == len(before), where
        for position, (one, other) in enumerate(zip(now, before, strict=True)):
            _assert_same(one, other, f"{where}[{position}]")
    elif isinstance(before, float):
        assert math.isclose(now, before, rel_tol=1e-12, abs_tol=1e-12), where
    else:
        assert now == before, where


def _without_newer(now, before):
    """Return a JSON value without the fields that reports had not then."""
    if not isinstance(before, dict):
        return now
    return {name: _without_newer(now[name], before[name]) for name in before}


def _csv_lines(text):
    return [
        {name: float(cell) if _is_number(cell) else cell for name, cell in line.items()}
        for line in csv.DictReader(io.StringIO(text))
    ]


def _is_number(text):
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


def test_the_board_has_the_same_lines(run, capsys):
    """Scores, intervals, ranks, counts, breakdowns and protocol hashes of the CSV."""
    assert main(["board", "run", "--format", "csv", "--by"]) == 0
    now = [line for line in _csv_lines(capsys.readouterr().out) if line["task"] != "average"]
    assert {line.pop("repeats") for line in now} == {1.0, ""}
    assert {line.pop("block") for line in now} == {1.0}
    before = _csv_lines((FIXTURES / "board_schema_1.csv").read_text())
    for ours, theirs in zip(now, before, strict=True):
        if ours["task"] in WIDER_INTERVALS and not ours["category"]:
            low, old_low = (float(line.pop("ci95_low")) for line in (ours, theirs))
            high, old_high = (float(line.pop("ci95_high")) for line in (ours, theirs))
            assert low <= old_low
            assert low <= ours["score"] <= high
            assert high >= old_high - 1e-9
    _assert_same(now, before)


def test_the_frozen_run_has_the_same_items(run):
    """The baseline file written then and the run frozen now are equal, text for text."""
    assert freeze_run(run) == read_baseline(FIXTURES / "baseline_schema_1.parquet")


def test_the_gate_says_the_same(run):
    """Differences, bounds and p values; wording apart.

    Nothing differs between the two sides, where no detectable effect was given then.
    """
    code = main(["gate", str(FIXTURES / "baseline_schema_1.parquet"), "run", "--json", "gate.json"])
    assert code == 3
    text = (FIXTURES / "gate_schema_1.json").read_text().replace('"judgement"', '"verdict"')
    now, before = json.loads((run.parent / "gate.json").read_text()), json.loads(text)
    assert now["reason"]
    for task in before["tasks"]:
        assert before["tasks"][task].pop("minimum_detectable_effect") is None
        assert 5 < now["tasks"][task].pop("minimum_detectable_effect") < 30
    _assert_same(_without_newer(now, before), before | {"reason": now["reason"]})


def test_the_run_compares_with_itself(run):
    """From Python too, with a run directory on both sides."""
    assert compare_runs(run, run).verdict == "INCONCLUSIVE"  # 24 items cannot show 2 points


@pytest.mark.slow
def test_rescoring_gives_the_same_scores(run, demo_data):
    """Summaries and protocols under the official scorer, on the drawn layouts."""
    shutil.copytree(demo_data, run.parent / "data")
    assert main(["rescore", "run", "--scorer", "official", "--data", "data"]) == 0
    now = json.loads((run / "scores-official.json").read_text())
    before = complete_all(json.loads((FIXTURES / SCORES).read_text()))
    # MVBench's official rule is version 2 by now: a bracket that stands alone is no answer.
    for summary in (now["protocol"]["mvbench"], before["protocol"]["mvbench"]):
        assert summary.pop("scorer") in ("official@1", "official@2")
        summary.pop("hash")
    for summary in (now["tasks"]["mvbench"], before["tasks"]["mvbench"]):
        assert summary.pop("scorer") in ("official@1", "official@2")
        summary.pop("protocol_hash")
    _assert_same(now, before)
