"""The timeline of a training run that was not watched: curves and metric gains."""

import json
from argparse import ArgumentParser
from dataclasses import replace
from io import StringIO
from math import sqrt

import pytest
from rich.console import Console

from harness.cli.exits import Exit
from harness.errors import UsageError
from trainer.cli.train import TrainCommand
from trainer.watch.evaluations import EvalPoint
from trainer.watch.timeline import metric_gain, read_timeline
from trainer.watch.timeline_view import print_timeline

REWARDS = [1.0, 2.0, 1.0, 2.0, 1.0, *[9.0] * 15, 3.0, 4.0, 3.0, 4.0, 3.0]
"""25 steps: a fifth are the first five, mean 1.4, and the last five, mean 3.4."""


@pytest.fixture
def trained(tmp_path):
    """Write the folder of a training run with those rewards."""

    def write(name, rewards=REWARDS):
        run = tmp_path / name
        run.mkdir()
        (run / "train.json").write_text("{}")
        lines = (json.dumps({"step": at, "reward": each}) for at, each in enumerate(rewards, 1))
        (run / "metrics.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return run

    return write


def test_the_gain_compares_the_last_fifth_with_the_first():
    """Both variances are 0.3, so the half width is 1.96 sqrt(0.3 / 5 + 0.3 / 5) = 0.679."""
    found = metric_gain(REWARDS)
    half = 1.96 * sqrt(0.12)
    assert (found.steps, found.first, found.last) == (5, pytest.approx(1.4), pytest.approx(3.4))
    assert found.difference == pytest.approx(2.0)
    assert found.ci95 == (pytest.approx(2.0 - half), pytest.approx(2.0 + half))


def test_a_flat_curve_has_an_interval_with_zero_in_it():
    """Noise alone is no gain."""
    low, high = metric_gain([0.0, 1.0] * 20).ci95
    assert low < 0 < high


def test_few_steps_say_nothing():
    """A fifth of 24 steps is four, too few for a variance to be trusted."""
    assert metric_gain(REWARDS[:24]) is None


def test_an_unwatched_run_prints_its_gain(trained):
    """There is no table of checkpoints, only the sentence."""
    console = Console(record=True, width=150, file=StringIO())
    run = trained("grpo-tiny")
    print_timeline(console, read_timeline(run, run))
    assert console.export_text() == (
        "grpo-tiny: reward 1.400 -> 3.400, gain +2.000 [+1.321, +2.679] (first and last 5 steps)\n"
    )


def test_what_rewards_did_to_the_advantages_is_in_the_timeline(trained, tmp_path):
    """A sentence over all updates, and a column per reward with the mean since the checkpoint
    before: 0.2 % in the first two updates, 4 % in the next two."""
    run = trained("tgrpo-tiny", [])
    changes = [0.001, 0.003, 0.03, 0.05]
    (run / "metrics.jsonl").write_text(
        "".join(
            json.dumps(
                {"step": at, "effect/temporal_bonus": one, "effect/temporal_bonus/groups": at > 2}
            )
            + "\n"
            for at, one in enumerate(changes, 1)
        )
    )
    read = read_timeline(run, run)
    points = [
        EvalPoint(step=step, checkpoint=f"checkpoint-{step}", weights="x", scores={})
        for step in (0, 2, 4)
    ]
    console = Console(record=True, width=150, file=StringIO())
    print_timeline(console, replace(read, points=points))
    printed = console.export_text()
    assert (
        "tgrpo-tiny: advantages changed by temporal_bonus 2.1 % (50 % of groups by more than 1 %)"
        in printed
    )
    rows = [line.split() for line in printed.splitlines()]
    assert ["2", "-", "-", "0.2", "%", "-"] in rows
    assert ["4", "-", "-", "4", "%", "-"] in rows
    assert "change by temporal_bonus" in printed


def asked(*words):
    parser = ArgumentParser()
    TrainCommand().configure(parser)
    return TrainCommand().run(parser.parse_args(["timeline", *map(str, words)]))


def test_two_training_runs_share_one_plot(trained, tmp_path):
    """``videor1 train timeline RUN RUN -o FILE`` needs no watch."""
    pytest.importorskip("matplotlib")
    verdict = asked(trained("grpo-tiny"), trained("tgrpo-tiny"), "-o", tmp_path / "both.png")
    assert verdict.code is Exit.OK
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_without_a_step_cannot_be_plotted(trained, tmp_path):
    """The message names the run; no empty picture is written."""
    pytest.importorskip("matplotlib")
    with pytest.raises(UsageError, match="grpo-tiny: nothing to plot"):
        asked(trained("grpo-tiny", []), "-o", tmp_path / "both.png")


def test_another_folder_is_neither_run_nor_watch(tmp_path):
    """A folder without either file is refused."""
    with pytest.raises(UsageError, match="not the results of `videor1 watch`"):
        asked(tmp_path)
