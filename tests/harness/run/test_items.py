"""Which questions a run asks: by id, by category, by number."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.run.config import EvalConfig
from harness.run.items import ItemChoice, fingerprint_ids, read_ids
from tests.toys import sample

CATEGORIES = ("art/painting", "art/music", "object_count", "object_size", "route")
SAMPLES = [replace(sample(n), category=CATEGORIES[n % 5]) for n in range(20)]


def _chosen(**fields):
    return [one.id for one in ItemChoice(**fields).choose(SAMPLES, "toy")]


def test_nothing_chosen_is_everything():
    """In the order of the questions."""
    assert _chosen() == [one.id for one in SAMPLES]
    assert ItemChoice().as_json is None


def test_ids_keep_the_order_of_the_questions():
    """However they are given."""
    assert _chosen(ids=frozenset(["toy/7", "toy/2"])) == ["toy/2", "toy/7"]


@pytest.mark.parametrize(
    ("patterns", "numbers"),
    [
        (("art",), {0, 1}),
        (("art/music",), {1}),
        (("*/music",), {1}),
        (("object_*",), {2, 3}),
        (("route", "art/p*"), {0, 4}),
        (("object_[cs]*",), {2, 3}),
        (("*",), {0, 1, 2, 3, 4}),
    ],
)
def test_a_pattern_matches_a_category_or_one_above_it(patterns, numbers):
    """As file names match in a shell."""
    assert {int(i.split("/")[1]) % 5 for i in _chosen(categories=patterns)} == numbers


def test_a_limit_counts_what_is_chosen():
    """Spread over the categories that are left."""
    found = _chosen(categories=("object_*",), limit=4)
    assert sorted(int(i.split("/")[1]) % 5 for i in found) == [2, 2, 3, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ids": frozenset(["toy/99"])}, r"--ids: no question of toy has the id toy/99; did you"),
        ({"ids": frozenset(["q"])}, r"has the id q; ids look like toy/0; leave toy out"),
        ({"categories": ("objects",)}, r"--category objects: no category of toy matches; it has:"),
        ({"categories": ("ART",)}, r"art/music, art/painting, object_count"),
    ],
)
def test_what_matches_nothing_is_refused(fields, message):
    """A misspelt name must not look like a finished run."""
    with pytest.raises(UsageError, match=message):
        _chosen(**fields)


def test_an_id_that_no_task_has_is_refused():
    """Though others are found."""
    choice = ItemChoice(ids=frozenset(["toy/1", "toy/21x"]))
    with pytest.raises(UsageError, match=r"no question of this run has the id toy/21x; did you"):
        choice.refuse_unknown(SAMPLES)


def test_ids_are_read_from_files(tmp_path):
    """One per line, or the records of a run, which have an id in every line."""
    plain, records = tmp_path / "ids.txt", tmp_path / "records-0.jsonl"
    plain.write_text("toy/1\n\n  toy/2 \n")
    records.write_text('{"id": "toy/3", "text": "A"}\n{"id": "toy/4"}\n')
    assert read_ids([str(plain), "toy/9", str(records)]) == [
        "toy/1", "toy/2", "toy/9", "toy/3", "toy/4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no ids"),
        (b"\n \n", "no ids"),
        (b'{"name": "toy/1"}\n', "line 1: expected an id, or a JSON object with an 'id'"),
        (b'toy/1\n{"id": 3}\n', "line 2: expected an id, or a JSON object with an 'id'"),
        (b'{"id": "toy\n', "line 1: not valid JSON"),
        (b"\xff\xfe\x00", "got no UTF-8 text"),
    ],
)
def test_a_file_without_ids_is_refused(tmp_path, content, message):
    """With file and line."""
    path = tmp_path / "ids.txt"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_ids([str(path)])


def test_a_choice_survives_a_manifest():
    """So a stored run is scored again over the same questions."""
    choice = ItemChoice(ids=frozenset(["toy/1", "toy/2"]), categories=("art",), limit=3)
    manifest = json.loads(json.dumps({"choice": choice.as_json, "limit": 3}))
    assert ItemChoice.of_manifest(manifest) == choice
    assert ItemChoice.of_manifest({"limit": None}) == ItemChoice()


def test_the_same_ids_have_the_same_hash_in_any_order():
    """Two runs of the same questions may be compared, however they were chosen."""
    assert fingerprint_ids(SAMPLES) == fingerprint_ids(SAMPLES[::-1])
    assert fingerprint_ids(SAMPLES) != fingerprint_ids(SAMPLES[1:])


@pytest.mark.parametrize("name", ["ids", "category"])
def test_an_empty_choice_is_no_choice(name):
    """`--ids ""` must not ask everything, nor nothing."""
    with pytest.raises(ValueError, match=f"{name}: expected at least one name"):
        EvalConfig(**{name: ("",)})
