"""What a gate says of the items that changed: categories, videos, questions and answers."""

import json
from dataclasses import asdict, replace

import pytest

from harness.cli import main
from harness.gate.baseline import freeze, write_baseline
from harness.gate.compare import compare_runs
from harness.gate.policy import Policy
from harness.gate.verdict import judge_run
from harness.run.samples_file import SAMPLES, StoredSample
from harness.schema import Kind
from tests.runs import make_manifest, make_records, write_run

COUNT, ROUTE = "object_counting", "route_planning"


def _records(values, categories):
    made = make_records({"vsibench": values})
    return [replace(r, category=name) for r, name in zip(made, categories, strict=True)]


def _judge(base, run, categories, policy=None):
    manifest = make_manifest({"vsibench": base})
    frozen = freeze(manifest, _records(base, categories), None)
    return judge_run(frozen, manifest, _records(run, categories), policy or Policy())


def test_categories_have_their_scores_and_the_largest_drop_comes_first():
    """Two of four counting questions fell and one of two routes; both sides are counted."""
    gate = _judge(
        [1.0, 1.0, 1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0], [COUNT] * 4 + [ROUTE] * 2
    )
    [change] = gate.changes
    assert (change.n, change.fell, change.rose) == (6, 3, 1)
    shown = {
        one.name: (one.n, one.base, one.candidate, one.fell, one.rose) for one in change.categories
    }
    assert shown == {COUNT: (4, 0.75, 0.5, 2, 1), ROUTE: (2, 0.5, 0.0, 1, 0)}
    assert [one.name for one in change.categories] == [ROUTE, COUNT]


def test_the_interval_of_a_category_is_clustered_by_video():
    """Two videos of two questions: one fell whole, the other not, so one pair of differences."""
    gate = _judge([1.0] * 6, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0], [COUNT] * 4 + [ROUTE] * 2)
    found = {one.name: one for one in gate.changes[0].categories}
    low, high = found[COUNT].ci95
    half = 12.706204736  # t of 97.5 % with one degree of freedom, times a standard error of 1/2
    assert (low, high) == (-1.0, 1.0) == (max(-1, -0.5 - half / 2), min(1, -0.5 + half / 2))
    assert found[ROUTE].ci95 is None


def test_groups_of_the_tree_of_means_have_the_trees_own_mean():
    """Easy directions fell in one of two, hard ones in none: the group's mean falls by 1/4."""
    easy, hard = "object_rel_direction_easy", "object_rel_direction_hard"
    gate = _judge([1.0] * 4, [0.0, 1.0, 1.0, 1.0], [easy, easy, hard, COUNT])
    found = {one.name: one.change for one in gate.changes[0].categories}
    assert found == {easy: -0.5, hard: 0.0, COUNT: 0.0, "object_rel_direction": -0.25}


def test_items_that_fell_stand_under_their_video():
    """The video whose items pull the score down most comes first."""
    gate = _judge([1.0] * 6, [1.0, 0.0, 0.0, 0.0, 1.0, 1.0], [COUNT] * 6)
    [change] = gate.changes
    assert [(video.name, video.n, len(video.flips)) for video in change.videos] == [
        ("vsibench 1", 2, 2),
        ("vsibench 0", 2, 1),
    ]
    assert change.videos[0].pull == pytest.approx(-2 / 6)
    assert change.categories == ()


def test_what_fell_and_what_rose_make_the_change():
    """The pulls of all items that fell, and the rises, add up to the task's difference."""
    base, run = [1.0, 0.5, 0.0, 1.0], [0.25, 0.5, 1.0, 0.0]
    gate = _judge(base, run, [COUNT, COUNT, ROUTE, ROUTE])
    [line] = gate.lines
    risen = 1.0 / 4
    assert sum(flip.pull for flip in gate.flips) + risen == pytest.approx(
        line.comparison.difference.mean
    )


def _stored(record, question, options):
    return StoredSample(
        id=record.id, task=record.task, question=question, options=options, gold=record.gold,
        kind=Kind.MULTIPLE_CHOICE, category=record.category, cluster=record.cluster, media=(),
        prompt=None,
    )  # fmt: skip


@pytest.fixture
def sides(tmp_path):
    """A baseline file and a run in which everything fell, with or without its questions."""
    values, fallen = {"vsibench": [1.0] * 200}, {"vsibench": [0.0] * 200}
    frozen = tmp_path / "baseline.parquet"
    write_baseline(frozen, freeze(make_manifest(values), make_records(values), None))
    run = write_run(tmp_path / "run", make_manifest(fallen, model="other"), make_records(fallen))

    def write(question="How many?", options=("one", "two"), lines=None):
        stored = [
            json.dumps(asdict(_stored(record, question, options)))
            for record in make_records(fallen)
        ]
        (run / SAMPLES).write_text("\n".join(lines or stored) + "\n")
        return frozen, run

    write.sides = frozen, run
    return write


def test_items_that_fell_show_question_options_and_both_answers(sides, capsys):
    """The run holds its questions, so that no data are needed."""
    frozen, run = sides("How many chairs?", ("one", "two"))
    assert main(["gate", str(frozen), str(run)]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    wanted = "vsibench/0 object_counting How many chairs? A. one B. two gold B · baseline A · run B"
    assert f"{wanted} (wrong)" in shown
    assert "192 further items of vsibench fell; --json FILE has all of them" in shown


def test_a_run_without_questions_says_why_they_are_not_shown(sides, capsys):
    """Runs of earlier versions are judged as before."""
    frozen, run = sides.sides
    assert main(["gate", str(frozen), str(run)]) == 1
    assert "it was made before questions were kept" in " ".join(capsys.readouterr().out.split())
    assert compare_runs(frozen, run).flips[0].question is None


def test_damaged_questions_cost_no_verdict(sides, capsys):
    """They are for the reader alone; what is wrong with them is said."""
    frozen, run = sides(lines=['{"id": 3}', "[]"])
    assert main(["gate", str(frozen), str(run)]) == 1
    assert "the questions cannot be read" in " ".join(capsys.readouterr().out.split())


def test_a_pass_lists_no_items(tmp_path, capsys):
    """Nothing fell beyond the margin; the JSON has the items all the same."""
    values = {"vsibench": [1.0, 0.0] * 300}
    run = {"vsibench": [0.0, 0.0, *values["vsibench"][2:]]}
    before = write_run(tmp_path / "a", make_manifest(values), make_records(values))
    after = write_run(tmp_path / "b", make_manifest(run, model="other"), make_records(run))
    assert main(["gate", str(before), str(after), "--json", str(tmp_path / "g.json")]) == 0
    assert "vsibench/0" not in capsys.readouterr().out
    content = json.loads((tmp_path / "g.json").read_text())
    assert [flip["id"] for flip in content["flips"]] == ["vsibench/0"]
    assert content["flips"][0]["pull"] == pytest.approx(-100 / 600)
