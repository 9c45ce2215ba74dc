"""Subtitle files: formats, what is not one, and the lines at sampled frames."""

from pathlib import Path

import pytest

from harness.errors import DatasetError
from tasks.subtitles import Cue, find_subtitles, lines_at, read_cues

SRT = """\
1
00:00:01,000 --> 00:00:03,500
Hello
world

2
00:00:04,000 --> 00:00:05,000
<font color="white" size=".72c">Hi</font>

3
00:00:06.000 --> 00:00:07.000


"""
VTT = """\
WEBVTT

STYLE
::cue { color: lime }

00:01.000 --> 00:03.500 align:start
Hello
world

NOTE a comment

00:00:04.000 --> 00:00:05.000
Hi
"""


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(("name", "content"), [("a.srt", SRT), ("a.vtt", VTT)])
def test_both_formats_are_read(tmp_path: Path, name: str, content: str) -> None:
    """Lines of a cue are joined by a blank, markup of the web and comments are no text."""
    cues = read_cues(write(tmp_path, name, content))
    assert cues[:2] == (Cue(1000, 3500, "Hello world"), Cue(4000, 5000, "Hi"))
    assert [cue.text for cue in cues[2:]] == ([""] if name == "a.srt" else [])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("1\n00", "00").replace("2\n00", "00").replace("3\n00", "00"),
    ],
)
def test_variants_of_srt_are_read(tmp_path: Path, change) -> None:
    """Windows line ends, a byte order mark, and cues without numbers."""
    cues = read_cues(write(tmp_path, "a.srt", change(SRT)))
    assert [cue.text for cue in cues] == ["Hello world", "Hi", ""]


@pytest.mark.parametrize("name", ["a.srt", "a.vtt"])
def test_an_empty_file_has_no_cues(tmp_path: Path, name: str) -> None:
    """A video in which nobody speaks."""
    assert read_cues(write(tmp_path, name, "WEBVTT\n" if name == "a.vtt" else "\n")) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Hello", "expected subtitles with times, found none"),
        ("1\n00:00:01,000 --> 00:00:02,000\ncaf\xe9\n".encode("latin-1"), "UTF-8, got byte 0xe9"),
        (SRT.encode("utf-16"), "UTF-8"),
        (b'{"cues": []}', "found none"),
        (b"<html>404 Not Found</html>", "found none"),
    ],
)
def test_a_file_that_is_no_subtitle_file_is_named(
    tmp_path: Path, content: bytes, message: str
) -> None:
    """Not a silent absence of subtitles."""
    with pytest.raises(DatasetError, match=rf"a\.srt: .*{message}"):
        read_cues(write(tmp_path, "a.srt", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """As any other file of a benchmark."""
    with pytest.raises(DatasetError, match=r"a\.srt"):
        read_cues(tmp_path / "a.srt")


@pytest.mark.parametrize(
    ("times", "lines"),
    [
        ([2.0], ("Hello world",)),
        ([1.0, 3.5], ()),  # exactly at the borders
        ([1.001, 3.499], ("Hello world", "Hello world")),  # once per frame
        ([0.0, 3.7, 99.0], ()),
        ([6.5], ()),  # a blank cue
        ([2.0, 4.5], ("Hello world", "Hi")),
        ([], ()),
    ],
)
def test_lines_are_those_at_the_frames(
    tmp_path: Path, times: list[float], lines: tuple[str, ...]
) -> None:
    """Strictly between start and end, one line per frame, frames without one left out."""
    assert lines_at(read_cues(write(tmp_path, "a.srt", SRT)), times) == lines


def test_the_first_of_overlapping_cues_counts() -> None:
    """In the order of the file, as in the publisher's script, also where it is blank."""
    cues = (Cue(0, 3000, "late"), Cue(0, 2000, "early"), Cue(5000, 6000, " "), Cue(5000, 6000, "x"))
    assert lines_at(cues, [1.0, 5.5]) == ("late",)


def test_the_file_is_found_in_either_format(tmp_path: Path) -> None:
    """``.srt`` before ``.vtt``."""
    assert find_subtitles(tmp_path, "v") is None
    vtt = write(tmp_path, "v.vtt", VTT)
    assert find_subtitles(tmp_path, "v") == vtt
    srt = write(tmp_path, "v.srt", SRT)
    assert find_subtitles(tmp_path, "v") == srt
