"""``docs/protocols.md``: its file is read as written, its commands run, its table is complete."""

import dataclasses
import re
import shutil

import pytest

from harness.cli import main
from harness.run.config import EvalConfig
from harness.run.protocol_files import find_protocol
from harness.run.protocols import resolve_protocol
from harness.schema import FramePolicy, Sampling
from harness.task import registry
from harness.task.protocol import Protocol
from tests.docs.pages import SHELL, blocks, videor1_commands
from tests.paths import ROOT

PAGE = ROOT / "docs" / "protocols.md"
SMALL = ["--backend", "fake", "--limit", "2", "--max-pixels", "18816", "--workers", "1"]


@pytest.fixture
def inside(demo_data, tmp_path, monkeypatch):
    """A working directory with the page's file, the demo's data, and a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(demo_data)
    [toml] = blocks(PAGE, "toml")
    (tmp_path / "thinking.toml").write_text(toml.text)
    return tmp_path


def test_the_file_of_the_page_is_read_for_every_task(inside):
    """All fields, and the table of one task."""
    for name in ("videommmu", "vsibench", "mvbench", "tempcompass"):
        source = find_protocol("thinking.toml")
        protocol, scorer = resolve_protocol(registry.get(name), source, EvalConfig())
        assert (scorer.name, protocol.reasoning, protocol.frames.max_frames) == (
            "flexible", "auto", 64,
        )  # fmt: skip
        assert protocol.sampling.max_tokens == (8192 if name == "tempcompass" else 32768)


@pytest.mark.slow
def test_the_commands_run(inside):
    """With an engine that has no chat template, and so without the file's switch."""
    text = (inside / "thinking.toml").read_text()
    (inside / "thinking.toml").write_text(re.sub(r"\[template_args\]\n.*\n", "", text))
    found = [words for block in blocks(PAGE, *SHELL) for words in videor1_commands(block)]
    assert len(found) >= 7
    mine = ["eval", "x", "--data", "data", "--tasks", "vsibench", "--out", "results/runs/mine"]
    assert main([*mine, *SMALL]) == 0
    for words in found:
        tasks = ["--tasks", "vsibench"] if words[0] == "eval" and "--tasks" not in words else []
        small = SMALL if words[0] == "eval" else []
        assert main([*words, *tasks, *small]) == 0, words
        shutil.rmtree(inside / "results" / "runs" / "other", ignore_errors=True)


def test_every_field_is_in_the_table():
    """A field that is added to a protocol is added to the page."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    named = {name.strip("[]") for row in rows for name in re.findall(r"`([^`]+)`", row)}
    for part, kind in (("frames.", FramePolicy), ("sampling.", Sampling), ("", Protocol)):
        for field in dataclasses.fields(kind):
            if field.name not in ("suite", "task", "frames", "sampling"):
                assert f"{part}{field.name}" in named, field.name
