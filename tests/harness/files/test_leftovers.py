"""What a kill leaves behind is swept on the next start."""

import os
import subprocess
import sys

import pytest

from harness.files import lock_folder, write_text
from harness.video.cache import FrameCache


@pytest.fixture(scope="module")
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_locking_a_folder_sweeps_files_of_dead_processes(tmp_path, dead):
    """Files of living processes, and all that is not named like ours, are kept."""
    kept = [f".summary.json.{os.getpid()}", ".lock", ".notes", "records-0.jsonl", f"a.{dead}"]
    for name in (*kept, f".summary.json.{dead}", f".records.parquet.{dead}"):
        (tmp_path / name).touch()
    lock_folder(tmp_path).release()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


def test_writing_a_file_sweeps_its_own_leftovers_alone(tmp_path, dead):
    """The folder of a baseline is the user's: other files stay."""
    (tmp_path / f".b.json.{dead}").touch()
    (tmp_path / f".other.{dead}").touch()
    write_text(tmp_path / "b.json", "{}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".other.{dead}", "b.json"]


def test_opening_a_frame_cache_sweeps_its_folders(tmp_path, dead):
    """A half-written clip never becomes one."""
    (tmp_path / "ab").mkdir()
    (tmp_path / "ab" / f".abcd.frames.{dead}").touch()
    FrameCache(tmp_path, 1 << 20).check()
    assert list((tmp_path / "ab").iterdir()) == []
