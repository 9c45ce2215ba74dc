"""Benchmarks with moved options: prompt and gold agree, and fixed options are named."""

import pytest

from harness.schema import Prompt
from harness.task.registry import data_folder, get, installed
from harness.task.rotation import rotate_questions
from tests.toys import ToyTask, sample

OPEN = {"charades-sta"}
"""Benchmarks without options."""
BENCHMARKS = sorted(set(installed()) - {"motionworld", "motionworld-stills"} - OPEN)
"""All benchmarks that there are, but for those whose clips are drawn elsewhere."""


@pytest.fixture
def data(demo_data):
    """The demo's questions in the publishers' layouts."""
    return demo_data


def _rotated(name, data, template):
    task = get(name)
    samples = task.load(data_folder(task, data)).samples
    return task, {s.id: s for s in samples}, rotate_questions(task, template, samples, 1)


@pytest.mark.parametrize("template", ["official", "video-r1"])
@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_gold_answer_scores_right_and_the_old_letter_wrong(name, template, data):
    """Under the template's own scorer, in the prompt as it is then asked."""
    task, before, found = _rotated(name, data, template)
    score = task.scorers[template].score
    assert found.samples
    for moved in found.samples:
        old = before[moved.id]
        text = moved.options["ABCDEFGHIJ".index(moved.answer)]
        assert text == old.options["ABCDEFGHIJ".index(old.answer)]
        gold = moved.answer if template == "video-r1" else _official_gold(moved)
        assert score(moved, gold).value == 1
        asked = task.prompt(moved, template).text
        assert asked != task.prompt(old, template).text
        if not moved.category.startswith("caption"):  # its labels are no letters
            shown = (mark.format(moved.answer, text) for mark in ("{}. {}", "({}) {}", "{}: {}"))
            assert any(one in asked for one in shown)


@pytest.mark.parametrize("name", sorted(OPEN))
def test_a_benchmark_without_options_says_so_of_every_question(name, data):
    """None is left out in silence."""
    _, before, found = _rotated(name, data, "official")
    assert set(found.fixed["not multiple choice"]) == set(before)


def _official_gold(moved):
    """What the official rules find right: the letter, or TempCompass's own answer."""
    return moved.source.get("answer", moved.answer)


def test_published_wording_moves_with_its_options(data):
    """TempCompass: labels stay, texts move, the answer is the line at which its text is now."""
    _, before, found = _rotated("tempcompass", data, "official")
    kinds = {moved.category.split("/")[0] for moved in found.samples}
    assert kinds == {"multi-choice", "caption_matching"}
    for moved in found.samples:
        old = before[moved.id].source["question"].split("\n")[1:]
        new = moved.source["question"].split("\n")[1:]
        head = [line.split(":")[0] if ":" in line else line[:2] for line in old]
        assert head == [line.split(":")[0] if ":" in line else line[:2] for line in new]
        texts = [line.removeprefix(h).strip(" :.") for line, h in zip(old, head, strict=True)]
        moved_texts = [line.removeprefix(h).strip(" :.") for line, h in zip(new, head, strict=True)]
        assert moved_texts == [texts[-1], *texts[:-1]]


def test_prompts_without_options_are_named_not_skipped(data):
    """TempCompass's official yes/no and caption prompts list no options."""
    _, before, found = _rotated("tempcompass", data, "official")
    reasons = {reason: {before[i].category.split("/")[0] for i in ids}
               for reason, ids in found.fixed.items()}  # fmt: skip
    assert reasons == {"its prompt does not list the options": {"yes_no", "captioning"}}
    assert sum(map(len, found.fixed.values())) + len(found.samples) == len(before)
    assert "(its prompt does not list the options)" in found.sentence


def test_open_questions_are_left_out_by_name(data):
    """VSI-Bench's numbers have no options."""
    _, before, found = _rotated("vsibench", data, "official")
    numerical = {i for i, s in before.items() if not s.options}
    assert set(found.fixed["not multiple choice"]) == numerical


def test_a_benchmark_of_its_own_kind_is_left_alone():
    """A task without `rotate_options` writes its prompts itself."""
    found = rotate_questions(ToyTask(), "any", [sample(1)], 1)
    assert not found.samples
    assert list(found.fixed) == ["the benchmark has no way to move options in its prompts"]


def test_a_prompt_from_elsewhere_than_the_options_is_noticed():
    """Moving options that the prompt does not show would only move the gold answer."""

    class Written(ToyTask):
        def rotate_options(self, sample, places):
            from harness.scoring.options import rotate_options

            return rotate_options(sample, places)

        def prompt(self, sample, template):
            return Prompt(text="Is it A. yes or B. no?")

    found = rotate_questions(Written(), "any", [sample(1)], 1)
    assert list(found.fixed) == ["its prompt does not list the options"]
