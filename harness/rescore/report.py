"""Prints what another scorer changed: scores, reasons with examples, and an HTML page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.board.page import page
from harness.rescore.reasons import Reason
from harness.rescore.rescore import ChangedItem, RescoredRun
from harness.run.summary import Results
from harness.schema import Record
from harness.text.shown import for_html, one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PRINTED_CHARACTERS = 60
_PAGE_CHARACTERS = 400


def by_reason(items: Sequence[ChangedItem]) -> dict[Reason, list[ChangedItem]]:
    """Group changed items by their reason, most frequent first."""
    groups: defaultdict[Reason, list[ChangedItem]] = defaultdict(list)
    for item in items:
        groups[item.reason].append(item)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def print_rescored(console: Console, run: RescoredRun, *, shown: int) -> None:
    """Print both scores, then per task the reasons with `shown` examples each."""
    from rich.text import Text

    console.print(_make_score_table(run))
    for task, items in run.changed.items():
        for reason, group in by_reason(items).items():
            console.print(Text(f"{task}: {reason}: {_format_tally(group)}", style="bold"))
            for item in group[:shown]:
                text = f"  {one_line(item.sample.id)}  {one_line(_format_example(item))}"
                console.print(Text(text), soft_wrap=True)


def rescore_page(title: str, run: RescoredRun) -> str:
    """Return an HTML page with every changed item, folded by task and reason."""
    return page(
        title, "".join(f"{line}\n" for task in run.before.tasks for line in _format_task(task, run))
    )


def _make_score_table(run: RescoredRun) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("task", no_wrap=True)
    scorers = (_format_scorers(run.before), _format_scorers(run.after))
    for heading in (*scorers, "change", "items", "differ"):
        table.add_column(heading, justify="right")
    for task, old in run.before.tasks.items():
        new = run.after.tasks[task]
        table.add_row(
            task,
            _format_score(old.score),
            _format_score(new.score),
            _format_difference(old.score, new.score),
            str(new.n),
            str(len(run.changed[task])),
        )
    return table


def _format_scorers(results: Results) -> str:
    return ", ".join(dict.fromkeys(summary.scorer for summary in results.tasks.values()))


def _format_task(task: str, run: RescoredRun) -> Iterator[str]:
    old, new, items = run.before.tasks[task], run.after.tasks[task], run.changed[task]
    scores = (
        f"{_format_score(old.score)} by {old.scorer}, {_format_score(new.score)} by {new.scorer}"
    )
    yield f"<h2>{for_html(task)}: {for_html(scores)}; {len(items)} of {new.n} items differ</h2>"
    for reason, group in by_reason(items).items():
        summary = f"{for_html(reason)}: {for_html(_format_tally(group))}"
        yield f'<details><summary>{summary}</summary><table class="items">'
        yield "<tr>" + "".join(
            f"<th>{for_html(name)}</th>"
            for name in ("item", "gold", "text", old.scorer, new.scorer)
        )
        for item in group:
            yield _format_page_row(item)
        yield "</table></details>"


def _format_page_row(item: ChangedItem) -> str:
    cells = (
        item.sample.id,
        item.sample.answer,
        _cut_text(item.before.text or "", _PAGE_CHARACTERS),
        _format_reading(item.before),
        _format_reading(item.after),
    )
    return "<tr>" + "".join(f"<td><pre>{for_html(cell)}</pre></td>" for cell in cells) + "</tr>"


def _format_example(item: ChangedItem) -> str:
    text = _cut_text(item.before.text or "", _PRINTED_CHARACTERS)
    readings = f"{_format_reading(item.before)} -> {_format_reading(item.after)}"
    return f"{text!r}, gold {item.sample.answer!r}: {readings}"


def _format_reading(record: Record) -> str:
    """Format a value with the answer that was read, or with why none was."""
    value = "left out" if record.value is None else f"{record.value:g}"
    answer = _cut_text(record.answer or "", _PRINTED_CHARACTERS)
    return f"{value} ({answer})" if answer else f"{value} ({record.outcome.replace('_', ' ')})"


def _format_tally(group: Sequence[ChangedItem]) -> str:
    up = sum((item.after.value or 0) > (item.before.value or 0) for item in group)
    items = "1 item" if len(group) == 1 else f"{len(group)} items"
    return f"{items}, {up} higher, {len(group) - up} lower or left out"


def _cut_text(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _format_score(score: float | None) -> str:
    return "-" if score is None else f"{score:.1f}"


def _format_difference(old: float | None, new: float | None) -> str:
    return "-" if old is None or new is None else f"{new - old:+.1f}"
