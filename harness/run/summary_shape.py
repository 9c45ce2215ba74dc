"""Reads ``summary.json`` and checks types and ranges of the figures that commands show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, UsageError
from harness.files import Fields, read_json

_HUNDRED = 100 + 1e-6
"""Above 100 % by what the rounding of a mean may add."""


def read_summary(path: Path) -> dict[str, Any]:
    """Return the content of a ``summary.json`` or of a score file's summary.

    Raises:
        DatasetError: It is no such file, or a figure is of another type or out of range; names
            file, field, expected and found.
    """
    try:
        content = read_json(path)
        check_summaries(Fields(content, str(path)))
    except UsageError as error:
        raise DatasetError(
            f"{error}; it is not a summary. Delete it and run the command that wrote it again"
        ) from None
    return content


def check_summaries(fields: Fields) -> None:
    """Raise `DatasetError` where the summary of a task is malformed or out of range."""
    for _, summary in fields.tables("tasks"):
        _check_estimate(summary)
        for name in ("n_scored", "n_clusters", "dropped", "missing"):
            summary.whole(name, 0, optional=True)
        _check_interval(summary)
        for name in ("scorer", "aggregation", "protocol_hash"):
            summary.text(name, optional=True)
        _check_counts(summary.table("outcomes", optional=True))
        extra = summary.table("extra", optional=True)
        for name in () if extra is None else extra.content:
            extra.number(name, -math.inf, math.inf)  # type: ignore[union-attr]
        if summary.content.get("breakdown") is not None:
            for _, line in summary.tables("breakdown"):
                _check_estimate(line)
                for name in ("ci95_low", "ci95_high"):
                    line.number(name, -math.inf, math.inf, optional=True)
        repeats = summary.table("repeats", optional=True)
        if repeats is not None:
            _check_repeats(repeats)


def read_timing_fields(path: Path) -> Mapping[str, Any] | None:
    """Return the timing in a ``summary.json``; None where there is none that can be read.

    The rest of the file is made again from the records, so that a damaged one costs only this.
    """
    try:
        timing = read_json(path).get("timing")
    except UsageError:
        return None
    return timing if isinstance(timing, Mapping) else None


def read_accounts(path: Path) -> list[Any]:
    """Return the accounts of replicas in a ``summary.json``; none where they cannot be read."""
    try:
        accounts = read_json(path).get("replicas")
    except UsageError:
        return []
    return accounts if isinstance(accounts, list) else []


def _check_repeats(repeats: Fields) -> None:
    repeats.whole("k", 1)
    for name in ("answers", "failed"):
        repeats.whole(name, 0)
    passed = repeats.table("pass_at")
    assert passed is not None
    figures = [passed.table(k, optional=True) for k in passed.content]
    figures += [repeats.table(name, optional=True) for name in ("majority", "changed")]
    for figure in figures:
        if figure is not None:
            figure.number("score", 0, _HUNDRED)
            _check_estimate(figure)
            _check_interval(figure)


def _check_estimate(fields: Fields) -> None:
    fields.number("score", 0, _HUNDRED, optional=True)
    fields.number("se", 0, math.inf, optional=True)
    fields.whole("n", 0, optional=True)


def _check_counts(outcomes: Fields | None) -> None:
    for name in () if outcomes is None else outcomes.content:
        outcomes.whole(name, 0)  # type: ignore[union-attr]


def _check_interval(summary: Fields) -> None:
    ends = summary.content.get("ci95")
    if ends is None:
        return
    if not isinstance(ends, list) or len(ends) != 2:
        raise summary.bad("ci95", "a list of two numbers or null")
    for end in ends:
        Fields({"ci95": end}, summary.where, summary.prefix).number("ci95", -math.inf, math.inf)
