"""Finds the tasks of an evaluation, before any of their data is looked at, and their questions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import DatasetError, UnavailableTaskError, UsageError, did_you_mean
from harness.schema import Sample
from harness.scoring.answers import MAX_OPTIONS
from harness.task import registry
from harness.task.api import FromFile, Questions, Task
from harness.task.selection import file_of
from harness.text.stored import storable


def find_tasks(
    selections: Sequence[str], include_path: Path | None = None
) -> tuple[dict[str, Task], dict[str, str]]:
    """Return the selected tasks by selection, and why others cannot be asked here.

    Raises:
        UsageError: A name is unknown, a file defines no task, or two selections are one task.
    """
    found: dict[str, Task] = {}
    unavailable: dict[str, str] = {}
    for selection in selections:
        try:
            task = registry.find(selection, include_path)
        except UnavailableTaskError as error:
            unavailable[selection] = str(error)
            continue
        other = next((one for one, known in found.items() if known.name == task.name), None)
        if other is not None:
            both = f", by {other!r} and {selection!r}" if other != selection else ""
            advice = "; give one of the files another name" if file_of(selection) and both else ""
            raise UsageError(
                f"task {task.name!r} is selected twice{both}; select it once per run{advice}"
            )
        found[selection] = task
    return found, unavailable


def check_data_root(tasks: Mapping[str, Task], data: Path) -> None:
    """Raise `UsageError` where tasks have their data under a folder that is not there."""
    bound = [
        selection
        for selection, task in tasks.items()
        if registry.needs_data_root(task) and registry.bridge_of(selection) is None
    ]
    if bound and not data.is_dir():
        raise UsageError(
            f"{data}: no such data folder; --data names the folder that holds one folder per"
            " benchmark (`videor1 data fetch TASK` brings them)"
        )


def check_selections(selections: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the tasks that files define; tasks of bridges are not looked up.

    Raises:
        UsageError: A name is unknown, or a file defines no task.
    """
    own = [one for one in selections if registry.bridge_of(one) is None]
    return local_names(find_tasks(own)[0])


def local_names(tasks: Mapping[str, Task]) -> tuple[str, ...]:
    """Return the names of those tasks that files define."""
    return tuple(task.name for task in tasks.values() if isinstance(task, FromFile))


def select(task: Task, data: Path, selection: str) -> tuple[Questions, str]:
    """Load a task's questions, narrowed to the config in ``name:config``, and their fingerprint."""
    questions = task.load(registry.data_folder(task, data))
    config = registry.config_of(selection)
    samples = tuple(map(_make_storable, questions.samples))
    _check_samples(task.name, samples)
    if config in questions.subsets:
        samples = tuple(s for s in samples if s.id in questions.subsets[config])
    elif config:
        samples = tuple(s for s in samples if f"{s.category}/".startswith(f"{config}/"))
        if not samples:
            known = sorted({s.category.split("/")[0] for s in questions.samples})
            known += sorted(questions.subsets)
            raise UsageError(
                f"task {task.name!r} has no config {config!r}; it has: {', '.join(known)}"
                f"{did_you_mean(config, known, shown='{!r}')}"
            )
    return replace(questions, samples=samples), _fingerprint(questions.files)


def _check_samples(name: str, samples: Sequence[Sample]) -> None:
    """Raise where there is no question, an id is there twice, or options outnumber the letters."""
    if not samples:
        raise DatasetError(
            f"task {name!r}: its question files have no question; were they copied as a whole?"
        )
    seen: set[str] = set()
    for sample in samples:
        if sample.id in seen:
            raise DatasetError(
                f"task {name!r}: field 'id': two questions have the id {sample.id!r:.80};"
                " expected every id once"
            )
        seen.add(sample.id)
        if len(sample.options) > MAX_OPTIONS:
            raise DatasetError(
                f"{sample.id}: field 'options': expected at most {MAX_OPTIONS}, one per letter,"
                f" got {len(sample.options)}"
            )


def _make_storable(sample: Sample) -> Sample:
    """Return a sample whose texts every record and report can hold; media paths are kept."""
    return replace(
        sample,
        id=storable(sample.id),
        task=storable(sample.task),
        question=storable(sample.question),
        answer=storable(sample.answer),
        category=storable(sample.category),
        cluster=storable(sample.cluster),
        options=tuple(map(storable, sample.options)),
        source={name: storable(text) for name, text in sample.source.items()},
    )


def _fingerprint(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.name.encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
