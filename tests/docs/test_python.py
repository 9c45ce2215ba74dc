"""The Python of ``docs/python.md`` and ``docs/backends.md`` runs as printed, on the demo's data."""

import io
import re
from contextlib import redirect_stdout

import pytest

from tests.docs.pages import blocks
from tests.paths import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(demo_data, tmp_path_factory):
    """A working directory with the demo's four benchmarks in ``data``."""
    folder = tmp_path_factory.mktemp("docs")
    (folder / "data").symlink_to(demo_data)
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def run_page(name):
    """Run the snippets of a page in one namespace; return the names and what was printed."""
    names, printed = {}, io.StringIO()
    with redirect_stdout(printed):
        for block in blocks(ROOT / "docs" / name, "python"):
            exec(compile(block.text, name, "exec"), names)
    return names, printed.getvalue()


def test_the_python_api_works_as_its_page_shows(inside):
    """Evaluate, load, compare and observe: every snippet runs, and says what the text says."""
    names, printed = run_page("python.md")
    assert names["run"].scores["mvbench"].n == 12
    shown = re.findall(r"^(\w+): \d+\.\d \[", printed, re.MULTILINE)
    assert sorted(shown) == ["tempcompass", "vsibench"]
    assert "12 of 12 questions are open in results/runs/printed" in printed
    assert names["result"].verdict in ("PASS", "INCONCLUSIVE")
    assert list(names["board"].to_frame()["model"]) == ["my-checkpoint", "other-checkpoint"]


def test_a_backend_of_your_own_works_as_its_page_shows(inside):
    """A class of 20 lines evaluates a benchmark and leaves a run directory."""
    names, printed = run_page("backends.md")
    assert (inside / "results/runs/always-B/summary.json").exists()
    assert names["plan"].samples[0].task == "vsibench"
    assert float(printed.splitlines()[-1]) >= 0


def test_the_settings_table_names_every_setting():
    """The page lists each field of the settings classes."""
    import harness
    from harness.run.options import options_of

    page = (ROOT / "docs" / "python.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    groups = {"": "EvalConfig", "engine": "EngineConfig", "decode": "DecodeConfig",
              "cluster": "ClusterConfig", "track": "TrackConfig",
              "judge": "JudgeConfig"}  # fmt: skip
    for option in options_of(harness.EvalConfig):
        assert f"`{option.field}`" in rows[groups[option.group]], option.name
