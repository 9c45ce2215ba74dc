"""VideoMMMU: knowledge acquired from lectures; 300 videos, one question per video and track.

Publisher: lmms-lab/VideoMMMU on the Hugging Face hub (Parquet) and EvolvingLMMs-Lab/VideoMMMU on
GitHub (JSON); both layouts are read. Official prompts, parsers and aggregation:
EvolvingLMMs-Lab/VideoMMMU@88b4ac3; paper: arXiv 2501.13826. The tracks are perception,
comprehension and adaptation. Adaptation is an exam question about an image that is the last frame
of the video, so a frame rule must include the last frame.

Deliberate departures and known differences:

- The official number of frames is unknown for most leaderboard entries; ours is 32, as in the
  README's example.
- The question type is used on adaptation rows only. ``validation_Accounting_13`` has no type, but
  ten options and a letter as answer: the official code asks it without the options and looks for a
  single ``c``, and so does ``official`` here. Under ``video-r1`` it is multiple choice.
- ``validation_Math_15`` has a malformed gold list. It is kept: only that literal text matches.
- ``video-r1`` asks the questions of Video-R1's own file, which differ in 312 places:
  `tasks.videommmu_paper`.
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
)
from harness.scoring.answers import (
    MAX_OPTIONS,
    number,
)
from harness.scoring.prompts import (
    lettered,
    unlettered,
)
from harness.scoring.rules import ScoreRule
from harness.task.api import (
    Aggregation,
    Questions,
)
from tasks import sources
from tasks.base import MICRO, MODEL_SIZED, Benchmark
from tasks.files import Row, first_existing, inside, json_rows, read_json, read_rows
from tasks.unanswered import count_unanswered
from tasks.videommmu_answers import (
    LETTERED,
    MULTIPLE_CHOICE,
    QUESTION_TYPE,
    asked_with_options,
    score_official,
)
from tasks.videommmu_paper import as_in_paper, paper_marks

ADAPTATION = "adaptation"
TRACKS = ("perception", "comprehension", ADAPTATION)

DISCIPLINES = {
    "Art": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
    "Humanities": ("History", "Literature", "Psychology", "Sociology"),
    "Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
}
"""Subjects by discipline; the discipline's name is also its video folder."""


MEAN_OF_TRACKS = Aggregation(name="macro3", levels=lambda category: (category.split("/")[0],))

_IGNORE_QUIZ = "\nPlease ignore the Quiz question in last frame of the video."
_APPLY = (
    "You should watch and learn the video content. Then apply what you learned to answer the"
    " following {kind} question. The image for this question is at the end of the video.\n"
)


class VideoMMMU(Benchmark):
    """All three tracks; the score is their unweighted mean."""

    name = "videommmu"
    version = 2
    title = "VideoMMMU"
    published_size = (900, 300)
    homepage = "https://huggingface.co/datasets/lmms-lab/VideoMMMU"
    source = sources.VIDEOMMMU
    official_frames = replace(MODEL_SIZED, rule=FrameRule.LINSPACE, max_frames=32)
    official_sampling = Sampling(temperature=0.0, max_tokens=1024)
    official_aggregation = MEAN_OF_TRACKS

    def load(self, data: Path) -> Questions:
        """Read GitHub's JSON files or the hub's Parquet files, one track after the other."""
        tracks = [_load_track(data, track) for track in TRACKS]
        return Questions(
            samples=tuple(sample for track in tracks for sample in track.samples),
            files=tuple(file for track in tracks for file in track.files),
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt, which says nothing about the answer's format."""
        if not sample.category.startswith(ADAPTATION):
            return Prompt(text=_question_with_options(sample) + _IGNORE_QUIZ)
        if asked_with_options(sample):
            return Prompt(text=_APPLY.format(kind="multi-choice") + _question_with_options(sample))
        return Prompt(text=_APPLY.format(kind="open-ended") + sample.question)

    def paper_sample(self, sample: Sample) -> Sample:
        """Return the question of Video-R1's own file."""
        return as_in_paper(sample)

    def official_rule(self) -> ScoreRule:
        """Return `videommmu_answers.score_official`, the leaderboard's rule."""
        return score_official

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return the knowledge gain over the question-only task if the run has both.

        Also how many answers the official rule leaves out, and the score with them, if there are.
        """
        lectures, alone = (run.get(task, ()) for task in (self.name, VideoMMMUQuestionOnly.name))
        adaptation = [record for record in lectures if record.category.startswith(ADAPTATION)]
        unanswered = count_unanswered(lectures, self.official_aggregation)
        return knowledge_gain(adaptation, alone) | unanswered


class VideoMMMUQuestionOnly(VideoMMMU):
    """The adaptation questions without the lecture: the baseline of the knowledge gain."""

    name = "videommmu-question-only"
    title = "VideoMMMU (question only)"
    published_size = (300, 300)
    official_frames = replace(VideoMMMU.official_frames, min_frames=1, max_frames=1)
    official_aggregation = MICRO

    def load(self, data: Path) -> Questions:
        """Read the adaptation track; its media are two-second videos of the question's image."""
        track = _load_track(data, ADAPTATION)
        samples = tuple(self._without_lecture(sample, data) for sample in track.samples)
        return Questions(samples=samples, files=track.files)

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return question and options alone; open questions keep the empty line for options."""
        return Prompt(text=_question_with_options(sample))

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return how many answers the rule leaves out; `VideoMMMU` reports the knowledge gain."""
        return count_unanswered(run.get(self.name, ()), self.official_aggregation)

    def _without_lecture(self, sample: Sample, data: Path) -> Sample:
        image = inside(data, f"question_only/{sample.cluster}_image.mp4", sample.id)
        return replace(
            sample,
            id=f"{VideoMMMU.name}/question_only/{sample.cluster}",
            task=self.name,
            media=(Media(path=image),),
        )


def knowledge_gain(with_video: Sequence[Record], alone: Sequence[Record]) -> dict[str, float]:
    """Return the paper's knowledge gain and its two flip rates, in percent.

    They are computed over the questions that both tasks have answered or left out. The gain is
    ``(after - before) / (1 - before)`` of the two accuracies, each over the answers that the
    official rule does not drop; the rates are shares of all questions that were wrong or right
    before, a dropped answer being wrong. A figure is left out if its denominator is 0.
    """
    after, before = _correct_by_name(with_video), _correct_by_name(alone)
    common = after.keys() & before.keys()
    right_after = {name for name in common if after[name]}
    right_before = {name for name in common if before[name]}
    learnable = len(common) - len(right_before)
    figures = {}
    answered = _answered(with_video) & common, _answered(alone) & common
    if all(answered) and len(right_before) < len(answered[1]):
        accuracy = len(right_after) / len(answered[0]), len(right_before) / len(answered[1])
        figures["knowledge_gain"] = 100 * (accuracy[0] - accuracy[1]) / (1 - accuracy[1])
    if learnable:
        figures["wrong_to_right"] = 100 * len(right_after - right_before) / learnable
    if right_before:
        figures["right_to_wrong"] = 100 * len(right_before - right_after) / len(right_before)
    return figures


def _answered(records: Sequence[Record]) -> set[str]:
    """Return the names of the questions whose answer counts in the accuracy."""
    return {record.id.rpartition("/")[2] for record in records if record.value is not None}


def _correct_by_name(records: Sequence[Record]) -> dict[str, bool]:
    return {
        record.id.rpartition("/")[2]: record.value == 1
        for record in records
        if record.outcome is not Outcome.FAILED
    }


def _load_track(data: Path, track: str) -> Questions:
    """Read one track in whichever published layout is there."""
    title = track.capitalize()
    files = first_existing(
        data, f"{track}_video.json", f"data/{track}_video.json", f"{title}/test*.parquet"
    )
    rows = [row for file in files for row in _read_track_rows(file, title)]
    samples = tuple(_make_sample(row, track, data) for row in rows)
    return Questions(samples=samples, files=tuple(files))


def _read_track_rows(file: Path, title: str) -> list[Row]:
    if file.suffix == ".parquet":
        return read_rows(file)
    content = read_json(file)
    track = content.get(title) if isinstance(content, dict) else None
    if not isinstance(track, dict):
        raise DatasetError(f"{file}: expected an object with {title!r}, an object of rows")
    return list(json_rows(file, [*track.values()]))


def _make_sample(row: Row, track: str, data: Path) -> Sample:
    name = row.text("id")
    subject = "_".join(name.split("_")[1:-1])
    discipline = next((d for d, subjects in DISCIPLINES.items() if subject in subjects), None)
    if discipline is None:
        raise row.bad("id", "SPLIT_SUBJECT_NUMBER with a known subject")
    options, source = _read_options(row, track)
    kind, answer = _read_answer(row, options)
    return Sample(
        id=f"{VideoMMMU.name}/{track}/{name}",
        task=VideoMMMU.name,
        question=row.text("question"),
        answer=answer,
        kind=kind,
        category=f"{track}/{discipline}/{subject}",
        cluster=name,
        options=options,
        media=(Media(path=inside(data, f"{discipline}/{name}.mp4", row.where)),),
        source=source | paper_marks(options, answer),
    )


def _read_options(row: Row, track: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the options without their letters, and the row's fields that ``official`` needs."""
    asked = MULTIPLE_CHOICE
    if track == ADAPTATION:
        asked = str(row.fields.get(QUESTION_TYPE, MULTIPLE_CHOICE))
    published = row.texts("options")
    if len(published) > MAX_OPTIONS or (asked == MULTIPLE_CHOICE and not published):
        raise row.bad("options", f"1 to {MAX_OPTIONS} texts")
    options = unlettered(published)
    source = {QUESTION_TYPE: asked} | ({LETTERED: "yes"} if options != published else {})
    return options, source


def _read_answer(row: Row, options: Sequence[str]) -> tuple[Kind, str]:
    if options:
        return Kind.MULTIPLE_CHOICE, row.letter("answer", len(options))
    answer = row.scalar("answer")
    return Kind.FREE_FORM if number(answer) is None else Kind.NUMERICAL, answer


def _question_with_options(sample: Sample) -> str:
    return "\n".join((sample.question, "\n".join(lettered(sample.options))))
