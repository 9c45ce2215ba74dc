"""A run directory loses nothing that was finished and is never shared by two runs."""

import json
import os
import stat
from dataclasses import MISSING, asdict, fields, replace

import pyarrow.parquet as pq
import pytest

from harness.errors import DatasetError, RunMismatchError, UsageError
from harness.run.store import (
    RunWriter,
    read_manifest,
    read_records,
    write_parquet,
)
from harness.schema import Failure, Outcome, Record
from harness.thoughts import ThoughtEnd
from tests.toys import record

MANIFEST = {
    "schema": 1, "protocol": {"toy": {"frames": {"max_frames": 16}}}, "backend": "fake",
    "checkpoint": {}, "data": {"toy": {"items": 3, "sha256": "f00d"}},
}  # fmt: skip


def test_records_survive_the_round_trip(tmp_path):
    """What is appended is what is read, failures and nested tuples included."""
    failed = record(2, None, Outcome.FAILED)
    failed = type(failed)(
        **{
            **{name: getattr(failed, name) for name in failed.__slots__},
            "failure": Failure(stage="media", error="MediaError", message="broken"),
            "frame_indices": ((0, 3),),
            "timestamps": ((0.0, 1.5),),
            "frame_size": ((56, 28),),
        }
    )
    with RunWriter(tmp_path, MANIFEST) as run:
        run.append(record(1))
        run.append(failed)
    assert read_records(tmp_path) == [record(1), failed]


def test_a_torn_last_line_is_dropped_and_cut_before_the_next_record(tmp_path):
    """A kill in the middle of a line costs that line only."""
    with RunWriter(tmp_path, MANIFEST) as run:
        run.append(record(1))
        run.append(record(2))
    path = tmp_path / "records-0.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [r.id for r in read_records(tmp_path)] == ["toy/1"]
    with RunWriter(tmp_path, MANIFEST) as run:
        assert run.finished() == {("toy/1", 0)}
        run.append(record(2))
    assert [r.id for r in read_records(tmp_path)] == ["toy/1", "toy/2"]


@pytest.mark.parametrize("cut", range(1, 400, 37))
def test_a_cut_at_any_byte_keeps_every_whole_line(tmp_path, cut):
    """Whatever the byte at which a run dies, the lines before it are read."""
    with RunWriter(tmp_path, MANIFEST) as run:
        for number in range(3):
            run.append(record(number))
    path = tmp_path / "records-0.jsonl"
    content = path.read_bytes()[:-cut]
    path.write_bytes(content)
    assert len(read_records(tmp_path)) == content.count(b"\n")


def test_a_broken_line_in_the_middle_is_an_error_with_its_place(tmp_path):
    """Damage that no kill can cause is not read around."""
    with RunWriter(tmp_path, MANIFEST) as run:
        run.append(record(1))
    path = tmp_path / "records-0.jsonl"
    path.write_bytes(b"{broken\n" + path.read_bytes())
    with pytest.raises(DatasetError, match=r"records-0\.jsonl, line 1"):
        read_records(tmp_path)


def test_a_retried_item_counts_once_with_its_latest_record(tmp_path):
    """A failed item that succeeds later is one finished item."""
    with RunWriter(tmp_path, MANIFEST) as run:
        run.append(record(1, None, Outcome.FAILED))
        assert run.finished() == set()
        run.append(record(1))
        assert run.finished() == {("toy/1", 0)}
    assert read_records(tmp_path) == [record(1)]


def test_another_protocol_is_refused_with_the_field_named(tmp_path):
    """A run directory never mixes protocols, and the message says which field differs."""
    with RunWriter(tmp_path, MANIFEST):
        pass
    other = {**MANIFEST, "protocol": {"toy": {"frames": {"max_frames": 32}}}}
    with pytest.raises(RunMismatchError, match=r"protocol\.toy\.frames\.max_frames: 16 != 32"):
        RunWriter(tmp_path, other)


def test_two_writers_are_refused(tmp_path):
    """The second writer of a run directory gets a clear error; the first goes on."""
    with RunWriter(tmp_path, MANIFEST) as run:
        with pytest.raises(UsageError, match="another process is writing"):
            RunWriter(tmp_path, MANIFEST)
        run.append(record(1))
    assert len(read_records(tmp_path)) == 1


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path):
    """A file where the run directory should be is named, with what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="choose another --out"):
        RunWriter(tmp_path / "file" / "run", MANIFEST)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write read-only folders")
def test_a_read_only_folder_is_a_usage_error(tmp_path):
    """A folder without write permission is named before anything is spent."""
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(UsageError, match="choose another --out"):
        RunWriter(tmp_path / "run", MANIFEST)


@pytest.mark.parametrize(
    "change",
    [
        {"numeric": "x"}, {"numeric": [1]}, {"protocol": {"toy": [1]}}, {"choice": "x"},
        {"data": {"toy": 3}}, {"checkpoint": None}, {"schema": "1"}, {"limit": -1},
    ],
)  # fmt: skip
def test_a_damaged_manifest_is_refused_with_its_field(tmp_path, change):
    """Before it is compared with what is asked, which relies on the types of its fields."""
    (tmp_path / "run.json").write_text(json.dumps({**MANIFEST, **change}))
    [name] = change
    with pytest.raises(DatasetError, match=rf"run\.json: field '{name}"):
        RunWriter(tmp_path, MANIFEST)


def test_a_folder_without_manifest_is_no_run(tmp_path):
    """Commands that read runs say when a folder is none."""
    with pytest.raises(UsageError, match="not a run directory"):
        read_manifest(tmp_path)


def test_the_parquet_table_has_one_row_per_record(tmp_path):
    """A finished run can be read with pandas."""
    import pandas as pd

    write_parquet(tmp_path, [record(1), record(2)])
    table = pd.read_parquet(tmp_path / "records.parquet")
    assert table["id"].tolist() == ["toy/1", "toy/2"]
    assert table["outcome"].tolist() == ["correct", "correct"]


def test_every_field_of_a_record_comes_back_from_the_table_as_it_was(tmp_path):
    """Texts, counts, lists and failures; a column that is empty in all rows keeps its type."""
    full = replace(
        record(1),
        repeat=2,
        outcome=Outcome.FAILED,
        text="t",
        reasoning="r",
        reasoning_tokens=3,
        thought_end=ThoughtEnd.KEPT,
        rule="last tag",
        finish_reason="stop",
        prompt_tokens=4,
        output_tokens=5,
        frame_indices=((0, 1), (2,)),
        timestamps=((0.0, 0.5), (1.0,)),
        frame_size=((56, 28),),
        frame_spacing=(0.5,),
        media_notes=("n",),
        failure=Failure(stage="media", error="E", message="m"),
    )
    required = [one.name for one in fields(Record) if one.default is MISSING]
    empty = Record(**{name: getattr(record(2), name) for name in required})
    for records in ([full, empty], [empty]):
        write_parquet(tmp_path, records)
        rows = pq.read_table(tmp_path / "records.parquet").to_pylist()
        for row, one in zip(rows, records, strict=True):
            assert row == json.loads(json.dumps(asdict(one)))
    types = {field.name: str(field.type) for field in pq.read_schema(tmp_path / "records.parquet")}
    assert types["thought_end"] == types["rule"] == types["text"] == "string"
    assert types["repeat"] == types["reasoning_tokens"] == "int64"
