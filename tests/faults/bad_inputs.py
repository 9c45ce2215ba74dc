"""Gives commands bad files and flags, each to a process of its own, and counts how they end.

    python -m tests.faults.bad_inputs --count 2000

Every case follows from the seed and its number; ``--only N`` runs one again and prints its output.
No case may end with 1 (a regression: gates here accept any drop), with 70 (a fault of ours), with a
traceback, after more than 60 s or with more than 2 GB.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks.demo.layouts import write_all
from tests.faults.mutate import damage
from tests.faults.processes import Ending, run_command
from tests.paths import ROOT

TIMEOUT_S = 60.0
MOST_BYTES = 2 << 30
EXPECTED = (0, 2, 3, 4)
_SMALL = ("--max-frames", "4", "--max-pixels", "18816", "--workers", "1", "--backend", "fake")
_ROWS = """[{"problem_id": 1, "problem": "Which?", "options": ["A. a", "B. b"], "data_type":
 "video", "path": "demo0000_00.mp4", "problem_type": "multiple choice",
 "solution": "<answer>A</answer>"}]"""
_POLICY = "margin = 100\n\n[tasks.vsibench]\nmargin = 100\n"
_CONFIG = "max_frames = 4\nlimit = 2\n\n[decode]\nworkers = 1\n"
_PUBLISHED = (
    "model,task,score,frames,setting,source,note\n"
    "a model,vsibench,35.8,16,video-r1,https://example.org,as published\n"
)
_GATE = ("gate", "--margin", "100")

FILES: dict[str, tuple[tuple[str, ...], ...]] = {
    "run/run.json": (
        ("board", "run"), (*_GATE, "base.parquet", "run"), ("baseline", "run", "-o", "b.parquet"),
        ("rescore", "run", "--scorer", "video-r1", "--data", "data"),
        ("eval", "guesser", "--data", "data", "--out", "run", "--limit", "4", *_SMALL),
    ),
    "run/records-0.jsonl": (
        ("board", "run", "--format", "csv"), (*_GATE, "base.parquet", "run", "--junit", "j.xml"),
        (*_GATE, "run", "other"), ("baseline", "run", "-o", "b.parquet"),
        ("rescore", "run", "--scorer", "video-r1", "--data", "data"),
        ("eval", "guesser", "--data", "data", "--out", "run", *_SMALL),
    ),
    "run/summary.json": (
        ("board", "run", "--by", "--format", "html"), ("board", "run", "--by"),
        ("board", "run", "--format", "eval-results"),
        ("eval", "guesser", "--data", "data", "--out", "run", *_SMALL),
    ),
    "run/records.parquet": (("board", "run", "other"), ("board", "run", "--by", "--format", "md")),
    "run/scores-video-r1.json": (("board", "run", "--scorers"),),
    "run/scores-video-r1.jsonl": (("board", "run", "--scorers", "--format", "json"),),
    "base.parquet": ((*_GATE, "base.parquet", "run"), (*_GATE, "base.parquet", "run", "--json", "g")),  # noqa: E501
    "policy.toml": (
        ("gate", "--policy", "policy.toml", "--unlock", "base.parquet", "run"),
        ("baseline", "run", "-o", "b.parquet", "--policy", "policy.toml"),
    ),
    "config.toml": (("eval", "x", "--config", "config.toml", "--data", "data", "--dry-run", *_SMALL),),  # noqa: E501
    "published.csv": (("board", "run", "--published", "published.csv"),),
    "responses.jsonl": (
        ("score", "--task", "vsibench", "--responses", "responses.jsonl", "--data", "data"),
    ),
    "rows.json": (
        ("annotate", "--rows", "rows.json", "--media-root", "data/vsibench/scannet",
         "--checkpoint", "x", "--backend", "fake", "--out", "o.json"),
    ),
    "data/vsibench/test.jsonl": (
        ("eval", "x", "--data", "data", "--tasks", "vsibench", "--dry-run", *_SMALL),
        ("data", "check", "--data", "data", "--tasks", "vsibench"),
        ("score", "--task", "vsibench", "--responses", "responses.jsonl", "--data", "data"),
    ),
    "data/mvbench/json/action_antonym.json": (
        ("eval", "x", "--data", "data", "--tasks", "mvbench", "--dry-run", *_SMALL),
        ("data", "check", "--data", "data", "--tasks", "mvbench"),
    ),
    "data/vsibench/scannet/demo0000_00.mp4": (
        ("eval", "x", "--data", "data", "--tasks", "vsibench", "--limit", "2", "--out", "o", *_SMALL),  # noqa: E501
        ("data", "check", "--data", "data", "--tasks", "vsibench"),
    ),
}  # fmt: skip
"""Files that are damaged, and commands that read them."""
FLAGS: tuple[tuple[str, ...], ...] = (
    ("eval", "x", "--data", "data", "--dry-run", *_SMALL),
    ("eval", "x", "--data", "data", "--limit", "2", "--out", "o", *_SMALL),
    (*_GATE, "base.parquet", "run"),
    ("board", "run"),
    ("baseline", "run", "-o", "b.parquet"),
    ("rescore", "run", "--scorer", "video-r1", "--data", "data"),
    ("score", "--task", "vsibench", "--responses", "responses.jsonl", "--data", "data"),
    ("data", "check", "--data", "data"),
    ("annotate", "--rows", "rows.json", "--media-root", "data", "--checkpoint", "x",
     "--backend", "fake", "--out", "o.json"),
    ("train", "sft", "--config", "tiny", "--dry-run"),
    ("train", "show", "run"), ("train", "timeline", "run"), ("watch", "run", "--config", "tiny"),
    ("tasks",), (),
)  # fmt: skip
"""Command lines that get odd words and flags."""
_WORDS = (
    "", " ", "-", "--", "-1", "0", "1", "1e10", "1e400", "nan", "inf", "-inf", "1000000000000", "1.5",  # noqa: E501
    "x", "é", "\x1b[2J", "\u202e", "[/]", "[bold]", "a" * 300, "a/" * 3000, "/dev/null", "/dev/zero",  # noqa: E501
    "/dev/null/x", "/proc/self/x", ".", "..", "run", "base.parquet", "policy.toml", "data",
    "rows.json", "vsibench", "vsibench:nope", "mvbench,mvbench", "lmms:nope", "official", "video-r1",  # noqa: E501
    "http://127.0.0.1:1/v1", "http://127.0.0.1:abc/v1", "http://[::1", "ftp://x", "file:///etc", "50%",  # noqa: E501
    "101%", "-5%", "a=b", "a.b.c=[", "=", "\udcff",
)  # fmt: skip
_FLAGS = (
    "--max-frames", "--max-pixels", "--limit", "--workers", "--decode-timeout", "--frame-grid",
    "--frame-cache", "--look-ahead", "--seed", "--variant", "--protocol", "--tasks", "--backend",
    "--base-url", "--max-failures", "--config", "--data", "--out", "--margin", "--overall-margin",
    "--policy", "--junit", "--json", "--summary", "--format", "--published", "--scorers", "--by",
    "--scorer", "--page", "--show", "--task", "--responses", "--rows", "--media-root", "--set",
    "--decode", "--help", "--nonsense", "--include-path", "--step", "--id", "--judge-model",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """One bad input."""

    kind: str
    words: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """How the cases ended."""

    exits: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    failed: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    most_bytes: int = 0

    def add(self, case: Case, ending: Ending) -> None:
        """Count how a case ended."""
        self.exits[case.kind][ending.code] += 1
        self.slowest_s = max(self.slowest_s, ending.seconds)
        self.most_bytes = max(self.most_bytes, ending.peak_bytes)

    def table(self) -> str:
        """Return one line per kind of input, then what fell through."""
        codes = sorted({code for exits in self.exits.values() for code in exits})
        lines = [f"{'input':<40}" + "".join(f"{f'exit {code}':>9}" for code in codes)]
        for kind, exits in sorted(self.exits.items()):
            lines.append(f"{kind:<40}" + "".join(f"{exits[code]:>9}" for code in codes))
        total = sum(sum(exits.values()) for exits in self.exits.values())
        lines.append(
            f"{total} inputs, {len(self.failed)} fell through; the slowest took"
            f" {self.slowest_s:.0f} s, the largest {self.most_bytes >> 20} MiB"
        )
        return "\n".join([*lines, *self.failed])


def make_base(folder: Path) -> None:
    """Make the sound files that cases damage: data, two runs, a baseline and small texts."""
    write_all(folder / "data")
    for words in (
        ("eval", "guesser", "--data", "data", "--out", "run", *_SMALL),
        ("rescore", "run", "--scorer", "video-r1", "--data", "data"),
        ("baseline", "run", "-o", "base.parquet"),
    ):
        command = [sys.executable, "-m", "harness", *words]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    shutil.copytree(folder / "run", folder / "other")
    (folder / "policy.toml").write_text(_POLICY)
    (folder / "config.toml").write_text(_CONFIG)
    (folder / "published.csv").write_text(_PUBLISHED)
    (folder / "rows.json").write_text(_ROWS)
    lines = (
        f'{{"id": "vsibench/{number}", "text": "<answer>A</answer>"}}\n' for number in range(9)
    )
    (folder / "responses.jsonl").write_text("".join(lines))


def prepare_case(base: Path, folder: Path, rng: random.Random) -> Case:
    """Copy the base into a folder, damage something there, and return what to run."""
    shutil.copytree(base, folder, copy_function=_link_video)
    if rng.random() < 0.3:
        return Case("flags", _odd_words(rng))
    name = rng.choice(list(FILES))
    path = folder / name
    if path.suffix == ".mp4":
        content = path.read_bytes()
        path.unlink()  # the link, not the file that all cases share
        path.write_bytes(content)
    damage(path, rng)
    return Case(name, rng.choice(FILES[name]))


def run_case(base: Path, number: int, seed: int, folder: Path) -> tuple[Case, Ending]:
    """Run one case; it depends on the seed and its number alone."""
    case_folder = folder / f"case{number}"
    try:
        case = prepare_case(base, case_folder, random.Random(f"{seed}/{number}"))
        return case, run_command(case.words, case_folder, TIMEOUT_S)
    finally:
        shutil.rmtree(case_folder, ignore_errors=True)


def run_suite(numbers: Sequence[int], seed: int, folder: Path) -> Report:
    """Run cases and return how they ended."""
    _import_everything()
    base, report = folder / "base", Report()
    base.mkdir()
    make_base(base)
    for number in numbers:
        case, ending = run_case(base, number, seed, folder)
        report.add(case, ending)
        problem = _find_problem(ending)
        if problem is not None:
            last = ending.errors.strip().splitlines()[-1:] or [""]
            report.failed.append(
                f"{number}: {problem}: {' '.join(case.words)[:120]}: {last[0][:300]}"
            )
        if number % 100 == 99:
            print(f"{number + 1} inputs, {len(report.failed)} fell through", file=sys.stderr)  # noqa: T201
        if len(numbers) == 1:
            print(case, ending.errors, sep="\n")  # noqa: T201
    return report


def _find_problem(ending: Ending) -> str | None:
    if ending.timed_out:
        return f"not done after {TIMEOUT_S:g} s"
    if ending.code not in EXPECTED:
        return f"exit {ending.code}"
    if "Traceback (most recent call last)" in ending.errors:
        return "a traceback"
    if f"exit {ending.code} (" not in (ending.errors.strip().splitlines() or [""])[-1]:
        return "no last line"
    if ending.peak_bytes > MOST_BYTES:
        return f"{ending.peak_bytes >> 20} MiB"
    return None


def _odd_words(rng: random.Random) -> tuple[str, ...]:
    """Return a command line with one to three words changed, dropped or added."""
    words = list(rng.choice(FLAGS))
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(1, len(words)) if words else 0
        match rng.randrange(4):
            case 0 if at < len(words):
                del words[at]
            case 1 if at < len(words):
                words[at] = rng.choice(_WORDS)
            case 2:
                words[at:at] = [rng.choice(_FLAGS)]
            case _:
                words += [rng.choice(_FLAGS), rng.choice(_WORDS)]
    return tuple(words)


def _link_video(source: str, target: str) -> None:
    if source.endswith(".mp4"):
        os.link(source, target)
    else:
        shutil.copyfile(source, target)


def _import_everything() -> None:
    """Import what commands import, so that forks need not."""
    from importlib import import_module

    from harness.cli.commands import entry_points

    for point in entry_points().values():
        point.load()
    for module in ("rich.console", "rich.table", "numpy", "pyarrow.parquet", "pandas",
                   "harness.run.evaluate", "harness.board.leaderboard", "harness.gate.compare",
                   "harness.rescore.rescore", "harness.text.console"):  # fmt: skip
        import_module(module)


def main() -> int:
    """Run the suite and print its table; 1 where something fell through."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run the case of this number alone")
    args = parser.parse_args()
    numbers = range(args.count) if args.only is None else [args.only]
    with tempfile.TemporaryDirectory() as folder:
        report = run_suite(list(numbers), args.seed, Path(folder))
    print(report.table())  # noqa: T201
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
