"""Makes the consoles that every command prints with.

They print text as it is: ``[...]`` in a folder's or a category's name is not taken for markup of
rich, ``:name:`` not for an emoji, and what a terminal would obey is escaped. A command styles its
own words with `styled`, tables with their own styles.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import IO, Literal

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from harness.text.shown import for_terminal

_Justify = Literal["default", "left", "center", "right", "full"]
_Overflow = Literal["fold", "crop", "ellipsis", "ignore"]

_USUAL = 80
_WIDEST = 10_000
"""Columns of the widest table."""


def make_console(
    *,
    stderr: bool = False,
    file: IO[str] | None = None,
    width: int | None = None,
    quiet: bool = False,
) -> Console:
    """Return a console on standard output, standard error or a file.

    Args:
        stderr: Print to standard error.
        file: Print to this text stream instead.
        width: Columns; None: those of the terminal.
        quiet: Print nothing.
    """
    console = _PlainConsole(
        stderr=stderr, file=file, width=width, quiet=quiet,
        markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    console.push_render_hook(_EscapeHook(console))
    if console.width < 1:  # of ``COLUMNS=0``, with which nothing would be printed
        console.width = _USUAL
    return console


def has_given_width(console: Console) -> bool:
    """Return whether a terminal, or a positive number in ``COLUMNS``, says how wide to print."""
    columns = os.environ.get("COLUMNS", "")
    return console.is_terminal or (columns.isdecimal() and int(columns) > 0)


def styled(*parts: str | tuple[str, str]) -> Text:
    """Return a line of texts from anywhere, each plain or with a style: ``("name", "bold")``."""
    pairs = [(part, "") if isinstance(part, str) else part for part in parts]
    return Text.assemble(*((for_terminal(text), style) for text, style in pairs))


def print_whole(console: Console, renderable: ConsoleRenderable) -> None:
    """Print a table such that nothing of it is cut.

    On a terminal, and where ``COLUMNS`` is set, it is folded to that width; a file or pipe gets the
    width that it needs.
    """
    if not has_given_width(console):
        room = console.options.update(max_width=_WIDEST)
        console.width = max(console.width, Measurement.get(console, room, renderable).maximum)
    console.print(renderable)


class _PlainConsole(Console):
    """A console that escapes every string before it is laid out."""

    def render_str(  # noqa: PLR0913 - as in rich
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: _Justify | None = None,
        overflow: _Overflow | None = None,
        emoji: bool | None = None,
        markup: bool | None = None,
        highlight: bool | None = None,
        highlighter: Callable[[str | Text], Text] | None = None,
    ) -> Text:
        """Return a string as `Text`, its terminal controls escaped."""
        return super().render_str(
            for_terminal(text), style=style, justify=justify, overflow=overflow, emoji=emoji,
            markup=markup, highlight=highlight, highlighter=highlighter,
        )  # fmt: skip


class _EscapeHook(RenderHook):
    """Escapes what is left in drawn segments: text that reached a table as `Text`."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Wrap everything that is about to be printed."""
        return [_Escaped(renderable) for renderable in renderables]


class _Escaped:
    """Draws something else with the controls in its texts escaped; rich's own stay."""

    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return _escape_segments(console.render(self._renderable, options))


def _escape_segments(segments: Iterable[Segment]) -> RenderResult:
    for segment in segments:
        text = segment.text if segment.control else for_terminal(segment.text)
        yield segment if text == segment.text else Segment(text, segment.style)
