"""Records and manifests are read through validated readers: place, field, expected, found."""

import json
from dataclasses import asdict, replace

import pytest

from harness.errors import DatasetError, UsageError
from harness.run.store import read_manifest, read_records
from harness.run.summary_shape import read_summary
from harness.schema import Outcome
from tests.runs import make_manifest
from tests.toys import record


def _write(folder, *rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "records-0.jsonl").write_text(lines)
    return folder


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("value", 100.0, "'value': expected 0 to 1, got 100.0"),
        ("value", "1.0", "'value': expected a number, got '1.0'"),
        ("value", True, "'value': expected a number, got True"),
        ("outcome", "great", "'outcome': expected one of .*'correct'.*got 'great'"),
        ("outcome", "failed", "'value': expected null for a failed item, got 1.0"),
        ("text", ["a"], r"'text': expected a text, got \['a'\]"),
        ("timestamps", [[0.0, None]], r"'timestamps\[0\]\[1\]': expected a number, got None"),
        ("prompt_tokens", -1, "'prompt_tokens': expected at least 0, got -1"),
        ("failure", {"stage": "media"}, "'failure.error' is missing"),
        ("later", 1, "unknown field 'later'"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(tmp_path, field, value, message):
    """What was expected and what was found."""
    good = asdict(record(1))
    with pytest.raises(DatasetError, match=rf"records-0\.jsonl, line 2: .*{message}"):
        read_records(_write(tmp_path, asdict(record(2)), {**good, field: value}))


def test_an_answered_item_has_one_record(tmp_path):
    """A failed one may be tried again; two answers would leave open which one counts."""
    failed = replace(record(1, None, Outcome.FAILED), text=None)
    assert len(read_records(_write(tmp_path, asdict(failed), asdict(record(1))))) == 1
    with pytest.raises(DatasetError, match=r"line 2: .*'toy/1' has a record already"):
        read_records(_write(tmp_path, asdict(record(1)), asdict(record(1))))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 3}, "'schema': expected 1 or 2"),
        ({"data": {}}, "'data': expected the tasks vsibench, got none"),
        ({"protocol": {"vsibench": []}}, r"'protocol.vsibench': expected an object, got \[\]"),
        ({"data": {"vsibench": {"items": -1}}}, "'data.vsibench.items': expected a whole number"),
        ({"limit": 0}, "'limit': expected a whole number of at least 1, got 0"),
        ({"tasks": ["mvbench"]}, "'protocol': expected the tasks mvbench, got vsibench"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path, changes, message):
    """File, field, expected and found."""
    manifest = {**make_manifest({"vsibench": [1.0]}), **changes}
    (tmp_path / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(DatasetError, match=rf"run\.json: field {message}"):
        read_manifest(tmp_path)


def test_what_is_no_folder_is_no_run(tmp_path):
    """A file, a name that is too long, and a device are told what is expected."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / ("n" * 300), tmp_path / "absent"):
        with pytest.raises(UsageError, match="expected a folder that `videor1 eval` wrote"):
            read_manifest(path)


@pytest.mark.parametrize(
    ("summary", "message"),
    [
        ({"score": 101.0}, "'tasks.toy.score': expected a number from 0 to 100"),
        ({"score": "x"}, "'tasks.toy.score'"),
        ({"ci95": [1.0]}, "'tasks.toy.ci95': expected a list of two numbers"),
        ({"breakdown": {"a": {"score": -1}}}, "'tasks.toy.breakdown.a.score'"),
        ([], "'tasks.toy': expected an object"),
    ],
)
def test_a_wrong_summary_is_named(tmp_path, summary, message):
    """The advice is to delete it: it is made of the records."""
    path = tmp_path / "summary.json"
    path.write_text(json.dumps({"tasks": {"toy": summary}}))
    with pytest.raises(DatasetError, match=rf"{message}.*Delete it"):
        read_summary(path)
