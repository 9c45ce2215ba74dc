"""Gives the product every input of the shared cases and compares what it does with what is right.

    python -m tests.faults.cases -o cases.md

Prints a line per case and writes them as a Markdown table. Cases about checkpoints and training run
in the heavy environment only; elsewhere they are left out and counted.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.paths import ROOT, SHARED

CASES = SHARED / "cases"
_GROUPS = ("cases_media", "cases_servers", "cases_files", "cases_train")
_TIMEOUT_S = 300


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    errors: str

    @property
    def last(self) -> str:
        """The last line, which says how the command ended and why."""
        return (self.errors.strip().splitlines() or [""])[-1]

    def says(self, *parts: str) -> bool:
        """Return whether the messages hold these texts, wherever their lines break."""
        flat = " ".join((self.errors + self.out).split())
        return all(part in flat for part in parts)


@dataclass(frozen=True, slots=True)
class Found:
    """What a case gives now."""

    gives: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Case:
    """One input of the shared cases."""

    name: str
    """Its path under the cases."""
    right: str
    """What its README calls right."""
    look: Callable[[Path], Found]
    """Takes an empty folder."""
    heavy: bool = False
    """Whether it needs torch and transformers."""
    long: bool = False
    """Whether it takes more than a few seconds: processes, retries."""


def run(*words: object, at: Path, **environment: str) -> Done:
    """Run a command in this process, in a folder."""
    out, errors = io.StringIO(), io.StringIO()
    from harness.cli import main as run_words

    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with chdir(at), redirect_stdout(out), redirect_stderr(errors):
            code = run_words([str(word) for word in words])
    finally:
        os.environ.clear()
        os.environ.update(before)
    return Done(code, out.getvalue(), errors.getvalue())


def run_process(*words: object, at: Path, **environment: str) -> Done:
    """Run a command in a process of its own, in a folder."""
    settings = {**os.environ, "PYTHONPATH": str(ROOT), "GOMP_SPINCOUNT": "0", **environment}
    command = [sys.executable, "-m", "harness", *map(str, words)]
    done = subprocess.run(
        command, cwd=at, env=settings, capture_output=True, timeout=_TIMEOUT_S, check=False
    )
    out, errors = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    return Done(done.returncode, out, errors)


def ends_with(done: Done, code: int, *parts: str) -> Found:
    """Return whether a command ended with a code, without a traceback, and said these texts."""
    holds = done.code == code and done.says(*parts) and "Traceback" not in done.errors
    return Found(done.last, holds)


def all_of(found: Mapping[str, Found]) -> Found:
    """Return one finding of several: it holds if all do, and shows the first that does not."""
    wrong = {name: one for name, one in found.items() if not one.holds}
    shown = wrong or found
    return Found("; ".join(f"{name}: {one.gives}" for name, one in shown.items()), not wrong)


def all_cases() -> Iterator[Case]:
    """Yield every case."""
    for group in _GROUPS:
        yield from import_module(f"tests.faults.{group}").cases()


def write_table(rows: Sequence[tuple[Case, Found]]) -> str:
    """Return the findings as a Markdown table."""

    def cell(text: str) -> str:
        from harness.text.shown import for_markdown

        return for_markdown(text.replace(str(SHARED), "shared"))

    lines = [
        "| case | right by its README | what our code gives now | holds |",
        "|---|---|---|---|",
    ]
    for case, found in rows:
        mark = "yes" if found.holds else "**no**"
        lines.append(f"| {case.name} | {cell(case.right)} | {cell(found.gives)} | {mark} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Look at all cases; 1 where one does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("cases.md"))
    parser.add_argument("--only", default="", help="cases whose name holds this text")
    args = parser.parse_args()
    if not CASES.is_dir():
        sys.stderr.write(f"no cases in {CASES}\n")
        return 2
    chosen = [case for case in all_cases() if args.only in case.name]
    known = [case for case in chosen if not case.heavy or find_spec("trl")]
    rows = []
    for case in known:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = case.look(Path(folder))
        rows.append((case, found))
        mark = "holds" if found.holds else "DOES NOT HOLD"
        seconds = time.monotonic() - began
        print(f"{case.name}: {mark} ({seconds:.0f} s): {found.gives:.300}", flush=True)  # noqa: T201
    args.out.write_text(write_table(rows))
    failed = sum(not found.holds for _, found in rows)
    left = len(chosen) - len(known)
    print(f"{len(rows)} cases, {failed} do not hold, {left} need the heavy environment")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
