"""`flexible` against replies in the habits of model families and against published verdicts."""

import pytest

from tests.harness.scoring import flexible_report as report
from tests.paths import ROOT

PAGE = ROOT / "docs" / "flexible.md"
needs_data = pytest.mark.skipif(not report.VECTORS.is_file(), reason="the shared data is not here")


def test_the_page_has_every_rule():
    """The tables of rules are those of the code."""
    text = PAGE.read_text(encoding="utf-8")
    for line in (*report.rules_of_options(), *report.rules_of_numbers()):
        assert line in text


@needs_data
def test_the_page_is_what_the_command_writes():
    """``python -m tests.harness.scoring.flexible_report`` writes the page as it is."""
    assert PAGE.read_text(encoding="utf-8") == report.page()


@needs_data
def test_judged_answers_get_the_judges_verdict():
    """At least 97 % of the answers that no official rule matches; the others are explained."""
    found = list(report.compare("reka-core", judged=True))
    same = sum(ours == theirs for _, ours, theirs in found)
    assert len(found) == 522
    assert same >= 0.97 * len(found)
    assert {name for name, *_ in report.differences("reka-core")} == set(report.EXPLAINED)


@needs_data
@pytest.mark.parametrize("model", ["reka-core", "video-llava"])
def test_answers_that_official_rules_match_get_their_verdict(model):
    """Where the publishers' rule reads a reply, it and `flexible` agree."""
    assert [row for row in report.compare(model, judged=False) if row[1] != row[2]] == []
