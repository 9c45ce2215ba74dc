"""The algorithm that docs/algorithms.md shows is found by its entry point and trains."""

from __future__ import annotations

import importlib
import json
import re
import sys

import pytest

from harness.cli.exits import Exit
from harness.errors import UsageError
from tests.paths import ROOT
from tests.trainer.commands import run
from trainer.cli.train import TrainCommand
from trainer.config.algorithms import ALGORITHMS, find_algorithms

PAGE = (ROOT / "docs" / "algorithms.md").read_text(encoding="utf-8")
(CODE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def install(folder, code, points):
    """Write a package with a module ``dr_grpo`` and its entry points."""
    meta = folder / "dr_grpo-1.0.dist-info"
    meta.mkdir(parents=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: dr-grpo\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text(f"[videor1.algorithms]\n{points}\n")
    (folder / "dr_grpo.py").write_text(code)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install the page's module for one test."""

    def make(code=CODE, points="dr-grpo = dr_grpo:DR_GRPO"):
        install(tmp_path / "site", code, points)
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        importlib.invalidate_caches()

    yield make
    sys.modules.pop("dr_grpo", None)


def test_an_algorithm_of_a_package_is_an_action_of_train(package, capsys):
    """Its help is in the list, and in less than sixty lines it says all that is needed."""
    assert len(CODE.splitlines()) < 60
    package()
    assert list(find_algorithms()) == [*ALGORITHMS, "dr-grpo"]
    with pytest.raises(SystemExit):
        run(TrainCommand(), "--help")
    assert "GRPO without the biases" in capsys.readouterr().out
    assert "torch" not in CODE.partition("def train")[0]


@pytest.mark.parametrize(
    ("code", "points", "what"),
    [
        (CODE, "other = dr_grpo:DR_GRPO", "expected an Algorithm named 'other'"),
        (CODE, "dr-grpo = dr_grpo:FIELDS", "expected an Algorithm named 'dr-grpo'"),
        (CODE.replace('"dr-grpo"', '"grpo"'), "grpo = dr_grpo:DR_GRPO", "none of sft, grpo, tgrpo"),
        ("1 / 0", "dr-grpo = dr_grpo:DR_GRPO", "ZeroDivisionError: division by zero"),
        ("x = 1", "dr-grpo = dr_grpo:DR_GRPO", "AttributeError"),
    ],
)
def test_an_entry_point_that_is_no_algorithm_is_refused(package, code, points, what):
    """Another name, another object, a name of ours, a module that fails or lacks it."""
    package(code, points)
    with pytest.raises(UsageError, match=what):
        find_algorithms()


@pytest.mark.engine
@pytest.mark.filterwarnings("default")  # third-party imports warn
def test_the_algorithm_of_the_page_trains(package, student, tmp_path):
    """Advantages are not divided by the group's deviation, the loss is TRL's dr_grpo, its metric is
    logged; a reward from a file beside is a column, and one that fails names the row."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from dataclasses import replace

    from tests.trainer.small_runs import checkpoint_of, grpo_recipe, rows
    from trainer.config.rl_sections import RewardUse
    from trainer.rewards.reward import RewardError

    package()
    mine = tmp_path / "mine.py"
    mine.write_text(
        "def length(sample, text):\n    return len(text) % 3\n"
        "def fails(sample, text):\n    return {}[sample.id]\n"
    )
    algorithm = find_algorithms()["dr-grpo"]
    recipe = grpo_recipe(student, tmp_path, max_steps=1)
    uses = (RewardUse(use="accuracy"), RewardUse(use=f"{mine}:length", weight=0.5))
    recipe = replace(recipe, reward=replace(recipe.reward, functions=uses))
    data = rows(tmp_path / "media")
    train = algorithm.load_trainer()
    train(recipe, tmp_path / "run", checkpoint=checkpoint_of(recipe), rows=data)
    read = (tmp_path / "run" / "completions.jsonl").read_text().splitlines()
    for group in map(json.loads, read):
        totals = [answer["reward"] for answer in group["ordered"]]
        for answer in group["ordered"]:
            own = answer["rewards"]
            assert own["length"] == len(answer["text"]) % 3
            assert answer["reward"] == pytest.approx(own["accuracy"] + 0.5 * own["length"])
            mean = sum(totals) / len(totals)
            assert answer["advantage"] == pytest.approx(answer["reward"] - mean, abs=1e-5)
    logged = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert 0 <= logged["equal_groups"] <= 1
    assert "rewards/length/mean" in logged
    broken = replace(recipe.reward, functions=(RewardUse(use=f"{mine}:fails"),))
    with pytest.raises(RewardError, match=r"reward fails, row row-\d, update 1: KeyError: 'row-\d"):
        train(
            replace(recipe, reward=broken),
            tmp_path / "other",
            checkpoint=checkpoint_of(recipe),
            rows=data,
        )


def test_a_recipe_of_an_own_algorithm_is_read_and_checked(package, tmp_path, monkeypatch):
    """A dry run says what is wrong with it, as for ours."""
    package()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(
        '[model]\ncheckpoint = "none"\n[data]\nrows = ["a.jsonl"]\nmedia_roots = ["."]\n'
        '[reward]\nfunctions = [{use = "none.py:a"}]\n'
    )
    verdict = run(
        TrainCommand(),
        "dr-grpo",
        "--config",
        "mine.toml",
        "--dry-run",
        "--set",
        "optim.per_device_train_batch_size=8",
    )
    assert verdict.code is Exit.USAGE
    assert "none.py is no file" in verdict.reason
