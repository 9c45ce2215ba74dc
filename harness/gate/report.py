"""Prints a gate's result on a terminal or as Markdown.

The detectable effect comes before the result, so that a reader knows what the data could show.
Records hold no question texts, so a changed item shows its id, the gold answer and both answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.gate.pairing import Flip
from harness.gate.verdict import Comparison, GateLine, GateResult, Verdict
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
_POWER_HEADINGS = ("task", "MDE", "margin", "items", "needed", "videos", "changed", "DEFF")
_RESULT_HEADINGS = ("task", "verdict", "baseline", "run", "change", "bounds", "p", "p flip")
_NUMBERS = {*_POWER_HEADINGS[1:], *_RESULT_HEADINGS[2:]} - {"run", "baseline"}
"""Columns that a narrow terminal must not break."""
_FLIP_HEADINGS = ("item", "gold", "baseline", "run", "outcome")
_SHOWN_ANSWER = 60


def print_gate(console: Console, gate: GateResult) -> None:
    """Print detectable effects, results, gaps and the items that changed most."""
    from rich.text import Text

    if gate.same_checkpoint:
        console.print(Text(_A_A, style="bold"))
    console.print(
        _make_table("Minimum detectable effect", _POWER_HEADINGS, map(_power_cells, gate.lines))
    )
    console.print(Text(_explain_columns(gate), style="dim"))
    console.print(_make_table("Result", _RESULT_HEADINGS, map(_result_cells, gate.lines)))
    for line in gate.lines:
        for gap in line.gaps:
            console.print(Text(one_line(f"{line.name}: {gap}"), style="red"))
    for note in gate.notes:
        console.print(Text(note, style="dim"))
    if gate.flips:
        console.print(_make_table("Worst flips", _FLIP_HEADINGS, map(_flip_cells, gate.flips)))


def markdown(gate: GateResult) -> str:
    """Write the result as Markdown for a pull request or a step summary."""
    parts = [f"## videor1 gate: {gate.verdict}", for_markdown(verdict_sentence(gate))]
    if gate.same_checkpoint:
        parts.append(_A_A)
    parts += [
        "### Minimum detectable effect",
        _make_markdown_table(_POWER_HEADINGS, map(_power_cells, gate.lines)),
        _explain_columns(gate),
        "### Result",
        _make_markdown_table(_RESULT_HEADINGS, map(_result_cells, gate.lines)),
        *(f"- {for_markdown(f'{line.name}: {gap}')}" for line in gate.lines for gap in line.gaps),
        *(f"- {for_markdown(note)}" for note in gate.notes),
    ]
    if gate.flips:
        parts += [
            "### Worst flips",
            _make_markdown_table(_FLIP_HEADINGS, map(_flip_cells, gate.flips)),
            "A run holds no question texts; look them up by the item ids.",
        ]
    return "\n\n".join(parts) + "\n"


def verdict_sentence(gate: GateResult) -> str:
    """Return the verdict in one sentence, with the tasks that decided it."""
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
            return f"too few items to decide: {needs}"
        case Verdict.PASS:
            return f"no worse than the margin allows: {', '.join(names) or 'nothing is required'}"


_A_A = "A/A: both runs are of the same checkpoint, so every difference below is noise."


def _explain_inconclusive(line: GateLine) -> str:
    """Return what an inconclusive task would need."""
    if line.comparison is None or line.comparison.bounds is None:
        return f"{line.name} has a single video"
    if line.needed is None:
        return f"{line.name} has margin 0, which only a better model can pass"
    return (
        f"{line.name} needs about {line.needed:,} items for margin {line.margin:g},"
        f" it has {line.n:,}"
    )


def _explain_columns(gate: GateResult) -> str:
    policy = gate.policy
    return (
        "In points of the score. MDE: a true drop of margin + MDE is found (REGRESSION) in"
        f" {policy.power:.0%} of comparisons. needed: with so many items an equally good model"
        f" passes in {policy.power:.0%}. bounds: one-sided, alpha {policy.alpha:g}, clustered by"
        " video. p: against a drop within the margin, adjusted by Holm over the required lines."
        " p flip: against no drop, from flipping the signs of videos. changed: items whose value"
        " differs. DEFF: design effect, by how much shared videos increase the variance."
    )


def _power_cells(line: GateLine) -> tuple[str, ...]:
    found = line.comparison
    if found is None:
        return (line.name, "-", f"{line.margin:g}", f"{line.n:,}", "-", "-", "-", "-")
    return (
        line.name,
        _format_number(found.mde, 100),
        f"{line.margin:g}",
        f"{line.n:,}",
        "-" if line.needed is None else f"{line.needed:,}",
        f"{found.difference.n_clusters:,}",
        f"{found.discordance:.1%}",
        _format_number(found.design_effect, 1),
    )


def _result_cells(line: GateLine) -> tuple[str, ...]:
    verdict = line.verdict + ("" if line.tier == "required" else " (advisory)")
    if line.comparison is None:
        return (line.name, verdict, "-", "-", "-", "-", "-", "-")
    return (
        line.name,
        verdict,
        *_format_scores(line.comparison),
        _format_p(line.p_regression),
        _format_flip_p(line),
    )


def _format_scores(found: Comparison) -> tuple[str, str, str, str]:
    interval = "-"
    if found.bounds is not None:
        interval = f"{100 * found.bounds[0]:+.1f} {100 * found.bounds[1]:+.1f}"
    change = f"{100 * found.difference.mean:+.2f}"
    return f"{100 * found.base:.1f}", f"{100 * found.candidate:.1f}", change, interval


def _format_flip_p(line: GateLine) -> str:
    return "-" if line.comparison is None else _format_p(line.comparison.flip_p)


def _flip_cells(flip: Flip) -> tuple[str, ...]:
    base, candidate = (_cut_text(text) for text in (flip.base, flip.candidate))
    return (one_line(flip.id), _cut_text(flip.gold), base, candidate, flip.outcome.value)


def _cut_text(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _SHOWN_ANSWER else line[: _SHOWN_ANSWER - 1] + "…"


def _format_number(value: float | None, scale: float) -> str:
    return "-" if value is None else f"{scale * value:.2f}"


def _format_p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"


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
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(for_markdown, line))} |" for line in lines)
