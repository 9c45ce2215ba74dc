"""MMVU: expert-level questions on specialised videos; 1,000 questions on 583 videos, 27 subjects.

625 multiple-choice questions with five options and 375 open ones. Publisher: yale-nlp/MMVU on the
Hugging Face hub and on GitHub, whose ``validation.json`` is read; the answers of the test set are
not public. Official prompts, frames and judge: yale-nlp/MMVU@4d54223; paper: arXiv 2501.12380.
``mmvu:multiple-choice`` is what Video-R1 and its successors report as MMVU.

Deliberate departures and known differences:

- The publishers have no rule: GPT-4o rates every response, also to multiple-choice questions, and
  what it cannot be asked about counts as wrong. So the scorer ``official`` without a judge is our
  reading of the format that their prompt asks for (`read_letter`), and open questions are left out
  of its mean. ``--judge-url`` and ``--judge-model`` add a judge, which then rates all questions:
  `tasks.mmvu_judge`.
- The template ``official`` asks for reasoning, as in the paper's main table; ``official-direct`` is
  the publishers' other prompt, without.
- Frames are those of the publishers' runs of Qwen2-VL: one per whole second, at most 64. Those runs
  pass OpenCV's frames on with red and blue swapped, which is not repeated here.
- The discipline and subject are those of the video's folder, as on the leaderboard; the field
  ``metadata.subject`` differs for eight questions.
- Video-R1 asks the multiple-choice questions alone, without blanks around question and options.
  ``video-r1`` leaves the open ones out of the mean.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.schema import (
    FramePolicy,
    FrameRule,
    Kind,
    Media,
    Outcome,
    Prompt,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.answers import letters
from harness.scoring.prompts import lettered
from harness.scoring.rules import ScoreRule, binary_score
from harness.task.api import Scorer
from tasks import sources
from tasks.base import Benchmark
from tasks.files import Row, inside
from tasks.judge import LLMJudge
from tasks.mmvu_judge import MMVURubric, judged_scorer

MULTIPLE_CHOICE, OPEN = "multiple-choice", "open-ended"
OFFICIAL_DIRECT = "official-direct"

DISCIPLINES = {
    "Science": (
        "Astronomy",
        "Biology",
        "Chemistry",
        "Electromagnetism",
        "Geography",
        "Materials_Science",
        "Mechanics",
        "Modern_Physics",
        "Neurobiology",
        "Thermodynamics",
    ),
    "Engineering": (
        "Biomedical_Engineering",
        "Civil_Engineering",
        "Computer_Science",
        "Electrical_Engineering",
        "Electronics_and_Communication",
        "Mechanical_Engineering",
    ),
    "Healthcare": (
        "Basic_Medicine",
        "Clinical_Medicine",
        "Dentistry",
        "Pharmacy",
        "Preventive_Medicine",
    ),
    "Humanities_and_Social_Science": (
        "Art",
        "Economics",
        "History",
        "Law",
        "Literature",
        "Management",
    ),
}
"""Subjects, which are also the video folders, by discipline."""

_REASON_CHOICE = (
    "Answer the given multiple-choice question step by step. Begin by explaining your reasoning"
    " process clearly. Conclude by stating the final answer using the following format: 'Therefore,"
    " the final answer is: $LETTER' (without quotes), where $LETTER is one of the options. Think"
    " step by\nstep before answering."
)
_REASON_OPEN = (
    "Answer the given question step by step. Begin by explaining your reasoning process clearly."
    " Conclude by stating the final answer using the following format: 'Therefore, the final answer"
    " is: 'Answer: $ANSWER' (without quotes), where $ANSWER is the final answer of the question."
    " Think step by step\nbefore answering."
)
_DIRECT = "Do not generate any intermediate reasoning process. "
_DIRECT_CHOICE = f"{_DIRECT}Answer directly with the option letter from the given choices.\n"
_DIRECT_OPEN = f"{_DIRECT}Directly output the final short answer.\n"

_STATED = re.compile(r"final answer is(?:Answer:|\\boxed|\\text|[\W_])*+([A-Z])(?![A-Za-z])")
_ALONE = re.compile(r"(?<![A-Za-z'])([A-Z])(?![A-Za-z']| [a-z])")


class MMVU(Benchmark):
    """The validation set; a multiple-choice and an open part, four disciplines, 27 subjects."""

    name = "mmvu"
    version = 1
    title = "MMVU"
    published_size = (1000, 583)
    homepage = "https://huggingface.co/datasets/yale-nlp/MMVU"
    source = sources.MMVU
    question_files = ("validation.json", "data/validation.json")
    official_frames = FramePolicy(
        rule=FrameRule.PER_SECOND,
        fps=1.0,
        min_frames=1,
        max_frames=64,
        min_pixels=256 * 28 * 28,
        max_pixels=1280 * 28 * 28,
    )
    official_sampling = Sampling(temperature=1.0, max_tokens=1024)
    paper_trimmed = True

    def make_sample(self, row: Row, data: Path) -> Sample:
        """Make the sample of a row of ``validation.json``, the hub's or GitHub's."""
        asked = row.text("question_type")
        if asked not in (MULTIPLE_CHOICE, OPEN):
            raise row.bad("question_type", f"{MULTIPLE_CHOICE} or {OPEN}")
        video = row.text("video").rpartition("/videos/")[2]
        subject = video.rpartition("/")[0]
        discipline = next((d for d, subjects in DISCIPLINES.items() if subject in subjects), None)
        if discipline is None:
            raise row.bad(
                "video", "an address that ends in videos/SUBJECT/NAME with a known subject"
            )
        options = row.lettered_options("choices") if asked == MULTIPLE_CHOICE else ()
        return Sample(
            id=f"{MMVU.name}/{row.text('id')}",
            task=MMVU.name,
            question=row.text("question"),
            answer=row.letter("answer", len(options)) if options else row.scalar("answer"),
            kind=Kind.MULTIPLE_CHOICE if options else Kind.FREE_FORM,
            category=f"{asked}/{discipline}/{subject}",
            cluster=video.removesuffix(".mp4"),
            options=options,
            media=(Media(path=inside(data, f"videos/{video}", row.where)),),
        )

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the published prompt that asks for reasoning and an answer at its end."""
        return _prompt(sample, _REASON_CHOICE if sample.options else _REASON_OPEN)

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return the published prompt that asks for the answer alone."""
        return {
            OFFICIAL_DIRECT: lambda sample: _prompt(
                sample, _DIRECT_CHOICE if sample.options else _DIRECT_OPEN
            )
        }

    def official_rule(self) -> ScoreRule:
        """Return `score_by_rule`, which stands in for the publishers' judge."""
        return score_by_rule

    def official_leaves_out(self, sample: Sample) -> bool:
        """Return whether the question is open: without a judge no rule can rate it."""
        return not sample.options

    def paper_leaves_out(self, sample: Sample) -> bool:
        """Return whether the question is open, which Video-R1 does not ask."""
        return not sample.options

    def with_llm_judge(self, base_url: str, model: str) -> Scorer:
        """Return the publishers' scorer, a judge for every response, at an OpenAI-compatible URL.

        Whether the judge is right is not checked: as in the publishers' code it says what it found.
        """
        return judged_scorer(LLMJudge(base_url, model, MMVURubric()))


def score_by_rule(sample: Sample, text: str) -> Score:
    """Score the letter that `read_letter` finds; open questions are left out."""
    if not sample.options:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    letter = read_letter(text, letters(len(sample.options)))
    return binary_score(None if letter is None else letter == sample.answer, letter)


def read_letter(text: str, known: tuple[str, ...]) -> str | None:
    """Return the letter after the last "final answer is", else the last letter that stands alone.

    The article "A" before a word in lower case is no letter.
    """
    for pattern in (_STATED, _ALONE):
        found = [letter for letter in pattern.findall(text) if letter in known]
        if found:
            return str(found[-1])
    return None


def _prompt(sample: Sample, instruction: str) -> Prompt:
    lines = [f"\nQuestion: {sample.question}", *lettered(sample.options, "{letter}: {text}")]
    return Prompt(text="\n".join([*lines, "", instruction]))
