"""Builds Video-R1's prompts, which all benchmarks and the training share.

The texts are those of ``src/eval_bench.py`` in tulerfeng/Video-R1@59d65c3, word for word, including
punctuation and spaces (docs/sources.md, "Video-R1's evaluation"). The official prompts of a
benchmark are in its module in `tasks`.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.schema import Kind
from harness.scoring.answers import letters

VIDEO_R1 = "video-r1"

_THINK = (
    "Please think about this question as if you were a human pondering deeply. "
    "Engage in an internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', "
    "'oh, I see', 'let's break it down', etc, or other natural language thought expressions "
    "It's encouraged to include self-reflection or verification in the reasoning process. "
    "Provide your detailed reasoning between the <think> and </think> tags, and then give your "
    "final answer between the <answer> and </answer> tags."
)

_SUFFIX = {
    Kind.MULTIPLE_CHOICE: " Please provide only the single option letter (e.g., A, B, C, D, etc.)"
    " within the <answer> </answer> tags.",
    Kind.NUMERICAL: " Please provide the numerical value (e.g., 42 or 3.14)"
    " within the <answer> </answer> tags.",
    Kind.REGRESSION: " Please provide the numerical value (e.g., 42 or 3.14)"
    " within the <answer> </answer> tags.",
    Kind.OCR: " Please transcribe text from the image/video clearly and provide your text answer"
    " within the <answer> </answer> tags.",
    Kind.FREE_FORM: " Please provide your text answer within the <answer> </answer> tags.",
    # Video-R1 has no such questions; the sentence is ours, in the form of its others.
    Kind.SPAN: " Please provide the start and end time in seconds (e.g., 12.5 to 17.8)"
    " within the <answer> </answer> tags.",
}


def lettered(options: Sequence[str], form: str = "{letter}. {text}") -> list[str]:
    """Return the option texts with their letters in front, ``A. left`` by default."""
    return [
        form.format(letter=letter, text=text)
        for letter, text in zip(letters(len(options)), options, strict=True)
    ]


def unlettered(options: Sequence[str]) -> tuple[str, ...]:
    """Remove the letters that `lettered` adds; texts stay as they are if any has no letter."""
    marks = [f"{letter}. " for letter in letters(len(options))]
    if not all(text.startswith(mark) for text, mark in zip(options, marks, strict=True)):
        return tuple(options)
    return tuple(text.removeprefix(mark) for text, mark in zip(options, marks, strict=True))


def video_r1(question: str, kind: Kind, options: Sequence[str] = ()) -> str:
    """Build Video-R1's evaluation prompt for one question.

    The original has no line break before ``Options:`` and one after every option, so that a blank
    line precedes the instruction; both are kept.
    """
    if kind is Kind.MULTIPLE_CHOICE:
        question += "Options:\n" + "".join(f"{line}\n" for line in lettered(options))
    return f"{question}\n{_THINK}{_SUFFIX[kind]}"
