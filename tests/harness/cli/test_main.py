"""The one place that turns how a command ends into an exit code and a last line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli import main
from tests.harness.cli.plugins import install
from tests.paths import ROOT

COMMAND = """
class Raising:
    help = "raise what is named"

    def configure(self, parser):
        parser.add_argument("what")

    def run(self, args):
        import errno
        from harness.errors import BackendError, HarnessError, MediaError, UsageError

        class OutOfMemoryError(RuntimeError):
            pass

        def wrapped():
            try:
                raise OSError(errno.ENOSPC, "No space left on device", "/data/x")
            except OSError as error:
                raise RuntimeError("could not save") from error

        class Panic(BaseException):
            pass

        import sys, types
        sys.modules["torch"] = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
        errors = {
            "usage": UsageError("wrong"), "harness": HarnessError("records cannot be written"),
            "backend": BackendError("no engine"), "media": MediaError("bad clip"),
            "interrupt": KeyboardInterrupt(), "value": ValueError("nobody expected this"),
            "memory": MemoryError(), "exit-1": SystemExit(1), "exit-0": SystemExit(0),
            "panic": Panic("rust"), "group": BaseExceptionGroup("two", [KeyError(1), KeyError(2)]),
            "full": OSError(errno.ENOSPC, "No space left on device", "/data/records.jsonl"),
            "denied": PermissionError(errno.EACCES, "Permission denied", "/data/out"),
            "gone": FileNotFoundError(errno.ENOENT, "No such file or directory", "/data/a.mp4"),
            "no-errno": OSError("cannot identify image file"),
            "rust-disk": RuntimeError("I/O error: No space left on device (os error 28)"),
            "gpu": OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\\nmore"),
        }
        try:
            if args.what == "wrapped":
                wrapped()
            raise errors[args.what]
        finally:
            del sys.modules["torch"]
"""


@pytest.fixture(autouse=True)
def _raising(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Install another package's command ``raise``, and keep tracebacks in the test's folder."""
    install(monkeypatch, tmp_path / "site", "raising", {"raise": "Raising"}, COMMAND)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def _last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("what", "code", "facts"),
    [
        ("usage", 2, "wrong"),
        ("harness", 4, "records cannot be written"),
        ("backend", 4, "no engine"),
        ("media", 4, "bad clip"),
        ("interrupt", 130, "run the same command again"),
        ("full", 4, "/data/records.jsonl: No space left on device"),
        ("denied", 4, "/data/out: Permission denied"),
        ("gone", 4, "/data/a.mp4: No such file"),
        ("wrapped", 4, "/data/x: No space left on device"),
        ("rust-disk", 4, "No space left on device"),
        ("gpu", 4, "out of memory: CUDA out of memory. Tried to allocate 2 GiB;"),
    ],
)
def test_known_errors_have_their_code_and_say_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, what: str, code: int, facts: str
) -> None:
    """What the user can solve is 2 or 4 with path and reason, and leaves no traceback file."""
    assert main(["raise", what]) == code
    line = _last_line(capsys)
    assert line.startswith(f"exit {code} (")
    assert facts in line
    assert not list(tmp_path.glob("*traceback*"))


@pytest.mark.parametrize(
    "what", ["value", "memory", "exit-1", "exit-0", "panic", "group", "no-errno"]
)
def test_a_fault_of_the_program_is_70_with_a_traceback_file(
    capsys: pytest.CaptureFixture[str], what: str
) -> None:
    """The last line names a file with the traceback; the terminal shows none."""
    assert main(["raise", what]) == 70
    printed = capsys.readouterr().err
    assert "Traceback" not in printed
    found = re.search(r"exit 70 \(fault\): .* in (\S+)$", printed)
    assert found
    assert "raising.py" in Path(found[1]).read_text()


def test_the_debug_variable_prints_the_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With VIDEOR1_DEBUG the terminal shows the traceback, and the last line stays last."""
    monkeypatch.setenv("VIDEOR1_DEBUG", "1")
    assert main(["raise", "value"]) == 70
    *before, last = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last):" in before
    assert last.startswith("exit 70 (fault): unexpected ValueError: nobody expected this")


def test_a_fault_without_a_place_for_the_traceback_is_still_70(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last line then says how to see the traceback."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert main(["raise", "value"]) == 70
    assert "VIDEOR1_DEBUG=1" in _last_line(capsys)


def test_a_command_that_cannot_be_imported_breaks_no_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is listed as broken, ends with 70 when called, and other commands work."""
    install(monkeypatch, tmp_path / "b", "broken", {"shatter": "Broken"}, "import no_such_module\n")
    assert main(["shatter"]) == 70
    assert main(["--help"]) == 0
    listed = " ".join(capsys.readouterr().out.split())
    assert "No module named 'no_such_module'" in listed
    assert main(["tasks"]) == 0


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_help_lists_every_command_with_its_line(
    capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """``videor1`` alone prints the help, with the commands of other packages, and exits 0."""
    assert main(words) == 0
    printed = capsys.readouterr()
    assert re.search(r"^ +eval +evaluate a checkpoint", printed.out, re.MULTILINE)
    assert re.search(r"^ +raise +raise what is named", printed.out, re.MULTILINE)
    assert printed.err.startswith("exit 0 (ok): ")


def test_the_version_is_the_installed_one(capsys: pytest.CaptureFixture[str]) -> None:
    """``videor1 --version`` prints name and version on standard output."""
    assert main(["--version"]) == 0
    assert re.fullmatch(r"videor1 \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "facts"),
    [
        (["evla"], "did you mean videor1 eval?"),
        (["xyzzy"], "there are annotate, "),
        (["--nonsense"], "videor1 --help"),
        (["eval"], "required: checkpoint"),
        (["eval", "x", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["train", "sfft"], "invalid choice: 'sfft'"),
        (["eval", "x", "--limit", "-1"], "limit"),
        (["eval", "x", "--max-frame", "8"], "did you mean --max-frames? (see"),
        (["eval", "x", "--max-frame=8", "--taks", "y"], "did you mean --tasks?"),
        (["gate", "a", "b", "--jsn", "x"], "did you mean --json?"),
        (["train", "sft", "--confg", "tiny"], "did you mean --config? (see: videor1 train sft"),
        (["train", "sft", "--config", "tiny", "--dryrun"], "did you mean --dry-run?"),
        (["watch", "run", "--confg", "tiny"], "required: --config; did you mean --config?"),
        (["board", "--nmae", "a=b", "r"], "did you mean --name?"),
        (["eval", "x", "--data", ".", "--tasks", "videome"], "did you mean 'videomme'?"),
        (["eval", "x", "--data", ".", "--tasks", "papr"], "did you mean 'paper'?"),
        (["eval", "x", "--data", ".", "--tasks", "longvideo"], "lmms:NAME for those of lmms"),
    ],
)
def test_wrong_words_are_a_usage_error(
    capsys: pytest.CaptureFixture[str], words: list[str], facts: str
) -> None:
    """Exit 2, and the last line says what is wrong with them."""
    assert main(words) == 2
    line = _last_line(capsys)
    assert line.startswith("exit 2 (usage): ")
    assert facts in line


def test_the_help_of_a_command_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """``videor1 train sft --help`` exits 0."""
    assert main(["train", "sft", "--help"]) == 0
    assert "--config" in capsys.readouterr().out


def _run(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which ``videor1`` is this checkout's command."""
    script = f'videor1() {{ "{sys.executable}" -m harness "$@"; }}\nset -o pipefail\n{command}'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **environment},
    )


def test_a_closed_pipe_changes_no_exit_code() -> None:
    """``videor1 tasks | head`` ends with the command's own code and line, without a traceback."""
    done = _run("videor1 tasks | true")
    assert done.returncode == 0
    assert done.stderr.startswith("exit 0 (ok): ")
    assert len(done.stderr.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_incomplete() -> None:
    """A table that does not fit on the disk is exit 4, not success."""
    done = _run("videor1 tasks > /dev/full")
    assert done.returncode == 4
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def old_run() -> Path:
    """A run of an earlier version, whose gate against itself is inconclusive or passes."""
    return ROOT / "tests" / "fixtures" / "run_schema_1"


@pytest.mark.parametrize("ending", ["| true", "> /dev/full", ">&-", "> /dev/full 2>&1", ">&- 2>&-"])
def test_a_verdict_decides_the_exit_code_whatever_becomes_of_the_output(
    old_run: Path, ending: str
) -> None:
    """A pass is 0 and a regression is 1 also where nobody can read why."""
    command = f"videor1 gate --margin 100 {old_run} {old_run}"
    assert _run(command).returncode == 0
    done = _run(f"{command} {ending}")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_an_output_without_unicode_gets_replaced_characters(old_run: Path) -> None:
    """A terminal or log file in ASCII or Latin-1 costs no traceback after the work is done."""
    for encoding in ("ascii", "latin-1", "cp437"):
        for command in (f"board {old_run}", f"board --format json {old_run}", "tasks", "--help"):
            done = _run(f"videor1 {command}", PYTHONIOENCODING=encoding)
            assert done.returncode == 0, (encoding, command, done.stderr)


def test_an_interrupt_before_the_command_runs_is_130_without_a_traceback() -> None:
    """Ctrl-C in the middle of an import ends the process at once, with the promised last line."""
    script = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, *rest):
        if name == "harness.cli.commands":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["videor1", "tasks"]
from harness.cli import program
program()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 130
    assert done.stdout == ""
    assert [line[:24] for line in done.stderr.splitlines()] == ["exit 130 (interrupted): "]


@pytest.mark.parametrize("how", ["videor1", "python -m harness"])
@pytest.mark.parametrize("module", ["harness.cli", "harness.cli.signals"])
def test_an_interrupt_while_the_command_line_is_imported_leaves_no_traceback(how, module):
    """The process ends by the signal, as any other program; the console script is the same."""
    script = """
import os, runpy, signal, sys
from importlib.metadata import entry_points

class Interrupting:
    def find_spec(self, name, *rest):
        if name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
if sys.argv[1] == "videor1":
    (entry,) = entry_points(group="console_scripts", name="videor1")
    entry.load()()
runpy.run_module("harness", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, how, module], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_files_of_the_working_directory_hide_none_of_our_packages(tmp_path: Path) -> None:
    """``python -m harness`` works in a project that has a ``tasks.py`` of its own."""
    (tmp_path / "tasks.py").write_text("raise SystemExit('the wrong module')\n")
    done = subprocess.run(
        [sys.executable, "-m", "harness", "tasks"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.splitlines()[-1][:6]) == (0, "exit 0")


def test_an_interrupt_while_a_class_is_made_from_text_ends_with_130(tmp_path):
    """CPython would end a module that is run so with SIGINT, although the exception was handled."""
    (tmp_path / "ours.py").write_text(
        "import sys\n"
        "import harness.cli as cli\n"
        "import harness.cli.faults, harness.cli.output, harness.cli.signals, harness.text.shown\n"
        "cli._dispatch = lambda *given: exec('raise KeyboardInterrupt')\n"
        "sys.argv = ['videor1', 'tasks']\n"
        "cli.program()\n"
    )
    command = [sys.executable, "-m", "ours"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1].startswith("exit 130 (interrupted)")
