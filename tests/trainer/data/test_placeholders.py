"""Rows with several media: where each stands in the prompt, and what is wrong with others."""

from __future__ import annotations

import pytest
from PIL import Image

from harness.schema import MediaKind
from tests.clips import write_clip
from tests.trainer.rows import make_row, read_row, write_rows
from trainer.config.choices import MediaCheck
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data.checks import RowNeeds, check_rows
from trainer.data.faults import BadRow, Fault
from trainer.data.placeholders import row_prompt, shown_prompt
from trainer.data.rows import parse_rows

IMAGE, VIDEO = MediaKind.IMAGE, MediaKind.VIDEO
PLAIN = {"path": None, "data_type": None}


@pytest.fixture
def media(tmp_path):
    for name in ("a", "b"):
        Image.new("RGB", (64, 48), "red").save(tmp_path / f"{name}.png")
        write_clip(tmp_path / f"{name}.mp4")
    return tmp_path


def names(row):
    return [one.path.name for one in row.sample.media]


def test_placeholders_say_where_each_medium_stands(media):
    """Text and media alternate; the instruction follows the last text."""
    row = read_row(
        media, problem="First <image> then <video>, last <image>: which is it? ",
        images=["a.png", "b.png"], videos=["a.mp4"], **PLAIN,
    )  # fmt: skip
    assert names(row) == ["a.png", "a.mp4", "b.png"]
    assert [one.kind for one in row.sample.media] == [IMAGE, VIDEO, IMAGE]
    assert row.sample.cluster == "a.png"
    prompt = row_prompt(row.sample)
    assert prompt.before == ("First ", " then ", ", last ")
    assert prompt.text.startswith(": which is it? Options:\nA. a cat\nB. a dog\n")
    assert "First <image> then <video>" in shown_prompt(row.sample)


def test_without_placeholders_all_media_come_first(media):
    """Images, then videos, each in its order."""
    row = read_row(media, images=["b.png", "a.png"], videos=["b.mp4"], **PLAIN)
    assert names(row) == ["b.png", "a.png", "b.mp4"]
    assert row_prompt(row.sample).before == ()


def test_one_file_under_path_is_written_as_before(media):
    """The prompt of a row with one medium has no other form than it had."""
    row = read_row(media, path="a.png", data_type="image")
    assert row_prompt(row.sample).before == ()
    assert row_prompt(row.sample).text == shown_prompt(row.sample)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": "<image>?", "images": ["a.png", "b.png"]}, "'problem': expected one <image>"),
        ({"problem": "<video>?", "images": ["a.png"]}, "expected one <image> for each of the 1"),
        ({"problem": "<video> <image>?", "images": ["a.png"]}, "one <video> for each of the 0"),
        ({"images": "a.png"}, "'images': expected a list of strings"),
        ({"images": [1]}, "'images': expected a list of strings"),
        ({"images": ["../a.png"]}, "leaves the data root"),
        ({"images": ["/etc/passwd"]}, "'images': expected a relative path"),
        ({"images": ["a.png"], "path": "b.png"}, "'path': expected nothing beside 'images'"),
        ({"images": ["a.png"], "video": "a.mp4"}, "'video': expected nothing beside"),
    ],
)
def test_what_does_not_fit_is_a_fault_of_the_row(media, changes, message):
    """It names the field."""
    path = write_rows(media / "rows.jsonl", [make_row(**{**PLAIN, **changes})])
    (bad,) = parse_rows([path], [media])
    assert isinstance(bad, BadRow)
    assert bad.fault is Fault.FIELD
    assert message in bad.message


def test_the_check_builds_a_row_once_all_its_media_are_decoded(media):
    """In the order of the row, also where a medium occurs twice; a damaged one is named."""
    (media / "b.mp4").write_bytes(b"no video")
    rows = [
        make_row(0, images=["a.png", "b.png", "a.png"], **PLAIN),
        make_row(1, problem="<video> <image>?", images=["b.png"], videos=["a.mp4"], **PLAIN),
        make_row(2, videos=["a.mp4", "b.mp4"], **PLAIN),
        make_row(3, problem="no media", **PLAIN),
    ]
    path = write_rows(media / "rows.jsonl", rows)
    built = {}

    def build(row, clips):
        built[row.sample.id] = [(clip.kind, clip.frames.any()) for clip in clips]

    frames = FrameSettings(min_frames=4, max_frames=4, min_pixels=56 * 56, max_pixels=56 * 56)
    data = DataSettings(rows=(path,), media_roots=(media,), check=MediaCheck.DECODE)
    report = check_rows(data, frames, patch_multiple=28, needs=RowNeeds(build=build))
    kinds = {name: [kind for kind, _ in clips] for name, clips in built.items()}
    assert kinds == {
        "rows/0": [IMAGE] * 3, "rows/1": [VIDEO, IMAGE], "rows/3": [],
    }  # fmt: skip
    assert all(shown for clips in built.values() for _, shown in clips)
    assert [row.sample.id for row in report.rows] == ["rows/0", "rows/1", "rows/3"]
    (bad,) = report.bad
    assert (bad.fault, "b.mp4" in bad.message) == (Fault.UNREADABLE, True)
