"""Prints all that is known of one benchmark; what its data would say is left out without them."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.board.published import PUBLISHED, read_published
from harness.errors import HarnessError
from harness.run.media_check import missing_media
from harness.run.selections import select
from harness.schema import Sample
from harness.scoring.tags import ScorerTag
from harness.task import registry
from harness.task.api import FromFile, Task
from harness.task.protocol import Protocol

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN_ROWS = 8
"""Published rows that are shown; `videor1 board --published` has all."""
_UNKNOWN = "not stated here"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """A benchmark, and its questions where they can be read."""

    selection: str
    task: Task
    folder: Path
    samples: Sequence[Sample]
    problem: str
    """Why the questions cannot be read; empty where they can."""


def read_task_page(selection: str, data: Path) -> TaskPage:
    """Return what can be known of a task, with or without its data.

    Raises:
        UsageError: The task is unknown, or its file is malformed.
    """
    task = registry.find(selection)
    folder = registry.data_folder(task, data)
    samples: Sequence[Sample] = ()
    problem = ""
    if registry.bridge_of(selection):
        problem = "they are loaded by the other harness when an evaluation starts"
    elif registry.needs_data_root(task) and not folder.is_dir():
        how = f"`videor1 data fetch {task.name} --data {data}` brings them"
        problem = f"{folder} is missing; {how if task.source else '--data names its parent'}"
    elif isinstance(task, FromFile):
        samples = select(task, data, selection)[0].samples
    else:
        try:
            samples = select(task, data, selection)[0].samples
        except HarnessError as error:
            problem = str(error)
    return TaskPage(selection=selection, task=task, folder=folder, samples=samples, problem=problem)


def print_task_page(
    console: Console, page: TaskPage, protocols: Mapping[str, Protocol], shown: str
) -> None:
    """Print a page: facts line by line, then an example question as it is asked.

    Args:
        console: Where to.
        page: The benchmark.
        protocols: Its protocols by name.
        shown: Name of the protocol in which the example is asked.
    """
    from harness.text.console import styled

    console.print(styled((page.selection, "bold"), f"  {page.task.title}"))
    for name, text in _facts(page, protocols):
        console.print(styled((f"  {name:<11}", "dim"), text), soft_wrap=True)
    console.print()
    for line in _example(page, protocols[shown], shown):
        console.print(styled(line), soft_wrap=True)


def _facts(page: TaskPage, protocols: Mapping[str, Protocol]) -> Iterator[tuple[str, str]]:
    task, source = page.task, page.task.source
    yield "measures", _purpose(task)
    yield "size", _size(page)
    if page.samples:
        yield "answers", _counted(Counter(sample.kind.value for sample in page.samples))
        tops = Counter(sample.category.split("/")[0] for sample in page.samples)
        yield "categories", _counted(tops)
    yield "licence", _licence(task)
    yield "source", task.homepage
    if source is not None:
        yield "", f"{source.repo} at {source.revision[:12]} on the Hugging Face hub"
    yield "data", _data_state(page)
    for name, protocol in protocols.items():
        yield "protocol", f"{name}: {_describe(protocol)}"
    scorers = [f"{one.tag} ({one.aggregation.name})" for one in task.scorers.values()]
    yield "scorers", ", ".join(scorers)
    rows = _published(task.name)
    yield "published", rows[0] if rows else "no score that we know of"
    for row in rows[1:]:
        yield "", row


def _purpose(task: Task) -> str:
    """Return what a benchmark measures, in its author's words: the first lines of its docstring."""
    own = getattr(getattr(task, "settings", None), "description", "")
    if own:
        return str(own)
    module = sys.modules.get(type(task).__module__)
    first = (inspect.getdoc(module) or "").partition("\n\n")[0] if module else ""
    if isinstance(task, FromFile) or not first:
        first = (inspect.getdoc(type(task)) or "").partition("\n\n")[0]
    return " ".join(first.split()) or _UNKNOWN


def _size(page: TaskPage) -> str:
    source = page.task.source
    download = "" if source is None or source.size_gb is None else f"{source.size_gb:g} GB"
    if not page.samples:
        return published_size(page.task) or f"{_UNKNOWN} without the data"
    paths = {media.path for sample in page.samples for media in sample.media}
    on_disk = sum(path.stat().st_size for path in paths if path.is_file()) / 1e9
    parts = [f"{len(page.samples):,} questions", f"{len(paths):,} videos and pictures"]
    parts += [f"{on_disk:.2g} GB on disk"] if on_disk else []
    return ", ".join([*parts, *([f"{download} to download"] if download else [])])


def published_size(task: Task) -> str:
    """Return how large a benchmark is, as published; empty where that is not known."""
    known = getattr(task, "published_size", None)
    counted = zip(known or (), ("questions", "videos"), strict=False)
    parts = [f"{count:,} {what}" for count, what in counted if count is not None]
    size = None if task.source is None else task.source.size_gb
    return ", ".join([*parts, *([] if size is None else [f"{size:g} GB to download"])])


def _licence(task: Task) -> str:
    own = getattr(getattr(task, "settings", None), "licence", "")
    known = own or ("" if task.source is None else task.source.licence)
    place = task.homepage if task.source is None else task.source.page
    return known or f"{_UNKNOWN}; see {place}"


def _data_state(page: TaskPage) -> str:
    if page.problem:
        return f"not here: {page.problem}"
    missing = missing_media(page.samples)
    if not missing:
        return f"complete in {page.folder}"
    return f"in {page.folder}; {len(missing):,} media are missing, the first {missing[0]}"


def _describe(protocol: Protocol) -> str:
    frames, sampling, parts = protocol.frames, protocol.sampling, []
    if frames is not None:
        parts.append(f"at most {frames.max_frames} frames (rule {frames.rule})")
    if sampling is not None:
        parts.append(f"temperature {sampling.temperature:g}, {sampling.max_tokens:,} tokens")
    return "; ".join([*parts, f"scorer {ScorerTag.parse(protocol.scorer)}"])


def _published(name: str) -> list[str]:
    rows = [one for one in read_published(PUBLISHED) if one.task.partition(":")[0] == name]
    lines = [
        f"{one.model}: {one.score:g}"
        + (f" ({one.task.partition(':')[2]})" if ":" in one.task else "")
        + (f", {one.frames} frames" if one.frames else "")
        for one in rows[:_SHOWN_ROWS]
    ]
    rest = len(rows) - len(lines)
    return [*lines, *([f"and {rest} more: videor1 board RUN --published"] if rest else [])]


def _example(page: TaskPage, protocol: Protocol, shown: str) -> Iterator[str]:
    if not page.samples:
        yield "No example: the questions are not here."
        return
    sample = page.samples[0]
    yield f"Example {sample.id}, as {shown} asks it (before the chat template):"
    media = ", ".join(str(one.path) for one in sample.media)
    prompt = page.task.prompt(sample, protocol.template)
    yield f"  [media] {media or 'none'}"
    for role, text in (("system", prompt.system), ("user", prompt.text), ("start", prompt.prefill)):
        if text:
            yield f"  [{role}] " + text.replace("\n", "\n    ")
    yield f"  [gold] {sample.answer}"


def _counted(found: Counter[str]) -> str:
    named = [f"{count:,} {name}" for name, count in found.most_common(12)]
    rest = len(found) - len(named)
    return ", ".join([*named, *([f"and {rest} more"] if rest > 0 else [])])
