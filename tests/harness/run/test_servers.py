"""`--base-url A,B,C`: servers share the videos; one that dies or says nothing costs no item."""

import json
import re
import shutil
import threading
from pathlib import Path

import pytest

from harness.cli import main
from harness.run.store import read_records
from harness.schema import Outcome
from tests.stub_server import Stub, answer, refusal

ITEMS = 48
FLAGS = (
    "--tasks",
    "vsibench",
    "--limit",
    str(ITEMS),
    "--max-frames",
    "4",
    "--max-pixels",
    "18816",
    "--workers",
    "2",
)


@pytest.fixture(scope="module")
def data(demo_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


@pytest.fixture
def stubs():
    found = [Stub(), Stub(), Stub()]
    yield found
    for stub in found:
        stub.close()


def _eval(stubs, data, folder, *flags):
    urls = ",".join(stub.url for stub in stubs)
    return main([
        "eval", "m", "--base-url", urls, "--data", str(data), "--out", str(folder / "run"),
        *FLAGS, *flags,
    ])  # fmt: skip


def _accounts(folder):
    accounts = json.loads((folder / "run" / "summary.json").read_text())["replicas"]
    return {account["replica"]: account for account in accounts}


def _name(stub):
    return re.match(r"http://(.*)/v1", stub.url)[1]


def _questions(stub):
    """The texts of the questions that a server got, without the canary."""
    texts = (body["messages"][-1]["content"][-1]["text"] for body in stub.bodies)
    return [text for text in texts if "Which number do the frames show" not in text]


def test_every_item_is_answered_by_a_sound_server_and_the_liar_is_named(
    stubs, data, tmp_path, capsys
):
    """Of three servers one is killed midway and one returns empty texts with status 200."""
    sound, killed, liar = stubs
    dead = threading.Event()

    def die_midway(text, body):
        if len(_questions(killed)) > 5:
            dead.set()
        return None if dead.is_set() else answer("A")

    killed.reply = die_midway
    liar.reply = lambda text, body: answer("")
    closer = threading.Thread(target=lambda: (dead.wait(40), killed.http.socket.close()))
    closer.start()
    code = _eval(stubs, data, tmp_path)
    closer.join()
    records = read_records(tmp_path / "run")
    assert dead.is_set()
    assert len({record.id for record in records}) == len(records) == ITEMS
    assert {record.text for record in records} == {"A"}
    assert Outcome.FAILED not in {record.outcome for record in records}
    assert code == 0
    assert _questions(liar) == []
    accounts = _accounts(tmp_path)
    assert "an empty text" in accounts[_name(liar)]["lost"]
    assert accounts[_name(liar)]["items"] == 0
    assert accounts[_name(killed)]["lost"]
    assert accounts[_name(sound)]["lost"] is None
    told = "".join(capsys.readouterr().err.split())
    assert _name(liar) in told
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert manifest["checkpoint"]["server"] == sorted(map(_name, stubs))


def test_servers_share_the_videos_and_each_video_goes_to_one(stubs, data, tmp_path):
    """All questions of a video are asked at one server, and every server gets some."""
    assert _eval(stubs, data, tmp_path) == 0
    keys = [
        {part["uuid"] for body in stub.bodies for part in body["messages"][-1]["content"]
         if part["type"] == "video_url"}
        for stub in stubs
    ]  # fmt: skip
    canary = keys[0] & keys[1] & keys[2]
    assert len(canary) == 1
    assert all(len(one) > 2 for one in keys)
    videos = set().union(*keys) - canary
    assert sum(len(one - canary) for one in keys) == len(videos)
    decodes = sum(account["decodes"] for account in _accounts(tmp_path).values())
    assert decodes == len(videos)


def test_a_server_that_fails_gives_its_questions_to_the_others(stubs, data, tmp_path):
    """Status 500 for every question, but not for the canary, costs no item."""
    stubs[0].reply = lambda text, body: (
        answer("A") if "Which number" in text else refusal(500, "out of order")
    )
    assert _eval(stubs[:2], data, tmp_path) == 0
    assert {record.text for record in read_records(tmp_path / "run")} == {"A"}
    assert "out of order" in _accounts(tmp_path)[_name(stubs[0])]["lost"]


def test_without_a_server_left_the_run_is_incomplete_and_goes_on_later(stubs, data, tmp_path):
    """Both refuse the key after some answers: what is answered is kept, a new one ends the run."""
    for stub in stubs[:2]:
        stub.reply = lambda text, body, stub=stub: (
            refusal(401, "expired") if len(_questions(stub)) > 10 else answer("A")
        )
    assert _eval(stubs[:2], data, tmp_path) == 2
    kept = [r for r in read_records(tmp_path / "run") if r.outcome is not Outcome.FAILED]
    assert 5 < len(kept) < ITEMS
    stubs[1].reply = stubs[2].reply
    assert _eval(stubs[1:], data, tmp_path) == 0
    assert len(_questions(stubs[2])) <= ITEMS - len(kept)


def test_servers_of_different_checkpoints_are_refused(stubs, data, tmp_path, capsys):
    """Their answers would be mixed in one run."""
    stubs[1].models = {"data": [{"id": "m", "root": "/models/other"}]}
    assert _eval(stubs[:2], data, tmp_path) == 2
    assert "different checkpoints" in " ".join(capsys.readouterr().err.split())
    assert not Path(tmp_path / "run").exists()


def test_a_server_that_is_named_twice_is_refused(stubs, data, tmp_path):
    """It would get twice as many requests as it is meant to."""
    assert _eval([stubs[0], stubs[0]], data, tmp_path) == 2
