"""A file is written whole or not at all, and what hinders it is named."""

import errno
import os

import pytest

from harness.errors import HarnessError, UsageError
from harness.files import (
    read_json,
    write_atomically,
    write_folder,
    write_json,
    write_json_lines,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_json_files_are_replaced_whole(tmp_path):
    """The new content stands alone: no temporary file is left."""
    write_json(tmp_path / "a.json", {"b": 1, "a": [1, 2]})
    write_json(tmp_path / "a.json", {"b": 2})
    assert read_json(tmp_path / "a.json") == {"b": 2}
    assert names(tmp_path) == ["a.json"]


def test_parent_folders_are_created(tmp_path):
    """Whoever writes a file need not make its folder."""
    write_text(tmp_path / "one" / "two" / "text", "ä\n")
    assert (tmp_path / "one" / "two" / "text").read_bytes() == "ä\n".encode()


def test_the_temporary_file_lies_in_the_same_folder_and_bears_the_process_id(tmp_path):
    """So that the rename cannot cross disks and two processes do not write the same file."""
    seen = []

    def write(path):
        seen.append(path)
        path.write_text("x")

    write_atomically(tmp_path / "table", write)
    assert seen == [tmp_path / f".table.{os.getpid()}"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), ValueError(), KeyboardInterrupt()]
)
def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path, error):
    """Whatever interrupts the writing."""
    write_text(tmp_path / "file", "old")

    def write(path):
        path.write_text("half")
        raise error

    with pytest.raises((HarnessError, ValueError, KeyboardInterrupt)):
        write_atomically(tmp_path / "file", write)
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_path_that_cannot_be_written_is_a_usage_error(tmp_path):
    """The message has the path that was asked for, not the temporary one, and the reason."""
    write_text(tmp_path / "file", "")
    with pytest.raises(UsageError, match=r"file/x\.json: cannot be written: (Not a dir|File ex)"):
        write_json(tmp_path / "file" / "x.json", {})


def test_a_full_disk_is_no_usage_error(tmp_path):
    """Another path would not help; the command ends as incomplete."""

    def write(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(HarnessError, match="x: cannot be written: No space left") as raised:
        write_atomically(tmp_path / "x", write)
    assert not isinstance(raised.value, UsageError)


def test_json_lines_are_written_whole(tmp_path):
    """One object per line, text as it is."""
    write_json_lines(tmp_path / "rows.jsonl", ({"id": number, "text": "ä"} for number in (1, 2)))
    assert (tmp_path / "rows.jsonl").read_bytes() == (
        '{"id": 1, "text": "ä"}\n{"id": 2, "text": "ä"}\n'.encode()
    )


def test_a_folder_appears_only_when_it_is_complete(tmp_path):
    """What a killed process left behind does not get in the way."""
    (tmp_path / ".new.new").mkdir()
    (tmp_path / ".new.new" / "half").touch()

    def write(folder):
        assert not folder.exists()
        folder.mkdir()
        (folder / "file").touch()
        assert not (tmp_path / "new").exists()

    write_folder(tmp_path / "new", write)
    assert names(tmp_path) == ["new"]
    assert names(tmp_path / "new") == ["file"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "not valid JSON"),
        ("[1]", "holds a list, expected a JSON object"),
        (b"\xff\xfe{", "not valid JSON"),
    ],
)
def test_a_bad_json_file_is_named(tmp_path, content, message):
    """With the reason."""
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=rf"a\.json: {message}"):
        read_json(path)
