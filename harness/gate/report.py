"""A gate for people: a terminal or a pull request, first what it could see, then what it saw.

Records hold no question texts, so a flip shows its id, the gold answer and what both models said.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from harness.gate.pairing import Flip
from harness.gate.verdict import (
    Comparison,
    GateLine,
    GateResult,
    Verdict,
)

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
    """Print the gate: detectable effects, results, gaps, worst flips."""
    from rich.text import Text

    if gate.same_checkpoint:
        console.print(Text(_A_A, style="bold"))
    console.print(_table("Minimum detectable effect", _POWER_HEADINGS, map(_power, gate.lines)))
    console.print(Text(_explained(gate), style="dim"))
    console.print(_table("Result", _RESULT_HEADINGS, map(_result, gate.lines)))
    for line in gate.lines:
        for gap in line.gaps:
            console.print(Text(f"{line.name}: {gap}", style="red"))
    for note in gate.notes:
        console.print(Text(note, style="dim"))
    if gate.flips:
        console.print(_table("Worst flips", _FLIP_HEADINGS, map(_flip, gate.flips)))


def markdown(gate: GateResult) -> str:
    """Write the gate as Markdown for a pull request or a step summary."""
    parts = [f"## videor1 gate: {gate.verdict}", verdict_sentence(gate)]
    if gate.same_checkpoint:
        parts.append(_A_A)
    parts += [
        "### Minimum detectable effect",
        _grid(_POWER_HEADINGS, map(_power, gate.lines)),
        _explained(gate),
        "### Result",
        _grid(_RESULT_HEADINGS, map(_result, gate.lines)),
        *(f"- {line.name}: {_plain(gap)}" for line in gate.lines for gap in line.gaps),
        *(f"- {_plain(note)}" for note in gate.notes),
    ]
    if gate.flips:
        parts += [
            "### Worst flips",
            _grid(_FLIP_HEADINGS, map(_flip, gate.flips)),
            "Question texts are not part of a run; the item ids name them.",
        ]
    return "\n\n".join(parts) + "\n"


def verdict_sentence(gate: GateResult) -> str:
    """Say what the gate came to and which tasks decided it."""
    names = gate.names(gate.verdict)
    match gate.verdict:
        case Verdict.REGRESSION:
            incomplete = gate.names(Verdict.INCOMPLETE)
            also = f"; not judged, items are missing: {', '.join(incomplete)}" if incomplete else ""
            return f"worse than the margin allows: {', '.join(names)}{also}"
        case Verdict.INCOMPLETE:
            gaps = "; ".join(f"{li.name}: {gap}" for li in gate.lines for gap in li.gaps)
            return f"missing or failed items cannot pass: {gaps}"
        case Verdict.INCONCLUSIVE:
            return f"the data cannot tell: {'; '.join(map(_open, _lines(gate, names)))}"
        case Verdict.PASS:
            return f"no worse than the margin allows: {', '.join(names) or 'nothing is required'}"


_A_A = "A/A: both runs are of the same checkpoint, so every difference below is noise."


def _lines(gate: GateResult, names: Sequence[str]) -> list[GateLine]:
    return [line for line in gate.lines if line.name in names]


def _open(line: GateLine) -> str:
    """Say what an inconclusive task would need."""
    if line.comparison is None or line.comparison.bounds is None:
        return f"{line.name} has a single video"
    if line.needed is None:
        return f"{line.name} at margin 0, which only a better model can pass"
    return f"{line.name} needs about {line.needed:,} items for margin {line.margin:g}"


def _explained(gate: GateResult) -> str:
    policy = gate.policy
    return (
        f"In points. A true drop of margin + MDE is called REGRESSION in {policy.power:.0%} of"
        f" runs; with `needed` items an equal model passes in {policy.power:.0%}. Bounds are"
        f" one-sided at {policy.alpha:g}, clustered by video; p is against a loss within the"
        " margin, by Holm over the required lines; p flip against no drop, by flipping videos."
    )


def _power(line: GateLine) -> tuple[str, ...]:
    found = line.comparison
    if found is None:
        return (line.name, "-", f"{line.margin:g}", f"{line.n:,}", "-", "-", "-", "-")
    return (
        line.name,
        _number(found.mde, 100),
        f"{line.margin:g}",
        f"{line.n:,}",
        "-" if line.needed is None else f"{line.needed:,}",
        f"{found.difference.n_clusters:,}",
        f"{found.discordance:.1%}",
        _number(found.design_effect, 1),
    )


def _result(line: GateLine) -> tuple[str, ...]:
    verdict = line.verdict + ("" if line.tier == "required" else " (advisory)")
    if line.comparison is None:
        return (line.name, verdict, "-", "-", "-", "-", "-", "-")
    return (line.name, verdict, *_figures(line.comparison), _p(line.p_regression), _flip_p(line))


def _figures(found: Comparison) -> tuple[str, str, str, str]:
    interval = "-"
    if found.bounds is not None:
        interval = f"{100 * found.bounds[0]:+.1f} {100 * found.bounds[1]:+.1f}"
    change = f"{100 * found.difference.mean:+.2f}"
    return f"{100 * found.base:.1f}", f"{100 * found.candidate:.1f}", change, interval


def _flip_p(line: GateLine) -> str:
    return "-" if line.comparison is None else _p(line.comparison.flip_p)


def _flip(flip: Flip) -> tuple[str, ...]:
    base, candidate = (_short(text) for text in (flip.base, flip.candidate))
    return (flip.id, _short(flip.gold), base, candidate, flip.outcome.value)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_ANSWER else line[: _SHOWN_ANSWER - 1] + "…"


def _number(value: float | None, scale: float) -> str:
    return "-" if value is None else f"{scale * value:.2f}"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
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
        table.add_row(*(Text(cell, style=_STYLES.get(cell.partition(" ")[0], "")) for cell in row))
    return table


def _grid(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(_plain, line))} |" for line in lines)


def _plain(text: str) -> str:
    """Keep a model's words from being read as Markdown or HTML."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for mark in "\\`*_[]|":
        text = text.replace(mark, f"\\{mark}")
    return text
