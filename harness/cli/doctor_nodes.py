"""Shows for ``videor1 doctor --ray`` in what each node of a cluster differs from this machine."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.exits import CommandResult, Exit
from harness.replicas.node_facts import NodeFacts, NodeReport, compare

if TYPE_CHECKING:
    from rich.table import Table

_SAME = "as here"


def examine_nodes(address: str, data: Path, checkpoint: str | None) -> CommandResult:
    """Print one row per node; a node that differs or does not answer makes the exit code 4.

    Args:
        address: ``auto`` or ``HOST:PORT``.
        data: Folder of the benchmarks' folders, as every node has to have it.
        checkpoint: What every node has to have, too; None: not looked at.

    Raises:
        UsageError: Ray is not installed.
        BackendError: Ray cannot be reached.
    """
    from harness.replicas.ray_fleet import RayCluster
    from harness.replicas.ray_nodes import ask_nodes, list_nodes
    from harness.run.node_check import collect_facts, collect_in_folder, expect_all_data
    from harness.text.console import make_console

    cluster = RayCluster(address)
    try:
        expected = expect_all_data(data, checkpoint)
        nodes = list_nodes()
        reports = ask_nodes(nodes, partial(collect_in_folder, expected), cluster.env)
    finally:
        cluster.close()
    here = collect_facts(expected)
    looked_at = [f"{len(expected.media):,} media of {len(expected.selections)} benchmarks"]
    looked_at += [] if checkpoint is None else [f"checkpoint {checkpoint}"]
    console = make_console()
    console.print(f"compared with {here.host}: packages, {', '.join(looked_at)}")
    console.print(make_table(here, reports))
    differing = [report.node for report in reports if _problems(here, report)]
    if differing:
        return CommandResult(
            Exit.INCOMPLETE,
            f"{len(differing)} of {len(nodes)} nodes differ: {', '.join(differing)}",
        )
    return CommandResult(Exit.OK, f"all {len(nodes)} nodes are equal to this machine")


def make_table(here: NodeFacts, reports: list[NodeReport]) -> Table:
    """Return the table: node, its GPUs, and what differs there."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name in ("node", "GPUs", "Python", "state"):
        table.add_column(name, overflow="fold")
    for report in reports:
        problems = _problems(here, report)
        python = "?" if report.facts is None else report.facts.python
        table.add_row(
            report.node,
            Text("\n".join(_gpu_lines(report.facts))),
            python,
            Text("\n".join(problems) or _SAME),
            style="red" if problems else "",
        )
    return table


def _problems(here: NodeFacts, report: NodeReport) -> list[str]:
    if report.facts is None:
        return [report.problem or "it did not answer"]
    return compare(here, report.facts)


def _gpu_lines(facts: NodeFacts | None) -> Iterator[str]:
    if facts is None:
        yield "?"
        return
    for line in dict.fromkeys(facts.gpus):
        yield f"{facts.gpus.count(line)} x {line}"
    if not facts.gpus:
        yield "none"
