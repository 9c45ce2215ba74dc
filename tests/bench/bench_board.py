"""How long `videor1 board` takes over 50 runs of 16,000 items, and how much memory.

Run it as a program: ``python tests/bench/bench_board.py [FOLDER]``. The runs have the shapes of the
four benchmarks; their records are as long as real ones.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

RUNS = 50
SHAPES = {
    "videommmu": (300, 3),
    "vsibench": (288, 18),
    "mvbench": (3600, 1),
    "tempcompass": (410, 15),
}
"""Videos and questions per video."""
CATEGORIES = {
    "videommmu": ("perception/Art/Music", "comprehension/Art/Music", "adaptation/Art/Music"),
    "vsibench": ("object_counting", "object_rel_distance", "object_rel_direction_easy"),
    "mvbench": ("action_count", "state_change"),
    "tempcompass": ("yes_no/action/x", "yes_no/order/order"),
}


def make_runs(folder: Path) -> list[Path]:
    """Write the runs, each model half a point better than the one before."""
    questions = pd.concat([_questions(task) for task in SHAPES], ignore_index=True)
    print(f"{RUNS} runs of {len(questions)} items", flush=True)  # noqa: T201 - a program
    return [_make_run(folder / f"run{number}", number, questions) for number in range(RUNS)]


def _questions(task: str) -> pd.DataFrame:
    videos, each = SHAPES[task]
    number = np.arange(videos * each)
    kinds = CATEGORIES[task]
    return pd.DataFrame(
        {
            "id": [f"{task}/{n}" for n in number],
            "task": task,
            "cluster": [f"{task}_video_{n // each}" for n in number],
            "category": [kinds[n % len(kinds)] for n in number],
            "text": "I think about what the video shows. " * 20 + "<answer>A</answer>",
        }
    )


def _make_run(folder: Path, number: int, questions: pd.DataFrame) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(number)
    right = rng.random(len(questions)) < 0.4 + number / 200
    records = questions.assign(
        value=right.astype(float), outcome=np.where(right, "correct", "wrong")
    )
    records.sample(frac=1, random_state=number).to_parquet(folder / "records.parquet", index=False)
    manifest = {
        "model": f"model-{number}",
        "checkpoint": {"weights": f"model-{number}"},
        "protocol_hash": "0123456789ab",
        "created": "2026-01-01T00:00:00+00:00",
        "tasks": list(SHAPES),
        "protocol": {
            task: {
                "scorer": "official@1",
                "frames": {"max_frames": 16, "order": "ordered"},
                "hash": "ab",
            }
            for task in SHAPES
        },
        "data": {task: {"items": v * q, "sha256": "x"} for task, (v, q) in SHAPES.items()},
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def main() -> None:
    """Make the runs, then time the real command in its own process."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    runs = sorted(folder.glob("run*")) or make_runs(folder)
    started = time.perf_counter()
    subprocess.run(
        [
            sys.executable,
            "-m",
            "harness",
            "board",
            *map(str, runs),
            "-o",
            str(folder / "board.txt"),
        ],
        check=True,
    )
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"board over {len(runs)} runs: {seconds:.1f} s, peak {peak:.0f} MiB")  # noqa: T201 - a program


if __name__ == "__main__":
    main()
