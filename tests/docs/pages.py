"""Reads the pages of the documentation: code blocks, shell commands, links, named files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SHELL = ("", "bash", "sh", "shell", "console")
"""Languages of blocks that may hold commands; a block without one may also be output."""

_FENCE = re.compile(r"^(```+)([\w-]*)[^\n]*\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
_ENDS = re.compile(r"[|&;<>()]+|\d?>+")
_PROGRAMS = (["videor1"], ["-m", "harness"])


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block of a page."""

    page: Path
    language: str
    text: str


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the code blocks of a page, of all languages where none is named."""
    found = [
        Block(page, language, text)
        for _, language, text in _FENCE.findall(page.read_text(encoding="utf-8"))
    ]
    return [block for block in found if not languages or block.language in languages]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def simple_commands(block: Block) -> Iterator[list[str]]:
    """Yield the words of every simple command of a shell block, without redirections.

    A pipe, ``&&`` and ``;`` separate commands. Lines that no shell could read are output.
    """
    for line in block.text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        try:
            words = list(lexer)
        except ValueError:
            continue
        command: list[str] = []
        for word in [*words, ";"]:
            if not _ENDS.fullmatch(word):
                command.append(word)
            elif command:
                yield command
                command = []


def videor1_commands(block: Block) -> Iterator[list[str]]:
    """Yield the words that follow ``videor1`` (or ``-m harness``) in the commands of a block."""
    for words in simple_commands(block):
        for start in _PROGRAMS:
            at = _find(words, start)
            if at is not None and _is_command(words[:at]):
                yield words[at + len(start) :]
                break


def _find(words: list[str], part: list[str]) -> int | None:
    starts = range(len(words) - len(part) + 1)
    return next((at for at in starts if words[at : at + len(part)] == part), None)


def _is_command(before: list[str]) -> bool:
    """Tell a command from a sentence: variables may stand before it, or a program that starts it.

    ``tox run -e engines -- videor1 demo``, ``accelerate launch ... -m harness``.
    """
    rest = [word for word in before if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    return not rest or rest[0] in ("python", "python3", "accelerate", "torchrun", "tox")
