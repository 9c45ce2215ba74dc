"""An interrupt ends a command, wherever it comes."""

import subprocess
import sys

from tests.paths import ROOT

DROPPED = """
import signal, time
from harness.cli.signals import {name}
{name}()
class Dropping:
    def __del__(self):
        {what}
x = Dropping()
try:
    del x
    time.sleep({wait})
    print("went on")
except KeyboardInterrupt:
    print("interrupted")
"""


def _run(name="raise_when_interrupted", what="signal.raise_signal(signal.SIGTERM)", wait=5):
    code = DROPPED.format(name=name, what=what, wait=wait)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )


def test_an_interrupt_inside_of_a_destructor_is_not_lost():
    """Python drops what a destructor raises; the command ends all the same, without a traceback."""
    done = _run()
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_another_error_of_a_destructor_is_told_and_ends_nothing():
    """As Python does it."""
    done = _run(what="raise ValueError('odd')", wait=0.1)
    assert done.stdout == "went on\n"
    assert "ValueError: odd" in done.stderr
