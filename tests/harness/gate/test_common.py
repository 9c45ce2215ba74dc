"""``--common`` judges what both sides have, ``--allow-inconclusive`` accepts that it is little."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from harness.cli import main
from harness.gate.baseline import freeze, write_baseline
from harness.gate.policy import Policy
from harness.schema import Failure, Outcome
from tests.runs import make_manifest, make_records, write_run

GOOD = [1.0, 1.0, 0.0, 1.0] * 150
BAD = [0.0, 1.0, 0.0, 0.0] * 150


@pytest.fixture
def gate(tmp_path):
    """Gate records of a run against a baseline of 600 items; returns the exit code."""

    def run(records, manifest, *flags, policy=None, base=None):
        base = base or {"vsibench": GOOD}
        path = tmp_path / "baseline.parquet"
        write_baseline(path, freeze(make_manifest(base), make_records(base), policy))
        return main(
            ["gate", str(path), str(write_run(tmp_path / "run", manifest, records)), *flags]
        )

    return run


def _part(values, count, *, asked=None):
    """Return the records and the manifest of a run that asked the first items only."""
    part = {task: items[:count] for task, items in values.items()}
    manifest = make_manifest(part, model="other")
    for task in part:
        manifest["data"][task]["items"] = asked or count
    return make_records(part), manifest


def test_a_part_of_the_baseline_is_refused_with_the_way_to_compare_it(gate, capsys):
    """The default stays: another number of items is another data set."""
    assert gate(*_part({"vsibench": GOOD}, 400)) == 2
    shown = capsys.readouterr().err
    assert "vsibench data items: 600 != 400" in shown
    assert "--common compares the items that both have" in shown


def test_the_items_that_both_have_are_judged_and_counted(gate, capsys, tmp_path):
    """What is left out is named with its number, the verdict says what it is about."""
    out = tmp_path / "g.json"
    assert gate(*_part({"vsibench": GOOD}, 400), "--common", "--json", str(out)) == 0
    shown = capsys.readouterr()
    assert "left out: 200 that the run lacks (first: vsibench/400)" in shown.out
    last = shown.err.splitlines()[-1]
    assert "only the items that both have were judged: vsibench 400" in last
    content = json.loads(out.read_text())
    assert content["common"] == [{"task": "vsibench", "n": 400, "only_base": 200, "only_run": 0}]
    assert content["tasks"]["vsibench"]["items"] == 400


def test_a_regression_of_the_common_items_is_one(gate):
    """Three of four answers lost on 400 items exit 1."""
    assert gate(*_part({"vsibench": BAD}, 400), "--common") == 1


def test_items_that_the_baseline_lacks_are_left_out_and_counted(gate, capsys):
    """A larger run is judged on the baseline's items."""
    records, manifest = _part({"vsibench": GOOD + GOOD}, 700)
    assert gate(records, manifest, "--common") == 0
    assert "100 that the baseline lacks (first: vsibench/600)" in capsys.readouterr().out


def test_items_that_the_run_asks_and_did_not_answer_are_gaps(gate, capsys):
    """An unfinished run does not pass by what it has finished."""
    records, manifest = _part({"vsibench": GOOD}, 400, asked=450)
    assert gate(records, manifest, "--common") == 4
    assert "50 of the 450 items of the run have no record" in capsys.readouterr().err


def test_failed_items_are_gaps(gate, capsys):
    """A failure is no choice of items."""
    records, manifest = _part({"vsibench": GOOD}, 400)
    failure = Failure(stage="media", error="MediaError", message="broken")
    records[3] = replace(records[3], outcome=Outcome.FAILED, value=None, failure=failure)
    assert gate(records, manifest, "--common") == 4
    assert "1 items failed in the run (first: vsibench/3)" in capsys.readouterr().err


def test_a_task_that_the_run_does_not_have_is_left_out_and_named(gate, capsys):
    """A smoke run of one benchmark against a baseline of two."""
    base = {"vsibench": GOOD, "mvbench": GOOD}
    records = [replace(r, scorer="official@1") for r in make_records({"vsibench": GOOD})]
    assert gate(records, make_manifest({"vsibench": GOOD}), "--common", base=_one(base)) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert "left out, not in the run: tempcompass" in last


def _one(base):
    return {"vsibench": base["vsibench"], "tempcompass": base["mvbench"]}


def test_nothing_in_common_is_refused(gate, capsys):
    """No task, or no item of a task: there is nothing to judge."""
    assert gate(*_part({"tempcompass": GOOD}, 400), "--common") == 2
    assert "no task in common: vsibench != tempcompass" in capsys.readouterr().err


def test_no_item_of_a_task_in_common_is_refused(gate, capsys):
    """The baseline's first item is named."""
    records, manifest = _part({"vsibench": GOOD}, 10)
    records = [replace(r, id=f"other/{n}") for n, r in enumerate(records)]
    assert gate(records, manifest, "--common") == 2
    assert "vsibench: no item is on both sides" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["sha256", "frames"])
def test_other_question_files_and_protocols_are_refused_all_the_same(gate, capsys, field):
    """An id may mean another question there."""
    records, manifest = _part({"vsibench": GOOD}, 400)
    if field == "sha256":
        manifest["data"]["vsibench"]["sha256"] = "beef"
    else:
        manifest["protocol"]["vsibench"]["frames"]["max"] = 32
    assert gate(records, manifest, "--common") == 2
    assert "--common compares" not in capsys.readouterr().err


def test_a_locked_policy_keeps_its_tasks(gate, capsys):
    """A pull request cannot leave out the benchmark that would fail."""
    base = {"vsibench": GOOD, "tempcompass": GOOD}
    one = make_records({"vsibench": GOOD}), make_manifest({"vsibench": GOOD})
    assert gate(*one, "--common", base=base, policy=Policy()) == 2
    assert "requires tempcompass, which the run does not have" in capsys.readouterr().err


NOISY = [1.0 - value if n % 5 == 0 else value for n, value in enumerate(GOOD)]


def test_an_inconclusive_gate_can_be_allowed(gate, capsys, tmp_path):
    """Exit 0 instead of 3, and the last line still says that it could not tell."""
    values, junit = {"vsibench": NOISY}, tmp_path / "g.xml"
    run = make_records(values), make_manifest(values, model="other")
    assert gate(*run, "--margin", "10", "--allow-inconclusive", "--junit", str(junit)) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("INCONCLUSIVE: inconclusive, which is allowed: too few items")
    assert "exit 0 (ok): inconclusive, which is allowed" in shown.err
    suite = ElementTree.fromstring(junit.read_text())
    assert [child.tag for case in suite for child in case] == ["skipped"]


@pytest.mark.parametrize(("values", "count", "code"), [(BAD, 600, 1), (GOOD, 599, 4)])
def test_regressions_and_gaps_are_never_allowed(gate, values, count, code):
    """It is about too few items and nothing else."""
    records, manifest = _part({"vsibench": values}, count, asked=600)
    assert gate(records, manifest, "--allow-inconclusive") == code


def test_a_locked_policy_decides_whether_inconclusive_is_allowed(gate, capsys):
    """The key is locked like a margin."""
    values = {"vsibench": NOISY}
    run = make_records(values), make_manifest(values, model="other")
    assert gate(*run, "--allow-inconclusive", policy=Policy(margin=10)) == 2
    assert "allow_inconclusive: true, locked false" in capsys.readouterr().err


def test_a_policy_can_allow_it(gate, tmp_path):
    """In the file, as all that a gate demands."""
    policy = tmp_path / "p.toml"
    policy.write_text("margin = 10\nallow_inconclusive = true\n")
    values = {"vsibench": NOISY}
    run = make_records(values), make_manifest(values, model="other")
    assert gate(*run, "--policy", str(policy)) == 0


def test_a_drop_close_to_its_margin_is_not_told_that_it_lacks_items(gate, capsys):
    """An equal model would need fewer items than there are: it is the drop that is undecided."""
    half = [1.0, 1.0, 0.0, 0.0] * 10
    run = make_records({"vsibench": half}), make_manifest({"vsibench": half}, model="other")
    assert gate(*run, "--margin", "50", base={"vsibench": [1.0] * 40}) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert "vsibench changed by -50.00 points, which 40 items cannot tell from a drop" in last
    assert "needs about" not in last
