"""What another scorer changed, for a person: a table, reason classes with examples, and a page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from harness.rescore.reasons import Reason
from harness.rescore.rescore import Change
from harness.schema import Record, TaskSummary

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN_CHARACTERS = 60
_PAGE_CHARACTERS = 400

Changes = Mapping[str, Sequence[Change]]
Summaries = Mapping[str, TaskSummary]


def by_reason(changes: Sequence[Change]) -> dict[Reason, list[Change]]:
    """Group changes by their reason, most frequent first."""
    groups: defaultdict[Reason, list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.reason].append(change)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def print_changes(
    console: Console, before: Summaries, after: Summaries, changes: Changes, *, shown: int
) -> None:
    """Print scores side by side, then per task the reason classes with `shown` examples each."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", no_wrap=True)
    for heading in (_scorers(before), _scorers(after), "change", "items", "differ"):
        table.add_column(heading, justify="right")
    for task, old in before.items():
        new = after[task]
        table.add_row(
            task,
            _percent(old.score),
            _percent(new.score),
            _change(old.score, new.score),
            str(new.n),
            str(len(changes[task])),
        )
    console.print(table)
    for task, found in changes.items():
        for cause, group in by_reason(found).items():
            console.print(Text(f"{task}: {cause}: {_tally(group)}", style="bold"))
            for change in group[:shown]:
                console.print(Text(f"  {change.sample.id}  {_line(change)}"), soft_wrap=True)


def changes_page(title: str, before: Summaries, after: Summaries, changes: Changes) -> str:
    """Build a page of its own with every changed item, folded by task and reason class."""
    return "\n".join(
        (
            "<!doctype html>",
            '<meta charset="utf-8">',
            f"<title>{escape(title)}</title>",
            "<style>body{font:15px/1.5 system-ui;max-width:80em;margin:2em auto;padding:0 1em}"
            "table{border-collapse:collapse;width:100%;table-layout:fixed}"
            "td,th{border-bottom:1px solid #8884;padding:.2em .7em;text-align:left;"
            "vertical-align:top}th:nth-child(3){width:40%}summary{cursor:pointer;margin:.4em 0}"
            "pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}</style>",
            f"<h1>{escape(title)}</h1>",
            *(line for task in before for line in _task(task, before, after, changes[task])),
        )
    )


def _scorers(summaries: Summaries) -> str:
    return ", ".join(dict.fromkeys(summary.scorer for summary in summaries.values()))


def _task(task: str, before: Summaries, after: Summaries, found: Sequence[Change]) -> Iterator[str]:
    old, new = before[task], after[task]
    scores = f"{_percent(old.score)} by {old.scorer}, {_percent(new.score)} by {new.scorer}"
    yield f"<h2>{escape(task)}: {escape(scores)}; {len(found)} of {new.n} items differ</h2>"
    for cause, group in by_reason(found).items():
        yield f"<details><summary>{escape(cause)}: {escape(_tally(group))}</summary><table>"
        yield "<tr>" + "".join(
            f"<th>{escape(name)}</th>" for name in ("item", "gold", "text", old.scorer, new.scorer)
        )
        for change in group:
            yield _row(change)
        yield "</table></details>"


def _row(change: Change) -> str:
    text = _shortened(change.before.text or "", _PAGE_CHARACTERS)
    cells = (
        change.sample.id,
        change.sample.answer,
        text,
        _read(change.before),
        _read(change.after),
    )
    return "<tr>" + "".join(f"<td><pre>{escape(cell)}</pre></td>" for cell in cells) + "</tr>"


def _line(change: Change) -> str:
    text = _shortened(change.before.text or "", _SHOWN_CHARACTERS)
    return (
        f"{text!r}, gold {change.sample.answer!r}: {_read(change.before)} -> {_read(change.after)}"
    )


def _read(record: Record) -> str:
    value = "left out" if record.value is None else f"{record.value:g}"
    answer = _shortened(record.answer or "", _SHOWN_CHARACTERS)
    return f"{value} ({answer})" if answer else f"{value} ({record.outcome.replace('_', ' ')})"


def _tally(group: Sequence[Change]) -> str:
    up = sum((change.after.value or 0) > (change.before.value or 0) for change in group)
    items = "1 item" if len(group) == 1 else f"{len(group)} items"
    return f"{items}, {up} higher, {len(group) - up} lower or left out"


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _percent(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"


def _change(old: float | None, new: float | None) -> str:
    return "-" if old is None or new is None else f"{new - old:+.1f}"
