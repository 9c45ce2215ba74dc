"""A text that a terminal, a page or a table would obey, and commands that may meet it."""

from __future__ import annotations

import re

import pytest

from harness.cli import main

HOSTILE = (
    "\x1b]0;pwn\x07\x9b31m\u202e\u2066[/b][red]<script>x</script>&|\n| evil | row |\n# _{}$%^~ \\x`"
)
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SMALL = ["--max-frames", "4", "--max-pixels", "18816", "--backend", "fake", "--workers", "1"]


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command and return what it printed; nothing raw may be in it."""
    code = main([str(word) for word in words])
    shown = capsys.readouterr()
    assert code in (0, 1, 2, 3, 4), shown.err
    assert not RAW.search(shown.err), shown.err
    assert not RAW.search(shown.out), shown.out
    assert shown.err.splitlines()[-1].startswith(f"exit {code} (")
    return shown.out
