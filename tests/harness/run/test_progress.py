"""What is shown while an evaluation runs, where it is no terminal."""

import sys
import time
from io import StringIO
from pathlib import Path
from types import ModuleType

from rich.console import Console

from harness.run.plan import Plan
from harness.run.progress import ProgressBar
from harness.schema import Outcome
from tests.toys import planned, record, sample


def _run(bar):
    bar.begin(Path("run"), total=5, done=2)
    with bar.starting("fake"):
        pass
    with bar.answering():
        bar.record(record(3))
        bar.record(record(4, None, Outcome.FAILED))


def test_a_log_file_gets_lines():
    """What was done before, and the count at the end."""
    out = StringIO()
    _run(ProgressBar(Console(file=out, width=200)))
    assert "resuming run: 2 of 5 items are done" in out.getvalue()
    assert out.getvalue().splitlines()[-1].startswith("4 of 5 items, 1 failed, ")


def test_a_notebook_gets_one_line_that_changes(monkeypatch):
    """It is shown once and replaced afterwards; no widget library is needed."""
    shown = []

    class Handle:
        def update(self, content, raw):
            shown.append(("update", content["text/plain"]))

    def display(content, raw, display_id):
        shown.append(("display", content["text/plain"]))
        return Handle()

    fake = ModuleType("IPython.display")
    fake.display = display
    monkeypatch.setitem(sys.modules, "IPython.display", fake)
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    console = Console(file=StringIO())
    console.is_jupyter = True
    monkeypatch.setattr(console, "print", lambda *args, **kwargs: None)
    _run(ProgressBar(console))
    assert [kind for kind, _ in shown] == ["display", "update"]
    assert shown[0][1] == "starting fake, decoding videos meanwhile"
    assert shown[1][1].startswith("4 of 5 items, 1 failed")


def test_a_log_file_gets_lines_while_nothing_finishes():
    """A line a minute says that the run is alive."""
    out = StringIO()
    bar = ProgressBar(Console(file=out, width=20), every_s=0.01)
    bar.begin(Path("run"), total=5, done=0)
    with bar.answering():
        bar.asked()
        end = time.monotonic() + 10
        while out.getvalue().count("\n") < 3:
            assert time.monotonic() < end
            time.sleep(0.01)
    lines = out.getvalue().splitlines()
    assert lines[0] == "0 of 5 items, 0 failed, 0.0 items/min, 1 in flight, left -"
    assert "took" in lines[-1]


def test_a_terminal_gets_a_table_that_stays(monkeypatch):
    """Its last state is left on the screen."""
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    bar = ProgressBar(console)
    plan = Plan((planned([sample(n) for n in range(4)]),))
    bar.begin(Path("run"), total=4, done=0)
    bar.plan(plan, [])
    with bar.answering():
        for number in range(4):
            bar.asked()
            bar.record(record(number))
    last = out.getvalue().rpartition("task ")[2]
    assert "4/4" in last
    assert "2/2" in last
    assert "4 of 4 items, left 0:00:00" in last
