"""Training rows are decoded ahead, by the pool that evaluations use."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from pickle import PicklingError

import pytest

from harness.schema import Failure, Media
from tests.clips import fake_decode
from trainer.config.sections import DataSettings, FrameSettings
from trainer.loops.clips import ClipLoader

DATA = DataSettings(
    rows=(Path("rows.jsonl"),), media_roots=(Path(),), decode_workers=2, decode_timeout_s=3.0
)


def test_a_file_that_hangs_or_kills_its_decoder_fails_alone():
    """The rows before and after it get their clips."""
    files = ["good-1", "hang-2", "crash-3", "raise-4", "good-5"]
    with ClipLoader(FrameSettings(), DATA, patch_multiple=28, decoder=fake_decode) as clips:
        waiting = [clips.start([Media(path=Path(f"{name}.mp4"))]) for name in files]
        answers = [future.result() for future in waiting]
        assert clips.decodes == 5
    kinds = [answer.error if isinstance(answer, Failure) else "clip" for answer in answers]
    assert kinds == ["clip", "TimeoutError", "ChildProcessError", "KeyError", "clip"]


def test_closing_does_not_wait_for_a_file_that_hangs():
    """The file that is being decoded becomes a failure."""
    data = replace(DATA, decode_timeout_s=600.0, decode_workers=1)
    with ClipLoader(FrameSettings(), data, patch_multiple=28, decoder=fake_decode) as clips:
        clips.start([Media(path=Path("good-1.mp4"))]).result()
        waiting = clips.start([Media(path=Path("hang-2.mp4"))])
    assert waiting.done()


def test_equal_files_in_flight_are_decoded_once():
    """Two rows about one video share its clip; later it is decoded again."""
    with ClipLoader(FrameSettings(), DATA, patch_multiple=28, decoder=fake_decode) as clips:
        one, two = (clips.start([Media(path=Path("good-1.mp4"))]) for _ in range(2))
        assert one.result()[0] is two.result()[0]
        later = clips.start([Media(path=Path("good-1.mp4"))])
        assert later.result()[0] is not one.result()[0]


def test_rows_that_were_not_begun_are_cancelled_on_closing():
    """One waits for a worker that hangs."""
    data = replace(DATA, decode_timeout_s=600.0, decode_workers=1)
    with ClipLoader(FrameSettings(), data, patch_multiple=28, decoder=fake_decode) as clips:
        clips.start([Media(path=Path("good-1.mp4"))]).result()
        clips.start([Media(path=Path("hang-2.mp4"))])
        behind = clips.start([Media(path=Path("good-3.mp4"))])
    with pytest.raises(CancelledError):
        behind.result()


def test_a_worker_that_cannot_start_ends_training():
    """A decoder that worker processes cannot import is an error for every row, at once."""
    with ClipLoader(FrameSettings(), DATA, patch_multiple=28, decoder=lambda *_: None) as clips:
        for number in range(2):  # the second one is asked for when the pool has given up
            with pytest.raises((AttributeError, PicklingError), match="lambda"):
                clips.start([Media(path=Path(f"good-{number}.mp4"))]).result()


def test_without_workers_decoding_happens_here(tmp_path):
    """A missing file is a failure in the training process, too."""
    data = replace(DATA, decode_workers=0)
    with ClipLoader(FrameSettings(), data, patch_multiple=28) as clips:
        answer = clips.start([Media(path=tmp_path / "none.mp4")]).result()
    assert isinstance(answer, Failure)
    assert "none.mp4" in answer.message
