"""`videor1 eval --base-url`: a server that fails costs seconds and few videos, and is named."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from harness.schema import Outcome
from tests.stub_server import Stub, answer, refusal

MOST = 20
"""Requests and videos that a server which always fails may cost."""


@pytest.fixture(scope="module")
def data(demo_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's four benchmark folders: 32 videos a benchmark."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


def _eval(stub, data, folder, *flags):
    """Evaluate against the server; return the exit code."""
    return main([
        "eval", "m", "--base-url", stub.url, "--data", str(data), "--out", str(folder / "run"),
        "--max-frames", "4", "--max-pixels", "18816", "--frame-cache", str(folder / "frames"),
        *flags,
    ])  # fmt: skip


def _decodes(folder):
    return len(list((folder / "frames").rglob("*.frames")))


@pytest.mark.parametrize(
    ("status", "message", "code", "cause"),
    [
        (401, "wrong key", 2, "the key is refused: OPENAI_API_KEY is not set"),
        (400, "At most 0 video(s) may be provided in one prompt.", 4, "At most 0 video(s)"),
        (422, "video_url is no part that this server knows", 4, "video_url is no part"),
        (403, "this account has no access", 4, "this account has no access"),
        (400, "request {n} of item v{n}.mp4 has 0 videos", 4, "0 videos"),
    ],
)
def test_a_server_that_always_refuses_costs_twenty_requests_and_videos_at_most(
    stub, data, tmp_path, capsys, monkeypatch, status, message, code, cause
):
    """Within seconds, with the server's words in the last line."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    numbers = itertools.count()
    stub.reply = lambda text, body: refusal(status, message.format(n=next(numbers)))
    began = time.monotonic()
    assert _eval(stub, data, tmp_path) == code
    assert time.monotonic() - began < 30
    assert cause in capsys.readouterr().err.splitlines()[-1]
    assert len(stub.bodies) <= MOST
    assert _decodes(tmp_path) <= MOST


@pytest.mark.parametrize("status", [401, 400])
def test_many_requests_at_a_time_change_nothing_of_that(stub, data, tmp_path, status):
    """Before the first answer, twenty are under way."""
    stub.reply = lambda text, body: refusal(status)
    assert _eval(stub, data, tmp_path, "--concurrency", "200") in (2, 4)
    assert len(stub.bodies) <= MOST
    assert _decodes(tmp_path) <= MOST


def test_further_fields_of_requests_are_kept_apart(stub, data, tmp_path, capsys):
    """They may change an answer: the run is not resumed with others."""
    flags = ("--tasks", "vsibench", "--limit", "4")
    assert _eval(stub, data, tmp_path, *flags, "--extra-body", '{"effort": "low"}') == 0
    assert {body["effort"] for body in stub.bodies} == {"low"}
    assert _eval(stub, data, tmp_path, *flags, "--extra-body", '{"effort": "high"}') == 2
    assert "numeric.extra_body.effort: 'low' != 'high'" in capsys.readouterr().err
    assert _eval(stub, data, tmp_path, *flags, "--extra-body", '{"model": "x"}') == 2


def test_a_run_goes_on_only_with_the_frames_that_it_was_begun_with(stub, data, tmp_path, capsys):
    """As images, or with sides of other multiples, the model sees something else."""
    stub.reply = lambda text, body: answer("<answer>A</answer>")
    asked = ("--tasks", "mvbench", "--limit", "5")
    assert _eval(stub, data, tmp_path, *asked) == 0
    assert _eval(stub, data, tmp_path, *asked, "--frame-grid", "28") == 0
    for flags, field in (
        (("--video-as-images",), "numeric.video_as_images: None != True"),
        (("--frame-grid", "32"), "numeric.frame_grid: None != 32"),
    ):
        assert _eval(stub, data, tmp_path, *asked, *flags) == 2
        assert field in capsys.readouterr().err


def test_a_refused_key_is_named_before_anything_is_decoded(
    stub, data, tmp_path, capsys, monkeypatch
):
    """The message says which variable holds it."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-one")
    stub.models_status = 401
    assert _eval(stub, data, tmp_path) == 2
    printed = capsys.readouterr().err
    assert "the key is refused: OPENAI_API_KEY is not the right one" in printed
    assert "sk-wrong-one" not in printed
    assert stub.bodies == []
    assert _decodes(tmp_path) == 0


def _fail_every_third(stub):
    numbers = itertools.count(1)
    stub.reply = lambda text, body: (
        refusal(400, "not this one") if next(numbers) % 3 == 0 else answer("<answer>A</answer>")
    )


def test_a_server_that_fails_every_third_request_ends_with_the_verdict_of_the_budget(
    stub, data, tmp_path, capsys
):
    """Without a budget every item is asked, and the end is judged."""
    _fail_every_third(stub)
    assert _eval(stub, data, tmp_path, "--tasks", "vsibench") == 4
    records = read_records(tmp_path / "run")
    failed = sum(record.outcome is Outcome.FAILED for record in records)
    assert failed == len(records) // 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"{failed} of {len(records)} items in" in last
    assert "failed, more than --max-failures 0" in last


def test_a_budget_that_is_spent_ends_the_run_at_once(stub, data, tmp_path, capsys):
    """A dozen requests instead of all; what was answered is kept, the reasons are listed."""
    _fail_every_third(stub)
    flags = ("--tasks", "vsibench", "--max-failures", "2")
    assert _eval(stub, data, tmp_path, *flags) == 4
    printed = capsys.readouterr()
    last = printed.err.splitlines()[-1]
    assert "more than --max-failures 2 allows" in last
    assert "not this one" in last
    assert "the same command goes on" in last
    assert "Failed items" in printed.out
    assert len(stub.bodies) < 9 + 16 + 3


def test_a_budget_that_holds_is_kept(stub, data, tmp_path):
    """A third of the items may fail."""
    _fail_every_third(stub)
    assert _eval(stub, data, tmp_path, "--tasks", "vsibench", "--max-failures", "40%") == 0
