"""Settings of a table of questions: the TOML file beside it, and columns' usual names."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path

from harness.bounds import between
from harness.config import read_settings
from harness.errors import UsageError, did_you_mean
from harness.schema import Kind

Column = str | tuple[str, ...] | None
"""One column, or several that are one field: options, levels of a category, the ends of a span."""


class AnswerForm(StrEnum):
    """How a table says which option is right."""

    LETTER = "letter"
    TEXT = "text"
    INDEX_FROM_0 = "index-from-0"
    INDEX_FROM_1 = "index-from-1"


class TextRule(StrEnum):
    """How free text is compared with the gold answer."""

    EXACT = "exact"
    """Equal but for case, spaces and punctuation at the ends."""
    ROUGE = "rouge"
    """ROUGE-L's F1 with stemming."""


KINDS: Mapping[str, Kind] = {
    "multiple-choice": Kind.MULTIPLE_CHOICE,
    "number": Kind.NUMERICAL,
    "number-within": Kind.REGRESSION,
    "span": Kind.SPAN,
    "text": Kind.FREE_FORM,
}
"""What a table calls the kinds of answers; Video-R1's own names are read, too."""

USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "question_id", "qid", "problem_id"),
    "video": ("video", "videos", "video_path", "image", "images", "image_path", "path"),
    "question": ("question", "problem", "query"),
    "options": ("options", "choices", "candidates"),
    "answer": ("answer", "gold", "ground_truth", "label", "solution"),
    "kind": ("kind", "problem_type"),
    "category": ("category", "task_type", "question_type"),
    "cluster": ("cluster",),
    "start": ("start", "start_s"),
    "end": ("end", "end_s"),
}
"""The columns that are looked for where the TOML file names none, the first one first."""
REQUIRED = ("id", "video", "question", "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns of the table hold what; None: the first of the usual names that is there."""

    id: str | None = None
    """Unique, and the same in every version of the table: runs are compared by it."""
    video: Column = None
    """Path of a video, a picture or a folder of frames; a list where there are several."""
    question: str | None = None
    options: Column = None
    """A list of texts, or the columns that have one text each."""
    answer: Column = None
    """The right answer; two columns for the start and end of a span."""
    kind: str | None = None
    category: Column = None
    cluster: str | None = None
    """Questions that are not independent (default: the first video)."""
    start: str | None = None
    """Start of the clip in the video, in seconds."""
    end: str | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            named = getattr(self, one.name)
            if named is not None and not all(named or [""]):
                raise ValueError(f"{one.name}: expected the name of a column, got {named!r:.80}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """The content of ``traffic.toml`` beside ``traffic.jsonl``; every key may be left out."""

    name: str | None = None
    """Name of the benchmark (default: that of the file without its suffix)."""
    title: str | None = None
    """Heading of its column on boards."""
    description: str = ""
    """What it measures; shown by `videor1 tasks FILE`."""
    homepage: str = ""
    licence: str = ""
    version: int = 1
    """Raise it where results of before shall not be compared with those of after."""
    media: Path | None = None
    """Folder of the videos, relative to this file (default: the folder of this file)."""
    kind: str | None = None
    """Kind of all answers: multiple-choice, number, number-within, span or text."""
    answers: AnswerForm | None = None
    """How the right option is named (default: whatever is unambiguous)."""
    text: TextRule = TextRule.EXACT
    """How free text is compared with the gold answer."""
    prompt: str | None = None
    """The prompt under the protocol official, with {question} and {options}."""
    max_frames: int = 32
    """Frames under the protocol official, evenly spaced."""
    max_tokens: int = 512
    """Generated tokens under the protocol official."""
    frame_rate: float | None = None
    """Frames per second of folders of frames."""
    columns: Columns = field(default_factory=Columns)

    def __post_init__(self) -> None:
        between(self, "version", 1, 10**6, "a whole number")
        between(self, "max_frames", 1, 4096, "frames are decoded into memory")
        between(self, "max_tokens", 1, 1 << 24, "tokens; no model writes more")
        between(self, "frame_rate", 0.001, 1000, "frames per second")
        if self.kind is not None and read_kind(self.kind) is None:
            raise ValueError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r:.80}")
        if self.prompt is not None and "{question}" not in self.prompt:
            raise ValueError("prompt: expected a text that holds {question}")


def read_kind(text: str) -> Kind | None:
    """Return the kind of that name, ours or Video-R1's; None for another text."""
    ours = KINDS.get(text.strip())
    theirs = {kind.value: kind for kind in Kind if kind is not Kind.OCR}
    return ours or theirs.get(text.strip())


def settings_file(table: Path) -> Path:
    """Return where the settings of a table stand, whether or not they are there."""
    return table.with_suffix(".toml")


def read_table_settings(table: Path) -> TableSettings:
    """Read the settings beside a table; the defaults where there are none.

    Raises:
        UsageError: The file has an unknown key, or a value of another type or out of bounds.
    """
    file = settings_file(table)
    return read_settings(TableSettings, file) if file.exists() else TableSettings()


def find_columns(settings: TableSettings, found: Collection[str], table: Path) -> Columns:
    """Return the columns of a table, the usual ones in place of those that the file leaves out.

    Raises:
        UsageError: A column that the file names or that every question needs is not there.
    """
    chosen: dict[str, Column] = {}
    for one in fields(Columns):
        asked: Column = getattr(settings.columns, one.name)
        for name in _names(asked):
            if name not in found:
                raise UsageError(
                    f"{settings_file(table)}: columns.{one.name}: {table} has no column"
                    f" {name!r:.80}{did_you_mean(name, found)}; it has: {_listed(found)}"
                )
        usual = next((name for name in USUAL[one.name] if name in found), None)
        chosen[one.name] = asked if asked is not None else usual
    chosen["options"] = chosen["options"] or _lettered(found)
    lacking = [name for name in REQUIRED if chosen[name] is None]
    if lacking:
        wanted = "; ".join(f"{name} ({', '.join(USUAL[name])})" for name in lacking)
        raise UsageError(
            f"{table}: no column for {wanted}; it has: {_listed(found)}. Rename a column, or name"
            f' it in {settings_file(table)}: [columns] {lacking[0]} = "COLUMN"'
        )
    return Columns(**chosen)  # type: ignore[arg-type]


def _names(column: Column) -> tuple[str, ...]:
    return (column,) if isinstance(column, str) else column or ()


def _lettered(found: Collection[str]) -> Column:
    """Return the columns A, B, C ... where a table has at least the first two of them."""
    letters = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if letter in found]
    return tuple(letters) if letters[:2] == ["A", "B"] else None


def _listed(names: Collection[str]) -> str:
    return f"{', '.join(names):.300}" or "none"
