"""Files that people name: what is no regular file is refused, and JSON that would break later."""

import os
from pathlib import Path

import pytest

from harness.errors import DatasetError, UsageError
from harness.files import parse_json, read_file, read_json


def _fifo(folder):
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


def _loop(folder):
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder, "is a folder, expected a file"),
        (_fifo, "is a pipe, expected a file"),
        (lambda folder: Path("/dev/zero"), "is a device, expected a file"),
        (_loop, "Too many levels of symbolic links"),
        (lambda folder: folder / ("n" * 300), "File name too long"),
        (lambda folder: folder / "absent", "No such file"),
    ],
)
def test_what_is_no_file_is_refused_at_once(tmp_path, make, message):
    """A pipe would wait for a writer, a device would never end."""
    with pytest.raises(UsageError, match=message):
        read_file(make(tmp_path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000 + "]" * 100_000, "too many levels"),
        ("[" * 65 + "]" * 65, "too many levels"),
        ('{"a":' * 100_000, "not valid JSON"),
        ("9" * 5_000, "thousands of digits"),
        ("9" * 400, "more than 308 digits"),
        ('{"a": [1e999]}', "too large for a float"),
        ("[NaN]", "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("", "not valid JSON"),
    ],
)
def test_json_that_breaks_later_code_is_refused(text, message):
    """The place is named."""
    with pytest.raises(DatasetError, match=rf"q\.json, line 3: .*{message}"):
        parse_json(text, "q.json, line 3")


def test_64_levels_are_enough():
    """Our own files have six."""
    assert parse_json("[" * 63 + "]" * 63, "x") is not None


def test_utf_16_is_no_json(tmp_path):
    """Python would guess the encoding; the format has only one."""
    (tmp_path / "a.json").write_bytes('{"a": 1}'.encode("utf-16"))
    with pytest.raises(UsageError, match="not UTF-8"):
        read_json(tmp_path / "a.json")
