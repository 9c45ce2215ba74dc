"""Prints the end of a run: scores with intervals, outcomes, categories, failures and timing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.schema import Outcome, Record, RepeatFigure, TaskSummary
from harness.text.shown import shortened

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from harness.replicas.standing import ReplicaState
    from harness.run.timing import Timing

_BAR_WIDTH = 24
_SHOWN_REASONS = 10
_SHOWN_REPLICAS = 16
_LONGEST_REASON = 2000
"""Letters of a reason that are printed; the records have all."""
_ROOMY_NAME = 11
"""Characters of a task's name beside which the score table has room for wide gaps."""
_NO_SCORE = (Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED, Outcome.FAILED)
"""Outcomes without an answer; each has a column of its own."""
_IF_ANY = (Outcome.REFUSED,)
"""Outcomes whose column is left out where no item has them."""


def print_results(
    console: Console,
    summaries: Mapping[str, TaskSummary],
    records: Iterable[Record],
    timing: Timing | None,
    replicas: Sequence[ReplicaState] = (),
) -> None:
    """Print all that is shown of a run, at its end and later on."""
    records = list(records)
    print_summaries(console, summaries)
    print_failures(console, records)
    print_hints(console, records)
    if timing is not None:
        print_timing(console, timing)
    if replicas:
        print_replicas(console, replicas)


def print_summaries(console: Console, summaries: Mapping[str, TaskSummary]) -> None:
    """Print the score table, how each task was scored, then one breakdown per task."""
    from rich.text import Text

    console.print(score_table(summaries))
    if any(summary.repeats is not None for summary in summaries.values()):
        console.print(repeat_table(summaries))
    for name, summary in summaries.items():
        console.print(Text(f"  {name}: {_format_provenance(summary)}", style="dim"))
    for name, summary in summaries.items():
        if len(summary.breakdown) > 1:
            console.print(breakdown_table(name, summary))


def print_failures(console: Console, records: Iterable[Record]) -> None:
    """Print why items failed, one line per reason, most frequent first."""
    from rich.text import Text

    reasons: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for record in records:
        if record.failure is not None:
            failure = record.failure
            reasons[failure.stage, failure.error, failure.message].append(record.id)
    if not reasons:
        return
    console.print(Text("Failed items", style="bold red"))
    ranked = sorted(reasons.items(), key=lambda entry: -len(entry[1]))
    for (stage, error, message), ids in ranked[:_SHOWN_REASONS]:
        reason = shortened(f"{stage}: {error}: {message}", _LONGEST_REASON)
        console.print(Text(f"  {len(ids)} x {reason} (first: {ids[0]})"))
    if len(ranked) > _SHOWN_REASONS:
        console.print(f"  and {len(ranked) - _SHOWN_REASONS} more reasons; see the records")


def print_hints(console: Console, records: Iterable[Record]) -> None:
    """Say how many items hold reasoning but no answer, and what to do about it."""
    from rich.text import Text

    ids = [r.id for r in records if r.reasoning and r.text is not None and not r.text.strip()]
    if ids:
        hint = (
            f"{len(ids)} items hold reasoning but no text to score (first: {ids[0]}): the server"
            " splits the reasoning off. Start it without its reasoning parser, or let it write more"
            " tokens"
        )
        console.print(Text(hint, style="yellow"))


def print_timing(console: Console, timing: Timing) -> None:
    """Print the throughput of the run and where its time went."""
    from rich.text import Text

    decode, engine = timing.decode, timing.engine
    console.print(
        Text(
            f"{timing.items} items in {timing.answer_s:.1f} s after {timing.start_s:.1f} s of"
            f" start-up: {timing.items_per_s:.1f} items/s, {timing.tokens_per_s:.0f} tokens/s"
        )
    )
    parts = {
        "vision": engine.vision_s,
        "prefill": engine.prefill_s,
        "generate": engine.generate_s,
        "waiting": engine.idle_s,
        "preprocess": engine.preprocess_s,
    }
    spent = [f"{name} {seconds:.1f} s" for name, seconds in parts.items() if seconds is not None]
    lines = [
        f"decode {decode.busy_s:.1f} s over {decode.workers} workers: {decode.decodes} videos,"
        f" {decode.cache_hits} from the cache, {decode.peak_bytes / 2**20:.0f} MiB held at most"
    ]
    if spent:
        lines.append(f"engine: {', '.join(spent)}")
    if engine.vision_encodings is not None:
        lines.append(
            f"vision encodings: {engine.vision_encodings}; prompt tokens read from the prefix"
            f" cache: {engine.cached_prompt_tokens} of {timing.prompt_tokens}"
        )
    for line in lines:
        console.print(Text(f"  {line}", style="dim"))


def print_replicas(console: Console, replicas: Sequence[ReplicaState]) -> None:
    """Print what each replica did, how evenly they ran, and which were lost."""
    from rich.text import Text

    from harness.run.replica_text import account_text, replica_table

    console.print(replica_table(replicas, _SHOWN_REPLICAS))
    if len(replicas) > _SHOWN_REPLICAS:
        console.print(f"  and {len(replicas) - _SHOWN_REPLICAS} more; summary.json has them")
    console.print(Text(f"  {account_text(replicas)}", style="dim"))


def score_table(summaries: Mapping[str, TaskSummary]) -> Table:
    """Return the score table, one line per task, at most 80 columns wide."""
    from rich import box
    from rich.table import Table

    shown = _shown_outcomes(summaries.values())
    # One space between columns where a further one, or the longest name, has to fit.
    roomy = len(shown) < len(_NO_SCORE) and max(map(len, summaries), default=0) <= _ROOMY_NAME
    padding = (0, 1) if roomy else (0, 0)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, padding=padding)
    table.add_column("task", style="bold", overflow="fold")
    table.add_column("score", justify="right", style="bold cyan", no_wrap=True)
    table.add_column("95 % CI", justify="right", no_wrap=True)
    for heading in ("items", "videos", *(outcome.replace("_", " ") for outcome in shown)):
        table.add_column(heading, justify="right", min_width=max(map(len, heading.split())))
    for name, summary in summaries.items():
        table.add_row(name, *_score_cells(summary, shown))
    return table


def _shown_outcomes(summaries: Iterable[TaskSummary]) -> list[Outcome]:
    """List the outcomes that have a column."""
    counts = [summary.outcomes for summary in summaries]
    return [
        outcome
        for outcome in _NO_SCORE
        if outcome not in _IF_ANY or any(count.get(outcome) for count in counts)
    ]


def repeat_table(summaries: Mapping[str, TaskSummary]) -> Table:
    """Return what repeats tell beside the score, with 95 % intervals; at most 80 columns wide."""
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE,
        title="Repeats (percent, 95 % CI)",
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
    table.add_column("task", style="bold", no_wrap=True)
    table.add_column("K", justify="right")
    for heading in ("avg@K", "pass@K", "majority@K", "answer changes"):
        table.add_column(heading, justify="right")
    table.add_column("failed", justify="right")
    for name, summary in summaries.items():
        repeats = summary.repeats
        if repeats is not None:
            table.add_row(
                name,
                str(repeats.k),
                _format_with_interval(summary.score, summary.ci95),
                _format_figure(repeats.pass_at.get(str(repeats.k)), summary),
                _format_figure(repeats.majority, summary),
                _format_figure(repeats.changed, summary),
                str(repeats.failed),
            )
    return table


def _format_figure(figure: RepeatFigure | None, summary: TaskSummary) -> str:
    """Format a figure with its interval, and with its number of items where these are fewer."""
    if figure is None:
        return "-"
    fewer = f"\nof {figure.n} items" if figure.n < summary.n_scored else ""
    return f"{_format_with_interval(figure.score, figure.ci95)}{fewer}"


def _format_with_interval(score: float | None, interval: tuple[float, float] | None) -> str:
    """Format a score with its interval in a second line."""
    if score is None or interval is None:
        return _format_number(score)
    return f"{score:.1f}\n{interval[0]:.1f} - {interval[1]:.1f}"


def breakdown_table(name: str, summary: TaskSummary) -> Table:
    """Return the table of one task by category, with a bar per score."""
    from rich import box
    from rich.table import Table

    from harness.run.summary import is_subcategory

    table = Table(box=box.SIMPLE, title=f"{name} by category", title_justify="left")
    table.add_column("category", no_wrap=True)
    table.add_column("score", justify="right")
    table.add_column("95 % CI", justify="right", style="dim", no_wrap=True)
    table.add_column("items", justify="right")
    table.add_column("")
    for category, line in summary.breakdown.items():
        if is_subcategory(category):
            continue  # finer levels are in summary.json; here they would hide the others
        score = line["score"]
        numbers = (_format_number(score), _category_interval(line), str(line["n"]))
        table.add_row(shortened(category), *numbers, _draw_bar(score))
    return table


def _category_interval(line: Mapping[str, float | int | None]) -> str:
    """Return the interval of a category; runs before 0.2.0 have a standard error only."""
    low, high, error = (line.get(name) for name in ("ci95_low", "ci95_high", "se"))
    if low is not None and high is not None:
        return f"{low:.1f} - {high:.1f}"
    return "-" if error is None else f"SE {error:.1f}"


def _score_cells(summary: TaskSummary, shown: Iterable[Outcome]) -> list[str | Text]:
    from rich.text import Text

    interval = "-" if summary.ci95 is None else f"{summary.ci95[0]:.1f} - {summary.ci95[1]:.1f}"
    cells: list[str | Text] = [
        _format_number(summary.score),
        interval,
        str(summary.n),
        str(summary.n_clusters),
    ]
    for outcome in shown:
        count = summary.outcomes.get(outcome, 0)
        failed = count and outcome is Outcome.FAILED
        cells.append(Text(str(count), style="red" if failed else ""))
    return cells


def _format_provenance(summary: TaskSummary) -> str:
    """Return scorer, aggregation and protocol, and what the score leaves out."""
    notes = [
        f"scorer {summary.scorer}, aggregation {summary.aggregation}, protocol"
        f" {summary.protocol_hash}",
        *(f"{name.replace('_', ' ')} {value:.1f}" for name, value in summary.extra.items()),
        *([_format_missing(summary)] if summary.missing else []),
        *([f"{summary.dropped} answers left out by the scorer"] if summary.dropped else []),
    ]
    return "; ".join(notes)


def _format_missing(summary: TaskSummary) -> str:
    unit = "items" if summary.repeats is None else "answers"
    return f"{summary.missing} {unit} without a record"


def _format_number(value: float | int | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _draw_bar(score: float | int | None) -> Text:
    from rich.text import Text

    filled = 0 if score is None else round(score / 100 * _BAR_WIDTH)
    return Text.assemble(("━" * filled, "cyan"), ("─" * (_BAR_WIDTH - filled), "dim"))
