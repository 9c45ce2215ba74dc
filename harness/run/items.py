"""Chooses which questions of a benchmark a run asks: by id, by category, by number."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UsageError
from harness.files import parse_json, read_file
from harness.run.config import EvalConfig
from harness.schema import Sample

CHOICE = "choice"
"""Manifest field: the ids and categories of a run that asks only these."""
_SHOWN = 10

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChoice:
    """Which questions are asked; the default is all of them."""

    ids: frozenset[str] | None = None
    """Only questions with these ids."""
    categories: tuple[str, ...] = ()
    """Only questions whose category, or one above it, matches one of these patterns."""
    limit: int | None = None
    """As many of these per task, spread over their categories."""

    @classmethod
    def of_config(cls, config: EvalConfig) -> ItemChoice:
        """Return the choice that settings ask for; raises `UsageError` for a file without ids."""
        ids = None if config.ids is None else frozenset(read_ids(config.ids))
        return cls(ids=ids, categories=config.category or (), limit=config.limit)

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> ItemChoice:
        """Return the choice that a stored run was made with."""
        stored = manifest.get(CHOICE) or {}
        ids = stored.get("ids")
        return cls(
            ids=None if ids is None else frozenset(ids),
            categories=tuple(stored.get("categories") or ()),
            limit=manifest["limit"],
        )

    @property
    def as_json(self) -> dict[str, Any] | None:
        """Return what a manifest holds beside `limit`; None where nothing is chosen."""
        if not self.names_items:
            return None
        return {"ids": self.ids and sorted(self.ids), "categories": list(self.categories)}

    @property
    def names_items(self) -> bool:
        """Whether ids or categories are chosen."""
        return self.ids is not None or bool(self.categories)

    def choose(self, samples: Sequence[Sample], selection: str) -> tuple[Sample, ...]:
        """Return the chosen questions of a task in their order.

        Args:
            samples: All questions of the selection.
            selection: Its name, for messages.

        Raises:
            UsageError: No question has one of the ids, or no category matches.
        """
        chosen = tuple(samples)
        if self.ids is not None:
            chosen = tuple(sample for sample in chosen if sample.id in self.ids)
            if not chosen:
                raise _no_such_id(self.ids, samples, selection)
        if self.categories:
            found = tuple(sample for sample in chosen if self._matches(sample.category))
            if not found:
                raise _no_such_category(self.categories, chosen, selection)
            chosen = found
        return stratified(chosen, self.limit)

    def refuse_unknown(self, samples: Sequence[Sample]) -> None:
        """Raise `UsageError` for an id that no question of any task has."""
        known = [sample.id for sample in samples]
        unknown = sorted((self.ids or frozenset()) - set(known))
        if unknown:
            raise UsageError(
                f"--ids: no question of this run has the id {_listed(unknown)}"
                f"{_nearest(unknown[0], known)}"
            )

    def _matches(self, category: str) -> bool:
        parts = category.split("/")
        paths = ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
        return any(fnmatchcase(path, pattern) for path in paths for pattern in self.categories)


def fingerprint_ids(samples: Sequence[Sample]) -> str:
    """Return a hash of the ids of some questions, whatever their order."""
    text = "\0".join(sorted(sample.id for sample in samples))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_ids(given: Sequence[str]) -> list[str]:
    """Return ids; one that is the name of a file stands for the ids in it.

    A file has one id per line, or one JSON object with an ``id`` per line, as the records of a run
    have.

    Raises:
        UsageError: A file cannot be read, or has a line without an id.
    """
    found: list[str] = []
    for one in given:
        path = Path(one)
        found += _read_file(path) if _is_file(path) else [one]
    if not found:
        raise UsageError(f"--ids {','.join(given)}: no ids; name at least one")
    return found


def evenly_spaced(samples: tuple[Item, ...], limit: int | None) -> tuple[Item, ...]:
    """Return `limit` samples spread over the whole list.

    The first ones alone would share a category or a video, because publishers sort by them.
    """
    if limit is None or limit >= len(samples):
        return samples
    return tuple(samples[position * len(samples) // limit] for position in range(limit))


def stratified(samples: tuple[Sample, ...], limit: int | None) -> tuple[Sample, ...]:
    """Return `limit` samples in their order, each category with its share to within one."""
    by_category = sorted(samples, key=lambda sample: sample.category)
    chosen = {sample.id for sample in evenly_spaced(tuple(by_category), limit)}
    return tuple(sample for sample in samples if sample.id in chosen)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or a NUL in it
        return False


def _read_file(path: Path) -> list[str]:
    try:
        lines = read_file(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected one id per line, got no UTF-8 text: {error}") from None
    return [
        _read_line(line.strip(), f"{path}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _read_line(line: str, where: str) -> str:
    if not line.startswith("{"):
        return line
    content = parse_json(line, where)
    if not isinstance(content, dict) or not isinstance(content.get("id"), str):
        raise UsageError(
            f"{where}: expected an id, or a JSON object with an 'id', got {line!r:.80}"
        )
    return str(content["id"])


def _no_such_id(ids: frozenset[str], samples: Sequence[Sample], selection: str) -> UsageError:
    known = [sample.id for sample in samples]
    return UsageError(
        f"--ids: no question of {selection} has the id {_listed(sorted(ids))}"
        f"{_nearest(min(ids), known)}; leave {selection} out of --tasks if none of it is meant"
    )


def _no_such_category(
    patterns: Sequence[str], samples: Sequence[Sample], selection: str
) -> UsageError:
    known = sorted({sample.category for sample in samples})
    return UsageError(
        f"--category {','.join(patterns)}: no category of {selection} matches; it has:"
        f" {_listed(known)}. Leave {selection} out of --tasks if none of it is meant"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"{name:.80}" for name in names[:_SHOWN]) + more


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known[:10_000], n=1)
    return f"; did you mean {close[0]}?" if close else f"; ids look like {known[0]}"
