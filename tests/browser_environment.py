"""Gets a browser for the tests of pages, where the machine has none and can get one.

tox runs it before the tests. Without a browser those tests are skipped, and this says why.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.browser import NONE, find_browser

_MOST_S = 600
_LIBRARIES = ("--with-deps",) if os.geteuid() == 0 else ()
_WAYS: tuple[tuple[Sequence[str], ...], ...] = (
    ((sys.executable, "-m", "playwright", "install", *_LIBRARIES, "chromium"),),
    (("apt-get", "update", "-qq"), ("apt-get", "install", "-y", "-qq", "chromium")),
)


def main() -> int:
    """Return 0 whatever becomes of it: a browser is wanted, not needed."""
    found = find_browser()
    if found:
        sys.stdout.write(f"browser for the tests of pages: {found}\n")
        return 0
    for commands in _WAYS:
        reason = _try_all(commands)
        found = find_browser()
        if found:
            sys.stdout.write(f"browser for the tests of pages, just installed: {found}\n")
            return 0
        sys.stderr.write(f"no browser from `{' '.join(commands[-1])}`: {reason}\n")
    sys.stderr.write(f"WARNING: {NONE}; the tests of pages will be skipped\n")
    return 0


def _try_all(commands: Sequence[Sequence[str]]) -> str:
    """Run commands until one fails; returns what went wrong."""
    for command in commands:
        if command[0] == "apt-get" and os.geteuid() != 0:
            return "not run as root"
        if shutil.which(command[0]) is None:
            return f"{command[0]} is not installed"
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_MOST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"not finished after {_MOST_S} s"
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines()
            told = [line.strip() for line in lines if "error" in line.lower()] or lines[-1:]
            return told[0] if told else f"exit code {done.returncode}"
    return "it says it was installed, but it is not found"


if __name__ == "__main__":
    sys.exit(main())
