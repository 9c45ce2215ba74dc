"""Synthetic responses for comparing scorers: 20,000 per benchmark, drawn with a fixed seed.

They combine what models write: letters and numbers in every notation, with sentences, marks and
tags around them, cut off, empty, in other scripts, and up to 100,000 characters long.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from harness.schema import Kind, Sample
from harness.scoring.answers import letters
from tasks.tempcompass_rules import ANSWER, CAPTION_MATCHING, MULTI_CHOICE, QUESTION, YES_NO
from tasks.videommmu_answers import MULTIPLE_CHOICE, QUESTION_TYPE

SIZE = 20_000
LONG = 100_000
"""Characters of the longest responses."""

_LONG_EVERY = 500
_CHOICES = ("put down the cup", "pick up the bag", "open the door", "A blue car", "nothing at all")
_MODELS = ("red", "blue", "one", "two", "late", "I-beam", "open", "no", "yes", "car")
_TEN = tuple(f"{word} model" for word in _MODELS)

_WRAPPINGS = (
    "{}", "{}", "{}.", "({})", "{})", "{}:", "{},", "**{}**", "[{}]", '"{}"', "\\boxed{{{}}}",
    "${}$", " {}", "{}\n", "{}\nBecause of that.", "\n\n{}", "{}</s>", "Answer: {}", "answer: {}",
    "The answer is {}", "The answer is {}.", "The correct answer is ({}).", "Option {}",
    "Best option:({}", "I think it is {}", "So {} it is", "{} because the man moves",
    "A person walks by; {}", "It is a {}", "Therefore, {}!", "<answer>{}</answer>",
    "<answer> {} </answer>", "<ANSWER>{}</ANSWER>", "<answer>{}", "{}</answer>",
    "<think>It may be B or 7.</think>{}", "<think>It may be B or 7.</think>\n<answer>{}</answer>",
    "<think>It may be A", "<think>{}</think>", "<analysis>C, 4</analysis>{}", "</think>{}",
    "<think>maybe <answer>B</answer></think><answer>{}</answer>", "\u200b{}", "\u00a0{}\u00a0",
    "答案是{}", "Ответ: {}", "🙂 {}", "{} or C", "not {}, rather D", "{} is wrong. B. is right",
    "Final answer = {}", "There are {} of them", "about {} in all, i.e. 12", "~{}", "{}m",
    "{} meters", "between 2 and {}", "I'd say {}", "e.g. {}", "It's {}",
)  # fmt: skip
_NUMBERS = (
    "0", "1", "2", "3", "4", "5", "7", "10", "12", "15", "20", "25", "0.5", "1.5", "2.25", "3.0",
    ".5", "5.", "12.97", "12.970", "1,200", "1200", "1e1", "1E+1", "2.5e0", "-3", "+3", "1/2",
    "4/5", "50%", "$7,243,000", "three", "Four", "twenty-five", "one hundred and two", "zero",
    "ten", "nan", "inf", "-inf", "Infinity", "1_000", "٣", "３", "½", "0x10", "00012", "9" * 400,
    "3 chairs", "1,2", "10,0", "two thousand",
)  # fmt: skip
_PLAIN = (
    "", " ", "\n", ".", "(", ")", "()", "*", "-", "?", "None of the above", "I cannot tell.",
    "It depends on the view", "API Error", "error", "A man is walking.", "Yes", "yes", "No.", "NO",
    "Not sure.", "nothing", "Yesterday", "Both", "\x00", "\ufeff", "a", "an apple", "I", "é", "Ａ",
    "𝐀", "<think></think>", "<answer></answer>", "<answer>  </answer>", "<>", "&nbsp;", "No",
)  # fmt: skip


def questions(benchmark: str) -> tuple[Sample, ...]:
    """Return the questions that the responses answer: a few of each kind in the benchmark."""
    return _QUESTIONS[benchmark]


def responses(benchmark: str, size: int = SIZE) -> Iterator[tuple[Sample, str]]:
    """Yield questions with a response each; the same ones in every process."""
    draw = random.Random(benchmark)
    asked = questions(benchmark)
    for position in range(size):
        sample = draw.choice(asked)
        text = _response(draw, sample)
        if position % _LONG_EVERY == 0:
            text = _long(draw, text)
        yield sample, text


def _response(draw: random.Random, sample: Sample) -> str:
    kind = draw.random()
    if kind < 0.08:
        return draw.choice(_PLAIN)
    if kind < 0.12:
        return "".join(chr(draw.choice((draw.randint(32, 126), draw.randint(160, 1500))))
                       for _ in range(draw.randint(1, 30)))  # fmt: skip
    text = draw.choice(_WRAPPINGS).format(_core(draw, sample))
    return draw.choice(_WRAPPINGS).format(text) if kind > 0.8 else text


def _core(draw: random.Random, sample: Sample) -> str:
    if sample.kind in (Kind.REGRESSION, Kind.NUMERICAL):
        near = str(round(float(sample.answer) * draw.choice((0.5, 0.8, 0.9, 1, 1.1, 1.5, 2)), 3))
        return draw.choice((sample.answer, near, near.removesuffix(".0"), draw.choice(_NUMBERS)))
    if sample.kind is Kind.SPAN:
        start, end = sample.answer.split(" to ")
        forms = (
            "{0} to {1}", "{0} - {1}", "{0}-{1}", "{0}–{1}", "{0}s to {1}s", "[{0}, {1}]",
            "between {0} and {1}", "starts at {0} and ends at {1}", "Start: {0}\nEnd: {1}",
            "{1} to {0}", '{{"time": [{0}, {1}]}}', "0:{0} - 0:{1}", "{0}", "{0} seconds to {1}",
        )  # fmt: skip
        end = draw.choice((end, end, f"{float(end) + 3:g}"))
        return draw.choice(forms).format(start, end)
    if sample.kind is Kind.FREE_FORM:
        return draw.choice((sample.answer, sample.answer.upper(), draw.choice(_NUMBERS), "c", "B"))
    known = letters(len(sample.options))
    letter = draw.choice((sample.answer, draw.choice(known)))
    text = sample.options[known.index(letter)]
    lines = sample.source.get(QUESTION, text).split("\n")
    forms = (
        letter, letter, letter, letter.lower(), f"{letter}. {text}", f"({letter}) {text}",
        f"{letter}) {text}", text, text.upper(), draw.choice(lines),
        draw.choice(lines).partition(": ")[0], sample.source.get(ANSWER, letter),
        draw.choice("ABCDEFGHIJ"), draw.choice(_NUMBERS),
    )  # fmt: skip
    return draw.choice(forms)


def _long(draw: random.Random, text: str) -> str:
    filler = draw.choice(("word ", "<answer>", "<think></think>", "A. ", " ", "\n", "3 ", "x", "("))
    return draw.choice(("{0}{1}", "{1}{0}")).format(text, filler * (LONG // len(filler)))


def _sample(benchmark: str, number: int, answer: str, **fields: object) -> Sample:
    kind = Kind.MULTIPLE_CHOICE if fields.get("options") else Kind.REGRESSION
    settled = {"kind": kind, "category": "", "question": "What happens?", **fields}
    return Sample(
        id=f"{benchmark}/{number}",
        task=benchmark,
        answer=answer,
        cluster=str(settled.pop("cluster", f"video {number}")),
        **settled,  # type: ignore[arg-type]
    )


def _vsibench() -> Iterator[Sample]:
    for number, gold in enumerate(("1", "2", "3", "4", "10", "2.5", "12.5", "120", "0.6")):
        yield _sample("vsibench", number, gold, category="object_counting")
    turns = ("front-left", "front-right", "back-left", "back-right")
    for number, (size, gold) in enumerate(((2, "A"), (3, "C"), (4, "D")), start=20):
        category = "object_rel_distance"
        yield _sample("vsibench", number, gold, category=category, options=turns[:size])


def _mvbench() -> Iterator[Sample]:
    for number, (size, gold) in enumerate(((3, "C"), (4, "B"), (5, "A"), (2, "B"))):
        yield _sample("mvbench", number, gold, category="action_count", options=_CHOICES[:size])


def _videommmu() -> Iterator[Sample]:
    asked = {QUESTION_TYPE: MULTIPLE_CHOICE}
    for number, (options, gold) in enumerate(((_TEN, "B"), (_TEN, "I"), (_CHOICES[:4], "C"))):
        yield _sample(
            "videommmu", number, gold, category="perception/Art/Art", options=options, source=asked,
            cluster=f"validation_Art_{number}",
        )  # fmt: skip
    golds = (("12.97", Kind.NUMERICAL), ("7243000", Kind.NUMERICAL), ("bond yield", Kind.FREE_FORM))
    for number, (gold, kind) in enumerate(golds, start=10):
        yield _sample(
            "videommmu", number, gold, category="adaptation/Business/Finance", kind=kind,
            source={QUESTION_TYPE: "open"}, cluster=f"validation_Finance_{number}",
        )  # fmt: skip


def _tempcompass() -> Iterator[Sample]:
    rows = (
        (MULTI_CHOICE, "A", ("dunking", "passing"), "What?\nA. dunking\nB. passing", "A. dunking"),
        (MULTI_CHOICE, "C", ("up", "down", "left"), "Where?\nA. up\nB. down\nC. left", "C. left"),
        (YES_NO, "A", ("yes", "no"), "Is the man dunking?", "yes"),
        (YES_NO, "B", ("yes", "no"), "Is the man passing?", "no"),
        (CAPTION_MATCHING, "B", ("He runs.", "He jumps."),
         "Which?\nCaption A: He runs.\nCaption B: He jumps.", "Caption B: He jumps."),
        (CAPTION_MATCHING, "A", ("A boy (left) jumps.", "A boy runs"),
         "Which?\nOption 1: A boy (left) jumps.\nOption 2: A boy runs",
         "Option 1: A boy (left) jumps."),
        (CAPTION_MATCHING, "B", ("He sits.", "He stands."),
         "Which?\nSentence A: He sits.\nSentence B: He stands.", "Sentence B: He stands."),
    )  # fmt: skip
    for number, (task, letter, options, question, answer) in enumerate(rows):
        yield _sample(
            "tempcompass", number, letter, category=f"{task}/action", options=options,
            source={QUESTION: question, ANSWER: answer},
        )  # fmt: skip


def _mmvu() -> Iterator[Sample]:
    for number, gold in enumerate("ACE"):
        category = "multiple-choice/Science/Biology"
        yield _sample("mmvu", number, gold, category=category, options=_CHOICES)
    for number, gold in enumerate(("Depth-First Search (DFS)", "150 µV", "O(n²)"), start=10):
        category = "open-ended/Engineering/Computer_Science"
        yield _sample("mmvu", number, gold, category=category, kind=Kind.FREE_FORM)


def _videomme() -> Iterator[Sample]:
    for number, gold in enumerate("BCD"):
        category = "short/Knowledge/Law/Counting Problem"
        yield _sample("videomme", number, gold, category=category, options=_CHOICES[:4])


def _videomme_v2() -> Iterator[Sample]:
    listed = "\n".join(f"{x}. {text}" for x, text in zip("ABCDEFGH", _TEN, strict=False))
    for number, gold in enumerate("BFH", start=1):
        yield _sample(
            "videomme-v2", number, gold, category="relevance/any/level-1/a/b", options=_TEN[:8],
            source={"options": listed},
        )  # fmt: skip


def _longvideobench() -> Iterator[Sample]:
    for number, (size, gold) in enumerate(((5, "E"), (4, "B"), (3, "C"))):
        category = "15/L1-Perception/S2E"
        yield _sample("longvideobench", number, gold, category=category, options=_CHOICES[:size])


def _videoholmes() -> Iterator[Sample]:
    for number, (size, gold) in enumerate(((6, "F"), (5, "B"), (4, "C"))):
        yield _sample("videoholmes", number, gold, category="SR", options=_TEN[:size])


def _charades_sta() -> Iterator[Sample]:
    for number, gold in enumerate(("24.3 to 30.4", "0 to 5.5", "7 to 12")):
        yield _sample(
            "charades-sta", number, gold, category="test", kind=Kind.SPAN,
            source={"sentence": "a person runs."},
        )  # fmt: skip


_QUESTIONS: Mapping[str, tuple[Sample, ...]] = {
    "videommmu": tuple(_videommmu()),
    "vsibench": tuple(_vsibench()),
    "mvbench": tuple(_mvbench()),
    "tempcompass": tuple(_tempcompass()),
    "mmvu": tuple(_mmvu()),
    "videomme": tuple(_videomme()),
    "videomme-v2": tuple(_videomme_v2()),
    "longvideobench": tuple(_longvideobench()),
    "videoholmes": tuple(_videoholmes()),
    "charades-sta": tuple(_charades_sta()),
}
