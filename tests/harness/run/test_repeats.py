"""Items that are asked several times: seeds, records, resume, figures, board, gate."""

import json
import re
import shutil
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

import harness
from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.board.leaderboard import read_board
from harness.cli import main
from harness.errors import IncompleteRunError
from harness.gate.baseline import freeze_run, read_baseline
from harness.gate.compare import compare_runs
from harness.run.evaluate import evaluate_plan
from harness.run.manifest import make_manifest
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.repeats import merge_repeats, repeat_seed, sampling_of_repeat, summarise_repeats
from harness.run.store import read_records
from harness.run.summary import summarise
from harness.schema import Completion, Failure, Kind, Outcome, Sampling
from tests.toys import MICRO, planned, record, sample

DOWN = Failure(stage="generate", error="Down", message="down")


def _asked(count, repeats, **changes):
    """Plan toy questions, two per video; A is right, B for every third one."""
    one = planned([sample(number) for number in range(count)])
    sampling = replace(one.protocol.sampling, temperature=1.0)
    protocol = replace(one.protocol, repeats=repeats, sampling=sampling, **changes)
    return replace(one, protocol=protocol)


def _evaluate(folder, asked, answer):
    plan = Plan((asked,))
    engine = ResolvedEngine(
        backend="fake", checkpoint="x", identity={"kind": "fake"}, patch_multiple=28,
        build=lambda: FakeBackend(answer),
    )  # fmt: skip
    manifest = make_manifest(
        plan, model="x", checkpoint={"kind": "fake"}, backend="fake", limit=None, argv=()
    )
    evaluate_plan(
        plan, engine, folder, manifest=manifest, decoding=harness.DecodeConfig(workers=1),
        observer=RunObserver(),
    )  # fmt: skip
    return read_records(folder)


def test_every_repeat_has_a_seed_of_its_own_that_never_changes():
    """It depends on the protocol's seed, the item and the repeat, and fits 31 bits."""
    seeds = [repeat_seed(0, "toy/1", repeat) for repeat in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert seeds[:3] == [repeat_seed(0, "toy/1", repeat) for repeat in range(3)]
    assert repeat_seed(0, "toy/1", 0) != repeat_seed(0, "toy/2", 0) != repeat_seed(1, "toy/2", 0)
    assert (repeat_seed(0, "toy/1", 0), repeat_seed(7, "ü", 2)) == (392116399, 1064799692)


def test_without_repeats_the_seed_is_the_protocols():
    """As in every run before there were repeats."""
    sampling = Sampling(temperature=1.0, max_tokens=1, seed=5)
    assert sampling_of_repeat(sampling, "toy/1", 0, 1) == sampling


def test_the_repeats_of_an_item_follow_each_other(tmp_path):
    """So that a video is decoded and encoded once, and a prompt's cache serves them all."""
    seen = []

    def answer(request):
        seen.append((request.id, request.repeat, request.sampling.seed))
        return "A"

    records = _evaluate(tmp_path, _asked(4, 3), answer)
    assert [key[:2] for key in seen] == [(f"toy/{n}", r) for n in range(4) for r in range(3)]
    assert len({seed for _, _, seed in seen}) == 12
    assert [record.key for record in records] == [key[:2] for key in seen]


def test_system_prompt_and_template_variables_reach_the_engine(tmp_path):
    """With every request, and in place of what the benchmark's own prompt has."""
    seen = []

    def answer(request):
        seen.append((request.prompt.system, request.prompt.template_args, request.sampling.top_k))
        return "A"

    asked = _asked(2, 1, system="Look.", template_args={"enable_thinking": True})
    sampling = replace(asked.protocol.sampling, top_k=7)
    asked = replace(asked, protocol=replace(asked.protocol, sampling=sampling))
    _evaluate(tmp_path, asked, answer)
    assert seen == [("Look.", {"enable_thinking": True}, 7)] * 2


def test_a_resumed_run_asks_the_repeats_that_are_missing(tmp_path):
    """Failed ones again, finished ones never; the seeds are those of the first time."""
    first, second = {}, {}

    def fails_at_times(request):
        first[request.id, request.repeat] = request.sampling.seed
        return DOWN if request.repeat == 1 and request.id == "toy/2" else "<answer>A</answer>"

    def works(request):
        second[request.id, request.repeat] = request.sampling.seed
        return "<answer>A</answer>"

    _evaluate(tmp_path, _asked(4, 3), fails_at_times)
    lines = (tmp_path / "records-0.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "records-0.jsonl").write_text("".join(lines[:-2]) + lines[-2][:40])
    records = _evaluate(tmp_path, _asked(4, 3), works)
    assert set(second) == {("toy/2", 1), ("toy/3", 1), ("toy/3", 2)}
    assert second == {key: first[key] for key in second}
    assert Counter(record.id for record in records) == dict.fromkeys(
        ("toy/0", "toy/1", "toy/2", "toy/3"), 3
    )


def test_another_number_of_repeats_is_another_run(tmp_path):
    """The difference is named."""
    _evaluate(tmp_path, _asked(2, 3), lambda request: "A")
    with pytest.raises(harness.UsageError, match=r"protocol\.toy\.repeats: 3 != 4"):
        _evaluate(tmp_path, _asked(2, 4), lambda request: "A")


def _answers(texts):
    """Return records of toy questions from ``{number: "AB-F"}``: - is no answer, F has failed."""
    found = []
    for number, answers in texts.items():
        for repeat, answer in enumerate(answers):
            gold = sample(number).answer
            outcome = {"-": Outcome.TRUNCATED, "F": Outcome.FAILED}.get(
                answer, Outcome.CORRECT if answer == gold else Outcome.WRONG
            )
            value = None if answer == "F" else float(answer == gold)
            found.append(
                replace(
                    record(number, value, outcome), repeat=repeat,
                    answer=None if answer in "-F" else answer,
                    failure=DOWN if answer == "F" else None,
                )
            )  # fmt: skip
    return found


def test_the_score_is_the_mean_over_items_of_the_mean_over_repeats():
    """A truncated repeat counts 0, a failed one is missing: 2/4, 1/3 and 1/1 average 61.1."""
    # Gold answers: 0 is B, 1 and 2 are A.
    texts = {0: "BBAA", 1: "AB-F", 2: "AFFF"}
    summary = summarise(_asked(3, 4), {"toy": _answers(texts)})
    assert summary.score == pytest.approx(100 * (1 / 2 + 1 / 3 + 1) / 3)
    assert (summary.n, summary.asked, summary.n_scored, summary.missing) == (3, 12, 3, 0)
    assert summary.outcomes["failed"] == 4
    assert summary.outcomes["truncated"] == 1
    assert (summary.repeats.k, summary.repeats.answers, summary.repeats.failed) == (4, 8, 4)


def test_the_error_is_that_of_the_item_means_clustered_by_video():
    """Items 0 and 1 share a video, 2 and 3 another: 4 repeats of each are still two draws."""
    texts = {0: "BBBA", 1: "AABB", 2: "BBBB", 3: "BBAA"}  # item means 3/4, 1/2, 0, 1/2
    summary = summarise(_asked(4, 4), {"toy": _answers(texts)})
    assert summary.score == pytest.approx(43.75)
    # Videos' influences: (3/4 + 1/2 - 2 * 0.4375) / 4 = 0.09375 and its negative.
    assert summary.se == pytest.approx(100 * (2 * 2 * 0.09375**2) ** 0.5)
    assert summary.n_clusters == 2


def test_pass_majority_and_change_by_hand():
    """Gold answers: 0 is B, 1, 2 are A."""
    texts = {0: "BBAA", 1: "AB-B", 2: "AAA-"}
    figures = summarise(_asked(3, 4), {"toy": _answers(texts)}).repeats
    # pass@2 = 1 - C(n-c, 2)/C(4, 2): items have 2, 1 and 3 right ones of 4.
    assert figures.pass_at["1"].score == pytest.approx(100 * (1 / 2 + 1 / 4 + 3 / 4) / 3)
    assert figures.pass_at["2"].score == pytest.approx(100 * (5 / 6 + 1 / 2 + 1) / 3)
    assert figures.pass_at["4"].score == 100
    # majority: a tie of B and A is worth 1/2; B; A, since no answer is no vote.
    assert figures.majority.score == pytest.approx(100 * (1 / 2 + 0 + 1) / 3)
    # All three have two different answers, no answer being one of them.
    assert figures.changed.score == 100
    same = summarise(_asked(2, 2), {"toy": _answers({0: "BB", 1: "--"})}).repeats
    assert same.changed.score == 0


def test_pass_at_k_is_over_the_items_that_have_k_finished_repeats():
    """Failed repeats cannot be guessed; how many items remain is said."""
    figures = summarise(_asked(3, 3), {"toy": _answers({0: "BBA", 1: "AFF", 2: "FFF"})}).repeats
    assert {k: one and one.n for k, one in figures.pass_at.items()} == {"1": 2, "2": 1, "3": 1}
    assert figures.changed.n == 1
    assert figures.majority.n == 2


def test_numbers_do_not_vote():
    """A majority of measurements would depend on how they are rounded."""
    asked = [replace(sample(n), kind=k) for n, k in enumerate([Kind.REGRESSION, Kind.NUMERICAL])]
    answers = _answers({0: "BB", 1: "AA"})
    assert summarise_repeats(asked, answers, 2, MICRO.levels).majority is None
    mixed = [asked[0], sample(1)]
    assert summarise_repeats(mixed, answers, 2, MICRO.levels).majority.n == 1


@pytest.mark.parametrize(
    "forms", [("B", "b", "B."), ("to  the left", "To the left", "to the left.")]
)
def test_forms_of_one_answer_are_one_vote(forms):
    """Case, spaces and punctuation around an answer do not split it."""
    right = [replace(record(0, 1.0), repeat=r, answer=form) for r, form in enumerate(forms)]
    wrong = [replace(record(0, 0.0, Outcome.WRONG), repeat=3 + r, answer="C") for r in range(2)]
    figures = summarise_repeats([sample(0)], right + wrong, 5, MICRO.levels)
    assert figures.majority.score == 100


def test_a_merged_item_has_the_mean_value_and_the_most_frequent_answer():
    """What gates and boards compare; an item of one repeat stays as it is."""
    [merged] = merge_repeats(_answers({1: "BAAF"}))
    assert (merged.value, merged.answer, merged.outcome, merged.repeat) == (
        pytest.approx(2 / 3), "A", Outcome.PARTIAL, 0,
    )  # fmt: skip
    [failed] = merge_repeats(_answers({1: "FF"}))
    assert (failed.value, failed.outcome) == (None, Outcome.FAILED)
    one = _answers({1: "A"})
    assert merge_repeats(one) == one


def test_a_left_out_repeat_counts_0_in_a_gate_and_nothing_in_the_score():
    """As an item does that the scorer leaves out."""
    half = [record(1), replace(record(1, None, Outcome.NO_ANSWER), repeat=1)]
    assert [one.value for one in merge_repeats(half)] == [1.0]
    assert [one.value for one in merge_repeats(half, left_out=0.0)] == [0.5]


@pytest.fixture(scope="module")
def runs(demo_data, tmp_path_factory):
    """VSI-Bench's drawn questions, evaluated with 1, 3 and 4 repeats by a fake engine."""
    home = tmp_path_factory.mktemp("repeats")
    shutil.copytree(demo_data, home / "data")
    words = ["eval", "guesser", "--backend", "fake", "--data", str(home / "data"), "--tasks"]
    small = ["--limit", "24", "--max-pixels", "3136", "--temperature", "0.7", "--top-p", "0.9"]
    for count in (1, 3, 4):
        out = ["--out", str(home / f"run{count}"), "--repeats", str(count)]
        assert main([*words, "mvbench", *small, *out]) == 0
    return home


def test_a_run_has_one_row_per_item_and_repeat(runs):
    """In memory and in the Parquet file; the summary is read back as it was written."""
    run = harness.load_run(runs / "run3")
    frame = run.records()
    assert len(frame) == 72
    assert Counter(frame["repeat"]) == {0: 24, 1: 24, 2: 24}
    assert run.scores["mvbench"].repeats.k == 3
    assert run.scores["mvbench"].repeats.pass_at["3"].n == 24
    assert harness.load_run(runs / "run1").scores["mvbench"].repeats is None
    assert (
        "repeats"
        not in json.loads((runs / "run1" / "summary.json").read_text())["tasks"]["mvbench"]
    )


def test_the_table_of_repeats_fits_80_columns(runs, capsys, monkeypatch):
    """K, avg@K, pass@K, majority@K, the share of answers that change, each with its interval."""
    monkeypatch.setenv("COLUMNS", "80")
    words = [
        "eval",
        "guesser",
        "--backend",
        "fake",
        "--data",
        str(runs / "data"),
        "--tasks",
        "mvbench",
    ]
    small = ["--limit", "24", "--max-pixels", "3136", "--temperature", "0.7", "--top-p", "0.9"]
    assert main([*words, *small, "--repeats", "3", "--out", str(runs / "run3")]) == 0
    printed = capsys.readouterr()
    text = " ".join(printed.out.split())
    for heading in ("avg@K", "pass@K", "majority@K", "changes"):
        assert heading in text
    assert re.search(r"mvbench +3 +[\d.]+ ", text)
    assert max(map(len, printed.out.splitlines())) <= 80
    assert "72 answers in" in printed.err


def test_a_board_ranks_runs_with_more_and_fewer_repeats(runs):
    """They measure the same; the column says how often each asked."""
    board = read_board([runs / "run1", runs / "run3", runs / "run4"])
    assert [row.reasons for row in board.ranked] == [()] * 3
    assert sorted(row.cells["mvbench"].repeats for row in board.ranked) == [1, 3, 4]
    run = harness.load_run(runs / "run4").scores["mvbench"]
    cell = next(row.cells["mvbench"] for row in board.ranked if row.folder.endswith("run4"))
    assert cell.score == pytest.approx(run.score)
    assert cell.ci95 == pytest.approx(run.ci95)
    assert (cell.items, cell.missing, cell.failed) == (24, 0, 0)


def test_a_board_reads_the_records_where_the_table_is_gone(runs, tmp_path):
    """With the same result."""
    import shutil

    copy = Path(shutil.copytree(runs / "run3", tmp_path / "run3"))
    (copy / "records.parquet").unlink()
    [row] = read_board([copy]).ranked
    [same] = read_board([runs / "run3"]).ranked
    assert row.cells == same.cells


def test_a_gate_compares_runs_of_different_repeats_on_item_means(runs, tmp_path):
    """By item; a baseline file of repeats has one row per item."""
    for base, now in (("run1", "run4"), ("run4", "run1"), ("run3", "run4")):
        result = compare_runs(runs / base, runs / now)
        [line] = result.lines
        assert (line.n, line.comparison.difference.mean, line.gaps) == (24, 0.0, ())
        assert any("means over" in note for note in result.notes)
    file = tmp_path / "base.parquet"
    assert main(["baseline", str(runs / "run3"), "-o", str(file)]) == 0
    baseline = read_baseline(file)
    assert len(baseline.items) == 24
    assert baseline == freeze_run(runs / "run3")
    assert main(["gate", str(file), str(runs / "run1")]) in (0, 3)


def _with_value(row, value):
    return {**row, "value": value, "outcome": "correct" if value else "wrong"}


def _rewrite(folder, out, change):
    """Copy a run with other records."""
    import shutil

    copy = Path(shutil.copytree(folder, out))
    rows = [json.loads(line) for line in (copy / "records-0.jsonl").read_text().splitlines()]
    lines = "".join(json.dumps(row) + "\n" for row in filter(None, map(change, rows)))
    (copy / "records-0.jsonl").write_text(lines)
    return copy


def test_a_gate_weighs_an_item_once_however_often_it_was_answered(runs, tmp_path):
    """Half of an item's repeats wrong are half an item; a failed repeat is no part of its mean."""
    right = _rewrite(runs / "run1", tmp_path / "right", lambda row: _with_value(row, 1.0))
    half = _rewrite(
        runs / "run4", tmp_path / "half", lambda row: _with_value(row, float(row["repeat"] < 2))
    )
    [line] = compare_runs(right, half).lines
    assert line.comparison.difference.mean == pytest.approx(-0.5)
    failure = {"stage": "generate", "error": "Down", "message": "down"}
    lost = _rewrite(
        half,
        tmp_path / "lost",
        lambda row: (
            {**row, "value": None, "outcome": "failed", "failure": failure}
            if row["repeat"] == 3
            else row
        ),
    )
    [line] = compare_runs(right, lost).lines
    assert line.comparison.difference.mean == pytest.approx(-1 / 3)


def test_missing_repeats_are_a_gap(runs, tmp_path):
    """Of a run that is judged, and of one that is to become a baseline."""
    fewer = _rewrite(
        runs / "run4", tmp_path / "few", lambda row: None if row["repeat"] == 3 else row
    )
    [line] = compare_runs(runs / "run1", fewer).lines
    assert "fewer than 4 repeats" in line.gaps[0]
    with pytest.raises(IncompleteRunError, match="24 of 96 answers have no record"):
        freeze_run(fewer)
    [row] = read_board([fewer]).below
    assert "24 of 96 answers have no record" in row.reasons[0]


def test_a_rescored_run_keeps_its_repeats(runs, tmp_path):
    """Score files have a line per repeat, and the board reads them."""
    import shutil

    copy = Path(shutil.copytree(runs / "run3", tmp_path / "run3"))
    assert main(["rescore", str(copy), "--scorer", "official", "--data", str(runs / "data")]) == 0
    lines = [json.loads(line) for line in (copy / "scores-official.jsonl").read_text().splitlines()]
    repeats = defaultdict(set)
    for line in lines:
        repeats[line["id"]].add(line["repeat"])
    assert len(repeats) == 24
    assert all(found == {0, 1, 2} for found in repeats.values())
    assert (
        json.loads((copy / "scores-official.json").read_text())["tasks"]["mvbench"]["repeats"]["k"]
        == 3
    )
    [row] = read_board([copy], scorers=True).ranked
    assert row.cells["mvbench [official]"].missing == 0


def test_failures_are_counted_per_answer(tmp_path):
    """The budget is a share of the answers that were asked for."""

    def answer(request):
        return DOWN if request.repeat == 0 else Completion(text="A", finish_reason="stop")

    records = _evaluate(tmp_path, _asked(4, 4), answer)
    summary = harness.load_run(tmp_path).scores["toy"]
    assert summary.outcomes["failed"] == 4
    assert summary.asked == len(records) == 16
    assert summary.n_scored == 4
