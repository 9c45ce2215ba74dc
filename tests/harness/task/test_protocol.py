"""A protocol's hash moves with every choice that can move a score."""

import dataclasses
import json
from collections import Counter

import pytest

from harness.errors import UsageError
from harness.files import diff
from harness.run.config import EvalConfig
from harness.run.items import evenly_spaced, stratified
from harness.run.plan import (
    make_plan,
)
from harness.schema import FramePolicy, FrameRule, Sampling, Variant
from harness.task.protocol import complete
from tests.toys import ToyTask, sample


def test_equal_protocols_have_equal_hashes():
    """The hash depends on content only."""
    assert ToyTask().protocol("video-r1").hash == ToyTask().protocol("video-r1").hash


@pytest.mark.parametrize(
    "change",
    [
        {"max_frames": 5},
        {"max_pixels": 1},
        {"order": Variant.SHUFFLED},
        {"fps": 1.0},
        {"rule": FrameRule.LINSPACE},
    ],
)
def test_every_frame_choice_moves_the_hash(change):
    """Frames are part of what a number means."""
    protocol = ToyTask().protocol("video-r1")
    other = dataclasses.replace(protocol, frames=dataclasses.replace(protocol.frames, **change))
    assert protocol.hash != other.hash


def test_the_diff_names_the_fields():
    """Two protocols side by side are told apart in words."""
    assert diff({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == ["a.c: 2 != 3"]


def test_a_limit_is_spread_over_the_task():
    """A limited run does not see the first category only."""
    samples = tuple(sample(number) for number in range(10))
    assert [s.id for s in evenly_spaced(samples, 3)] == ["toy/0", "toy/3", "toy/6"]
    assert evenly_spaced(samples, 20) == samples


def test_a_limit_gives_every_category_its_share():
    """Of 90 odd-numbered and 10 even-numbered questions, 20 are 18 and 2, in their order."""
    samples = tuple(sample(2 * n + (n % 10 != 0)) for n in range(100))
    chosen = stratified(samples, 20)
    assert Counter(one.category for one in chosen) == {"odd": 18, "even": 2}
    assert list(chosen) == [one for one in samples if one in chosen]
    assert stratified(samples, None) == samples


def test_a_missing_data_folder_is_named(tmp_path):
    """The message says which folder and what --data means."""
    with pytest.raises(UsageError, match="no such data folder"):
        make_plan(EvalConfig(tasks=("vsibench",), data=tmp_path / "none"))


def test_a_task_selected_twice_is_refused(tmp_path):
    """One run holds a task once, so that its items have one record each."""
    with pytest.raises(UsageError, match="selected twice"):
        make_plan(EvalConfig(tasks=("vsibench", "vsibench:route_planning"), data=tmp_path))


def test_an_unknown_task_lists_the_known_ones(tmp_path):
    """A misspelt name is answered with the right ones."""
    with pytest.raises(UsageError, match=r"unknown task 'vsi'; known tasks: .*vsibench"):
        make_plan(EvalConfig(tasks=("vsi",), data=tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        {"system": ""},
        {"reasoning": "auto"},
        {"reasoning": "think"},
        {"template_args": {"enable_thinking": False}},
        {"thinking_budget": 0},
        {"repeats": 2},
    ],
)
def test_every_further_field_moves_the_hash(change):
    """Also values that look like nothing: an empty system prompt, a switch that is off."""
    protocol = ToyTask().protocol("video-r1")
    assert dataclasses.replace(protocol, **change).hash != protocol.hash


@pytest.mark.parametrize(
    "change",
    [
        {"top_k": 20},
        {"min_p": 0.1},
        {"presence_penalty": 1.5},
        {"frequency_penalty": -0.5},
        {"repetition_penalty": 1.05},
        {"stop": ("\n\n",)},
        {"temperature": 0.5},
        {"top_p": 0.9},
        {"max_tokens": 17},
        {"seed": 1},
    ],
)
def test_every_sampling_choice_moves_the_hash(change):
    """Sampling is part of what a number means."""
    protocol = ToyTask().protocol("video-r1")
    sampling = dataclasses.replace(protocol.sampling, **change)
    assert dataclasses.replace(protocol, sampling=sampling).hash != protocol.hash


def test_a_protocol_of_the_first_edition_is_completed():
    """What a later version added is at its default, so that old and new runs can be compared."""
    protocol = ToyTask().protocol("video-r1")
    old = json.loads(protocol.canonical())
    assert "repeats" not in old
    assert complete(old) == json.loads(json.dumps(dataclasses.asdict(protocol)))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Sampling, {"temperature": -0.1}),
        (Sampling, {"temperature": float("nan")}),
        (Sampling, {"top_p": 1.5}),
        (Sampling, {"top_p": 0}),
        (Sampling, {"top_k": -1}),
        (Sampling, {"min_p": 2}),
        (Sampling, {"presence_penalty": 3}),
        (Sampling, {"repetition_penalty": 0}),
        (Sampling, {"stop": ("",)}),
        (FramePolicy, {"fps": 0}),
        (FramePolicy, {"max_frames": 0}),
        (FramePolicy, {"min_pixels": 0}),
    ],
)
def test_values_out_of_bounds_are_refused(kind, values):
    """By the class itself, whoever makes it."""
    fields = {"temperature": 0.0, "max_tokens": 1} if kind is Sampling else {}
    with pytest.raises(ValueError, match=next(iter(values))):
        kind(**{**fields, **values})
