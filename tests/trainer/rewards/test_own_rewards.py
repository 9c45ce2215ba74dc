"""Rewards of one's own: from a file beside the recipe, from a package, and what goes wrong."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.schema import Kind, Sample
from tests.paths import ROOT
from trainer.config.algorithms import GRPO
from trainer.config.rl_sections import RewardUse
from trainer.rewards import CompletionGroup, Reward, ScoredCompletion
from trainer.rewards.completions import Rollout
from trainer.rewards.registry import check_uses, choose_rewards, find_reward
from trainer.rewards.reward import RewardError

SAMPLE = Sample(
    id="rows/7", task="train", question="Which way?", answer="A", kind=Kind.MULTIPLE_CHOICE,
    category="multiple choice", cluster="clip",
)  # fmt: skip
OWN = """
def no_shouting(sample, text):
    return float(text != text.upper())
"""
IN_A_PACKAGE = """
from trainer.rewards import Reward

def spread(group):
    return [float(len({one.text for one in group.ordered}))] * len(group.ordered)

variety = Reward(name="variety", weight=0.5, of_group=spread)
"""
BUILT_IN = [
    Reward(name="accuracy", of_completion=lambda sample, text: 1.0),
    Reward(name="format_reward", weight=0.7, of_completion=lambda sample, text: 0.0),
]


@pytest.fixture
def recipe_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in a folder of its own, seen from the folder above."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mine.py").write_text(OWN)
    (folder / "mine.toml").write_text(
        """
[model]
checkpoint = "checkpoint"
[data]
rows = ["rows.jsonl"]
media_roots = ["media"]
[reward]
functions = [
  {use = "accuracy"},
  {use = "format_reward", weight = 0.2, kinds = ["OCR"]},
  {use = "mine.py:no_shouting", weight = 0.1},
]
"""
    )
    return Path("recipes/mine.toml")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with a reward per group, declared as an entry point."""
    site = tmp_path / "site"
    meta = site / "my_pkg-1.0.dist-info"
    meta.mkdir(parents=True)
    (site / "my_pkg.py").write_text(IN_A_PACKAGE)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: my-pkg\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[videor1.rewards]\nvaried = my_pkg:variety\n")
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("my_pkg", None)


def completion(text: str, **rewards: float) -> ScoredCompletion:
    return ScoredCompletion(text=text, tokens=2, truncated=False, accuracy=0.0, rewards=rewards)


def group(*texts: str) -> CompletionGroup:
    rollouts = tuple(Rollout(row=0, ordered=completion(text)) for text in texts)
    return CompletionGroup(sample=SAMPLE, rollouts=rollouts)


def test_a_function_beside_the_recipe_is_a_reward(recipe_file):
    """Wherever the command is run; weights of the recipe come first, then the table's."""
    recipe = GRPO.read_recipe(str(recipe_file))
    assert recipe.reward_functions[2].use == "recipes/mine.py:no_shouting"
    rewards = choose_rewards(recipe.reward_functions, BUILT_IN)
    assert [(one.name, one.weight) for one in rewards] == [
        ("accuracy", 1.0), ("format_reward", 0.2), ("no_shouting", 0.1),
    ]  # fmt: skip
    assert [rewards[2].score(SAMPLE, text, 1) for text in ("AHA", "Aha")] == [0.0, 1.0]
    assert math.isnan(rewards[1].score(SAMPLE, "x", 1)), "of OCR rows alone"


def test_the_examples_of_the_page_are_rewards(tmp_path):
    """docs/rewards.md: the function of five lines and fewer, and the one of a group."""
    page = (ROOT / "docs" / "rewards.md").read_text(encoding="utf-8")
    first, second = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(first.splitlines()) <= 5
    for name, code in (("one.py", first), ("two.py", second)):
        (tmp_path / name).write_text(code)
    one = find_reward(f"{tmp_path}/one.py:no_shouting")
    assert [one.score(SAMPLE, text, 1) for text in ("AHA", "Aha")] == [0.0, 1.0]
    two = find_reward(f"{tmp_path}/two.py:rarity")
    assert two.score_group(group("a", "b", "a"), 1) == [0.0, 1.0, 0.0]


def test_without_a_list_the_algorithm_has_its_own():
    """With the weights of the table."""
    assert choose_rewards((), BUILT_IN) == BUILT_IN


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize("use", ["varied", "my_pkg:variety"])
def test_a_package_provides_rewards_by_entry_point_or_by_place(use):
    """A `Reward` keeps its name and weight; one per group gets whole groups."""
    (reward,) = choose_rewards([RewardUse(use=use)], BUILT_IN)
    assert (reward.name, reward.weight) == ("variety", 0.5)
    assert reward.score_group(group("a", "b", "a"), 1) == [2.0, 2.0, 2.0]


def raises(sample, text):
    return {"a": 1.0}[text]


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (raises, r"KeyError: 'x' \(test_own_rewards.py, line \d+\)"),
        (lambda sample, text: "much", "expected a finite number or None, got 'much'"),
        (lambda sample, text: math.inf, "expected a finite number or None, got inf"),
        (lambda sample, text: [1.0], r"expected a finite number or None, got \[1.0\]"),
        (lambda text: 1.0, "TypeError: .*takes 1 positional argument but 2 were given"),
    ],
)
def test_a_reward_that_fails_names_itself_the_row_and_the_update(function, what):
    """So that the line of the completion can be found."""
    reward = Reward(name="mine", of_completion=function)
    with pytest.raises(RewardError, match=f"^reward mine, row rows/7, update 12: {what}"):
        reward.score(SAMPLE, "x", 12)


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda group: [1.0], r"expected 2 values, one per completion, got \[1.0\]"),
        (lambda group: 1.0, "expected 2 values, one per completion, got 1.0"),
        (lambda group: [1.0, "b"], "expected a finite number or None, got 'b'"),
        (lambda group: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_a_reward_of_a_group_that_fails_does_so_too(function, what):
    """One value per ordered completion is asked for."""
    with pytest.raises(RewardError, match=f"^reward mine, row rows/7, update 3: {what}"):
        Reward(name="mine", of_group=function).score_group(group("a", "b"), 3)


def test_none_means_that_a_reward_does_not_apply():
    """It counts in no sum and no mean."""
    assert math.isnan(Reward(name="a", of_completion=lambda *_: None).score(SAMPLE, "x", 1))
    only_text = Reward(name="b", of_group=lambda _: [None, 0.5], kinds=(Kind.OCR,))
    assert all(math.isnan(value) for value in only_text.score_group(group("a", "b"), 1))
    some = Reward(name="c", of_group=lambda _: [None, 0.5]).score_group(group("a", "b"), 1)
    assert math.isnan(some[0])
    assert some[1] == 0.5


@pytest.mark.usefixtures("recipe_file")
@pytest.mark.parametrize(
    ("use", "what"),
    [
        ("acuracy", "no reward is named 'acuracy'; there are accuracy, format_reward"),
        ("recipes/none.py:a", "recipes/none.py is no file"),
        ("recipes/mine.py:loud", "recipes/mine.py has no 'loud'"),
        ("recipes/broken.py:a", "recipes/broken.py cannot be imported: SyntaxError"),
        ("recipes/faulty.py:a", "recipes/faulty.py cannot be imported: NameError: name 'x'"),
        ("recipes/mine.py:__name__", "is neither a function nor a Reward"),
        ("no_such_package:a", "no_such_package"),
        ("math:no_such_name", "math has no 'no_such_name'"),
    ],
)
def test_a_reward_that_is_not_found_is_refused_by_name(use, what):
    """Before a model is loaded."""
    Path("recipes/broken.py").write_text("def a(:")
    Path("recipes/faulty.py").write_text("x + 1")
    with pytest.raises(UsageError, match=what):
        choose_rewards([RewardUse(use=use)], BUILT_IN)
    if ":" in use:
        with pytest.raises(UsageError, match=what):
            check_uses([RewardUse(use=use)])


def test_two_rewards_of_one_name_are_refused():
    """They would be one column."""
    with pytest.raises(UsageError, match="two rewards named accuracy"):
        choose_rewards([RewardUse(use="accuracy")] * 2, BUILT_IN)


def test_a_reward_is_of_completions_or_of_groups():
    """Not both, not neither."""
    for functions in ({}, {"of_completion": raises, "of_group": raises}):
        with pytest.raises(ValueError, match="give one of of_completion and of_group"):
            Reward(name="mine", **functions)


def test_the_found_reward_is_the_same_twice(recipe_file):
    """A file is imported once, so that what it remembers is remembered."""
    assert recipe_file.exists()
    first, again = (find_reward("recipes/mine.py:no_shouting") for _ in range(2))
    assert first.of_completion is again.of_completion
