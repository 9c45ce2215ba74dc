"""The table at the end of a run loses nothing at 80 columns."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from harness import load_run
from harness.cli.tables import score_table
from tests.paths import FIXTURES


@pytest.fixture(scope="module")
def summary():
    [first, *_] = load_run(FIXTURES / "run_schema_1").scores.values()
    return replace(first, score=100.0, ci95=(98.0, 100.0))


@pytest.mark.parametrize(
    ("names", "outcomes"),
    [
        (["vsibench", "mvbench"], {}),
        (["motionworld-stills", "tempcompass"], {}),
        (["videommmu-question-only", "lmms:a_task_with_a_long_name_of_its_own"], {}),
        (["vsibench"], {"refused": 5_130}),
        (["motionworld-stills"], {"refused": 1, "failed": 5_130, "no_answer": 5_130}),
    ],
)
def test_every_heading_and_figure_is_whole(summary, names, outcomes):
    """Long names fold; nothing ends in an ellipsis."""
    counted = replace(summary, outcomes={**summary.outcomes, **outcomes})
    out = io.StringIO()
    Console(file=out, width=80).print(score_table(dict.fromkeys(names, counted)))
    text = out.getvalue()
    assert "…" not in text
    assert all(len(line) <= 80 for line in text.splitlines())
    words = text.split()
    for heading in ("task", "score", "items", "videos", "no", "answer", "truncated", "failed"):
        assert heading in words, text
    for cell in ("100.0", "98.0", *(str(count) for count in outcomes.values())):
        assert cell in words, text
