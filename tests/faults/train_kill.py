"""Kill a training of four epochs at random updates; compare it with one that nobody killed.

``python -m tests.faults.train_kill --kills 5`` in the heavy environment, for GRPO, T-GRPO and SFT:
weights, optimizer, scheduler, metrics and completions have to be equal to the last bit. A small
version runs as an engine test (``tests/trainer/loops/test_resume.py``).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.interrupts import interruptible
from tests.paths import ROOT
from tests.trainer.times import is_time

ROWS, UPDATES, SAVE_STEPS = 8, 16, 3
"""Four updates are an epoch."""
THREADS = {"GOMP_SPINCOUNT": "0", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Sums of another number of threads may differ in the last bit."""
ENVIRONMENT = {**os.environ, **THREADS, "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}


def main() -> int:
    """Print a line per algorithm; return 1 if some run differs."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--algorithms", nargs="+", default=["grpo", "tgrpo", "sft"])
    parser.add_argument("--signal", choices=["KILL", "TERM", "INT"], default="KILL")
    args = parser.parse_args()
    drawn = random.Random(args.seed)
    with TemporaryDirectory() as place:
        folder = Path(place)
        run_command(folder, "world", "--out", str(folder / "world"))
        rows = json.loads((folder / "world/sft.json").read_text())[:ROWS]
        (folder / "rows.json").write_text(json.dumps(rows))
        bad = 0
        for algorithm in args.algorithms:
            updates = sorted(drawn.sample(range(1, UPDATES), args.kills))
            found = compare_killed(folder, algorithm, updates, getattr(signal, f"SIG{args.signal}"))
            line = f"{algorithm}: killed behind updates {updates}: {found or 'equal'}\n"
            sys.stdout.write(line)
            sys.stdout.flush()
            bad += bool(found)
    return int(bad > 0)


def compare_killed(folder: Path, algorithm: str, updates: list[int], number: int) -> str:
    """Kill a run behind these updates; return what differs from one that nobody killed.

    Args:
        folder: Holds ``world`` and ``rows.json``; takes the two runs.
        algorithm: ``grpo``, ``tgrpo`` or ``sft``.
        updates: In increasing order.
        number: The signal.

    Returns:
        An empty text where nothing differs.
    """
    whole, cut = (_command(folder, algorithm, folder / f"{algorithm}-{n}") for n in ("all", "cut"))
    run_command(folder, *whole)
    for update in updates:
        _run_until(cut, folder / f"{algorithm}-cut", update, number)
    run_command(folder, *cut)
    ours, theirs = (_content(folder / f"{algorithm}-{name}") for name in ("cut", "all"))
    return ", ".join(name for name in theirs if ours.get(name) != theirs[name])


def _command(folder: Path, algorithm: str, out: Path) -> list[str]:
    size = 4 * 2 if algorithm != "sft" else 2  # two prompts, or two rows
    values = {
        "model.checkpoint": ROOT / "tasks/motionworld/trained",
        "data.rows": folder / "rows.json",
        "data.media_roots": folder / "world",
        "optim.per_device_train_batch_size": size,
        "optim.max_steps": UPDATES,
        "optim.save_steps": SAVE_STEPS,
        "optim.logging_steps": 1,
    }
    if algorithm != "sft":  # so hot that answers differ: equal rewards would teach nothing
        values |= {"rollout.num_generations": 4, "rollout.temperature": 1.4}
    sets = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    return ["train", algorithm, "--config", "tiny", *sets, "--out", str(out)]


def run_command(folder: Path, *words: str) -> None:
    """Run a command that has to end with 0, in a folder."""
    command = [sys.executable, "-m", "harness", *words]
    done = subprocess.run(
        command, check=False, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ends with {done.returncode}: {done.stderr[-3000:]}")


def _run_until(words: list[str], out: Path, update: int, number: int) -> None:
    """Run until the metrics of an update are written, and send a signal then."""
    process = subprocess.Popen(
        interruptible([sys.executable, "-m", "harness", *words]),
        cwd=out.parent, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and _last_step(out) < update:
        time.sleep(0.005)
    process.send_signal(number)
    process.wait()


def _last_step(out: Path) -> int:
    path = out / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


def _content(out: Path) -> dict[str, Any]:
    """Return what has to be equal: numbers as bytes, lines without times."""
    last = out / f"checkpoint-{UPDATES}"
    found: dict[str, Any] = {
        "model.safetensors": (last / "model.safetensors").read_bytes(),
        **{name: _read_state(last / name) for name in ("optimizer.pt", "scheduler.pt")},
    }
    for name in ("metrics.jsonl", "completions.jsonl"):
        if (out / name).exists():
            lines = [json.loads(line) for line in (out / name).read_text().splitlines()]
            found[name] = [{k: v for k, v in line.items() if not is_time(k)} for line in lines]
    return found


def _read_state(path: Path) -> Any:
    """Return what a file of PyTorch holds, its tensors as type, shape and bytes."""
    import torch

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            raw = value.contiguous().view(-1).view(torch.uint8) if value.dim() else value
            return str(value.dtype), tuple(value.shape), raw.numpy().tobytes()
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    return plain(torch.load(path, map_location="cpu", weights_only=True))


if __name__ == "__main__":
    sys.exit(main())
