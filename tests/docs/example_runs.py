"""Runs of invented models on the demo's questions, of which the pages show tables.

    python -m tests.docs.example_runs FOLDER

writes them, so that a table can be made anew with the command above it.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

from harness.cli import main
from harness.run.samples_file import SAMPLES
from tasks.demo.layouts import write_all

ABILITY = {
    "video-r1-7b": {"vsibench": 0.9, "mvbench": 1.8},
    "qwen2.5-vl-7b": {"vsibench": -0.7, "mvbench": -0.3},
    "mine": {"vsibench": 0.5, "mvbench": 0.5},
    "candidate": {"vsibench": -0.1, "mvbench": -0.1},
    "mine-32f": {"vsibench": 0.7, "mvbench": 0.7},
}
"""How easily a model answers a benchmark's questions."""
RECORDS = "records-0.jsonl"


def write_runs(folder: Path, data: Path) -> None:
    """Write the runs to ``folder/results/runs``; questions and frames are those of the demo."""
    runs = folder / "results" / "runs"
    asked = {frames: _ask(runs / f"asked-{frames}", frames, data) for frames in (16, 32)}
    for name, ability in ABILITY.items():
        source, run = asked[32 if name.endswith("32f") else 16], runs / name
        run.mkdir()
        shutil.copy(source / SAMPLES, run / SAMPLES)
        manifest = json.loads((source / "run.json").read_text())
        manifest |= {"model": name, "checkpoint": {"weights": name}}
        (run / "run.json").write_text(json.dumps(manifest))
        records = [json.loads(line) for line in (source / RECORDS).read_text().splitlines()]
        answered = [_answer(record, ability[record["task"]], name) for record in records]
        (run / RECORDS).write_text("".join(json.dumps(record) + "\n" for record in answered))
    for source in asked.values():
        shutil.rmtree(source)
    _write_part(runs / "candidate", runs / "candidate-small", 40)


def _write_part(whole: Path, out: Path, items: int) -> None:
    """Write the run that was asked for the first items of each task only."""
    out.mkdir()
    manifest = json.loads((whole / "run.json").read_text())
    records = [json.loads(line) for line in (whole / RECORDS).read_text().splitlines()]
    kept: list[dict[str, Any]] = []
    for task, data in manifest["data"].items():
        of_task = [record for record in records if record["task"] == task]
        kept += of_task[:items]
        data["items"] = min(items, len(of_task))
    (out / "run.json").write_text(json.dumps(manifest | {"limit": items}))
    (out / RECORDS).write_text("".join(json.dumps(record) + "\n" for record in kept))


def write_part(run: Path, task: str) -> None:
    """Write beside a run one of its tasks, as a run that was asked for it alone."""
    part = run.with_name(f"{run.name}-{task}")
    part.mkdir()
    manifest = json.loads((run / "run.json").read_text())
    for name in ("protocol", "data", "questions"):
        manifest[name] = {task: manifest[name][task]}
    manifest["tasks"] = [task]
    (part / "run.json").write_text(json.dumps(manifest))
    lines = (run / RECORDS).read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["task"] == task]
    (part / RECORDS).write_text("".join(kept))


def _ask(out: Path, frames: int, data: Path) -> Path:
    words = ["eval", "model", "--backend", "fake", "--data", str(data), "--out", str(out)]
    assert main([*words, "--tasks", "vsibench,mvbench", "--max-frames", str(frames)]) == 0
    return out


def _answer(record: dict[str, Any], ability: float, name: str) -> dict[str, Any]:
    """Return the record with the model's answer.

    Videos and questions are hard for all models, and some a little more for one of them.
    """
    hardness = _draw(record["cluster"], 0.7) + _draw(record["id"], 0.7)
    own = _draw(f"{name} {record['cluster']}", 0.6) + _draw(f"{name} {record['id']}", 0.4)
    right = ability + own > hardness
    gold = record["gold"]
    wrong = ("B" if gold == "A" else "A") if gold.isalpha() else "0"
    answer = gold if right else wrong
    return record | {
        "outcome": "correct" if right else "wrong",
        "value": float(right),
        "answer": answer,
        "text": f"<answer>{answer}</answer>",
    }


def _draw(name: str, sigma: float) -> float:
    return random.Random(name).gauss(0.0, sigma)


if __name__ == "__main__":
    base = Path(sys.argv[1])
    write_all(base / "data")
    write_runs(base, base / "data")
