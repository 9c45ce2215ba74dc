"""Fuzz a reader of foreign bytes, guided by the coverage of its code.

    python -m tests.faults.fuzz TARGET --minutes 10

TARGET is ``reply`` (replies of servers), ``answers`` (scoring rules), ``track`` (packet tables of
videos) or ``manifest`` (``run.json``). Needs atheris (``pip install atheris``), which no other test
needs. Ends at the first input that breaks a promise of `tests.faults.fuzz_targets`: the traceback
is printed, the input is kept in ``--findings``; it then becomes a test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

NAMES = ("reply", "answers", "track", "manifest")
_INSTRUMENTED = [
    "tasks",
    *(f"harness.{room}" for room in ("files", "run", "scoring", "server", "text", "video")),
]
_MOST_BYTES = {"reply": 1 << 13, "answers": 1 << 12, "track": 1 << 15, "manifest": 1 << 13}


def main() -> int:
    """Fuzz until the time is over; libFuzzer ends the process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    args = parser.parse_args()
    if find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed; pip install atheris (CPython 3.11 to 3.13)\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        _fuzz(args.target, args.minutes * 60, args.seed, args.findings, Path(folder))
    return 0


def _fuzz(name: str, seconds: float, seed: int, findings: Path, folder: Path) -> None:
    import atheris

    for part in ("seeds", "corpus", "own"):
        (folder / part).mkdir()
    with atheris.instrument_imports(include=_INSTRUMENTED):
        from tests.faults.fuzz_targets import TARGETS, words_of

        target = TARGETS[name]
        check = target.make(folder / "own")  # imports benchmarks
    findings.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds(folder / "seeds")):
        (folder / "corpus" / f"{number}").write_bytes(content)
    words = folder / "words"
    words.write_text("".join(f"{_quote(word)}\n" for word in words_of(name)))
    options = {"max_total_time": round(seconds), "seed": seed, "max_len": _MOST_BYTES[name],
               "timeout": 10, "rss_limit_mb": 2048, "dict": words, "print_final_stats": 1,
               "artifact_prefix": f"{findings / name}-"}  # fmt: skip
    flags = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(folder / "corpus")], check)
    atheris.Fuzz()


def _quote(word: str) -> str:
    """Return a word as libFuzzer's dictionaries spell it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    sys.exit(main())
