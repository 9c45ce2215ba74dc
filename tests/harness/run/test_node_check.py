"""A node looks for what the driver has: questions, media, checkpoint, its own packages."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.replicas.node_facts import NodeReport, compare
from harness.run.config import EvalConfig
from harness.run.node_check import (
    collect_facts,
    describe_problems,
    expect,
    expect_all_data,
    hash_source,
)
from harness.run.plan import make_plan


@pytest.fixture
def data(demo_data, tmp_path):
    shutil.copytree(demo_data, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def expected(data):
    plan = make_plan(EvalConfig(tasks=("vsibench",), data=data, limit=20))
    return expect(plan, data, None)


def _problems(here, expected):
    there = collect_facts(expected)
    return describe_problems(here, [NodeReport(node="gpu-b", facts=there)])


def test_the_same_machine_has_no_problem(expected):
    """Every medium is there, and the facts are the same twice."""
    here = collect_facts(expected)
    assert expected.media
    assert compare(here, collect_facts(expected)) == []
    assert _problems(here, expected) is None


def test_a_node_that_does_not_answer_ends_no_evaluation_and_one_without_videor1_does(expected):
    """The first may have died just now; on the second the check failed."""
    here = collect_facts(expected)
    dead = NodeReport(node="a", facts=None, problem="its process is gone", silent=True)
    bare = NodeReport(node="b", facts=None, problem="ModuleNotFoundError: harness")
    assert describe_problems(here, [dead]) is None
    said = describe_problems(here, [dead, bare])
    assert "node b: ModuleNotFoundError: harness" in said
    assert "node a" not in said


def test_a_file_that_is_gone_and_one_that_is_cut_off_are_named(expected):
    """What is expected is what the driver has."""
    here = collect_facts(expected)
    (gone, _), (cut, size) = expected.media[:2]
    with Path(cut).open("r+b") as file:
        file.truncate(size - 1)
    shutil.move(gone, gone + ".away")
    said = _problems(here, expected)
    assert f"node gpu-b: 1 media are missing or not readable: {gone}" in said
    assert f"node gpu-b: 1 media are of another size than here: {cut}" in said


def test_question_files_that_differ_or_are_not_there_are_named(expected, data):
    """One benchmark by another hash, then by what reading it says."""
    here = collect_facts(expected)
    [questions] = (data / "vsibench").rglob("*.jsonl")
    with questions.open("a") as file:
        file.write("\n")
    assert "vsibench: other question files than here" in _problems(here, expected)
    questions.unlink()
    assert "vsibench: its questions cannot be read" in _problems(here, expected)


def test_a_checkpoint_that_is_not_there_is_named(expected, tmp_path):
    """With the path, before any engine is started; a hub id is not downloaded for the check."""
    for spec, said in (
        (str(tmp_path / "nowhere"), "nowhere"),
        ("nobody/nothing", "not in this node's hub cache"),
    ):
        facts = collect_facts(replace(expected, checkpoint=spec))
        assert facts.checkpoint == {}
        assert said in facts.checkpoint_error


def test_doctor_expects_every_benchmark_that_has_a_folder_here(data):
    """One whose questions cannot be read here is left out."""
    everything = expect_all_data(data, None)
    assert "vsibench" in everything.selections
    shutil.rmtree(data / "vsibench")
    (data / "vsibench").mkdir()
    assert "vsibench" not in expect_all_data(data, None).selections


def test_the_hash_of_the_code_is_the_same_twice():
    """It is one of all modules."""
    assert hash_source() == hash_source()
    assert len(hash_source()) == 32
