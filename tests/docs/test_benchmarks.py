"""``docs/benchmarks.md`` works as printed: its class, its package, its test and its commands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from harness.task import registry
from tests.clips import write_clip
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks in a language; commands and output have none."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [content for name, content in fenced if name == language]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's package, as if installed, and its data."""
    folder = tmp_path_factory.mktemp("benchmark")
    module, test = blocks("python")
    (folder / "traffic.py").write_text(module)
    (folder / "test_traffic.py").write_text(test)
    (data := folder / "data" / "traffic").mkdir(parents=True)
    (data / "questions.jsonl").write_text(blocks("json")[0])
    (data / "clips").mkdir()
    for number in (1, 2):
        write_clip(data / "clips" / f"{number}.mp4")
    project = tomllib.loads(blocks("toml")[0])["project"]
    (installed := folder / "traffic_benchmark.egg-info").mkdir()
    (installed / "PKG-INFO").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n"
    )
    points = project["entry-points"]["videor1.tasks"].items()
    lines = ["[videor1.tasks]", *(f"{name} = {value}" for name, value in points)]
    (installed / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return folder


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a module of Python in the folder, whose package counts as installed."""
    return subprocess.run(
        [sys.executable, "-P", "-m", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        check=False,
    )


def test_the_class_is_short() -> None:
    """Adding a benchmark takes at most sixty lines."""
    assert len(blocks("python")[0].splitlines()) <= 60


def test_the_class_needs_two_imports() -> None:
    """All that an author needs comes from ``harness`` and ``tasks``."""
    assert re.findall(r"^from (\S+) import", blocks("python")[0], re.MULTILINE) == [
        "harness",
        "tasks",
    ]


def test_its_unit_test_passes(folder: Path) -> None:
    """Prompt and scores are those that the page's test expects."""
    ran = run(folder, "pytest", "-q", "-p", "no:cacheprovider", "test_traffic.py")
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


def test_videor1_tasks_lists_it_as_shown(folder: Path) -> None:
    """The page shows what the command prints about the new benchmark."""
    [shown] = [block for block in blocks("") if block.startswith("traffic  Traffic")]
    assert shown in run(folder, "harness", "tasks").stdout


def test_the_commands_without_a_model_succeed(folder: Path) -> None:
    """Its data are checked, and a guesser is evaluated under both protocols."""
    [commands] = [block for block in blocks("") if "--backend fake" in block]
    for line in commands.splitlines():
        program, *words = shlex.split(line)
        ran = run(folder, "harness", *words)
        assert (program, ran.returncode) == ("videor1", 0), ran.stdout + ran.stderr
    assert len(list((folder / "results" / "runs").iterdir())) == 2


def test_the_sizes_on_the_page_on_evaluation_are_those_of_the_classes() -> None:
    """`videor1 tasks NAME` says the same without data."""
    page = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
    line = re.compile(r"^\| [^|]+ \| `([\w-]+)`[^|]* \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
    rows = line.findall(page)[1:]
    assert len(rows) == 10
    for name, questions, videos in rows:
        size = registry.get(name).published_size  # type: ignore[attr-defined]
        assert f"{size[0]:,}" in questions, name
        assert size[1] is None or f"{size[1]:,}" in videos, name


def test_the_table_names_every_installed_benchmark() -> None:
    """No benchmark is missing from the page's table."""
    listed = set(re.findall(r"`([\w-]+)`", PAGE[: PAGE.index("## Add your own")]))
    assert set(registry.installed()) <= listed
