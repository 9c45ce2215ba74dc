"""Scorer tags: what they are read as, and that they are written back the same."""

import pytest

from harness.errors import DatasetError
from harness.scoring.tags import ScorerTag, column_name, judged_name, task_of_column


@pytest.mark.parametrize(
    ("text", "rule", "version", "judge"),
    [
        ("official@1", "official", 1, None),
        ("official+answer@2", "official+answer", 2, None),
        ("official+judge:Qwen/Qwen3-8B@1", "official", 1, "Qwen/Qwen3-8B"),
        ("official+judge:me@home/model@3", "official", 3, "me@home/model"),
    ],
)
def test_a_tag_is_read_into_its_parts_and_written_back(text, rule, version, judge):
    """The last ``@`` is in front of the version; a judge's name may hold others."""
    tag = ScorerTag.parse(text)
    assert (tag.rule, tag.version, tag.judge) == (rule, version, judge)
    assert str(tag) == text


@pytest.mark.parametrize("text", ["official", "@1", "official@", "official@new", "+judge:m@1"])
def test_a_text_that_is_not_a_tag_is_refused_with_the_form(text):
    """The message quotes the text and says what a tag looks like."""
    with pytest.raises(DatasetError, match="expected NAME@VERSION") as caught:
        ScorerTag.parse(text)
    assert repr(text) in str(caught.value)


def test_a_rule_with_a_judge_has_one_name():
    """The benchmark that adds a judge and the reader of its tag agree."""
    assert ScorerTag.parse(f"{judged_name('official', 'm')}@1").name == judged_name("official", "m")


def test_a_board_column_names_task_and_scorer():
    """A column leads back to its task; a task's own column is its name."""
    assert column_name("vsibench", "video-r1") == "vsibench [video-r1]"
    assert task_of_column("vsibench [video-r1]") == task_of_column("vsibench") == "vsibench"
