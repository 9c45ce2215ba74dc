"""A watch that probes every checkpoint follows the temporal gain beside the scores."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.errors import RunMismatchError, UsageError
from tests.trainer.fake_runs import Prober, begin_run, fits, save
from trainer.watch.evaluations import read_points
from trainer.watch.settings import (
    GateSettings,
    SliceSettings,
    WatchSettings,
    claim_watch,
    read_watch_settings,
)
from trainer.watch.timeline import read_timeline
from trainer.watch.timeline_view import print_timeline
from trainer.watch.watcher import Watcher, eval_command

GAIN = "mvbench [temporal gain]"
GOOD, BAD = [1.0] * 400, [0.0] * 400
VARIANTS = ("ordered", "shuffled")
# 400 items without any change bound that of a gain by 2.6 points at 1 %: within the margin of 5.
PROBED = WatchSettings(
    poll_s=0.01, slice=SliceSettings(variants=VARIANTS), gate=GateSettings(margin=5)
)


def _watch(tmp_path, settings=PROBED):
    """The start needs the order; so does checkpoint 10; 20 answers as well without it."""
    train, out = begin_run(tmp_path / "run"), tmp_path / "watch"
    out.mkdir()
    prober = Prober(
        {"start": (GOOD, BAD), "checkpoint-10": (GOOD, BAD), "checkpoint-20": (GOOD, GOOD)}
    )
    for step in (10, 20):
        save(train, step)
    Watcher(train, out, settings, fits(prober)).watch(once=True)
    return train, out


def test_a_checkpoint_that_needs_the_order_no_longer_is_a_regression(tmp_path):
    """Its scores are those of the start, its temporal gain is gone."""
    _, out = _watch(tmp_path)
    start, same, lost = read_points(out)
    assert start.scores[GAIN].score == same.scores[GAIN].score == 100
    assert (lost.scores["mvbench"].score, lost.scores[GAIN].score) == (100, 0)
    assert (same.verdict, lost.verdict) == ("PASS", "REGRESSION")
    assert GAIN in lost.reason


def test_gains_have_a_margin_of_their_own(tmp_path):
    """With one of 100 points the loss of all of it is no regression."""
    _, out = _watch(tmp_path, replace(PROBED, gate=GateSettings(margin=5, gain_margin=100)))
    assert read_points(out)[-1].verdict != "REGRESSION"


def test_the_timeline_has_the_gain_as_a_column(tmp_path):
    """Beside the scores, with its interval."""
    train, out = _watch(tmp_path)
    timeline = read_timeline(out, train)
    assert timeline.tasks == ["mvbench", GAIN]
    printed = StringIO()
    print_timeline(Console(file=printed, width=140), timeline)
    assert GAIN in printed.getvalue()


def test_every_checkpoint_is_probed_with_the_variants_of_the_settings(tmp_path):
    """The command is that of a probe; without variants it is that of an evaluation."""
    words = eval_command("ck", tmp_path / "run", PROBED.slice, tmp_path / "frames")
    assert words[words.index("probe") + 1] == "ck"
    assert words[words.index("--variants") + 1] == "ordered,shuffled"
    assert "eval" in eval_command("ck", tmp_path / "run", SliceSettings(), tmp_path / "frames")


def test_a_watch_of_before_goes_on_and_one_with_variants_is_another(tmp_path):
    """What is unset is not part of what a folder belongs to."""
    run, out = Path("run"), tmp_path / "watch"
    claim_watch(out, WatchSettings(), run)
    stored = json.loads((out / "watch.json").read_text())
    assert "variants" not in stored["slice"]
    assert "gain_margin" not in stored["gate"]
    with pytest.raises(RunMismatchError, match=r"slice\.variants"):
        claim_watch(out, PROBED, run)


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (['slice.variants=["shuffled"]'], "expected ordered"),
        (['slice.variants=["ordered", "sideways"]'], "expected each of"),
        (["gate.gain_margin=3"], "there is no temporal gain without"),
        (
            ['slice.variants=["ordered", "shuffled"]', "gate.gain_margin=101"],
            "gain_margin: expected",
        ),
    ],
)
def test_settings_that_make_no_gain_are_refused(assignments, message):
    """Before anything is evaluated."""
    with pytest.raises(UsageError, match=message):
        read_watch_settings("tiny", assignments)
