"""The flags of ``videor1 eval``; their defaults come from the frozen choices alone."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from harness.backends.select import (
    BACKENDS,
    EngineChoice,
)
from harness.cli.budget import FailureBudget
from harness.cli.flags import count, default_workers, seconds
from harness.run.plan import Choices
from harness.schema import Variant

DEFAULT_RUNS = Path("results/runs")


def protocol_flags(parser: ArgumentParser) -> None:
    """Declare what changes the numbers."""
    preset = Choices()
    group = parser.add_argument_group("protocol")
    group.add_argument("--protocol", choices=("video-r1", "official"), default=preset.suite)
    group.add_argument(
        "--include-path", type=Path, metavar="DIR", help="folder of further lmms-eval tasks"
    )
    group.add_argument(
        "--max-frames",
        type=count,
        metavar="N",
        help="frames per video at most (default: the preset's)",
    )
    group.add_argument(
        "--max-pixels",
        type=count,
        metavar="N",
        help="pixels per frame at most (default: the preset's)",
    )
    group.add_argument("--variant", choices=[v.value for v in Variant], default=preset.variant)
    group.add_argument("--seed", type=int, default=preset.seed, metavar="N")
    group.add_argument(
        "--limit", type=count, metavar="N", help="items per task, spread over its categories"
    )


def engine_flags(parser: ArgumentParser) -> None:
    """Declare what answers."""
    preset = EngineChoice()
    group = parser.add_argument_group("engine")
    group.add_argument("--backend", choices=BACKENDS, default=preset.backend)
    group.add_argument("--base-url", metavar="URL", help="OpenAI-compatible server, with /v1")
    group.add_argument(
        "--max-model-len",
        type=count,
        default=preset.max_model_len,
        metavar="N",
        help="tokens of prompt and answer (default: %(default)s)",
    )
    group.add_argument(
        "--video-as-images", action="store_true", help="for a server that knows no video"
    )
    group.add_argument(
        "--frame-grid",
        type=count,
        default=preset.frame_grid,
        metavar="N",
        help="frame sides at a served model are multiples of it (default: %(default)s)",
    )


def run_flags(parser: ArgumentParser) -> None:
    """Declare where the run goes and what it may take of the machine."""
    group = parser.add_argument_group("run")
    group.add_argument(
        "--out",
        type=Path,
        metavar="RUNDIR",
        help=f"run directory (default: one per protocol under {DEFAULT_RUNS})",
    )
    group.add_argument(
        "--max-failures",
        type=FailureBudget.parse,
        default=FailureBudget(),
        metavar="N|P%",
        help="failed items accepted (default: 0)",
    )
    group.add_argument(
        "--workers",
        type=count,
        default=default_workers(),
        metavar="N",
        help="decode processes (default: %(default)s)",
    )
    group.add_argument(
        "--decode-timeout",
        type=seconds,
        default=120.0,
        metavar="S",
        help="seconds one file may take (default: %(default)s)",
    )
    group.add_argument(
        "--look-ahead",
        type=count,
        default=4096,
        metavar="MIB",
        help="memory for frames until their questions are answered (default: %(default)s MiB)",
    )
    group.add_argument(
        "--frame-cache",
        type=Path,
        metavar="DIR",
        help="keep decoded frames here: the next checkpoint decodes nothing",
    )
    group.add_argument(
        "--frame-cache-size",
        type=count,
        default=50,
        metavar="GIB",
        help="its most; the least recently used go (default: %(default)s GiB)",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="show protocol, items, videos and what is missing; run nothing",
    )
