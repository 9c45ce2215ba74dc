"""Tests for how one item of a run is printed."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from harness.cli.item_view import print_item
from harness.report.details import _describe_record
from harness.schema import AskedPart
from tests.toys import record

ASKED = (
    AskedPart(frames=0, text="first "),
    AskedPart(frames=2, text="see you "),
    AskedPart(frames=1, text="What happens?"),
)


@pytest.mark.parametrize(
    ("asked", "prompt", "printed"),
    [
        (ASKED, True, "first <2 frames>see you <1 frames>What happens?"),
        (ASKED, False, None),
        ((), True, None),
    ],
)
def test_what_depends_on_the_frames_is_shown_with_the_prompt(asked, prompt, printed):
    """Subtitles and the frames between them, in the order in which the model read them."""
    out = io.StringIO()
    one = dataclasses.replace(record(1), asked=asked)
    print_item(Console(file=out, width=200), one.id, None, [one], prompt=prompt)
    assert ("asked" in out.getvalue()) == (printed is not None)
    assert (printed or "") in out.getvalue()


def test_a_report_has_it_too():
    """Beside each answer, as frames and texts."""
    one = dataclasses.replace(record(1), asked=ASKED)
    assert _describe_record(one)["asked"] == [[0, "first "], [2, "see you "], [1, "What happens?"]]
    assert _describe_record(record(1))["asked"] == []
