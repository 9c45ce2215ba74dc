"""``videor1 score``: score texts that were generated elsewhere; no engine, no videos."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from harness.cli.exits import CommandResult
from harness.cli.flags import (
    add_data_flag,
    add_failures_flag,
    add_judge_flags,
    add_reasoning_flag,
    judge_config,
)


class ScoreCommand:
    """The ``score`` command."""

    help = "score stored responses with a benchmark's scorer"

    def configure(self, parser: ArgumentParser) -> None:
        """Declare the task, the responses and the scorer."""
        parser.add_argument(
            "--task",
            required=True,
            metavar="NAME[:CATEGORY]",
            help="benchmark, or a file of your own such as ./traffic.jsonl",
        )
        add_data_flag(parser)
        parser.add_argument(
            "--responses",
            required=True,
            type=Path,
            metavar="FILE.jsonl",
            help='one {"id": ..., "text": ...} per line, with a "repeat" from 0 where items were'
            " asked several times",
        )
        parser.add_argument(
            "--scorer", metavar="NAME", help="scorer (default: the task's official one)"
        )
        add_reasoning_flag(parser)
        add_failures_flag(parser, of="responses (those without text)")
        add_judge_flags(parser)
        parser.add_argument(
            "--include-path", type=Path, metavar="DIR", help="folder of further lmms-eval tasks"
        )
        parser.add_argument("--out", type=Path, metavar="RUNDIR", help="also write a run directory")

    def run(self, args: Namespace) -> CommandResult:
        """Score every response and print the task's table."""
        from harness.cli.budget import completeness
        from harness.cli.tables import print_failures, print_summaries
        from harness.rescore.responses import ScoreConfig, score_responses
        from harness.text.console import make_console

        config = ScoreConfig(
            task=args.task,
            responses=args.responses,
            data=args.data,
            scorer=args.scorer,
            judge=judge_config(args),
            include_path=args.include_path,
            reasoning=args.reasoning,
            out=args.out,
        )
        scored = score_responses(config, sys.argv)
        console = make_console()
        print_summaries(console, scored.results.tasks)
        print_failures(console, scored.records.values())
        return completeness(scored.results, args.out, args.max_failures)
