"""``python -m harness`` is the ``videor1`` command."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # ``-m`` puts the working directory in front of the import path. Where that is not this
    # checkout, a file named tasks.py in it would hide our package of that name.
    here, ours = Path.cwd(), Path(__file__).resolve().parents[1]
    if not sys.flags.safe_path and Path(sys.path[0]).resolve() == here != ours:
        del sys.path[0]

    from harness.cli import program

    program()
