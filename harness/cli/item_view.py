"""Prints one item of a run: question, options, frames with their times, answers, outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.schema import Outcome, Record
from harness.scoring.answers import MAX_OPTIONS, letters

if TYPE_CHECKING:
    from rich.console import Console

    from harness.run.samples_file import StoredMedia, StoredSample

_STYLES = {
    Outcome.CORRECT: "green", Outcome.WRONG: "red", Outcome.FAILED: "bold red",
    Outcome.PARTIAL: "yellow",
}  # fmt: skip
_Part = str | tuple[str, str]


def print_item(
    console: Console,
    name: str,
    sample: StoredSample | None,
    answers: Sequence[Record],
    *,
    prompt: bool = False,
) -> None:
    """Print all that is known of an item, its repeats one after another.

    Args:
        console: Where to.
        name: Id of the item.
        sample: Its question; None where the run has not kept it.
        answers: Its records, one per repeat.
        prompt: Also print the prompt as it was asked.
    """
    _print(console, (name, "bold"))
    for line in _question_lines(sample, answers, prompt=prompt):
        _print(console, *line)
    for record in answers:
        _print(console)
        if len(answers) > 1:
            _print(console, (f"repeat {record.repeat + 1} of {len(answers)}", "bold"))
        for line in _answer_lines(record, prompt=prompt):
            _print(console, *line)


def item_as_json(
    name: str, sample: StoredSample | None, answers: Sequence[Record]
) -> dict[str, Any]:
    """Return an item as ``samples.jsonl`` and ``records-0.jsonl`` hold it."""
    return {
        "id": name,
        "sample": None if sample is None else asdict(sample),
        "records": [asdict(record) for record in answers],
    }


def _print(console: Console, *parts: _Part) -> None:
    """Print a line as long as it is: a terminal folds it faster than a table of words does."""
    from harness.text.console import styled

    console.print(styled(*parts), soft_wrap=True)


def _question_lines(
    sample: StoredSample | None, answers: Sequence[Record], *, prompt: bool
) -> Iterator[tuple[_Part, ...]]:
    if sample is None:
        for record in answers[:1]:
            yield _field("category", record.category)
            yield _field("video", record.cluster)
            yield _field("gold", record.gold)
        return
    yield _field("category", sample.category)
    yield _field("kind", sample.kind.value)
    for media in sample.media:
        yield _field("media", _describe_media(media))
    yield _field("question", sample.question)
    names = letters(min(len(sample.options), MAX_OPTIONS))
    gold = sample.gold.strip().upper()
    for letter, option in zip(names, sample.options, strict=False):
        text = f"  {letter}. {option}"
        yield ((f"{text}  (gold)", "green") if gold == letter else text,)
    if gold not in names:
        yield _field("gold", sample.gold)
    if prompt:
        if sample.system is not None:
            yield _field("system", sample.system)
        yield _field("prompt", "not known" if sample.prompt is None else _whole_prompt(sample))


def _whole_prompt(sample: StoredSample) -> str:
    """Return the user turn; where text and media alternate, ``<media>`` stands for each medium."""
    text = "".join(f"{before}<media>" for before in sample.before) + (sample.prompt or "")
    return f"{text}\n[answer begins] {sample.prefill}" if sample.prefill else text


def _asked(record: Record) -> str:
    """Return the user turn of a record whose text depends on the frames."""
    parts = (f"<{part.frames} frames>{part.text}" for part in record.asked)
    return "".join(part.removeprefix("<0 frames>") for part in parts)


def _answer_lines(record: Record, *, prompt: bool) -> Iterator[tuple[_Part, ...]]:
    for number, indices in enumerate(record.frame_indices):
        yield _field("frames", _describe_frames(record, number, indices))
    if prompt and record.asked:
        yield _field("asked", _asked(record))
    for note in record.media_notes:
        yield _field("note", note)
    if record.reasoning is not None:
        yield _field("reasoning", record.reasoning, "dim")
    if record.text is not None:
        yield _field("text", record.text)
    if record.failure is not None:
        failure = record.failure
        yield _field("failure", f"{failure.stage}: {failure.error}: {failure.message}", "red")
    answer = "none found" if record.answer is None else record.answer
    rule = f" (rule {record.rule})" if record.rule else ""
    yield _field("answer", f"{answer}{rule}")
    value = "" if record.value is None else f", value {record.value:g}"
    outcome = record.outcome.replace("_", " ")
    yield (
        *_field("outcome", ""),
        (outcome, _STYLES.get(record.outcome, "yellow")),
        f"{value}, scorer {record.scorer}",
    )
    yield _field("cost", _describe_cost(record), "dim")


def _describe_media(media: StoredMedia) -> str:
    span = ""
    if media.start is not None or media.end is not None:
        start = 0.0 if media.start is None else media.start
        span = f", {start:g} s to {'the end' if media.end is None else f'{media.end:g} s'}"
    return f"{media.path} ({media.kind.value}{span})"


def _describe_frames(record: Record, number: int, indices: Sequence[int]) -> str:
    """Return every frame's number in the source with its time: ``0 (0.00 s), 12 (0.50 s)``."""
    times = record.timestamps[number] if number < len(record.timestamps) else ()
    each = [
        f"{index} ({times[at]:.2f} s)" if at < len(times) else str(index)
        for at, index in enumerate(indices)
    ]
    size = record.frame_size[number] if number < len(record.frame_size) else None
    shown = f", {size[0]} x {size[1]} pixels" if size else ""
    order = "" if record.variant == "ordered" else f", {record.variant}"
    return f"{len(each)}{shown}{order}: {', '.join(each)}"


def _describe_cost(record: Record) -> str:
    parts = [
        f"{record.prompt_tokens} tokens in",
        f"{record.output_tokens} out"
        + (f" ({record.reasoning_tokens} of them thought)" if record.reasoning_tokens else ""),
        f"ended by {record.finish_reason}" if record.finish_reason else "",
        f"thought {record.thought_end.value}" if record.thought_end else "",
        f"decoded in {record.decode_s:.2f} s",
        f"answered in {record.generate_s:.2f} s",
    ]
    return ", ".join(filter(None, parts))


def _field(name: str, text: str, style: str = "") -> tuple[_Part, ...]:
    """Return a line with a name in front; further lines of the text are set under its first."""
    indented = text.replace("\n", "\n" + " " * 10)
    return ((f"{name:<10}", "bold"), (indented, style))
