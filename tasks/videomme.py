"""Video-MME: 2,700 multiple-choice questions about 900 videos of 11 seconds to one hour.

Three questions per video with four options each; 300 short, medium and long videos in 6 domains and
30 sub-categories; 12 types of questions; 744 videos have subtitles, all long ones among them.
Publisher: MME-Benchmarks/Video-MME@06c2315, data: lmms-lab/Video-MME on the Hugging Face hub, whose
Parquet file is read. Official prompt: its README; official scorer: thanku-all/parse_answer@afd52cf,
which the README names; subtitles: look4u-ok/video-slicer@aff7000; paper: arXiv 2405.21075. The
licence forbids to distribute any part of it.

``videomme`` asks without subtitles, as the paper's column does, ``videomme-subtitles`` with those
of the sampled frames.

Traps of the official scorer, which `score_official` has as well:

- It takes the first capital A, B, C or D anywhere in the response: ``Based on the video, C`` is B,
  ``ANSWER: D`` is A, and in a reasoning response the first capital letter of the thought decides.
- Two missing commas in its list of introductions join four of them, so that these are not removed:
  ``Best option: C`` and ``Best answer: C`` are B. ``The best option is`` has no capital A to D.
- A response without such a letter is left out of numerator and denominator. `unanswered` in a
  summary is their number and `score_if_wrong` the score that counts them as wrong.

Deliberate departures and known differences:

- The publisher fixes no number of frames; its models have 4 to 384. Ours are 64 by its own script.
  Greedy sampling and the 16 tokens are lmms-eval's.
- The README's form of the prompt has a blank behind the first sentence, its examples have none.
  Neither has the prompt here.
- ``videomme-subtitles`` asks about a video without subtitles, or without any at the sampled frames,
  as ``videomme`` does. Times are those of the frames in the file, not frame numbers over a mean
  rate. Without frames (``--variant blind``) there are no subtitles.
- Video-R1 has not published how it asks; the template ``video-r1`` is that of its other benchmarks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import DatasetError
from harness.schema import (
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
from harness.scoring.prompts import lettered, unlettered
from harness.scoring.rules import ScoreRule, binary_score
from harness.task.api import Questions
from tasks import sources
from tasks.base import MICRO, MODEL_SIZED, Benchmark
from tasks.files import Row, first_file, inside
from tasks.first_letter import read_first_letter
from tasks.subtitled import SUBTITLES, add_subtitles, subtitles_of
from tasks.subtitles import FORMATS, find_subtitles, lines_at, read_cues
from tasks.unanswered import count_unanswered

DURATIONS = ("short", "medium", "long")
_LETTERS = "ABCD"
_REMOVED = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
    "Answer:",
    "Option:",
    "The correct answer",
    "The correct option",
)
"""What the official scorer deletes everywhere, in its order and with its missing commas."""

_ASK = (
    "Select the best answer to the following multiple-choice question based on the video. Respond"
    " with only the letter (A, B, C, or D) of the correct option."
)
_LISTED = "This video's subtitles are listed below:"


class VideoMME(Benchmark):
    """Questions without subtitles; the score is the share of right answers among all read ones."""

    name = "videomme"
    version = 1
    title = "Video-MME"
    published_size = (2700, 900)
    homepage = "https://huggingface.co/datasets/lmms-lab/Video-MME"
    source = sources.VIDEOMME
    question_files = ("videomme/test*.parquet", "test*.parquet", "test.jsonl")
    official_frames = replace(MODEL_SIZED, rule=FrameRule.MIDDLES, max_frames=64)
    official_sampling = Sampling(temperature=0.0, max_tokens=16)
    paper_trimmed = True

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row of the hub's Parquet file."""
        duration = row.text("duration")
        if duration not in DURATIONS:
            raise row.bad("duration", "short, medium or long")
        video, options = row.text("videoID"), row.options("options")
        parts = (duration, *(row.text(name) for name in ("domain", "sub_category", "task_type")))
        return Sample(
            id=f"{VideoMME.name}/{row.scalar('question_id')}",
            task=VideoMME.name,
            question=row.text("question"),
            answer=row.letter("answer", len(options)),
            kind=Kind.MULTIPLE_CHOICE,
            category="/".join(part.replace("/", " ") for part in parts),
            cluster=video,
            options=unlettered(options),
            media=(Media(path=_find_video(data, video, row)),),
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt without subtitles."""
        lines = [_ASK, sample.question, *lettered(sample.options), "The best answer is:"]
        return Prompt(text="\n".join(lines))

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: the first capital letter from A to D anywhere."""
        return score_official

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return how many answers the official rule leaves out, and the score with them."""
        return count_unanswered(run.get(self.name, ()), MICRO)


class VideoMMESubtitles(VideoMME):
    """The same questions with the subtitles of the sampled frames before them."""

    name = "videomme-subtitles"
    title = "Video-MME (with subtitles)"

    def load(self, data: Path) -> Questions:
        """Read the questions and find the subtitle files, which a long video must have."""
        folder = data / "subtitle"
        if not folder.is_dir():
            raise DatasetError(
                f"{folder}: no such folder; `videor1 data fetch {self.name}` unpacks the subtitles"
            )
        return add_subtitles(
            super().load(data), self.name, lambda sample: self._find(folder, sample)
        )

    def prompt_at(self, sample: Sample, template: str, times: Sequence[Sequence[float]]) -> Prompt:
        """Return the prompt with the subtitles at the times of the frames, if there are any."""
        prompt = self.prompt(sample, template)
        cues = read_cues(subtitles_of(sample)) if SUBTITLES in sample.source else ()
        lines = [line for shown in times for line in lines_at(cues, shown)]
        if not lines:
            return prompt
        return replace(prompt, text="\n".join([_LISTED, *lines, prompt.text]))

    def _find(self, folder: Path, sample: Sample) -> Path | None:
        found = find_subtitles(folder, sample.cluster)
        if found is None and sample.category.startswith("long/"):
            raise DatasetError(
                f"{folder}: expected subtitles of the long video {sample.cluster!r}, got none"
                f" (.{', .'.join(FORMATS)}); `videor1 data fetch {self.name}` completes the folder"
            )
        return found


def score_official(sample: Sample, text: str) -> Score:
    """Score the letter that the official parser reads; a response without one is left out."""
    letter = read_letter(text)
    if letter is None:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    return binary_score(letter == sample.answer, letter)


def read_letter(text: str) -> str | None:
    """Return the first capital from A to D after the official deletions; None without one."""
    return read_first_letter(text, _REMOVED, _LETTERS)


def _find_video(data: Path, video: str, row: Row) -> Path:
    """Return the path of a video; a few have another ending, as the publisher's script knows."""
    endings = ("mp4", "MP4", "mkv")
    return first_file(*(inside(data, f"data/{video}.{ending}", row.where) for ending in endings))
