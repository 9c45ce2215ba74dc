"""``videor1 watch --report-to``: trackers get every checkpoint once, under its training step."""

import pytest

from harness.run.config import TrackConfig
from harness.run.tracking import track
from tests.harness.trackers.fakes import install
from tests.trainer.commands import run
from tests.trainer.fake_runs import Evaluator, begin_run, fits, save
from trainer.cli.watch import WatchCommand
from trainer.watch.settings import SliceSettings, WatchSettings, read_watch_settings
from trainer.watch.tracked import report_point
from trainer.watch.watcher import Watcher

GOOD, BAD = [1.0] * 400, [0.0] * 400
QUICK = WatchSettings(poll_s=0.01, slice=SliceSettings(attempts=2))
WANDB = TrackConfig(report_to=("wandb",), track_items=3)


def test_trackers_get_each_checkpoint_at_its_step(tmp_path, monkeypatch):
    """Scores, items, whether it is worse than the start; a resumed watch sends only new ones."""
    fake = install("wandb", tmp_path, monkeypatch)
    train, out = begin_run(tmp_path / "run"), tmp_path / "watch"
    out.mkdir()
    evaluate = fits(Evaluator({"start": GOOD, "checkpoint-10": GOOD, "checkpoint-20": BAD}))
    for step in (10, 20):
        save(train, step)
        with track(WANDB, {"run": "mine"}, out) as trackers:

            def tell(point, trackers=trackers):
                report_point(trackers, point, out, WANDB.track_items)

            Watcher(train, out, QUICK, evaluate, tell).watch(once=True)
    sent = fake.told("scores")
    task = next(name for name in sent[0]["scores"] if name.endswith("/score"))
    told = [(one["step"], one["scores"][task]) for one in sent if task in one["scores"]]
    assert told == [(0, 100.0), (10, 100.0), (20, 0.0)]
    verdicts = [(s["step"], s["scores"]["gate/regression"]) for s in sent if len(s["scores"]) == 1]
    assert verdicts == [(10, 0.0), (20, 1.0)]
    assert [len(table["rows"]) for table in fake.told("table")] == [3, 3, 3]
    first, again = (call["id"] for call in fake.told("init"))
    assert first == again


def test_a_missing_package_ends_the_command_before_it_watches(tmp_path, capsys):
    """Exit 2 with what to install; nothing is claimed."""
    flags = ["--config", "tiny", "--report-to", "trackio", "--out", str(tmp_path / "out")]
    result = run(WatchCommand(), str(tmp_path / "run"), *flags)
    assert (int(result.code), "videor1[track]" in result.reason) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", ['["wandb"]', '["tensorboard", "trackio"]'])
def test_trackers_can_stand_in_the_settings_file(tmp_path, value):
    """As a table of their own, and are no part of what is watched."""
    path = tmp_path / "watch.toml"
    path.write_text(f"[track]\nreport_to = {value}\n")
    assert read_watch_settings(str(path)).track.report_to
