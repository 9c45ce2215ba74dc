"""The use case "train this recipe in this folder", with an algorithm that trains nothing."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from harness.errors import DatasetError, UsageError
from harness.files import locked
from harness.models import checkpoint
from tests.trainer import fake_algorithm
from tests.trainer.commands import write_checkpoint
from tests.trainer.rows import make_row, write_media, write_rows
from trainer.config.algorithms import SFT
from trainer.runs.folder import STOP, DistInfo
from trainer.runs.train import TrainJob, TrainObserver, train

FAKE = replace(SFT, module="tests.trainer.fake_algorithm", packages=())


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(fake_algorithm, "CALLS", [])
    write_media(tmp_path / "media")
    write_rows(tmp_path / "rows.json", [make_row(n) for n in range(2)])
    write_checkpoint(tmp_path / "checkpoint")
    sets = ["model.checkpoint=checkpoint", "data.rows=rows.json", "data.media_roots=media"]
    recipe = FAKE.read_recipe("paper", [*sets, "data.decode_workers=1"])
    return TrainJob(algorithm=FAKE, recipe=recipe, out=tmp_path / "out", dist=DistInfo())


def test_the_rows_are_checked_and_the_newest_checkpoint_is_the_result(job):
    """``train.json`` says what the folder is a run of."""
    result = train(job)
    assert result.checkpoint == job.out / "checkpoint-10"
    assert result.stopped is None
    assert [call["rows"] for call in fake_algorithm.CALLS] == [["rows/0", "rows/1"]]
    assert json.loads((job.out / "train.json").read_text())["algorithm"] == "sft"


def test_the_checkpoint_is_resolved_once_and_handed_down(job, monkeypatch):
    """Resolving hashes weights of many gigabytes."""
    resolved = []
    resolve = checkpoint.resolve

    def counted(spec):
        resolved.append(resolve(spec))
        return resolved[-1]

    monkeypatch.setattr(checkpoint, "resolve", counted)
    train(job)
    assert len(resolved) == 1
    assert fake_algorithm.CALLS[0]["checkpoint"] is resolved[0]


def test_a_run_that_watch_stopped_is_not_resumed(job):
    """Its reason is part of the result; without the file the same job resumes."""
    train(job)
    (job.out / STOP).write_text(json.dumps({"reason": "worse"}))
    assert train(job).stopped == "worse"
    assert len(fake_algorithm.CALLS) == 1
    (job.out / STOP).unlink()
    assert train(job).stopped is None
    assert len(fake_algorithm.CALLS) == 2


def test_one_process_at_a_time_trains_in_a_folder(job):
    """The other ranks of a distributed run do not take the lock."""
    train(job)
    with locked(job.out):
        with pytest.raises(UsageError, match="another process"):
            train(job)
        train(replace(job, dist=DistInfo(rank=1, world_size=1)))


def test_bad_rows_stop_the_run_before_the_algorithm_is_loaded(job):
    """SFT rows need a rationale."""
    write_rows(job.recipe.data.rows[0], [make_row(0, process="")])
    with pytest.raises(DatasetError, match="empty rationale"):
        train(job)
    assert fake_algorithm.CALLS == []


def test_a_missing_package_is_named_before_the_folder_is_claimed(job):
    """With the extra that brings it."""
    lacking = replace(FAKE, packages=("no_such_package",))
    with pytest.raises(UsageError, match=r"no_such_package is not installed.*videor1\[train\]"):
        train(replace(job, algorithm=lacking))
    assert not job.out.exists()


def test_an_observer_hears_of_the_check_once_and_of_every_training(job):
    """A resumed run reuses the check."""
    heard = []

    class Observer(TrainObserver):
        @contextmanager
        def checking(self):
            yield lambda done, total: heard.append((done, total))

        def checked(self, report):
            heard.append(len(report.rows))

        @contextmanager
        def training(self, out):
            heard.append("training")
            yield []

    train(job, Observer())
    train(job, Observer())
    assert heard == [(1, 1), 2, "training", "training"]
