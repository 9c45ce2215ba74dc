"""Probes work as their page prints: commands, Python, the policy of gates, probe.json."""

import re
import shlex

import pytest

from harness.cli import main
from harness.gate.policy import load_policy
from harness.probe.gains import gain_column
from harness.probe.measures import MEASURES
from harness.probe.summary import ProbeSummary, read_probe
from tests.docs.pages import blocks
from tests.paths import ROOT

PAGE = ROOT / "docs" / "probes.md"
MAY_EXIT = {"gate": (0, 1, 3)}
SMALL = [
    "--backend", "fake", "--limit", "8", "--max-frames", "4", "--max-pixels", "3136",
    "--workers", "2",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(demo_data, tmp_path_factory):
    """A working directory with the data that the page names."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").symlink_to(demo_data)
    return folder


def test_every_command_runs(folder, monkeypatch):
    """On a small engine that answers A; the candidate is the same model."""
    monkeypatch.chdir(folder)
    lines = [line for block in blocks(PAGE, "bash") for line in block.text.splitlines() if line]
    assert len(lines) == 5
    for line in lines:
        program, name, *words = shlex.split(line)
        assert program == "videor1"
        small = SMALL if name == "probe" else []
        assert main([name, *words, *small]) in MAY_EXIT.get(name, (0,)), line
        if name == "probe":
            words[words.index("--out") + 1] = "results/runs/probe-candidate"
            assert main([name, *words, *small]) == 0
    assert "| --- |" in (folder / "summary.md").read_text()
    assert (folder / "probe.json").exists()


def test_the_python_runs(folder, monkeypatch, capsys):
    """With a fake engine in the place of a checkpoint."""
    monkeypatch.chdir(folder)
    [block] = blocks(PAGE, "python")
    engine = 'limit=8, engine=harness.EngineConfig(backend="fake")'
    names = {}
    exec(compile(block.text.replace("limit=40", engine), "probes.md", "exec"), names)
    assert names["gain"].n == 8
    assert capsys.readouterr().out.startswith("0.0")


def test_the_files_page_names_every_field_of_probe_json():
    """And every measure."""
    page = (ROOT / "docs" / "run_files.md").read_text()
    section = page.split("\n## A probe folder\n")[1].split("\n## ")[0]
    fields = set(ProbeSummary.__dataclass_fields__) | {one.name for one in MEASURES}
    assert fields - set(re.findall(r"`(\w+)`", section)) == set()


def test_the_policy_for_gains_can_be_copied(tmp_path):
    """The page's tables set a margin for all gains and one for a single task."""
    tables = [b.text for b in blocks(ROOT / "docs" / "gates.md", "toml") if "[probe]" in b.text]
    (tmp_path / "gate.toml").write_text(tables[0])
    policy = load_policy(tmp_path / "gate.toml")
    assert policy.margin_of(gain_column("mvbench")) == 4
    assert policy.margin_of(gain_column("vsibench")) == 6
    assert policy.margin_of("vsibench") == 2


def test_reading_a_probe_is_a_public_call(folder):
    """The page names it."""
    import harness

    assert "harness.load_probe(folder)" in PAGE.read_text()
    probe = folder / "results/runs/probe-mine"
    assert harness.load_probe(probe) == read_probe(probe)
