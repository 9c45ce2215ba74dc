"""Suites: names for sets of tasks."""

import pytest

from harness.cli import main
from harness.run.config import EvalConfig
from harness.task import registry
from harness.task.suites import SUITES, expand_suites
from trainer.watch.settings import SliceSettings

PAPER = ("vsibench", "videommmu", "mmvu:multiple-choice", "mvbench", "tempcompass", "videomme")


@pytest.mark.parametrize(
    ("selections", "tasks"),
    [
        (("paper",), PAPER),
        (("vsibench", "motionworld"), ("vsibench", "motionworld")),
        (("motionworld", "paper"), ("motionworld", *PAPER)),
        (("vsibench", "paper"), PAPER),
        (("mvbench", "paper"), ("mvbench", *(task for task in PAPER if task != "mvbench"))),
        (("paper", "vsibench"), PAPER),
        (("paper", "paper"), PAPER),
        (("vsibench", "vsibench"), ("vsibench", "vsibench")),  # refused later, with its name
        (("Paper",), ("Paper",)),
    ],
)
def test_a_suite_stands_for_its_tasks(selections, tasks) -> None:
    """In its place; a task that a suite names once more is kept once."""
    assert expand_suites(selections) == tasks
    assert expand_suites(tasks) == tasks


def test_every_task_of_a_suite_is_installed() -> None:
    """A suite is made of our own benchmarks."""
    for selections in SUITES.values():
        assert {registry.name_of(one) for one in selections} <= registry.installed().keys()


def test_suites_are_known_wherever_tasks_are_named() -> None:
    """In the settings of an evaluation, and of a watch."""
    assert EvalConfig(tasks=("paper",)).tasks == PAPER
    assert SliceSettings(tasks=("paper",)).tasks == PAPER


def test_the_tasks_command_lists_the_suites(capsys) -> None:
    """With what they stand for."""
    assert main(["tasks"]) == 0
    assert f"paper  suite: {', '.join(PAPER)}" in capsys.readouterr().out
