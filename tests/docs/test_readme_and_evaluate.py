"""The commands of README and ``docs/evaluate.md`` run, on the demo's data without a model."""

import json
import shutil
from dataclasses import fields

import pytest

import harness
from harness import DecodeConfig, EngineConfig, EvalConfig
from harness.cli import main
from tests.docs.pages import SHELL, blocks, videor1_commands
from tests.paths import ROOT

pytestmark = pytest.mark.slow

README, EVALUATE = ROOT / "README.md", ROOT / "docs" / "evaluate.md"
RUN = ("eval", "board", "baseline", "gate", "rescore", "score", "data")
"""Commands that run here; the others are trained or downloaded with, and are parsed elsewhere."""
SMALL = ["--backend", "fake", "--limit", "6", "--max-pixels", "18816", "--workers", "2"]
MAY_EXIT = {"gate": (0, 1, 3), "data": (0, 4)}
"""The demo's data lack the videos of ``videommmu-question-only``."""


@pytest.fixture(scope="module")
def folder(demo_data, tmp_path_factory):
    """A working directory with all files and runs that the two pages name."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").symlink_to(demo_data)
    (folder / "results").mkdir()
    [toml] = blocks(EVALUATE, "toml")
    assert "max_model_len = 32768\n" in toml.text
    (folder / "eval.toml").write_text(toml.text.replace("max_model_len = 32768\n", ""))
    questions = json.loads((folder / "data/tempcompass/questions/yes_no.json").read_text())
    (folder / "answers.jsonl").write_text(
        "".join(
            json.dumps({"id": f"tempcompass/yes_no/{video}/{aspect}/{n}", "text": "yes"}) + "\n"
            for video, aspects in questions.items()
            for aspect, items in aspects.items()
            for n in range(len(items))
        )
    )
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    """The same as the working directory, with the runs that the commands compare."""
    monkeypatch.chdir(folder)
    mine = folder / "results" / "runs" / "mine"
    if not mine.exists():
        [words] = [words for words in commands(README) if words[0] == "eval"]
        assert main([*words, *SMALL]) == 0
        for name in ("other", "candidate"):
            shutil.copytree(mine, mine.with_name(name))
    return folder


def commands(page):
    """Return the commands of a page that can run without network, server, GPU and Ray."""
    found = [words for block in blocks(page, *SHELL) for words in videor1_commands(block)]
    others = {"fetch", "--decode", "--replicas"}
    return [words for words in found if words[0] in RUN and not others & {*words}]


def without_engine_settings(words):
    """Leave out flags that only a real engine has; other tests parse them."""
    flags = {
        "--" + one.name.replace("_", "-")
        for one in fields(EngineConfig)
        if one.metadata.get("engines") and one.name != "video_as_images"
    }
    kept = list(words)
    while found := next((word for word in kept if word in flags), None):
        at = kept.index(found)
        del kept[at : at + 2]
    return kept


@pytest.mark.parametrize("page", [README, EVALUATE], ids=lambda page: page.name)
def test_every_command_runs(page, inside):
    """Each ends as it should; models are replaced by one that answers with the first option."""
    for words in commands(page):
        small = [*without_engine_settings(words), *SMALL] if words[0] == "eval" else words
        assert main(small) in MAY_EXIT.get(words[0], (0,)), words


def test_the_readme_s_python_runs(inside):
    """With a fake engine in place of a checkpoint."""
    fake = EvalConfig(engine=EngineConfig(backend="fake"), decode=DecodeConfig(workers=2), limit=6)
    [block] = blocks(README, "python")
    checkpoint = '"path/to/checkpoint", '
    assert checkpoint in block.text
    text = block.text.replace(checkpoint, f"{checkpoint}config=fake, ")
    text = text.replace("runs/mine", "runs/python")
    names = {"fake": fake}
    exec(compile(text, "README.md", "exec"), names)
    assert names["run"].scores["vsibench"].n == 6
    assert isinstance(names["run"], harness.Run)
