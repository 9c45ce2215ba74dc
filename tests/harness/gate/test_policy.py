"""Policies: what a file may say, and when one demands less than another."""

import pytest

from harness.errors import UsageError
from harness.gate.policy import (
    Policy,
    Rule,
    Tier,
    check_tasks,
    load_policy,
    loosened,
    make_policy,
)


@pytest.fixture
def load(tmp_path):
    """Write a policy file and load it."""

    def from_text(text):
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return load_policy(path)

    return from_text


def test_an_empty_file_is_the_default_policy(load):
    """Nothing has to be said."""
    assert load("") == Policy()


def test_every_task_may_have_its_own_margin_and_tier(load):
    """What a task does not say comes from the top of the file."""
    policy = load(
        'margin = 1.5\n[overall]\nmargin = 1\n[tasks.a]\nmargin = 3\n[tasks.b]\ntier = "advisory"'
    )
    assert [policy.margin_of(task) for task in "abc"] == [3.0, 1.5, 1.5]
    assert [policy.tier(task) for task in "abc"] == [Tier.REQUIRED, Tier.ADVISORY, Tier.REQUIRED]
    assert (policy.overall_margin, policy.overall.tier) == (1.0, Tier.REQUIRED)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("margn = 1", "unknown key 'margn'; valid keys: margin, alpha, power, allow_inconclusive"),
        ("[tasks.a]\nmargins = 1", "unknown key 'tasks.a.margins'; valid keys: margin, tier"),
        (
            '[overall]\ntier = "critical"',
            "overall.tier: expected one of 'required' or 'advisory', got 'critical'",
        ),
        ("margin = -1", "margin: expected a number from 0 to 100, got -1"),
        ("margin = true", "margin: expected a number, got True"),
        ("alpha = 0.9", "alpha: expected a number from 1e-06 to 0.5, got 0.9"),
        ("tasks = 3", "tasks: expected a table, got 3"),
        ("margin = ", "not a readable TOML file"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_valid(load, text, words):
    """The message names the place, what stands there and what may."""
    with pytest.raises(UsageError) as caught:
        load(text)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    """The path stands in the message."""
    with pytest.raises(UsageError, match=r"gate\.toml: not a readable TOML file"):
        load_policy(tmp_path / "gate.toml")


def test_a_policy_for_a_task_that_is_not_there_is_refused():
    """A misspelt task would be gated at the default margin without anyone noticing."""
    policy = Policy(tasks={"vsi": Rule()})
    with pytest.raises(UsageError, match=r"'vsi'.* it has: mvbench, vsibench"):
        check_tasks(policy, ["vsibench", "mvbench"])


def test_demanding_less_is_named_line_by_line():
    """Margins, tiers and alpha each count; demanding more does not."""
    locked = make_policy({"margin": 1, "overall": {"margin": 0.5}}, "lock")
    assert loosened(make_policy({"margin": 0.5, "overall": {}}, "x"), locked, ["a"]) == []
    ours = {
        "margin": 2,
        "alpha": 0.1,
        "tasks": {"a": {"tier": "advisory"}, "b": {"margin": 1}},
    }
    assert loosened(make_policy(ours, "ours"), locked, ["a", "b", "c"]) == [
        "a tier: advisory, locked required",
        "a margin: 2, locked 1",
        "c margin: 2, locked 1",
        "overall tier: advisory, locked required",
        "overall margin: 2, locked 0.5",
        "alpha: 0.1, locked 0.05",
    ]


def test_what_was_advisory_is_free_to_move():
    """A lock holds what it required, no more."""
    locked = make_policy({"tasks": {"a": {"tier": "advisory", "margin": 1}}}, "lock")
    ours = make_policy({"tasks": {"a": {"tier": "advisory", "margin": 9}}}, "ours")
    assert loosened(ours, locked, ["a"]) == []


@pytest.mark.parametrize(
    "text",
    [
        "margin = nan", "margin = inf", "margin = 1e400", "margin = 1" + "0" * 5000,
        "margin = 1" + "0" * 400, "x = " + "[" * 5000 + "]" * 5000, 'extends = "p.toml"',
        'extends = "./../q/p.toml"', 'extends = "a\\u0000"', "margin = '2'", "alpha = 1979-05-27",
        "[tasks]\nvsibench = 3", "[overall]\ntier = 'x'", "\xff",
    ],
)  # fmt: skip
def test_a_policy_that_cannot_be_meant_is_refused(tmp_path, text):
    """Numbers, nesting, circles, types, encoding."""
    (tmp_path / "q").mkdir()
    (tmp_path / "q" / "p.toml").write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=r"p\.toml"):
        load_policy(tmp_path / "q" / "p.toml")
