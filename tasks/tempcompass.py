"""TempCompass: temporal perception; 410 short videos, 7,540 instructions in four tasks.

Conflicting videos (reversed, joined, sped up) defeat answers from a single frame. Publisher:
lmms-lab/TempCompass on the Hugging Face hub and llyx97/TempCompass on GitHub; `tempcompass_rows`
reads both layouts. Official prompts and rules: llyx97/TempCompass@e1b4631; paper: arXiv 2403.00476.

Deliberate departures and known differences:

- Official runs differ by model. Ours follows the one of Qwen2-VL: 1 frame per second, at most
  720 x 720 pixels, at least 4 frames, 128 new tokens. Greedy sampling and the limit of 64 frames
  are our choice. The number of frames is rounded down to an even one, as qwen-vl-utils does since
  0.0.10. The published run is of August 2024, when it was rounded to the nearest even number: 2
  frames more for half of all durations (12 instead of 10 for 11 s).
- ``official`` never calls a model; `tasks.tempcompass_rules` says what becomes of captions and of
  responses that no rule matches. The LLM judge is optional: `llm_judge_scorer`.
- Video-R1 evaluates all 7,540 items as multiple choice and has not published how. What
  ``video-r1`` asks here is our inference: yes/no questions get the options yes and no, caption
  matching the two captions, and captioning the multiple-choice question that the official judge
  answers from the caption: the first one about the same aspect of the same video.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
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
    MAX_OPTIONS,
    letter_of,
    letters,
)
from harness.scoring.flexible import score as flexible
from harness.scoring.rules import ScoreRule
from harness.scoring.tags import judged_name
from harness.task.api import (
    Questions,
    Scorer,
)
from tasks import sources
from tasks.base import MICRO, MODEL_PIXELS, OFFICIAL, Benchmark
from tasks.files import Row, inside
from tasks.judge import JUDGE_PREFIX, LLMJudge
from tasks.tempcompass_judge import TempCompassRubric
from tasks.tempcompass_rows import TYPE, read_tasks, video_and_aspect
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

_UNMATCHED = (Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED)


class TempCompass(Benchmark):
    """All four tasks; the score is the leaderboard's micro average."""

    name = "tempcompass"
    version = 1
    title = "TempCompass"
    published_size = (7540, 410)
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
        """Read GitHub's question files and metadata, or the hub's Parquet files."""
        rows, files = read_tasks(data)
        samples = tuple(
            sample for task in TASKS for sample in _make_samples(task, rows[task], data)
        )
        return Questions(samples=samples, files=files)

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published question with the suffix of its task."""
        return Prompt(text=sample.source[QUESTION] + _SUFFIX[task_of(sample)])

    def official_rule(self) -> ScoreRule:
        """Return `tempcompass_rules.score_official`, the rules without a judge."""
        return score_official

    def official_leaves_out(self, sample: Sample) -> bool:
        """Return whether this is a caption: without a judge no rule can rate it."""
        return task_of(sample) == CAPTIONING

    def option_labels(self, sample: Sample) -> tuple[str, ...]:
        """Return the labels of captions to choose from: ``Option 1``, ``Sentence A``."""
        if task_of(sample) != CAPTION_MATCHING:
            return ()
        return tuple(line.split(":")[0] for line in sample.source[QUESTION].split("\n")[1:])

    def rotate_options(self, sample: Sample, places: int) -> Sample:
        """Return a question whose options are moved, in the published wording, too.

        Labels (``A.``, ``Option 1:``) stay where they are, the texts behind them move. The words
        yes and no are moved in the prompt of ``video-r1`` only: ``official`` does not list them.
        """
        moved = super().rotate_options(sample, places)
        task = task_of(sample)
        if task not in (MULTI_CHOICE, CAPTION_MATCHING):
            return moved
        stem, *lines = sample.source[QUESTION].split("\n")
        ends = zip(lines, sample.options, moved.options, strict=True)
        lines = [line.removesuffix(old) + new for line, old, new in ends]
        answer = lines[letters(len(lines)).index(moved.answer)]
        if task == MULTI_CHOICE:
            answer = f"{moved.answer}{sample.source[ANSWER][1:]}"
        source = {**sample.source, QUESTION: "\n".join((stem, *lines)), ANSWER: answer}
        return replace(moved, source=source)

    def flexible_score(self, sample: Sample, text: str) -> Score:
        """Score by the rules of ``flexible``; a caption that names no option is left out.

        ``official`` asks for a caption, which only a judge can rate, ``video-r1`` for an option.
        """
        score = super().flexible_score(sample, text)
        explicit = score.rule in flexible.BY_LETTER
        if task_of(sample) == CAPTIONING and not explicit:
            return Score(value=None, outcome=Outcome.NO_ANSWER)
        return score

    def with_llm_judge(self, base_url: str, model: str) -> Scorer:
        """Return the official rules with an LLM judge behind an OpenAI-compatible URL."""
        return llm_judge_scorer(LLMJudge(base_url, model, TempCompassRubric()))

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return the share of responses that the rules match, in percent, captions left out."""
        matched = [
            record.outcome not in _UNMATCHED and not (record.answer or "").startswith(JUDGE_PREFIX)
            for record in run.get(self.name, ())
            if record.outcome is not Outcome.FAILED and not record.category.startswith(CAPTIONING)
        ]
        return {"match_rate": 100 * sum(matched) / len(matched)} if matched else {}


def llm_judge_scorer(judge: LLMJudge) -> Scorer:
    """Return the official scorer with a judge for captions and responses that no rule matches."""

    def score(sample: Sample, text: str) -> Score:
        by_rule = score_official(sample, text)
        return judge(sample, text) if by_rule.outcome is Outcome.NO_ANSWER else by_rule

    name = judged_name(OFFICIAL, judge.model)
    return Scorer(name=name, version=1, score=score, aggregation=MICRO, require=judge.check)


def _make_samples(task: str, rows: Sequence[Row], data: Path) -> Iterator[Sample]:
    wording = (QUESTION, ANSWER, *((MC_QUESTION, MC_ANSWER) if task == CAPTIONING else ()))
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        video, aspect = video_and_aspect(row)
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
    """A row recast as a multiple-choice question."""

    question: str
    options: tuple[str, ...]
    letter: str


def _recast_choices(row: Row, question: str = QUESTION, answer: str = ANSWER) -> _Recast:
    """Split the options off a multiple-choice question; the answer begins with its letter."""
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
    """Split captions off lines like ``Option 1: A man runs.``; one of the lines is the answer."""
    stem, *lines = row.text(QUESTION).split("\n")
    answer, found = row.text(ANSWER), [_CAPTION.fullmatch(line) for line in lines]
    captions = tuple(match.group(1) for match in found if match)
    if len(captions) > MAX_OPTIONS:
        raise row.bad(QUESTION, f"at most {MAX_OPTIONS} captions, one per letter")
    if answer not in lines or len(captions) != len(lines):
        raise row.bad(ANSWER, "one of the lines 'Caption A: text', ... below the question")
    return _Recast(stem, captions, letter_of(lines.index(answer)))


_RECASTS: Mapping[str, Callable[[Row], _Recast]] = {
    MULTI_CHOICE: _recast_choices,
    YES_NO: _recast_yes_no,
    CAPTION_MATCHING: _recast_captions,
    CAPTIONING: _recast_captioning,
}
