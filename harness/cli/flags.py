"""Flags that several commands share, and how values are read; a bad value is a usage error."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

from harness.errors import UsageError
from harness.run.plan import JudgeChoice

DEFAULT_DATA = Path("data")


def add_data_flag(parser: ArgumentParser) -> None:
    """Declare ``--data``, the folder that holds one folder per benchmark."""
    parser.add_argument(
        "--data",
        type=Path,
        default=DEFAULT_DATA,
        metavar="DIR",
        help=f"folder that holds one folder per benchmark (default: {DEFAULT_DATA})",
    )


def add_judge_flags(parser: ArgumentParser) -> None:
    """Declare the judge, off by default: no scorer of ours needs a network."""
    parser.add_argument(
        "--judge-url",
        metavar="URL",
        help="OpenAI-compatible server that rates what official rules cannot read (TempCompass)",
    )
    parser.add_argument("--judge-model", metavar="NAME", help="model name at --judge-url")


def judge_choice(args: Namespace) -> JudgeChoice | None:
    """Return the judge that was asked for; the two flags go together."""
    if (args.judge_url is None) != (args.judge_model is None):
        raise UsageError("--judge-url and --judge-model go together")
    return JudgeChoice(base_url=args.judge_url, model=args.judge_model) if args.judge_url else None


def task_list(text: str) -> tuple[str, ...]:
    """Read ``a,b:config,c`` as task selections."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return names


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def seconds(text: str) -> float:
    """Read a positive number of seconds."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"expected a positive number of seconds, got {text!r}")
    return value


def default_workers() -> int:
    """Return how many processors this process may use: one decode process each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
