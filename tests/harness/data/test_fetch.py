from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data.archives import (
    Archive,
    unpack,
)
from harness.data.fetch import (
    RECEIPT,
    Receipt,
    Source,
    fetch,
)
from harness.errors import UsageError
from tests.hub import Hub, serve, zipped

OLD, NEW = "a" * 40, "b" * 40
REPO = "owner/bench"
SOURCE = Source(
    repo=REPO,
    revision=OLD,
    folder="bench",
    files=("test.jsonl",),
    archives=tuple(
        Archive(path=f"{name}.zip", root=name, into=name) for name in ("rooms", "halls")
    ),
)
TREE = {
    "README.md": b"not wanted",
    "test.jsonl": b"questions",
    "rooms.zip": zipped({"rooms/1.mp4": b"first", "rooms/2.mp4": b"second"}),
    "halls.zip": zipped({"3.mp4": b"third" * 1000}),
}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve({REPO: {OLD: TREE, NEW: TREE | {"test.jsonl": b"new questions"}}}) as hub:
        yield hub


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a benchmark's folder, bookkeeping and archives left out."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts and path.suffix in (".mp4", ".jsonl")
    }


COMPLETE = {
    "test.jsonl": b"questions",
    "rooms/1.mp4": b"first",
    "rooms/2.mp4": b"second",
    "halls/3.mp4": b"third" * 1000,
}


def test_fetch_brings_the_pinned_commit_and_unpacks_it(hub: Hub, tmp_path: Path) -> None:
    """The files of the source's commit arrive, every video in its folder."""
    receipt = fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    assert contents(tmp_path) == COMPLETE
    assert receipt == Receipt(
        repo=REPO, revision=OLD, files=("halls.zip", "rooms.zip", "test.jsonl")
    )
    assert Receipt.read(tmp_path) == receipt


def test_fetching_twice_asks_the_hub_for_nothing(hub: Hub, tmp_path: Path) -> None:
    """A complete folder needs no network at all."""
    fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    before = hub.requests
    fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    assert hub.requests == before


def test_interrupted_download_goes_on_with_the_files_that_are_left(
    hub: Hub, tmp_path: Path
) -> None:
    """After a failed download only the missing file is downloaded."""
    hub.broken.add("halls.zip")
    with pytest.raises(UsageError, match=r"complete files are kept"):
        fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    before = set(hub.downloaded)
    hub.broken.clear()
    hub.downloaded.clear()
    fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    assert set(hub.downloaded) == {"test.jsonl", "rooms.zip", "halls.zip"} - before
    assert contents(tmp_path) == COMPLETE


def test_cut_connection_is_taken_up_in_the_middle_of_a_file(hub: Hub, tmp_path: Path) -> None:
    """A file whose connection breaks half way arrives whole."""
    hub.cut.add("halls.zip")
    fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    assert hub.downloaded.count("halls.zip") == 2
    assert contents(tmp_path) == COMPLETE


def test_branch_is_resolved_to_a_commit_that_later_fetches_keep(hub: Hub, tmp_path: Path) -> None:
    """``--revision main`` is noted as its commit, and a fetch without a revision takes that one."""
    assert fetch(SOURCE, tmp_path, revision="main", endpoint=hub.endpoint).revision == NEW
    assert fetch(SOURCE, tmp_path, endpoint=hub.endpoint).revision == NEW
    assert contents(tmp_path)["test.jsonl"] == b"new questions"


def test_commit_asked_for_replaces_the_one_in_the_folder(hub: Hub, tmp_path: Path) -> None:
    """An explicit commit wins over the receipt, and changed files are downloaded again."""
    fetch(SOURCE, tmp_path, revision=NEW, endpoint=hub.endpoint)
    hub.downloaded.clear()
    fetch(SOURCE, tmp_path, revision=OLD, endpoint=hub.endpoint)
    assert hub.downloaded == ["test.jsonl"]
    assert contents(tmp_path) == COMPLETE


def test_download_that_cannot_fit_is_refused_before_it_starts(hub: Hub, tmp_path: Path) -> None:
    """Archives are counted twice, as they are and unpacked."""
    hub.claimed["rooms.zip"] = 10**18
    with pytest.raises(UsageError, match=r"need 2000000000\.0 GB"):
        fetch(SOURCE, tmp_path, endpoint=hub.endpoint)
    assert hub.downloaded == []


def test_gated_data_name_the_page_and_the_token(hub: Hub, tmp_path: Path) -> None:
    """A refused download says where to accept the terms and what to set."""
    hub.gated.add(REPO)
    with pytest.raises(UsageError, match=rf"huggingface\.co/datasets/{REPO}.*HF_TOKEN"):
        fetch(SOURCE, tmp_path, endpoint=hub.endpoint)


def test_unknown_revision_is_named(hub: Hub, tmp_path: Path) -> None:
    """A revision that does not exist is an error of the user."""
    with pytest.raises(UsageError, match=r"no revision 'tuesday'"):
        fetch(SOURCE, tmp_path, revision="tuesday", endpoint=hub.endpoint)


def test_repository_without_the_expected_files_is_refused(hub: Hub, tmp_path: Path) -> None:
    """A repository that changed its layout is not taken for a complete download."""
    source = Source(repo=REPO, revision=OLD, folder="bench", files=("*.parquet",))
    with pytest.raises(UsageError, match=r"none of the expected files"):
        fetch(source, tmp_path, endpoint=hub.endpoint)


def test_offline_machine_is_told_so(tmp_path: Path) -> None:
    """Without network the command ends with exit code 2 and names the page."""
    command = [sys.executable, "-m", "harness", "data", "fetch", "vsibench", "--data", tmp_path]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2
    assert "huggingface.co/datasets/nyu-visionx/VSI-Bench" in ended.stderr.splitlines()[-1]
    assert "HF_HUB_OFFLINE" in ended.stderr.splitlines()[-1]


def test_receipt_that_is_no_receipt_is_refused(tmp_path: Path) -> None:
    """A broken receipt is named instead of being overwritten."""
    (tmp_path / RECEIPT).write_text("[]")
    with pytest.raises(UsageError, match=RECEIPT):
        Receipt.read(tmp_path)


ROOMS = Archive(path="rooms.zip", root="rooms", into="rooms")


def test_unpacking_twice_extracts_nothing(tmp_path: Path) -> None:
    """Entries whose file lies there are skipped; a deleted one comes back."""
    (tmp_path / "rooms.zip").write_bytes(TREE["rooms.zip"])
    assert unpack(ROOMS, tmp_path) == 2
    assert unpack(ROOMS, tmp_path) == 0
    (tmp_path / "rooms/2.mp4").unlink()
    assert unpack(ROOMS, tmp_path) == 1


def test_interrupted_unpacking_goes_on(tmp_path: Path) -> None:
    """A damaged second entry leaves the first; with a whole archive the rest follows."""
    whole = TREE["rooms.zip"]
    (tmp_path / "rooms.zip").write_bytes(whole.replace(b"second", b"secont", 1))
    with pytest.raises(UsageError, match=r"rooms\.zip: cannot be unpacked .*CRC"):
        unpack(ROOMS, tmp_path)
    assert contents(tmp_path) == {"rooms/1.mp4": b"first"}
    (tmp_path / "rooms.zip").write_bytes(whole)
    assert unpack(ROOMS, tmp_path) == 1
    assert contents(tmp_path) == {"rooms/1.mp4": b"first", "rooms/2.mp4": b"second"}


def test_file_that_is_not_a_zip_is_named(tmp_path: Path) -> None:
    """A saved error page in place of an archive says what to delete."""
    (tmp_path / "rooms.zip").write_bytes(b"<html>busy</html>")
    with pytest.raises(UsageError, match=r"rooms\.zip: cannot be unpacked"):
        unpack(ROOMS, tmp_path)


@pytest.mark.parametrize("name", ["../evil.mp4", "rooms/../../evil.mp4", "/tmp/evil.mp4"])
def test_entry_that_leaves_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing is written when one entry points outside."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "rooms.zip").write_bytes(zipped({"rooms/1.mp4": b"first", name: b"evil"}))
    with pytest.raises(UsageError, match=r"leads out of the folder"):
        unpack(ROOMS, folder)
    assert [path.name for path in tmp_path.rglob("*.mp4")] == []


def test_wrapping_folders_are_dropped(tmp_path: Path) -> None:
    """What stands before the archive's root folder does not matter, nor does its absence."""
    entries = {"export/rooms/1.mp4": b"1", "rooms/deep/2.mp4": b"2", "3.mp4": b"3"}
    (tmp_path / "rooms.zip").write_bytes(zipped(entries))
    unpack(ROOMS, tmp_path)
    assert sorted(contents(tmp_path)) == ["rooms/1.mp4", "rooms/3.mp4", "rooms/deep/2.mp4"]
