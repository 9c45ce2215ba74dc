"""A JSON Lines file loses no finished line, whatever the byte at which its writer dies."""

import subprocess
import sys
import textwrap
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DatasetError, UsageError
from harness.files import JsonLinesWriter, read_json_lines
from harness.text.stored import storable
from tests.paths import ROOT

ROWS = [{"id": number, "text": "ä" * number} for number in range(4)]


def write(path, rows=ROWS):
    with JsonLinesWriter(path) as file:
        file.append(*rows)
    return path


def read(path):
    return [row for _, row in read_json_lines(path)]


def test_what_is_appended_is_read_with_its_line_number(tmp_path):
    """Numbers count from 1, as editors do."""
    path = write(tmp_path / "new" / "rows.jsonl")
    assert list(read_json_lines(path)) == list(enumerate(ROWS, start=1))


def test_a_cut_at_any_byte_keeps_the_whole_lines(tmp_path):
    """Reading drops the torn line, appending cuts it off first."""
    content = write(tmp_path / "rows.jsonl").read_bytes()
    for cut in range(len(content)):
        path = tmp_path / "cut.jsonl"
        path.write_bytes(content[:cut])
        whole = content[:cut].count(b"\n")
        assert read(path) == ROWS[:whole]
        write(path, [{"id": "new"}])
        assert read(path) == [*ROWS[:whole], {"id": "new"}]


def test_a_torn_line_longer_than_a_block_is_cut(tmp_path):
    """The last line break is found however far back it is."""
    path = write(tmp_path / "rows.jsonl")
    with path.open("ab") as file:
        file.write(b'{"text": "' + b"x" * 200_000)
    write(path, [{"id": "new"}])
    assert read(path) == [*ROWS, {"id": "new"}]


@pytest.mark.parametrize(
    ("line", "message"),
    [(b"{broken", "not valid JSON"), (b"[1]", "holds a list"), (b"\xff", "not valid JSON")],
)
def test_damage_in_the_middle_names_file_and_line(tmp_path, line, message):
    """A kill cannot cause it, so it is not read around."""
    path = write(tmp_path / "rows.jsonl", ROWS[:1])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(DatasetError, match=rf"rows\.jsonl, line 2: {message}"):
        read(path)


def test_a_missing_file_is_named(tmp_path):
    """With the reason."""
    with pytest.raises(UsageError, match=r"no\.jsonl: cannot be read: No such file"):
        read(tmp_path / "no.jsonl")


@given(text=st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_survives(tmp_path_factory, text):
    """Line separators included; half of a UTF-16 pair, which servers send, becomes U+FFFD."""
    path = tmp_path_factory.mktemp("text") / "rows.jsonl"
    rows = read(write(path, [{"text": text}, {"after": 1}]))
    assert rows == [{"text": storable(text)}, {"after": 1}]


def test_threads_do_not_mix_their_lines(tmp_path):
    """Eight threads, a hundred lines each."""
    with JsonLinesWriter(tmp_path / "rows.jsonl") as file:

        def work(number):
            for _ in range(100):
                file.append({"thread": number, "text": "x" * 500})

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = [row["thread"] for row in read(tmp_path / "rows.jsonl")]
    assert sorted(found) == sorted(list(range(8)) * 100)


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    """A folder stands in its place."""
    (tmp_path / "rows.jsonl").mkdir()
    with pytest.raises(UsageError, match=r"rows\.jsonl: cannot be written: Is a directory"):
        JsonLinesWriter(tmp_path / "rows.jsonl")


def test_a_full_disk_keeps_what_was_written(tmp_path):
    """Below a limit on the size of files, in a process of its own."""
    path = tmp_path / "rows.jsonl"
    script = """
        import resource, sys
        from pathlib import Path
        from harness.errors import HarnessError, UsageError
        from harness.files import JsonLinesWriter
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        file = JsonLinesWriter(Path(sys.argv[1]))
        try:
            for number in range(100):
                file.append({"id": number, "text": "x" * 100})
        except HarnessError as error:
            print(isinstance(error, UsageError), error)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), path],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.startswith(f"False {path}: cannot be written: ")
    assert [row["id"] for row in read(path)] == list(range(8))  # 8 lines of 121 bytes
