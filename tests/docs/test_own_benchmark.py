"""``docs/own_benchmark.md`` works as printed: its table, its settings, its commands in order."""

import re
import shlex
import shutil
import tomllib

import pytest

from harness.cli import main
from harness.run.store import read_manifest
from tasks.local.settings import USUAL, Columns, TableSettings
from tests.clips import write_clip
from tests.docs.pages import blocks
from tests.paths import ROOT

PAGE = ROOT / "docs" / "own_benchmark.md"
TEXT = PAGE.read_text(encoding="utf-8")
SMALL = ["--max-frames", "4", "--max-pixels", "3136"]
MAY_EXIT = {"gate": 3}


def _commands():
    lines = [line for block in blocks(PAGE, "bash") for line in block.text.splitlines()]
    return [shlex.split(line)[1:] for line in lines]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """The videos that the page's questions are about."""
    folder = tmp_path_factory.mktemp("clips")
    for number in (1, 2, 3):
        write_clip(folder / f"{number}.mp4")
    return folder


@pytest.fixture
def folder(clips, tmp_path, monkeypatch):
    """A working directory with the page's table and videos."""
    shutil.copytree(clips, tmp_path / "clips")
    [table] = blocks(PAGE, "json")
    (tmp_path / "traffic.jsonl").write_text(table.text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("settings", [False, True])
def test_every_command_runs_in_the_order_of_the_page(folder, settings):
    """Five minutes from ten lines to a row and a gate, with and without the settings file."""
    if settings:
        (folder / "traffic.toml").write_text(blocks(PAGE, "toml")[0].text)
    for words in _commands():
        asks = words[0] in ("eval", "probe")
        fake = [*SMALL, *([] if "--backend" in words else ["--backend", "fake"])] if asks else []
        assert main([*words, *fake]) == MAY_EXIT.get(words[0], 0), words
    assert read_manifest(folder / "results" / "runs" / "mine")["tasks"] == ["traffic"]


def test_the_faults_are_told_as_the_page_shows(folder, capsys):
    """The lines are those of the command."""
    lines = (folder / "traffic.jsonl").read_text().splitlines()
    lines[2] = lines[2].replace('"answer": "it does not"', '"answer": "E"')
    for at in (6, 8):
        lines[at] = re.sub(r'"id": \d+', '"id": 6', lines[at])
    (folder / "traffic.jsonl").write_text("\n".join(lines))
    assert main(["data", "check", "--tasks", "./traffic.jsonl"]) == 2
    printed = capsys.readouterr().err
    assert printed.endswith("traffic.jsonl: 2 kinds of faults; the lines above have one each\n")
    [shown] = [block.text for block in blocks(PAGE, "") if "line 3" in block.text]
    assert shown.strip() in printed


def test_the_page_names_every_key_and_every_column():
    """A reader finds all that a settings file may say."""
    for name in (*TableSettings.__dataclass_fields__, *Columns.__dataclass_fields__):
        assert re.search(rf"`{name}`|^(# )?{name} = |^\[{name}\]", TEXT, re.MULTILINE), name
    for names in USUAL.values():
        assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_the_example_settings_are_valid(folder):
    """Every key of the page's file is one, with a value that it may have."""
    content = blocks(PAGE, "toml")[0].text
    (folder / "traffic.toml").write_text(content)
    assert set(tomllib.loads(content)) <= set(TableSettings.__dataclass_fields__)
