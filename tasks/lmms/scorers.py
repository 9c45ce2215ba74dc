"""The scorer ``lmms-eval`` of our benchmarks: the installed package's own functions, offline.

A sample is converted to a row of lmms-eval's data sets, lmms-eval's ``process_results`` scores the
text, and its result is read; nothing is reimplemented. Known differences from lmms-eval's command
line:

- Responses that no rule of TempCompass matches go to a judge over the network there, with a model
  that was shut down in September 2026. Here they get 0, as if that judge were unreachable.
- Captions are rated by the judge alone. Here they are left out of the mean and counted as dropped;
  lmms-eval without its judge gives each of them 0.
- Open questions of MMVU that no rule finds right go to GPT-4o there. Here they are wrong, as they
  are there if the judge cannot be reached. Its rules find an empty answer to them right.
- A response to LongVideoBench or Video-Holmes without an option gets a random one there, none here.
- lmms-eval 0.7.3 has no score over all tasks of MVBench or TempCompass, or all tracks of VideoMMMU.
  Ours are the benchmarks' official means of the same item values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import letters
from harness.scoring.rules import (
    binary_score,
    partial_score,
    score_span,
)
from harness.scoring.spans import Span
from harness.task.api import (
    Aggregation,
    Scorer,
)
from tasks.lmms.package import require, scoring_module, visible
from tasks.tempcompass_rules import (
    ANSWER,
    CAPTION_MATCHING,
    CAPTIONING,
    MULTI_CHOICE,
    QUESTION,
    YES_NO,
    task_of,
)
from tasks.videomme_v2 import OPTIONS
from tasks.videommmu_answers import LETTERED, MULTIPLE_CHOICE, QUESTION_TYPE

NAME = "lmms-eval"

_MRA = "MRA:.5:.95:.05"
_NOTHING_FOUND = "No Answer Found."
_DROPPED = "API Error"
_NO_OPTION = "Z"
"""What its extractor of Video-MME-v2 returns where no option, or several, occur."""
_SHOWN = 100
"""Characters of an open answer that a record shows, as in lmms-eval's own log."""
_BY_TASK = {
    MULTI_CHOICE: "tempcompass_process_results_multi_choice",
    YES_NO: "tempcompass_process_results_yes_no",
    CAPTION_MATCHING: "tempcompass_process_results_caption_matching",
}


def lmms_scorer(task: str, aggregation: Aggregation) -> Scorer | None:
    """Return the scorer for a benchmark that lmms-eval also has, None for any other."""
    rule = RULES.get(task)
    if rule is None:
        return None
    return Scorer(
        name=NAME,
        version=1,
        score=lambda sample, text: rule(sample, visible(text)),
        aggregation=aggregation,
        require=require,
        leaves_out=lambda sample: task == "tempcompass" and task_of(sample) == CAPTIONING,
    )


def score_vsibench(sample: Sample, text: str) -> Score:
    """Score a letter in the first word, or the first number in digits or words."""
    module = scoring_module("vsibench")
    row = {"question_type": sample.category, "ground_truth": sample.answer}
    scored = module.vsibench_process_results(row, [text])["vsibench_overall"]
    if sample.kind is Kind.REGRESSION:
        number = module.extract_number(text)
        return (
            binary_score(None, None)
            if number is None
            else partial_score(float(scored[_MRA]), f"{number:g}")
        )
    letter = module.fuzzy_matching(text).upper()
    known = letter in letters(len(sample.options))
    return binary_score(scored["accuracy"] == 1 if known else None, letter)


def score_mvbench(sample: Sample, text: str) -> Score:
    """Score the first single letter; an empty response is left out of the mean."""
    module = scoring_module("mvbench")
    known = letters(len(sample.options))
    gold = sample.options[known.index(sample.answer)]
    row = {"candidates": list(sample.options), "answer": gold}
    scored = module.mvbench_process_results(row, [text])["mvbench_accuracy"]
    if scored["pred_answer"] == "":
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    read = next((letter for letter in known if module.mcq_acc(letter, text)), None)
    return binary_score(None if read is None else bool(scored["score"]), read)


def score_videommmu(sample: Sample, text: str) -> Score:
    """Score the letter or values that the parsers read; empty open responses are left out."""
    module = scoring_module("videommmu")
    row = {
        "id": sample.cluster,
        "question_type": sample.source[QUESTION_TYPE],
        "options": _published_options(sample),
        "answer": sample.answer,
    }
    entry = module.videommmu_process_results(row, [text])["mmmu_acc"]
    read = entry["parsed_pred"]
    if read == _DROPPED:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    correct = module.evaluate_videommmu([entry])[1]["acc"] == 1
    if row["question_type"] == MULTIPLE_CHOICE:
        return binary_score(None if read == _NOTHING_FOUND else correct, read)
    # The list comes from a set; it is sorted so that two runs record the same answer.
    credited = [value for value in read if module.eval_open(sample.answer, [value])]
    return binary_score(correct, sorted(str(value).strip() for value in credited or read)[-1])


def score_tempcompass(sample: Sample, text: str) -> Score:
    """Score by the matching rules; a caption, which only the judge rates, has no answer."""
    task = task_of(sample)
    if task == CAPTIONING:
        return Score(value=None, outcome=Outcome.NO_ANSWER)
    _, aspect, *_ = sample.category.split("/")
    row = {
        "video_id": sample.cluster,
        "question": sample.source[QUESTION],
        "answer": sample.source[ANSWER],
        "dim": aspect,
    }
    rate: Callable[..., Mapping[str, Any]] = getattr(scoring_module("tempcompass"), _BY_TASK[task])
    rated = rate(row, [text])["avg_accuracy"]
    return binary_score(
        rated["rating"] == 1 if rated["match_success"] else None, _matched_part(task, text)
    )


def score_mmvu(sample: Sample, text: str) -> Score:
    """Score the gold letter, its option's text, or a word of it; open answers by the rules."""
    module = scoring_module("mmvu")
    known = letters(len(sample.options))
    kind = "multiple-choice" if sample.options else "open-ended"
    choices = dict(zip(known, sample.options, strict=True))
    row = {"question_type": kind, "choices": choices, "answer": sample.answer}
    correct = module.evaluate_with_rule_based(row, text)
    if not sample.options:
        return binary_score(correct, text[:_SHOWN])
    read = re.search(r"\b[A-E]\b", text)
    letter = read.group() if read else None
    return binary_score(True if correct else None if letter is None else False, letter)


def score_videomme(sample: Sample, text: str) -> Score:
    """Score the letter that lmms-eval's shared extractor picks; no letter is a wrong answer."""
    module = scoring_module("videomme")
    return _score_letter(sample, module.extract_characters_regex(text))


def score_videomme_v2(sample: Sample, text: str) -> Score:
    """Score the letter of its own patterns, else the one option whose text occurs."""
    module = scoring_module("videomme_v2")
    found = module.extract_characters_regex(text)
    letter = found or module.extract_option(text, sample.source[OPTIONS])
    return _score_letter(sample, "" if letter == _NO_OPTION else letter)


def score_longvideobench(sample: Sample, text: str) -> Score:
    """Score the first capital letter from A to E; where none is found nothing is guessed."""
    module = scoring_module("longvideobench")
    return _score_letter(sample, module.parse_multi_choice_response(text, *_choices(sample)))


def score_videoholmes(sample: Sample, text: str) -> Score:
    """Score the letter of MMMU's rules; where none is found nothing is guessed."""
    module = scoring_module("video_holmes")
    return _score_letter(sample, module.parse_multi_choice_response(text, *_choices(sample)))


def _choices(sample: Sample) -> tuple[list[str], dict[str, str]]:
    known = letters(len(sample.options))
    return list(known), dict(zip(known, sample.options, strict=True))


def score_charades(sample: Sample, text: str) -> Score:
    """Score the first span that its patterns find."""
    found = scoring_module("charades_sta").extract_time(text)
    return score_span(sample, Span(*found[0]) if found else None)


def _score_letter(sample: Sample, letter: str) -> Score:
    return binary_score(letter == sample.answer if letter else None, letter or None)


def _matched_part(task: str, text: str) -> str:
    """Return the part of a matched response that the rules read."""
    if task == MULTI_CHOICE:
        return text[:1]
    if task == YES_NO:
        return "yes" if text.lower().startswith("yes") else "no"
    return text


def _published_options(sample: Sample) -> list[str]:
    lettered = LETTERED in sample.source
    texts = zip(letters(len(sample.options)), sample.options, strict=True)
    return [f"{letter}. {text}" if lettered else text for letter, text in texts]


RULES: Mapping[str, Callable[[Sample, str], Score]] = {
    "videommmu": score_videommmu,
    "videommmu-question-only": score_videommmu,
    "vsibench": score_vsibench,
    "mvbench": score_mvbench,
    "tempcompass": score_tempcompass,
    "mmvu": score_mmvu,
    "videomme": score_videomme,
    "videomme-subtitles": score_videomme,
    "videomme-v2": score_videomme_v2,
    "videomme-v2-subtitles": score_videomme_v2,
    "longvideobench": score_longvideobench,
    "longvideobench-subtitles": score_longvideobench,
    "videoholmes": score_videoholmes,
    "charades-sta": score_charades,
}
