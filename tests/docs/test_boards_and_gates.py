"""Boards, gates and reports work as their pages print: commands, policy, Python, workflow."""

import json
import re
import shlex

import pytest

from harness.cli import main
from harness.gate.policy import Policy, Rule, load_policy
from tests.docs.example_runs import write_part, write_runs
from tests.paths import ROOT

PAGES = ("boards.md", "gates.md", "reports.md")
PROBE = shlex.split(
    "--backend fake --tasks vsibench --variants ordered,options,shuffled,blind"
    " --limit 8 --max-frames 4 --max-pixels 3136 --workers 2"
)
MAY_EXIT = {"gate": (0, 1, 3)}
"""Commands whose exit code is their result; the others have to exit with 0."""


def _blocks(page, language):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for name, block in found if name == language]


def _commands(page):
    lines = [line for block in _blocks(page, "bash") for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def folder(demo_data, tmp_path_factory):
    """A working directory with the runs, the data and the files that the pages name."""
    folder = tmp_path_factory.mktemp("docs")
    write_runs(folder, demo_data)
    for task in ("vsibench", "mvbench"):
        write_part(folder / "results" / "runs" / "mine", task)
    probe = [
        "probe",
        "mine",
        "--data",
        str(demo_data),
        "--out",
        f"{folder}/results/runs/probe-mine",
    ]
    assert main([*probe, *PROBE]) == 0
    (folder / "gate.toml").write_text(_blocks("gates.md", "toml")[0])
    (folder / "data").symlink_to(demo_data)
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    """The same as the working directory, with the baseline that the gates read."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("COLUMNS", raising=False)  # a table is as wide as it needs to be
    assert main(["baseline", "results/runs/mine", "-o", "results/baselines/mine.parquet"]) == 0
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_command_runs(page, inside):
    """Each does what the page says, none is a wrong usage."""
    for command in _commands(page):
        program, *words = shlex.split(command)
        assert program == "videor1", command
        assert main(words) in MAY_EXIT.get(words[0], (0,)), command


@pytest.mark.parametrize("page", PAGES)
def test_the_python_runs(page, inside):
    """The public API gives what the page shows."""
    for block in _blocks(page, "python"):
        exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize(("page", "command"), [("boards.md", 0), ("gates.md", 1)])
def test_the_tables_are_what_the_commands_print(page, command, inside, capsys):
    """Made anew: ``python -m tests.docs.example_runs FOLDER``, then the page's commands there."""
    capsys.readouterr()
    main(shlex.split(_commands(page)[command])[1:])
    printed = [line.strip() for line in capsys.readouterr().out.splitlines()]
    shown = [line.strip() for block in _blocks(page, "") for line in block.splitlines()]
    tables = [line for line in shown if line and not line.startswith(("model,", "My-VLM"))]
    assert len(tables) > 10
    assert [line for line in tables if line not in printed] == []


def test_the_policy_shows_every_key_with_its_default(inside):
    """A reader can copy the file; only the table of one task is an example."""
    policy = load_policy(inside / "gate.toml")
    assert policy == Policy(tasks={"mvbench": Rule(margin=4.0)})
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    for name in (*Policy.__dataclass_fields__, *Rule.__dataclass_fields__):
        assert re.search(rf"^(# )?\[?{name}\b", page, re.MULTILINE), name


def test_the_block_of_the_board_page_is_named_with_the_field(inside, capsys):
    """The difference on the page is the one that is printed."""
    assert main(shlex.split(_commands("boards.md")[0])[1:]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "block 2 (mine-32f; != first block)" in printed
    assert "frames.max_frames: 32 != 16" in printed


def test_the_json_has_the_keys_of_the_page(inside):
    """Every key that is written is documented."""
    main(["gate", "results/baselines/mine.parquet", "results/runs/candidate", "--json", "g.json"])
    content = json.loads((inside / "g.json").read_text())
    page = (ROOT / "docs" / "gates.md").read_text(encoding="utf-8")
    keys = {*content, *next(iter(content["tasks"].values()))} - {"tasks"}
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
