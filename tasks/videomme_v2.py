"""Video-MME-v2: 3,200 questions with eight options, in groups of four about each of 800 videos.

A group asks about one thing in several ways (``relevance``) or step by step (``logic``), and is
scored as a whole: `tasks.videomme_v2_groups`. Publisher: MME-Benchmarks/Video-MME-v2 on the Hugging
Face hub, whose ``test.parquet`` is read; prompts, frames, official scorer:
MME-Benchmarks/Video-MME-v2@b24176a, ``evaluation/test_video_mme_v2.py``; paper: arXiv 2604.05015.

``videomme-v2`` asks without subtitles, ``videomme-v2-subtitles`` with all words of the video's
subtitle file before the question, as the publisher's script does by default. The template
``official-interleaved`` puts them between the frames, as the script does with
``--subtitle-interleave`` (`tasks.videomme_v2_subtitles`).

Traps of the official scorer, which ``official`` has as well:

- The first capital letter from A to H anywhere counts, after eleven introductions are deleted:
  ``Explain: C`` is E, ``Here: C`` is H.
- A response without one is marked -1, with which the group's score is then computed: three right
  answers and an unread one are worth 25 points instead of 56.25, four unread ones of a logic group
  100. A summary has `unanswered`, their number, and `score_if_wrong`, the score with such answers
  counted as wrong, whenever there are any. The other scorers count them as wrong from the start.

Deliberate departures and known differences:

- The publisher cuts the rows into groups of four by position. Ours are the questions of a video in
  the order of their ids. A group without an answer to each of its questions (``--limit``, a failed
  item) is left out of the score; the publisher counts a failed item as unread.
- The score is a mean of groups, and so is its interval; a group is a video, so that groups are
  independent. Categories have the mean of their questions. A gate compares means of questions.
- Frames are shown as a video, not as 64 images, but where subtitles stand between them. The
  script's texts follow each other without a separator, as the chat template of Qwen's models joins
  them.
- ``official-reasoning`` is the publisher's prompt for reasoning models (its missing quotation mark
  included), ``official-reasoning-interleaved`` that with subtitles between the frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from harness.schema import (
    FrameRule,
    FrameText,
    Kind,
    Media,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import letters
from harness.scoring.prompts import lettered
from harness.scoring.rules import ScoreRule, binary_score
from harness.task.api import Questions
from tasks import sources
from tasks.base import MODEL_SIZED, OFFICIAL, Benchmark, Units
from tasks.files import Row, first_file, inside
from tasks.first_letter import read_first_letter
from tasks.subtitled import add_subtitles, require_subtitles, subtitles_of
from tasks.videomme_v2_groups import LOGIC, RELEVANCE, STRUCTURES
from tasks.videomme_v2_records import describe_groups, value_groups
from tasks.videomme_v2_subtitles import (
    group_words,
    read_text,
    read_words,
    spoken_behind,
)

OFFICIAL_REASONING = "official-reasoning"
OFFICIAL_INTERLEAVED = "official-interleaved"
OPTIONS = "options"
"""Field of a sample's source: the options as published."""

_OPTION_COUNT = 8
_REMOVED = (
    "Final Answer:",
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
    "Answer:",
    "Option:",
)
"""What the official scorer deletes everywhere, in its order."""

_FRAMES = "These are the frames of a video."
_FRAMES_BETWEEN = (
    "These are the frames of a video with corresponding subtitles shown between frames. The"
    " subtitles indicate what is being said during the time interval between adjacent frames."
)
_LISTED = " This video's subtitles are listed below:\n{}\n"
_INSTRUCT = (
    "Select the best answer to the following multiple-choice question based on the video. Respond"
    " with only the letter (A, B, C, D, E, F, G, or H) of the correct option."
)
_REASON = (
    "Please perform a detailed reasoning based on the provided video frames to answer the following"
    " multiple-choice question selecting the best option from A through H and providing your final"
    " response strictly in the format: 'Final Answer: <letter>."
)
_INTERLEAVED = {
    OFFICIAL_INTERLEAVED: _INSTRUCT,
    f"{OFFICIAL_REASONING}-interleaved": _REASON,
}
"""Templates with subtitles between the frames, and their instructions."""


class VideoMMEv2(Benchmark):
    """Questions without subtitles; the score is the mean of the groups' scores."""

    name = "videomme-v2"
    version = 1
    title = "Video-MME-v2"
    published_size = (3200, 800)
    homepage = "https://huggingface.co/datasets/MME-Benchmarks/Video-MME-v2"
    source = sources.VIDEOMME_V2
    question_files = ("test.parquet", "test*.parquet", "test.jsonl")
    official_frames = replace(MODEL_SIZED, rule=FrameRule.INNER, max_frames=64)
    official_sampling = Sampling(temperature=0.0, max_tokens=4096)
    paper_trimmed = True

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row of the hub's Parquet file."""
        video = row.scalar("video_id")
        return Sample(
            id=f"{VideoMMEv2.name}/{row.scalar('question_id')}",
            task=VideoMMEv2.name,
            question=row.text("question"),
            answer=row.letter("answer", _OPTION_COUNT),
            kind=Kind.MULTIPLE_CHOICE,
            category=_read_category(row),
            cluster=video,
            options=_split_options(row),
            media=(Media(path=_find_video(data, video, row)),),
            source={OPTIONS: row.text("options")},
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt, which asks for a letter alone."""
        return _prompt(sample, _INSTRUCT)

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the published prompt that asks for reasoning."""
        return {OFFICIAL_REASONING: lambda sample: _prompt(sample, _REASON)}

    def rotate_options(self, sample: Sample, places: int) -> Sample:
        """Return a question whose options are moved, in the published text of them, too."""
        moved = super().rotate_options(sample, places)
        source = {**moved.source, OPTIONS: "\n".join(lettered(moved.options))}
        return replace(moved, source=source)

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: the first capital letter from A to H anywhere."""
        return score_official

    def official_units(self) -> Units:
        """Return the scores of the groups with the publisher's marks of unread answers."""
        return lambda records: value_groups(records, official=True)

    def mended_units(self) -> Units:
        """Return the scores of the groups, unread answers being wrong."""
        return lambda records: value_groups(records, official=False)

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return the publisher's other figures: by kind of group, by level, linear, of items."""
        records = [r for r in run.get(self.name, ()) if r.outcome is not Outcome.FAILED]
        official = any(record.scorer.startswith(OFFICIAL) for record in records)
        return describe_groups(records, official=official)


class VideoMMEv2Subtitles(VideoMMEv2):
    """The same questions with all words of the video's subtitles before them, or between frames."""

    name = "videomme-v2-subtitles"
    title = "Video-MME-v2 (with subtitles)"

    def load(self, data: Path) -> Questions:
        """Read the questions; every video must have its subtitle file."""
        return add_subtitles(
            super().load(data),
            self.name,
            lambda sample: require_subtitles(
                data / "subtitle" / f"{sample.cluster}.jsonl", self.name
            ),
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt with all words before the question."""
        return _prompt(sample, _INSTRUCT, _list_words(sample))

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the published prompts for reasoning and with the words between the frames."""
        return {
            OFFICIAL_REASONING: lambda sample: _prompt(sample, _REASON, _list_words(sample)),
            **{name: partial(_prompt_between, name) for name in _INTERLEAVED},
        }

    def interleaves(self, template: str) -> bool:
        """Return whether a template has the words between the frames."""
        return template in _INTERLEAVED

    def prompt_at(self, sample: Sample, template: str, times: Sequence[Sequence[float]]) -> Prompt:
        """Return the prompt, with the words between the frames where the template has them there.

        As in the publisher's script each part of speech stands behind every frame in whose time,
        up to the next frame's, it is spoken.
        """
        prompt = self.prompt(sample, template)
        if not self.interleaves(template):
            return prompt
        moments = [time for shown in times for time in shown]
        spoken = spoken_behind(group_words(read_words(subtitles_of(sample))), moments)
        between = tuple(
            FrameText(place, line) for place, lines in enumerate(spoken, 1) for line in lines
        )
        return replace(prompt, between=between)


def score_official(sample: Sample, text: str) -> Score:
    """Score the letter that the official parser reads."""
    letter = read_letter(text)
    return binary_score(None if letter is None else letter == sample.answer, letter)


def read_letter(text: str) -> str | None:
    """Return the first capital from A to H after the official deletions; None without one."""
    return read_first_letter(text, _REMOVED, "ABCDEFGH")


def _prompt(sample: Sample, instruction: str, listed: str = "", frames: str = _FRAMES) -> Prompt:
    options = sample.source[OPTIONS]
    return Prompt(text=f"{frames}{listed}Question: {sample.question}\n{options}\n{instruction}")


def _prompt_between(template: str, sample: Sample) -> Prompt:
    return _prompt(sample, _INTERLEAVED[template], frames=_FRAMES_BETWEEN)


def _list_words(sample: Sample) -> str:
    return _LISTED.format(read_text(subtitles_of(sample)))


def _read_category(row: Row) -> str:
    """Return kind, structure, level and heads of the group that a row belongs to, as a path."""
    kind = row.text("group_type")
    if kind not in (RELEVANCE, LOGIC):
        raise row.bad("group_type", f"{RELEVANCE} or {LOGIC}")
    published = str(row.fields.get("group_structure")).replace(" ", "")
    if kind == LOGIC and published not in STRUCTURES:
        raise row.bad("group_structure", f"one of {', '.join(STRUCTURES)}")
    structure = STRUCTURES[published] if kind == LOGIC else "any"
    level = row.fields.get("level")
    known = level is not None and str(level) != "None"
    heads = (str(row.fields.get(name)) for name in ("second_head", "third_head"))
    parts = (kind, structure, f"level-{level}" if known else "none", *heads)
    return "/".join(part.replace("/", " ") for part in parts)


def _split_options(row: Row) -> tuple[str, ...]:
    """Return the texts of the options, which are published as one text, a line ``A. ...`` each."""
    rest, found = f"\n{row.text('options')}", []
    for letter in letters(_OPTION_COUNT):
        before, mark, rest = rest.partition(f"\n{letter}. ")
        if not mark or (letter == "A" and before):
            raise row.bad("options", "eight lines 'A. text' to 'H. text'")
        found.append(before)
    return (*found[1:], rest)


def _find_video(data: Path, video: str, row: Row) -> Path:
    """Return the path of a video; the zips may have a folder inside."""
    path = inside(data, f"videos/{video}.mp4", row.where)
    return first_file(
        path, inside(data, f"{video}.mp4", row.where), *path.parent.glob(f"*/{path.name}")
    )
