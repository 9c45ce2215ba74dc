"""Reading publishers' question files."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from harness.errors import DatasetError
from tasks.files import Row, first_existing, inside, json_rows, read_json, read_rows

ROWS: list[dict[str, Any]] = [{"id": 1, "options": ["a", "b"]}, {"id": 2, "options": None}]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    match path.suffix:
        case ".json":
            path.write_text(json.dumps(rows))
        case ".jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows) + "\n")
        case ".parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("name", ["q.json", "q.jsonl", "q.parquet"])
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    """JSON, JSON lines and Parquet are read alike, and each row knows its place."""
    rows = read_rows(write(tmp_path / name, ROWS))
    assert [row.fields for row in rows] == ROWS
    assert rows[1].where == f"{tmp_path / name}, row 1"


def test_a_json_line_may_hold_a_line_separator(tmp_path: Path) -> None:
    """U+2028 and U+0085 inside a string end no row, \\r\\n does."""
    path = tmp_path / "q.jsonl"
    path.write_bytes('{"q": "a\u2028b\u0085c"}\r\n\r\n{"q": "d"}'.encode())
    assert [row.text("q") for row in read_rows(path)] == ["a\u2028b\u0085c", "d"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("q.json", b"[{]", "not valid JSON"),
        ("q.json", b'{"a": 1}', "expected a list of objects, got dict"),
        ("q.json", b"[1]", "row 0: expected an object, got 1"),
        ("q.json", b"[" + b"9" * 5000 + b"]", "not valid JSON"),
        ("q.json", b"\xff", "not UTF-8"),
        ("q.jsonl", b'{"a": 1}\n{"a": \n', "line 2: not valid JSON"),
        ("q.jsonl", b"\xff", "not UTF-8"),
        ("q.parquet", b"PAR1", "not a readable Parquet file"),
        ("q.csv", b"", "expected .json, .jsonl or .parquet, got '.csv'"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """The error says which file, where in it, and what is wrong."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message) as error:
        read_rows(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["q.json", "q.jsonl", "q.parquet"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    """A file that vanished or is a folder is a problem of the data, not a crash."""
    with pytest.raises(DatasetError, match=name):
        read_rows(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match=name):
        read_rows(tmp_path / name)


def test_json_is_returned_as_it_is(tmp_path: Path) -> None:
    """A file that is no list of rows can be read for its own structure."""
    (tmp_path / "meta.json").write_text('{"a": [1]}')
    assert read_json(tmp_path / "meta.json") == {"a": [1]}


def test_fields_have_the_type_that_is_asked_for() -> None:
    """Typed access returns what fits, numbers as text where text is asked of them."""
    row = Row({"s": "x", "i": 7, "f": 2.5, "l": ["a"], "none": None}, "q.json, row 0")
    assert row.text("s") == "x"
    assert [row.scalar(name) for name in "sif"] == ["x", "7", "2.5"]
    assert row.texts("l") == ("a",)
    assert row.texts("none") == row.texts("absent") == ()
    assert (row.seconds("i"), row.seconds("f"), row.seconds("none")) == (7.0, 2.5, None)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("text", 1),
        ("text", None),
        ("scalar", None),
        ("scalar", True),
        ("scalar", ["x"]),
        ("texts", "ab"),
        ("texts", ["a", 1]),
        ("seconds", "3"),
        ("seconds", True),
        ("seconds", -0.1),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
    ],
)
def test_a_field_of_another_type_is_named(method: str, value: object) -> None:
    """The error names row, field and what was found."""
    with pytest.raises(DatasetError, match=r"q.json, row 4: field 'x': expected .*, got "):
        getattr(Row({"x": value}, "q.json, row 4"), method)("x")


def test_a_long_value_is_cut_in_the_message() -> None:
    """An error stays one readable line."""
    assert len(str(Row({"x": "y" * 9999}, "q.json, row 0").bad("x", "a number"))) < 200


def test_an_absent_field_is_reported_as_absent() -> None:
    """A missing field reads differently from a null."""
    with pytest.raises(DatasetError, match="got 'nothing'"):
        Row({}, "q.json, row 0").text("x")


def test_items_within_a_file_become_rows() -> None:
    """Lists nested in a JSON file are rows whose place is given by the caller."""
    (row,) = json_rows(Path("test.json/meta/x"), [{"a": 1}])
    assert row.where == "test.json/meta/x, row 0"


def test_the_first_pattern_with_files_wins(tmp_path: Path) -> None:
    """Later patterns are not looked at, and files come in order of name."""
    for name in ("b.json", "a.json", "a.jsonl"):
        (tmp_path / name).touch()
    assert first_existing(tmp_path, "*.parquet", "*.json", "*.jsonl") == [
        tmp_path / "a.json",
        tmp_path / "b.json",
    ]


def test_a_folder_without_questions_says_what_was_looked_for(tmp_path: Path) -> None:
    """The error lists the patterns and how the data are brought, for a missing folder as well."""
    with pytest.raises(DatasetError, match=r"looked for test\.json, \*\.parquet.*data fetch"):
        first_existing(tmp_path / "absent", "test.json", "*.parquet")


@pytest.mark.parametrize("root", [Path("/data"), Path("data"), Path(), Path("../data")])
@pytest.mark.parametrize("relative", ["v/a.mp4", "./v/a.mp4", "v//a.mp4", "w/../v/a.mp4"])
def test_a_path_below_the_root_is_joined(root: Path, relative: str) -> None:
    """Detours within the root are straightened."""
    assert inside(root, relative, "q.json, row 0") == root / "v/a.mp4"


@pytest.mark.parametrize("root", [Path("/data"), Path("data"), Path(), Path("../data")])
@pytest.mark.parametrize("relative", ["..", "../a.mp4", "v/../../a.mp4", "/etc/passwd", "//a"])
def test_a_path_that_leaves_the_root_is_refused(root: Path, relative: str) -> None:
    """Neither climbing out nor an absolute path is followed, whatever the root is called."""
    with pytest.raises(DatasetError, match=r"q\.json, row 0: .* leaves the data root"):
        inside(root, relative, "q.json, row 0")


def test_a_linked_file_is_inside(tmp_path: Path) -> None:
    """Hub snapshots are links to files elsewhere, which is no reason to refuse them."""
    (tmp_path / "cache").touch()
    root = tmp_path / "snapshot"
    root.mkdir()
    (root / "a.mp4").symlink_to(tmp_path / "cache")
    assert inside(root, "a.mp4", "row").exists()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (".", "names a folder"),
        ("a/..", "names a folder"),
        ("p" * 300, "longer than a file name"),
        ("d/" * 3000 + "v.mp4", "longer than a file name"),
        ("\ud800.mp4", "half of a UTF-16 pair"),
        ("a\0b.mp4", "NUL"),
        ("../v.mp4", "leaves the data root"),
    ],
)
def test_a_path_that_no_file_can_have_is_refused_by_name(tmp_path, path, reason):
    """The row is named; nothing is looked for on disk."""
    with pytest.raises(DatasetError, match=f"q.json, row 3: media path .*{reason}"):
        inside(tmp_path, path, "q.json, row 3")


def test_a_file_of_too_many_levels_is_malformed(tmp_path):
    """Not an error of ours."""
    (tmp_path / "q.json").write_text("[" * 100_000)
    with pytest.raises(DatasetError, match="too many levels"):
        read_rows(tmp_path / "q.json")


def test_more_options_than_letters_are_refused() -> None:
    """27 options: file, row and field are named, as for every malformed row."""
    row = Row({"candidates": [str(n) for n in range(27)]}, "q.json, row 4")
    with pytest.raises(DatasetError, match=r"q\.json, row 4: field 'candidates': .*26 .*got 27"):
        row.options("candidates")
    assert len(Row({"o": ["x"] * 26}, "q").options("o")) == 26


@pytest.mark.parametrize(
    ("name", "content"), [("q.json", "[]"), ("q.jsonl", ""), ("q.jsonl", "\n \n")]
)
def test_a_file_without_questions_is_refused(tmp_path: Path, name: str, content: str) -> None:
    """An interrupted copy; a run of 0 items would be complete."""
    (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match="has no rows"):
        read_rows(tmp_path / name)


@pytest.mark.parametrize("value", [1e300, 10**400, -1, float("inf")])
def test_seconds_are_those_of_a_video(value: float) -> None:
    """Thirty years at most: no number that a float cannot hold."""
    with pytest.raises(DatasetError, match="number of seconds"):
        Row({"start": value}, "q.json, row 0").seconds("start")
