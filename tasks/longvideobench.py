"""LongVideoBench: referring questions about 753 videos of 8 seconds to one hour; 1,337 questions.

The validation set; the answers of the test set are not public. Three to five options; 17 categories
in two levels; the seven with a T ask about what the subtitles say. Publisher: the gated
longvideobench/LongVideoBench on the Hugging Face hub, whose ``lvb_val.json`` or Parquet file is
read. Official frames, subtitles, prompt: longvideobench/LongVideoBench@fc3c553; paper: arXiv
2407.15754. The publisher has no scorer; ``official`` is its author's rule in lmms-eval@75571cf.

``longvideobench`` asks without subtitles, as lmms-eval's task for video models does;
``longvideobench-subtitles`` with those that the publisher's loader shows, where it shows them:
between the frames, each of which is an image (`tasks.longvideobench_subtitles`). Leaderboards do
not say which of the two they list.

Traps of the author's rule, which `score_official` has as well:

- Eight introductions are deleted, then the first capital from A to E counts: ``Answer: B`` is A,
  ``A man opens the door`` is A, and a thought decides before the answer.
- E is an answer to a question with four options too, a wrong one.
- A response without such a letter gets a random option there. Here it is no answer; a summary has
  `unanswered`, their number, and `score_if_guessed`, the score that chance would add.

Deliberate departures and known differences:

- The publisher's loader leaves it open how subtitles, question and options are joined; here each
  stands on a line of its own. For models that take no text between frames the template
  ``official-listed`` shows a video, then the same subtitles, as ``video-r1`` does and as version 1
  of ``longvideobench-subtitles`` did under ``official``.
- The publisher counts frames by the duration in the row, here they are those of the file; the last
  seconds stay unseen in both. 64 frames at most, as in its README; the tokens are lmms-eval's.
- Files are named by ``video_path`` and ``subtitle_path``: 135 ids do not name them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
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
from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from harness.scoring.rules import ScoreRule, binary_score
from harness.task.api import Questions
from tasks import sources
from tasks.base import MODEL_SIZED, OFFICIAL, Benchmark
from tasks.files import Row, inside
from tasks.first_letter import read_first_letter
from tasks.longvideobench_subtitles import Clipped, place_texts
from tasks.subtitled import SUBTITLES, add_subtitles, require_subtitles, subtitles_of

LEVELS = {
    "L1-Perception": ("S2E", "S2O", "S2A", "E2O", "O2E", "T2E", "T2O", "T2A"),
    "L2-Relation": ("E3E", "O3O", "SSS", "SOS", "SAA", "T3E", "T3O", "TOS", "TAA"),
}
"""Categories of questions by level: scene, event, object, attribute and text."""

OFFSET, DURATION = "offset", "duration"
"""Fields of a sample's source: the clip on the clock of its subtitles, in seconds."""

OFFICIAL_LISTED = "official-listed"

_NO_OPTION = "N/A"
"""What the Parquet file has in place of an option."""
_MOST_OPTIONS = 5
_REMOVED = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option is",
    "The correct option is",
    "Best answer:",
    "Best option:",
)
_GUESSED = "no letter, {count} options"
"""Rule of an unanswered question; chance finds the answer in one of so many cases."""


class LongVideoBench(Benchmark):
    """Questions without subtitles; the score is the share of right answers."""

    name = "longvideobench"
    version = 1
    title = "LongVideoBench"
    published_size = (1337, 753)
    homepage = "https://huggingface.co/datasets/longvideobench/LongVideoBench"
    source = sources.LONGVIDEOBENCH
    question_files = ("lvb_val.json", "validation*.parquet")
    official_frames = replace(MODEL_SIZED, rule=FrameRule.STRIDE, max_frames=64)
    official_sampling = Sampling(temperature=0.0, max_tokens=32)
    paper_trimmed = True

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row of either file; it names the subtitles, too."""
        category = row.text("question_category")
        level = next((name for name, known in LEVELS.items() if category in known), None)
        if level is None:
            raise row.bad("question_category", "one of the 17 categories of LongVideoBench")
        options = _read_options(row)
        gold = row.fields.get("correct_choice")
        if type(gold) is not int or not 0 <= gold < len(options):
            raise row.bad(
                "correct_choice", f"the position of one of {len(options)} options, from 0"
            )
        offset, duration = (
            row.seconds(name) for name in ("starting_timestamp_for_subtitles", "duration")
        )
        if offset is None or duration is None:
            raise row.bad("duration", "a number of seconds >= 0, and an offset of the subtitles")
        subtitles = inside(data, f"subtitles/{row.text('subtitle_path')}", row.where)
        return Sample(
            id=f"{LongVideoBench.name}/{row.text('id')}",
            task=LongVideoBench.name,
            question=row.text("question"),
            answer=letter_of(gold),
            kind=Kind.MULTIPLE_CHOICE,
            category=f"{row.scalar('duration_group')}/{level}/{category}",
            cluster=row.text("video_id"),
            options=options,
            media=(Media(path=inside(data, f"videos/{row.text('video_path')}", row.where)),),
            source={SUBTITLES: str(subtitles), OFFSET: repr(offset), DURATION: repr(duration)},
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the publisher's question, options and instruction, one per line."""
        lines = [f"Question: {sample.question}", *lettered(sample.options)]
        lines += ["Answer with the option's letter from the given choices directly."]
        return Prompt(text="\n".join(lines))

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: the first capital letter from A to E."""
        return score_official

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return how many answers have no letter, and what chance would make of the score."""
        return count_guesses(run.get(self.name, ()))


class LongVideoBenchSubtitles(LongVideoBench):
    """The same questions with the subtitles of the sampled frames between or before them."""

    name = "longvideobench-subtitles"
    version = 2
    title = "LongVideoBench (with subtitles)"

    def load(self, data: Path) -> Questions:
        """Read the questions; every one must have its subtitle file."""
        return add_subtitles(
            super().load(data),
            self.name,
            lambda sample: require_subtitles(subtitles_of(sample), self.name),
        )

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the publisher's prompt for models that take no text between frames."""
        return {OFFICIAL_LISTED: self.official_prompt}

    def interleaves(self, template: str) -> bool:
        """Return whether a template has the subtitles between the frames, as the publisher's."""
        return template == OFFICIAL

    def prompt_at(self, sample: Sample, template: str, times: Sequence[Sequence[float]]) -> Prompt:
        """Return the prompt with the subtitles that belong to frames at these times, one a line."""
        prompt = self.prompt(sample, template)
        source = sample.source
        clip = Clipped(float(source[OFFSET]), float(source[DURATION]))
        moments = [time for shown in times for time in shown]
        placed = place_texts(subtitles_of(sample), moments, clip)
        if self.interleaves(template):
            return replace(prompt, between=tuple(FrameText(at, f"{text}\n") for at, text in placed))
        return replace(prompt, text="\n".join([*(text for _, text in placed), prompt.text]))


def score_official(sample: Sample, text: str) -> Score:
    """Score the letter that the author's rule reads; without one there is no answer."""
    letter = read_letter(text)
    if letter is None:
        rule = _GUESSED.format(count=len(sample.options))
        return replace(binary_score(None, None), rule=rule)
    return binary_score(letter == sample.answer, letter)


def read_letter(text: str) -> str | None:
    """Return the first capital from A to E after the author's deletions; None without one."""
    return read_first_letter(text, _REMOVED, "ABCDE")


def count_guesses(records: Sequence[Record]) -> dict[str, float]:
    """Return the number of answers that the author's rule would guess, and the expected score."""
    asked = [record for record in records if record.outcome is not Outcome.FAILED]
    chances = [
        1 / int(found.group(1))
        for record in asked
        if (found := re.fullmatch(_GUESSED.format(count=r"(\d+)"), record.rule or ""))
    ]
    if not chances:
        return {}
    points = sum(chances) + sum(record.value or 0.0 for record in asked)
    return {"unanswered": float(len(chances)), "score_if_guessed": 100 * points / len(asked)}


def _read_options(row: Row) -> tuple[str, ...]:
    """Return the options of a row of the JSON file, or of the Parquet file's five columns."""
    if "candidates" in row.fields:
        options = row.options("candidates")
    else:
        columns = [row.text(f"option{position}") for position in range(_MOST_OPTIONS)]
        options = tuple(text for text in columns if text != _NO_OPTION)
    if not 1 < len(options) <= _MOST_OPTIONS:
        raise row.bad("candidates", f"2 to {_MOST_OPTIONS} options")
    return options
