"""Video-Holmes: 1,837 questions about 270 suspense films of one to five minutes, up to six options.

Seven types: SR social reasoning, IMC intention and motive chaining, TCI temporal causal inference,
TA timeline analysis, MHR multimodal hint reasoning, PAR physical anomaly reasoning, CTI core theme
inference. Publisher: TencentARC/Video-Holmes on the Hugging Face hub, whose
``test_Video-Holmes.json`` is read; prompt, sampling, official scorer:
``evaluate.py`` of TencentARC/Video-Holmes@52ef8da; paper: arXiv 2505.21374.

Traps of the official scorer, which `score_official` has as well:

- Of the content of the last ``<answer>``, or of the whole response without one, the alphabetically
  first letter wins that is followed by a blank or a colon or preceded by a bracket, else the
  alphabetically first one anywhere: ``The CIA agent: E`` is A, ``BACK`` is A.
- The script counts a response that could not be generated as wrong; a failed item stays out of the
  mean here. When it is started again it leaves the earlier responses out of its counts.

Deliberate departures and known differences:

- Qwen's models get the frames of qwen-vl-utils' defaults there, 2 per second and at most 768, in
  a context of 15,000 tokens, which long films exceed. Ours are at most 64.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from harness.schema import FrameRule, Kind, Media, Prompt, Sample, Sampling, Score
from harness.scoring.answers import letters
from harness.scoring.rules import ScoreRule, binary_score
from harness.task.api import Questions
from tasks import sources
from tasks.base import MODEL_SIZED, Benchmark
from tasks.files import Row, first_file, inside

TYPES = ("SR", "IMC", "TCI", "TA", "MHR", "PAR", "CTI")

_ASK = (
    "Based on the given video, reason and answer the single-choice question. Provide your reasoning"
    " between the <think> and </think> tags, and then give your final answer between the <answer>"
    " and </answer> tags. The question is: {question}. The options are: {options}. Your answer:"
)
_LETTERS = "ABCDEF"


class VideoHolmes(Benchmark):
    """The test set; the score is the share of right answers."""

    name = "videoholmes"
    version = 1
    title = "Video-Holmes"
    published_size = (1837, 270)
    homepage = "https://huggingface.co/datasets/TencentARC/Video-Holmes"
    source = sources.VIDEOHOLMES
    question_files = ("test_Video-Holmes.json",)
    official_frames = replace(
        MODEL_SIZED, rule=FrameRule.VIDEO_R1, fps=2.0, min_frames=4, max_frames=64
    )
    official_sampling = Sampling(temperature=0.1, top_p=0.001, max_tokens=1024)
    paper_trimmed = True

    def load(self, data: Path) -> Questions:
        """Read the folder, or the folder ``Benchmark`` in it that the publisher's script makes."""
        made = data / "Benchmark"
        found = (data / self.question_files[0]).exists() or not made.is_dir()
        return super().load(data if found else made)

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row."""
        kind = row.text("Question Type")
        if kind not in TYPES:
            raise row.bad("Question Type", f"one of {', '.join(TYPES)}")
        options = row.lettered_options("Options", len(_LETTERS))
        video = row.text("video ID")
        return Sample(
            id=f"{VideoHolmes.name}/{row.scalar('Question ID')}",
            task=VideoHolmes.name,
            question=row.text("Question"),
            answer=row.letter("Answer", len(options)),
            kind=Kind.MULTIPLE_CHOICE,
            category=kind,
            cluster=video,
            options=options,
            media=(Media(path=_find_video(data, video, row)),),
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt, one line."""
        pairs = zip(letters(len(sample.options)), sample.options, strict=True)
        options = ", ".join(f"{letter}: {text}" for letter, text in pairs)
        return Prompt(text=_ASK.format(question=sample.question, options=options))

    def official_rule(self) -> ScoreRule:
        """Return `score_official`: the alphabetically first letter of the last answer."""
        return score_official


def score_official(sample: Sample, text: str) -> Score:
    """Score the letter that the official script reads."""
    letter = read_letter(text)
    return binary_score(None if letter is None else letter == sample.answer, letter)


def read_letter(text: str) -> str | None:
    """Return the alphabetically first letter from A to F that fits; None without one."""
    answer = _last_answer(text)
    marked = (x for x in _LETTERS if f"{x} " in answer or f"{x}:" in answer or f"[{x}" in answer)
    anywhere = (x for x in _LETTERS if x in answer)
    return next(marked, None) or next(anywhere, None)


def _last_answer(text: str) -> str:
    """Return the content of the last ``<answer>`` pair, trimmed; the whole text without one.

    As the original regular expression pairs tags: each opening one with the next closing one.
    """
    found = [part.partition("</answer>") for part in re.split("<answer>", text)[1:]]
    closed, joined = [], ""
    for content, end, _ in found:
        joined += content
        if end:
            closed.append(joined)
            joined = ""
        else:
            joined += "<answer>"
    return closed[-1].strip() if closed else text


def _find_video(data: Path, video: str, row: Row) -> Path:
    """Return the path of a film; the publisher's zip has another folder than its script."""
    places = ("videos", "videos_cropped", "videos/videos_cropped")
    return first_file(*(inside(data, f"{at}/{video}.mp4", row.where) for at in places))
