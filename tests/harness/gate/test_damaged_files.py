"""A gate ends with 2, 3 or 4 on damaged files: never with 0 (no worse) or 1 (regression)."""

import copy
import json
import random
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.cli import main
from harness.gate.baseline import freeze, write_baseline
from tests.paths import SHARED
from tests.runs import make_manifest, make_records, write_run

VALUES = {"vsibench": [1.0, 0.0, 1.0, 1.0] * 20}
PASSES = ("--margin", "60")
TRIES = 120
"""Damages of each of the three files."""

DEEP, HUGE = "[" * 100_000 + "]" * 100_000, "9" * 5_000
NO_TABLE = (None, [], "x", 3, True, [1], [{}])
NO_TEXT = (None, 3, ["a"], {}, True, 1.5)
NO_COUNT = (-1, 1.5, "1", None, [], True, 10**400)
NO_VALUE = (100.0, -1.0, 1.0001, 1e308, "1.0", True, [1.0], {}, float("nan"), float("inf"))
NO_LISTS = (None, "x", 5, [5], [[None]], [["a"]], [[1.5, "x"]], {})
WRONG = {
    "id": (*NO_TEXT, ""), "task": (*NO_TEXT, ""), "variant": NO_TEXT, "cluster": (*NO_TEXT, ""),
    "category": NO_TEXT, "outcome": (*NO_TEXT, "great", "CORRECT", ""), "value": NO_VALUE,
    "answer": NO_TEXT[1:], "gold": NO_TEXT, "scorer": (*NO_TEXT, ""), "text": NO_TEXT[1:],
    "finish_reason": NO_TEXT[1:], "prompt_tokens": NO_COUNT, "output_tokens": NO_COUNT,
    "frame_indices": NO_LISTS, "timestamps": (*NO_LISTS, [[float("nan")]], [[float("inf")]]),
    "frame_size": (*NO_LISTS, [[1]], [[1, 2, 3]]), "decode_s": (-1.0, "1", None, [], float("nan")),
    "generate_s": (-1.0, "1", None, [], float("inf")),
    "failure": ("x", [], {}, {"stage": 1, "error": "x", "message": "x"}),
}  # fmt: skip
REQUIRED = ("id", "task", "variant", "cluster", "category", "outcome", "value", "answer", "gold",
            "scorer")  # fmt: skip


@pytest.fixture
def sides(tmp_path):
    """A baseline and a run that equals it."""
    write_baseline(
        tmp_path / "b.parquet", freeze(make_manifest(VALUES), make_records(VALUES), None)
    )
    write_run(tmp_path / "run", make_manifest(VALUES), make_records(VALUES))
    return tmp_path / "b.parquet", tmp_path / "run"


def _gate(sides):
    return main(["gate", *map(str, sides), *PASSES])


def _set(content, path, value):
    """Return a copy of a JSON value with one place replaced."""
    changed = copy.deepcopy(content)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def _damage_manifest(rng, content):
    """Return the text of a damaged ``run.json``: another type, a missing field, a cut file."""
    text = json.dumps(content)
    places = [("protocol",), ("protocol", "vsibench"), ("data",), ("data", "vsibench"),
              ("checkpoint",), ("protocol", "vsibench", "frames")]  # fmt: skip
    match rng.randrange(7):
        case 0:
            return json.dumps(_set(content, rng.choice(places), rng.choice(NO_TABLE)))
        case 1:
            return json.dumps(_set(content, ("data", "vsibench", "items"), rng.choice(NO_COUNT)))
        case 2:
            return json.dumps(_set(content, ("data", "vsibench", "sha256"), rng.choice(NO_TEXT)))
        case 3:
            name = rng.choice(("limit", "schema", "tasks", "model", "created", "backend"))
            return json.dumps({**content, name: rng.choice(({}, [], [3], -1, True, 1.5, ""))})
        case 4:
            name = rng.choice(list(content))
            return json.dumps({key: value for key, value in content.items() if key != name})
        case 5:
            return rng.choice(("[]", "null", "3", DEEP, HUGE, f'{{"a": {HUGE}}}', "NaN", "\xff"))
        case _:
            return text[: rng.randrange(len(text))]


def _damage_records(rng, lines):
    """Return the lines of a damaged records file; a line that is lost counts as damage."""
    changed, number = list(lines), rng.randrange(len(lines))
    record = json.loads(lines[number])
    match rng.randrange(6):
        case 0 | 1 | 2:
            name = rng.choice(list(WRONG))
            changed[number] = json.dumps({**record, name: rng.choice(WRONG[name])})
        case 3:
            record.pop(rng.choice(REQUIRED))
            changed[number] = json.dumps(record)
        case 4:
            changed[number] = rng.choice((
                "[]", "null", "3", DEEP, f'{{"id": {HUGE}}}', json.dumps({**record, "extra": 1}),
                lines[number][: rng.randrange(len(lines[number]))], lines[number - 1],
            ))  # fmt: skip
        case _:
            del changed[number]
    return changed


def _damage_baseline(rng, path):
    """Write a damaged baseline over a sound one."""
    table, content = pq.read_table(path), path.read_bytes()
    metadata = json.loads(table.schema.metadata[b"videor1"])
    rows, number = table.to_pylist(), rng.randrange(table.num_rows)
    types = {field.name: field.type for field in table.schema}
    match rng.randrange(7):
        case 0:
            rows[number]["value"] = rng.choice((100.0, -1.0, 1.1, float("nan"), float("inf")))
        case 1:
            name = rng.choice(("id", "task", "cluster", "category", "path", "outcome"))
            rows[number][name] = None
        case 2:
            name, value = rng.choice((("outcome", "great"), ("outcome", "failed"), ("id", ""),
                                      ("id", rows[number - 1]["id"]), ("task", "mvbench"),
                                      ("path", [None])))  # fmt: skip
            rows[number][name] = value
        case 3:
            name = rng.choice(list(types))
            del types[name]
        case 4:
            name = rng.choice(("value", "id", "outcome"))
            types[name] = pa.string() if name == "value" else pa.int64()
            for place, row in enumerate(rows):
                row[name] = str(row[name]) if name == "value" else place
        case 5:
            name = rng.choice(list(metadata))
            metadata = rng.choice((
                [], None, 3, {k: v for k, v in metadata.items() if k != name},
                {**metadata, "schema": 2}, {**metadata, "policy": []}, {**metadata, "data": {}},
                {**metadata, "policy": {"margin": -1}}, {**metadata, "checkpoint": []},
                {**metadata, "aggregation": {"vsibench": 3}}, {**metadata, "protocol": {"a": 1}},
            ))  # fmt: skip
        case _:
            path.write_bytes(content[: rng.randrange(len(content))])
            return
    rows = [{name: row[name] for name in types} for row in rows]
    schema = pa.schema(types.items()).with_metadata({b"videor1": json.dumps(metadata)})
    pq.write_table(pa.Table.from_pylist(rows, schema), path)


def test_the_sound_files_pass(sides):
    """What the damages below start from ends with 0."""
    assert _gate(sides) == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_manifest_is_never_a_verdict(sides, seed):
    """Types, missing fields, nesting, huge numbers, cut files."""
    rng, path = random.Random(seed), sides[1] / "run.json"
    content = json.loads(path.read_text())
    for _ in range(TRIES // 4):
        text = _damage_manifest(rng, content)
        path.write_text(text, encoding="latin-1")
        assert _gate(sides) == 2, text[:300]


@pytest.mark.parametrize("seed", range(4))
def test_damaged_records_are_never_a_verdict(sides, seed):
    """Types, ranges, NaN, missing and unknown fields, doubled, cut and lost lines."""
    rng, path = random.Random(seed), sides[1] / "records-0.jsonl"
    lines = path.read_text().splitlines()
    for _ in range(TRIES // 4):
        changed = _damage_records(rng, lines)
        path.write_text("".join(f"{line}\n" for line in changed))
        different = [line for line in changed if line not in lines] or ["a line is lost or doubled"]
        assert _gate(sides) in (2, 4), different[0][:600]


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_baseline_is_never_a_verdict(sides, seed):
    """Values, nulls, doubled ids, columns, types, metadata, cut files."""
    rng, path = random.Random(seed), sides[0]
    sound = path.read_bytes()
    for attempt in range(TRIES // 4):
        path.write_bytes(sound)
        _damage_baseline(rng, path)
        assert _gate(sides) == 2, f"attempt {attempt}"


CASES = SHARED / "cases" / "faults"


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
@pytest.mark.parametrize("name", [
    "manifest_badutf8", "manifest_deep", "manifest_hugeint", "manifest_list", "manifest_nodata",
    "records_nan", "records_text_list", "records_value100", "records_value_str",
])  # fmt: skip
@pytest.mark.parametrize("command", ["gate", "baseline", "board"])
def test_the_runs_of_the_shared_cases_are_refused(tmp_path, monkeypatch, name, command):
    """Each gave a traceback or a verdict."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CASES / name / "run", "run")
    words = {
        "gate": ["gate", str(CASES / "_base" / "base.parquet"), "run"],
        "baseline": ["baseline", "run", "-o", "b.parquet"],
        "board": ["board", "run"],
    }
    assert main(words[command]) == 2


@pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not here")
def test_the_baselines_of_the_shared_cases_are_refused(capsys):
    """The message names the file."""
    for path in sorted((CASES / "baseline_files").glob("*.parquet")):
        assert main(["gate", str(path), str(CASES / "_base" / "run")]) == 2
        assert path.name in capsys.readouterr().err


def test_a_line_with_half_a_pair_is_read(sides):
    """A server may have sent it: it counts, and the half is shown as a replacement character."""
    path = sides[1] / "records-0.jsonl"
    lines = path.read_text().splitlines()
    record = json.loads(lines[0])
    path.write_text("\n".join([json.dumps({**record, "text": "a \ud800"}), *lines[1:]]) + "\n")
    assert _gate(sides) == 0
