"""Prints a gate's result on a terminal or as Markdown.

The verdict comes first, then what fell (categories, and items of the tasks that decided the
verdict, under their videos), then the statistics: what the data could show, and p values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.gate.fallen import (
    CATEGORY_HEADINGS,
    FLIP_HEADINGS,
    CategoryTable,
    FallenItems,
    category_tables,
    fallen_items,
    flip_cells,
    flip_lines,
)
from harness.gate.result import Comparison, GateLine, GateResult, Verdict
from harness.text.shown import for_markdown, for_terminal, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES: dict[str, str] = {
    Verdict.PASS: "bold green",
    Verdict.REGRESSION: "bold red",
    Verdict.INCONCLUSIVE: "bold yellow",
    Verdict.INCOMPLETE: "bold red",
}
_RESULT_HEADINGS = ("task", "verdict", "baseline", "run", "change", "bounds", "margin")
_STATISTICS_HEADINGS = (
    "task", "MDE", "items", "needed", "videos", "changed", "DEFF", "p", "p flip",
)  # fmt: skip
_NUMBERS = {*_STATISTICS_HEADINGS[1:], *_RESULT_HEADINGS[2:], *CATEGORY_HEADINGS[1:]} - {
    "run",
    "baseline",
}
"""Columns that a narrow terminal must not break."""
_A_A = "A/A: both runs are of the same checkpoint, so every difference is noise."


def print_gate(console: Console, gate: GateResult) -> None:
    """Print the verdict, what fell, and the statistics."""
    from rich.text import Text

    console.print(
        Text.assemble(
            (gate.verdict, _STYLES[gate.verdict]), f": {one_line(verdict_sentence(gate))}"
        )
    )
    if gate.same_checkpoint:
        console.print(Text(_A_A, style="bold"))
    console.print(_make_table("Result", _RESULT_HEADINGS, map(_result_cells, gate.lines)))
    for line in gate.lines:
        for gap in line.gaps:
            console.print(Text(one_line(f"{line.name}: {gap}"), style="red"))
    for note in gate.notes:
        console.print(Text(one_line(note), style="dim"))
    for table in category_tables(gate):
        _print_categories(console, table)
    for fallen in fallen_items(gate):
        _print_fallen(console, fallen)
    if any(line.comparison is not None for line in gate.lines):
        rows = map(_statistics_cells, gate.lines)
        console.print(_make_table("Statistics", _STATISTICS_HEADINGS, rows))
        console.print(Text(_explain_columns(gate), style="dim"))


def markdown(gate: GateResult) -> str:
    """Write the result as Markdown for a pull request or a step summary."""
    parts = [f"## videor1 gate: {gate.verdict}", for_markdown(verdict_sentence(gate))]
    if gate.same_checkpoint:
        parts.append(_A_A)
    notes = [*(f"{line.name}: {gap}" for line in gate.lines for gap in line.gaps), *gate.notes]
    parts += [
        _make_markdown_table(_RESULT_HEADINGS, map(_result_cells, gate.lines)),
        *(f"- {for_markdown(note)}" for note in notes),
    ]
    for table in category_tables(gate):
        parts += [
            f"### {for_markdown(table.title)}",
            _make_markdown_table(CATEGORY_HEADINGS, table.rows),
            *([for_markdown(table.rest)] if table.rest else []),
        ]
    for fallen in fallen_items(gate):
        parts += _fallen_markdown(fallen)
    if any(line.comparison is not None for line in gate.lines):
        parts += [
            "### Statistics",
            _make_markdown_table(_STATISTICS_HEADINGS, map(_statistics_cells, gate.lines)),
            _explain_columns(gate),
        ]
    return "\n\n".join(parts) + "\n"


def verdict_sentence(gate: GateResult) -> str:
    """Return the verdict in one sentence, with the tasks that decided it."""
    parts = [_reason(gate)]
    if gate.common:
        judged = ", ".join(f"{one.task} {one.n:,}" for one in gate.common)
        parts.append(f"only the items that both have were judged: {judged}")
    if gate.left_out:
        parts.append(f"left out, not in the run: {', '.join(gate.left_out)}")
    return "; ".join(parts)


def _reason(gate: GateResult) -> str:
    names = gate.names(gate.verdict)
    match gate.verdict:
        case Verdict.REGRESSION:
            incomplete = gate.names(Verdict.INCOMPLETE)
            reason = f"worse than the margin allows: {', '.join(names)}"
            if not incomplete:
                return reason
            return f"{reason}; not judged because of missing items: {', '.join(incomplete)}"
        case Verdict.INCOMPLETE:
            gaps = "; ".join(f"{li.name}: {gap}" for li in gate.lines for gap in li.gaps)
            return f"items are missing or failed: {gaps}"
        case Verdict.INCONCLUSIVE:
            needs = "; ".join(
                _explain_inconclusive(line) for line in gate.lines if line.name in names
            )
            allowed = "inconclusive, which is allowed: " if gate.policy.allow_inconclusive else ""
            return f"{allowed}too few items to decide: {needs}"
        case Verdict.PASS:
            return f"no worse than the margin allows: {', '.join(names) or 'nothing is required'}"


def _explain_inconclusive(line: GateLine) -> str:
    """Return what an inconclusive task would need."""
    if line.comparison is None or line.comparison.bounds is None:
        return f"{line.name} has a single video"
    if line.needed is None:
        return f"{line.name} has margin 0, which only a better model can pass"
    if line.needed <= line.n:  # as many as an equally good model would need
        change = 100 * line.comparison.difference.mean
        return (
            f"{line.name} changed by {change:+.2f} points, which {line.n:,} items cannot tell from"
            f" a drop of its margin, {line.margin:g}"
        )
    return (
        f"{line.name} needs about {line.needed:,} items for margin {line.margin:g},"
        f" it has {line.n:,}"
    )


def _explain_columns(gate: GateResult) -> str:
    policy = gate.policy
    return (
        "In points of the score. bounds: of the true change, one-sided, alpha"
        f" {policy.alpha:g}, clustered by video. margin: the accepted drop. MDE: a true drop of"
        f" margin + MDE is found (REGRESSION) in {policy.power:.0%} of comparisons. needed: with so"
        f" many items an equally good model passes in {policy.power:.0%}. changed: items whose"
        " value differs. DEFF: design effect, by how much shared videos increase the variance. p:"
        " against a drop within the margin, adjusted by Holm over the required lines. p flip:"
        " against no drop, from flipping the signs of videos."
    )


def _result_cells(line: GateLine) -> tuple[str, ...]:
    verdict = line.verdict + ("" if line.tier == "required" else " (advisory)")
    scores = ("-",) * 4 if line.comparison is None else _format_scores(line.comparison)
    return (line.name, verdict, *scores, f"{line.margin:g}")


def _statistics_cells(line: GateLine) -> tuple[str, ...]:
    found = line.comparison
    if found is None:
        return (line.name, "-", f"{line.n:,}", *("-",) * 6)
    return (
        line.name,
        _format_number(found.mde, 100),
        f"{line.n:,}",
        "-" if line.needed is None else f"{line.needed:,}",
        f"{found.difference.n_clusters:,}",
        f"{found.discordance:.1%}",
        _format_number(found.design_effect, 1),
        _format_p(line.p_regression),
        _format_p(found.flip_p),
    )


def _format_scores(found: Comparison) -> tuple[str, str, str, str]:
    interval = "-"
    if found.bounds is not None:
        interval = f"{100 * found.bounds[0]:+.1f} {100 * found.bounds[1]:+.1f}"
    change = f"{100 * found.difference.mean:+.2f}"
    return f"{100 * found.base:.1f}", f"{100 * found.candidate:.1f}", change, interval


def _format_number(value: float | None, scale: float) -> str:
    return "-" if value is None else f"{scale * value:.2f}"


def _format_p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _print_categories(console: Console, table: CategoryTable) -> None:
    from rich.text import Text

    console.print(_make_table(table.title, CATEGORY_HEADINGS, table.rows))
    if table.rest:
        console.print(Text(table.rest, style="dim"))


def _print_fallen(console: Console, fallen: FallenItems) -> None:
    """Print the items that fell under their videos, one paragraph per item."""
    from rich.padding import Padding
    from rich.text import Text

    console.print(Text(one_line(fallen.title), style="bold"))
    for video, flips in fallen.videos:
        console.print(Padding(Text(one_line(video), style="bold cyan"), (0, 0, 0, 2)))
        for flip in flips:
            name, *more = flip_lines(flip)
            console.print(Padding(Text(name), (0, 0, 0, 4)))
            for line in more:
                console.print(Padding(Text(line), (0, 0, 0, 6)))
    for note in fallen.rest:
        console.print(Text(note, style="dim"))


def _fallen_markdown(fallen: FallenItems) -> list[str]:
    flips = [flip for _, found in fallen.videos for flip in found]
    return [
        f"### {for_markdown(fallen.title)}",
        _make_markdown_table(FLIP_HEADINGS, map(flip_cells, flips)),
        *map(for_markdown, fallen.rest),
    ]


def _make_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        pad_edge=False,
        collapse_padding=True,
    )
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in _NUMBERS)
    for row in rows:
        table.add_row(
            *(
                Text(for_terminal(cell), style=_STYLES.get(cell.partition(" ")[0], ""))
                for cell in row
            )
        )
    return table


def _make_markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head, *lines = (f"| {' | '.join(map(for_markdown, line))} |" for line in (headings, *rows))
    return "\n".join([head, f"|{' --- |' * len(headings)}", *lines])
