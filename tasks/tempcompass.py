"""TempCompass: temporal perception; 410 short videos, 7540 instructions in four tasks.

Conflicting videos (reversed, joined, sped up) defeat answers from a single frame. Source:
llyx97/TempCompass@e1b4631 (questions, prompts, rules), arXiv 2403.00476.

Deliberate choices and known differences:

- Official runs differ per model. Ours follows the Qwen2-VL run: 1 frame per second, at most
  720 x 720 pixels, at least 4 frames, 128 new tokens. Greedy and the cap of 64 frames are ours.
- ``official`` never calls a model: see `tasks.tempcompass_rules` for what that does to replies
  that no rule matches and to captions. The judge is opt-in: `judged_scorer`.
- Video-R1 evaluates all 7540 items as multiple choice, but how it recast them is not published.
  What ``video-r1`` asks here is our inference: yes/no questions get the options yes and no,
  caption matching the two captions, and captioning the multiple-choice question that the official
  judge answers from the caption, which is the first one on the same aspect of the same video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.schema import (
    FramePolicy,
    FrameRule,
    Kind,
    Media,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import (
    letter_of,
    letters,
)
from harness.scoring.rules import ScoreRule
from harness.task.api import (
    Questions,
    Scorer,
)
from tasks import sources
from tasks.base import MICRO, MODEL_PIXELS, OFFICIAL, Benchmark
from tasks.files import Row, inside
from tasks.judge import JUDGED, Judge
from tasks.tempcompass_rows import TYPE, place, read_tasks
from tasks.tempcompass_rules import (
    ANSWER,
    CAPTION_MATCHING,
    CAPTIONING,
    MC_ANSWER,
    MC_QUESTION,
    MULTI_CHOICE,
    QUESTION,
    TASKS,
    YES_NO,
    score_official,
    task_of,
)

_BEST_OPTION = "\nPlease directly give the best option:"
_SUFFIX = {
    MULTI_CHOICE: _BEST_OPTION,
    YES_NO: "\nPlease answer yes or no:",
    CAPTION_MATCHING: _BEST_OPTION,
    CAPTIONING: "",  # the question itself ends with "Generated Caption:"
}

_LETTERS = letters(4)
_OPTION = r"\s*{letter}\.\s*(.+)"  # " D. away from the screen" and "C.Both events" occur
_CAPTION = re.compile(r"\S[^:]*: (.+)")
_YES_NO = ("yes", "no")

_UNMATCHED = (Outcome.NO_ANSWER, Outcome.TRUNCATED)


class TempCompass(Benchmark):
    """All four tasks; the headline is the leaderboard's micro average."""

    name = "tempcompass"
    version = 1
    title = "TempCompass"
    homepage = "https://huggingface.co/datasets/lmms-lab/TempCompass"
    source = sources.TEMPCOMPASS
    official_frames = FramePolicy(
        rule=FrameRule.VIDEO_R1,
        fps=1.0,
        min_frames=4,
        max_frames=64,
        min_pixels=MODEL_PIXELS[0],
        max_pixels=720 * 720,
    )
    official_sampling = Sampling(temperature=0.0, max_tokens=128)

    def load(self, data: Path) -> Questions:
        """Read the GitHub question files with their metadata, or the hub's parquet files."""
        rows, files = read_tasks(data)
        samples = tuple(sample for task in TASKS for sample in _samples(task, rows[task], data))
        return Questions(samples=samples, files=files)

    def official_prompt(self, sample: Sample) -> Prompt:
        """Ask the published question with the suffix of its task."""
        return Prompt(text=sample.source[QUESTION] + _SUFFIX[task_of(sample)])

    def official_rule(self) -> ScoreRule:
        """Return the rules alone, without a judge."""
        return score_official

    def with_llm_judge(self, base_url: str, model: str) -> Scorer:
        """Return the official rules with a judge model behind an OpenAI-compatible URL."""
        return judged_scorer(Judge(base_url, model))

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return how many replies the rules could match, in percent; captions have no rules."""
        matched = [
            record.outcome not in _UNMATCHED and not (record.answer or "").startswith(JUDGED)
            for record in run.get(self.name, ())
            if record.outcome is not Outcome.FAILED and not record.category.startswith(CAPTIONING)
        ]
        return {"match_rate": 100 * sum(matched) / len(matched)} if matched else {}


def judged_scorer(judge: Judge) -> Scorer:
    """Build the official scorer with a judge for captions and for replies that no rule matches."""

    def score(sample: Sample, text: str) -> Score:
        by_rule = score_official(sample, text)
        return judge(sample, text) if by_rule.outcome is Outcome.NO_ANSWER else by_rule

    name = f"{OFFICIAL}+judge:{judge.model}"
    return Scorer(name=name, version=1, score=score, aggregation=MICRO)


def _samples(task: str, rows: Sequence[Row], data: Path) -> Iterator[Sample]:
    wording = (QUESTION, ANSWER, *((MC_QUESTION, MC_ANSWER) if task == CAPTIONING else ()))
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        video, aspect = place(row)
        position = counted[video, aspect]
        counted[video, aspect] += 1
        recast = _RECASTS[task](row)
        kind = [row.text(TYPE)] if TYPE in row.fields else []
        yield Sample(
            id=f"{TempCompass.name}/{task}/{video}/{aspect}/{position}",
            task=TempCompass.name,
            question=recast.question,
            answer=recast.letter,
            kind=Kind.MULTIPLE_CHOICE,
            category="/".join((task, aspect, *kind)),
            cluster=video,
            options=recast.options,
            media=(Media(path=inside(data, f"videos/{video}.mp4", row.where)),),
            source={name: row.text(name) for name in wording},
        )


class _Recast(NamedTuple):
    """A row as a multiple-choice question."""

    question: str
    options: tuple[str, ...]
    letter: str


def _recast_choices(row: Row, question: str = QUESTION, answer: str = ANSWER) -> _Recast:
    """Take the options off a multiple-choice question, whose answer begins with the letter."""
    stem, *lines = row.text(question).split("\n")
    found = [
        re.fullmatch(_OPTION.format(letter=letter), line)
        for letter, line in zip(_LETTERS, lines, strict=False)
    ]
    options = tuple(match.group(1) for match in found if match)
    if not options or len(options) != len(lines):
        raise row.bad(question, "a question and up to four lines 'A. text', 'B. text', ...")
    letter = row.text(answer)[:1]
    if letter not in letters(len(options)):
        raise row.bad(answer, f"the letter of one of {len(options)} options first")
    return _Recast(stem, options, letter)


def _recast_captioning(row: Row) -> _Recast:
    return _recast_choices(row, MC_QUESTION, MC_ANSWER)


def _recast_yes_no(row: Row) -> _Recast:
    answer = row.text(ANSWER)
    if answer not in _YES_NO:
        raise row.bad(ANSWER, "yes or no")
    return _Recast(row.text(QUESTION), _YES_NO, letter_of(_YES_NO.index(answer)))


def _recast_captions(row: Row) -> _Recast:
    """Take the captions off lines like ``Option 1: A man runs.``, of which one is the answer."""
    stem, *lines = row.text(QUESTION).split("\n")
    answer, found = row.text(ANSWER), [_CAPTION.fullmatch(line) for line in lines]
    captions = tuple(match.group(1) for match in found if match)
    if answer not in lines or len(captions) != len(lines):
        raise row.bad(ANSWER, "one of the lines 'Caption A: text', ... below the question")
    return _Recast(stem, captions, letter_of(lines.index(answer)))


_RECASTS: Mapping[str, Callable[[Row], _Recast]] = {
    MULTI_CHOICE: _recast_choices,
    YES_NO: _recast_yes_no,
    CAPTION_MATCHING: _recast_captions,
    CAPTIONING: _recast_captioning,
}
