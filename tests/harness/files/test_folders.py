"""A folder belongs to one run, and one process at a time works in it."""

import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from harness.errors import RunMismatchError, UsageError
from harness.files import (
    LOCK,
    FolderClaim,
    is_locked,
    lock_folder,
    locked,
    read_json,
    read_json_lines,
)
from tests.paths import ROOT

CLAIM = FolderClaim(manifest="run.json", kind="run")


def test_the_first_claim_writes_what_the_folder_is_of(tmp_path):
    """The same claim is accepted later; tuples and paths of one field count as in JSON."""
    CLAIM.take(tmp_path / "run", {"tasks": ("a", "b")})
    CLAIM.take(tmp_path / "run", {"tasks": ("a", "b")})
    assert read_json(tmp_path / "run/run.json") == {"tasks": ["a", "b"]}


def test_another_claim_is_refused_with_the_field_named(tmp_path):
    """What is stored stands before what was asked for."""
    CLAIM.take(tmp_path, {"frames": {"max": 16}, "seed": 1})
    with pytest.raises(
        RunMismatchError, match=r"another run \(stored != asked\): frames.max: 16 != 32"
    ):
        CLAIM.take(tmp_path, {"frames": {"max": 32}, "seed": 1})
    assert read_json(tmp_path / "run.json")["frames"] == {"max": 16}


def test_fields_outside_the_comparison_may_differ(tmp_path):
    """The first manifest stays."""
    claim = FolderClaim(manifest="run.json", kind="run", compared=lambda m: {"a": m["a"]})
    claim.take(tmp_path, {"a": 1, "workers": 2})
    claim.take(tmp_path, {"a": 1, "workers": 4})
    assert read_json(tmp_path / "run.json") == {"a": 1, "workers": 2}


def test_a_check_writes_nothing(tmp_path):
    """False where the folder is free, True where it is this run's."""
    assert not CLAIM.check(tmp_path / "run", {"a": 1})
    assert not (tmp_path / "run").exists()
    CLAIM.take(tmp_path / "run", {"a": 1})
    assert CLAIM.check(tmp_path / "run", {"a": 1})


def test_files_of_somebody_else_can_be_refused(tmp_path):
    """A folder that has to be new, with files and no manifest."""
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunMismatchError, match=r"holds no run \(no run\.json\)"):
        FolderClaim(manifest="run.json", kind="run", must_be_new=True).take(tmp_path, {})
    CLAIM.take(tmp_path, {})


def test_a_lock_keeps_others_out_and_ends_with_its_block(tmp_path):
    """The folder is created where it is missing."""
    folder = tmp_path / "run"
    assert not is_locked(folder)
    with locked(folder):
        assert is_locked(folder)
        with pytest.raises(UsageError, match="another process is writing"), locked(folder):
            pass
    assert not is_locked(folder)


def test_checking_a_lock_keeps_nobody_out(tmp_path):
    """Two threads check all the time, and who wants to work still may."""
    stop = threading.Event()

    def check():
        while not stop.is_set():
            is_locked(tmp_path)

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with locked(tmp_path):
                pass
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_lock_may_be_released_by_another_thread(tmp_path):
    """A run is closed by whichever thread does it last."""
    lock = lock_folder(tmp_path)
    thread = threading.Thread(target=lock.release)
    thread.start()
    thread.join()
    assert not is_locked(tmp_path)


def test_a_lock_and_finished_lines_survive_their_process_as_they_should(tmp_path):
    """SIGKILL in the middle of a line: the lock is gone, the lines before are there."""
    script = """
        import sys, time
        from pathlib import Path
        from harness.files import JsonLinesWriter, lock_folder
        folder = Path(sys.argv[1])
        lock = lock_folder(folder)
        file = JsonLinesWriter(folder / "rows.jsonl")
        for number in range(3):
            file.append({"id": number})
        file._file.write(b'{"id": 3, "te')
        print("ready", flush=True)
        time.sleep(60)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        assert is_locked(tmp_path)
        with pytest.raises(UsageError, match="another process is writing"):
            lock_folder(tmp_path)
        process.send_signal(signal.SIGKILL)
    assert not is_locked(tmp_path)
    lock_folder(tmp_path).release()
    assert [row["id"] for _, row in read_json_lines(tmp_path / "rows.jsonl")] == [0, 1, 2]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    """With what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/run: cannot be written: .*; choose another --out"):
        lock_folder(tmp_path / "file" / "run")
    assert not is_locked(tmp_path / "file" / "run")


def test_the_lock_of_an_earlier_version_is_seen(tmp_path):
    """It is the same call of the system on the same file."""
    fcntl = pytest.importorskip("fcntl")
    with (tmp_path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)
