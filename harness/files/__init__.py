"""Reads and writes files so that a kill leaves the old content or the new one, never half of it.

Everything that this project keeps on disk goes through here: files are written next to their
place and renamed, JSON Lines files only grow and may end in a torn line, a folder belongs to one
run, and one process at a time works in it.
"""

from harness.files.atomic import (
    read_json,
    sweep_leftovers,
    write_atomically,
    write_error,
    write_folder,
    write_json,
    write_text,
)
from harness.files.content import open_file, parse_json, read_error, read_file
from harness.files.fields import Fields
from harness.files.folders import LOCK, FolderClaim, diff, is_locked, lock_folder, locked
from harness.files.json_lines import JsonLinesWriter, read_json_lines, read_lines, write_json_lines
from harness.files.shapes import reader_of

__all__ = [
    "LOCK",
    "Fields",
    "FolderClaim",
    "JsonLinesWriter",
    "diff",
    "is_locked",
    "lock_folder",
    "locked",
    "open_file",
    "parse_json",
    "read_error",
    "read_file",
    "read_json",
    "read_json_lines",
    "read_lines",
    "reader_of",
    "sweep_leftovers",
    "write_atomically",
    "write_error",
    "write_folder",
    "write_json",
    "write_json_lines",
    "write_text",
]
