"""``python -m harness`` is the ``videor1`` command."""

from __future__ import annotations

from harness.cli import program

if __name__ == "__main__":
    program()
