"""Full set and parts with and without frames: the figures by hand, and what is missing."""

import json
import shutil
from dataclasses import replace

import pytest

from harness.cli import main
from harness.probe.blind_gap import FULL, measure_gaps, what_is_missing
from harness.probe.summary import read_probe
from harness.schema import Failure, Outcome
from tests.toys import planned, record, sample

KEPT = frozenset(f"toy/{number}" for number in range(4))


def _plan(beside, selection="toy", count=8):
    plan = planned([replace(sample(n), cluster=f"video {n // 2}") for n in range(count)])
    return replace(plan, beside=beside, selection=selection)


def _records(plan, values):
    return [
        replace(record(n), cluster=asked.cluster, value=value)
        for n, (asked, value) in enumerate(zip(plan.samples, values, strict=True))
    ]


def test_the_figures_are_means_of_questions_and_their_paired_difference():
    """Right with frames: 6 of 8, and 3 of the 4 kept; without: 4 of 8, and 1 of the 4 kept."""
    plan = _plan({"debiased": KEPT})
    seen = _records(plan, [1, 1, 1, 0, 1, 1, 1, 0])
    blind = _records(plan, [1, 0, 0, 0, 1, 1, 1, 0])
    found = measure_gaps(plan, plan, (seen, blind))
    assert list(found) == [FULL, "debiased"]
    values = {name: (one.seen.value, one.blind.value, one.gap.value) for name, one in found.items()}
    assert values == {FULL: (75, 50, 25), "debiased": (75, 25, 50)}
    assert [(one.gap.n, one.gap.n_clusters) for one in found.values()] == [(8, 4), (4, 2)]


def test_a_question_that_failed_in_one_variant_is_in_neither_score():
    """Both scores and the gap are of the same questions: their difference is the gap."""
    plan = _plan({"debiased": KEPT})
    seen = _records(plan, [1, 1, 1, 0, 1, 1, 1, 0])
    down = Failure(stage="generate", error="X", message="x")
    seen[0] = replace(seen[0], value=None, outcome=Outcome.FAILED, failure=down)
    found = measure_gaps(plan, plan, (seen, _records(plan, [1] * 4 + [0] * 4)))
    kept = found["debiased"]
    assert (kept.gap.n, found[FULL].gap.n) == (3, 7)
    assert kept.seen.value - kept.blind.value == pytest.approx(kept.gap.value)


def test_a_benchmark_without_parts_or_whose_part_is_everything_has_no_figures():
    """The table would say the same twice."""
    everything = frozenset(f"toy/{n}" for n in range(8))
    for beside in ({}, {"debiased": everything}, {"debiased": frozenset({"toy/9"})}):
        plan = _plan(beside)
        records = _records(plan, [1] * 8)
        assert measure_gaps(plan, plan, (records, records)) == {}


@pytest.mark.parametrize(
    ("beside", "selection", "blind", "told"),
    [
        ({"debiased": None}, "toy", True, "the data do not say which questions are debiased"),
        ({"debiased": KEPT}, "toy", False, "add it to --variants"),
        ({"debiased": KEPT}, "toy:debiased", True, "--tasks toy asks it"),
        ({"debiased": frozenset({"toy/9"})}, "toy", True, "no question that was asked is in debi"),
        ({"debiased": KEPT}, "toy", True, None),
        ({}, "toy", False, None),
    ],
)
def test_what_is_missing_is_said(beside, selection, blind, told):
    """A list of the questions, the variant without frames, or the full set."""
    found = what_is_missing(_plan(beside, selection), blind=blind)
    assert found is None if told is None else told in found


@pytest.fixture
def data(demo_data, tmp_path):
    """The demo's VSI-Bench, half of whose questions count as pruned."""
    folder = tmp_path / "data"
    shutil.copytree(demo_data / "vsibench", folder / "vsibench")
    questions = folder / "vsibench" / "test.jsonl"
    rows = [json.loads(line) for line in questions.read_text().splitlines()]
    lines = [json.dumps(row | {"pruned": row["id"] % 4 < 2}) for row in rows]
    questions.write_text("\n".join(lines))
    return folder


def _probe(data, out, *flags):
    words = ["probe", "guesser", "--data", data, "--out", out, "--backend", "fake"]
    small = ["--limit", "32", "--max-frames", "4", "--max-pixels", "3136", *flags]
    return main([*map(str, words), *small])


def test_a_probe_of_vsibench_prints_both_sets_side_by_side(data, tmp_path, capsys):
    """The full set and the debiased one, each with, without and the gap; on a board, too."""
    flags = ["--tasks", "vsibench", "--variants", "ordered,blind"]
    assert _probe(data, tmp_path / "probe", *flags) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "vsibench without frames: full and debiased" in printed
    assert "debiased minus full" in printed
    found = read_probe(tmp_path / "probe")
    assert set(found.blind_gaps["vsibench"]) == {FULL, "debiased"}
    assert found.missing_gaps == {}
    assert main(["board", "--probes", str(tmp_path / "probe"), "--format", "md"]) == 0
    header = capsys.readouterr().out.splitlines()[0]
    for title in ("full blind", "full gap", "debiased ordered", "debiased gap"):
        assert title in header


def test_a_probe_of_the_debiased_questions_alone_says_what_is_missing(data, tmp_path, capsys):
    """The gap of what was asked, and how to get the other."""
    flags = ["--tasks", "vsibench:debiased", "--variants", "ordered,blind"]
    assert _probe(data, tmp_path / "probe", *flags) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "vsibench: the full set was not asked; --tasks vsibench asks it" in printed
    assert list(read_probe(tmp_path / "probe").blind_gaps["vsibench"]) == ["debiased"]
