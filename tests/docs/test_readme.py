"""The README's example works as printed."""

import json
import re

from harness.schema import Outcome
from tests.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def _example():
    """Run the README's Python block and return its task."""
    [block] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    return names["Traffic"]()


def test_the_example_task_loads_asks_and_scores(tmp_path):
    """A task written as the README says has samples, prompts and scores under both protocols."""
    row = {
        "id": 1,
        "question": "Which way?",
        "options": ["left", "right"],
        "answer": "B",
        "weather": "rain",
        "video": "clips/1.mp4",
    }
    (tmp_path / "questions.jsonl").write_text(json.dumps(row) + "\n")
    task = _example()
    [sample] = task.load(tmp_path).samples
    assert task.prompt(sample, "official").text == "Which way?\nA. left\nB. right\nLetter:"
    assert task.scorers["official"].score(sample, "b, right").outcome is Outcome.CORRECT
    assert task.scorers["official"].score(sample, "?").outcome is Outcome.NO_ANSWER
    assert task.scorers["video-r1"].score(sample, "<answer>B</answer>").value == 1.0


def test_the_example_is_short():
    """Adding a task takes at most sixty lines."""
    [block] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(block.splitlines()) <= 60
