"""``docs/rows.md``: every field, type and fault is there, its rows are right, its commands run."""

import json
import re
import shlex
from importlib.util import find_spec

import pytest
from PIL import Image

from harness.cli import main
from harness.schema import Kind, MediaKind
from tests.clips import write_clip
from tests.docs.pages import blocks
from tests.paths import ROOT
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data import rows
from trainer.data.checks import RowNeeds, check_rows, media_kind
from trainer.data.example_rows import EXAMPLES
from trainer.data.faults import Fault

PATH = ROOT / "docs" / "rows.md"
PAGE = PATH.read_text(encoding="utf-8")
LINES = [block.text.strip() for block in blocks(PATH, "json")]
COMMANDS = [line for block in blocks(PATH, "bash") for line in block.text.splitlines()]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's rows in a file, and the media that they name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text("\n".join(LINES), encoding="utf-8")
    (tmp_path / "media/clips").mkdir(parents=True)
    (tmp_path / "media/pictures").mkdir()
    write_clip(tmp_path / "media/clips/1.mp4")
    Image.new("RGB", (64, 48), "red").save(tmp_path / "media/pictures/sign.png")
    return tmp_path


def test_the_rows_of_the_page_are_those_of_the_messages():
    """Made by ``as_line`` of `trainer.data.example_rows`."""
    assert [example.as_line() for example in EXAMPLES] == LINES


def test_every_problem_type_and_medium_has_a_right_row(folder):
    """They pass the whole check, for SFT and for reinforcement learning."""
    data = DataSettings(rows=(folder / "rows.jsonl",), media_roots=(folder / "media",))
    needs = RowNeeds(rationale=True, rewarded=True)
    report = check_rows(data, FrameSettings(), patch_multiple=28, needs=needs)
    assert report.bad == ()
    assert {row.sample.kind for row in report.rows} == set(Kind)
    assert {media_kind(row) for row in report.rows} == {MediaKind.VIDEO, MediaKind.IMAGE, None}


def test_the_table_has_every_field_that_is_read():
    """And no other one."""
    part = PAGE.split("## Fields")[1].split("| problem type |")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == set(rows._READ)
    assert {name for line in LINES for name in json.loads(line)} == set(rows._READ)


def test_every_problem_type_and_every_fault_is_explained():
    """The words are those that are printed."""
    assert [kind for kind in Kind if f"| `{kind}` |" not in PAGE] == []
    assert [fault for fault in Fault if fault not in PAGE.split("## Faults")[1]] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_runs(command, folder):
    """On the rows of the page they find no fault."""
    if find_spec("rouge_score") is None:
        pytest.skip("rouge-score is not installed")
    assert main(shlex.split(command)[1:]) == 0
    if "--html" in command:
        assert (folder / "rows-page/index.html").is_file()
