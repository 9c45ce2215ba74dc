"""Tar files, also in parts: whole entries, nothing outside the folder, and damage is named."""

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from harness.data.archives import Archive
from harness.data.tars import unpack_tar
from harness.errors import UsageError
from tests.hub import tarred

ARCHIVE = Archive(path="videos.tar.part.*", root="videos", into="videos")
ENTRIES = {"videos/a.mp4": b"a" * 20_000, "./videos/sub/b.mp4": b"b" * 70_000}


def write_parts(folder: Path, content: bytes, size: int = 30_000) -> list[Path]:
    """Cut a tar file into parts, as publishers do."""
    parts = []
    for number, start in enumerate(range(0, len(content), size)):
        parts.append(folder / f"videos.tar.part.a{chr(97 + number)}")
        parts[-1].write_bytes(content[start : start + size])
    return parts


def test_parts_are_read_in_a_row(tmp_path: Path) -> None:
    """Entries may begin in one part and end in another."""
    parts = write_parts(tmp_path, tarred(ENTRIES))
    assert len(parts) > 3
    assert unpack_tar(ARCHIVE, parts, tmp_path) == 2
    assert (tmp_path / "videos/a.mp4").read_bytes() == ENTRIES["videos/a.mp4"]
    assert (tmp_path / "videos/sub/b.mp4").read_bytes() == ENTRIES["./videos/sub/b.mp4"]


def test_what_is_there_is_not_extracted_again(tmp_path: Path) -> None:
    """Only a file that is gone or has another size."""
    parts = write_parts(tmp_path, tarred(ENTRIES))
    unpack_tar(ARCHIVE, parts, tmp_path)
    assert unpack_tar(ARCHIVE, parts, tmp_path) == 0
    (tmp_path / "videos/a.mp4").write_bytes(b"half")
    assert unpack_tar(ARCHIVE, parts, tmp_path) == 1


@pytest.mark.parametrize("kept", [slice(0, -1), slice(1, None), slice(0, 1)])
def test_a_missing_part_is_an_error(tmp_path: Path, kept: slice) -> None:
    """In one line with the folder and the parts; no half file stays."""
    parts = write_parts(tmp_path, tarred(ENTRIES))[kept]
    with pytest.raises(UsageError, match=r"videos\.tar\.part.*cannot be unpacked.*fetch again"):
        unpack_tar(ARCHIVE, parts, tmp_path)
    for path in tmp_path.rglob("*.mp4"):
        assert path.stat().st_size in (20_000, 70_000)


def test_damage_is_an_error(tmp_path: Path) -> None:
    """As of a download that is a page of HTML."""
    part = tmp_path / "videos.tar.part.aa"
    part.write_bytes(b"<html>denied</html>" * 100)
    with pytest.raises(UsageError, match=r"1 files in all, cannot be unpacked"):
        unpack_tar(ARCHIVE, [part], tmp_path)


@pytest.mark.parametrize("name", ["../evil.mp4", "/etc/evil.mp4", "videos/../../evil.mp4"])
def test_no_entry_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """Such an archive is not ours to unpack."""
    parts = write_parts(tmp_path, tarred({name: b"x"}))
    with pytest.raises(UsageError, match="leads out of the folder"):
        unpack_tar(ARCHIVE, parts, tmp_path)


def test_links_are_refused(tmp_path: Path) -> None:
    """A link could point anywhere."""
    content = BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        entry = tarfile.TarInfo("videos/link.mp4")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(UsageError, match=r"link\.mp4' is a link or a device"):
        unpack_tar(ARCHIVE, write_parts(tmp_path, content.getvalue()), tmp_path)
