"""``docs/run_files.md`` has every field that this version writes."""

import dataclasses
import json
import re

import pytest

from harness.backends.base import EngineStats
from harness.rescore.rescore import FIELDS
from harness.run.samples_file import StoredMedia, StoredSample
from harness.run.store import IDENTITY
from harness.run.timing import Timing
from harness.schema import Failure, FramePolicy, Record, Sampling, TaskSummary
from harness.task.protocol import Protocol
from harness.video.pool import DecodeCounts
from tests.paths import FIXTURES, ROOT
from trainer.loops.groups import CompletionGroup, Rollout, ScoredCompletion, describe_group
from trainer.watch.evaluations import EvalPoint

PAGE = (ROOT / "docs" / "run_files.md").read_text(encoding="utf-8")


def _section(heading):
    """Return the names in backticks below a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    after = PAGE.split(f"\n{heading}\n")[1]
    return set(re.findall(r"`([\w]+)`", re.split(rf"^#{{1,{len(level)}}} ", after, flags=re.M)[0]))


def _fields(*classes):
    return {field.name for one in classes for field in dataclasses.fields(one)}


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("### run.json", set(json.loads((FIXTURES / "run_schema_1/run.json").read_text()))),
        ("### run.json", {*IDENTITY, "hash", *_fields(Protocol, FramePolicy, Sampling)}),
        ("### records-0.jsonl", _fields(Record, Failure)),
        ("### samples.jsonl", _fields(StoredSample, StoredMedia)),
        ("### summary.json", _fields(TaskSummary, Timing, DecodeCounts, EngineStats)),
        ("### scores-NAME.jsonl and scores-NAME.json", set(FIELDS)),
        ("## A watch folder", _fields(EvalPoint)),
    ],
)
def test_every_field_is_described(heading, names):
    """A field that is added is added to the page."""
    assert names <= _section(heading), names - _section(heading)


def test_the_lines_of_completions_are_described():
    """Fields of a group, and of ordered and shuffled completions."""
    from harness.schema import Kind, Sample

    sample = Sample(
        id="a", task="t", question="q", answer="A", kind=Kind.OCR, category="c", cluster="v"
    )
    one = ScoredCompletion(
        text="x", tokens=1, truncated=False, accuracy=1.0, rewards={"format": 1.0}, log_ratio=0.1
    )
    group = CompletionGroup(sample=sample, rollouts=(Rollout(row=0, ordered=one, shuffled=(one,)),))
    line = describe_group(
        group, step=1, question="q", rewards=[{"accuracy": 1.0}], totals=[1.0], advantages=[0.0]
    )
    names = {*line, *line["ordered"][0], *line["shuffled"][0]}
    assert names <= _section("## A training folder")
