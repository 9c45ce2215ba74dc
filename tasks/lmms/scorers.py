"""The scorer ``lmms-eval`` of the four benchmarks: the installed package's own functions, offline.

A sample is put back into the row that lmms-eval's data sets have, its ``process_results`` scores
the text, and what it returns is read. Nothing is computed anew. Known differences from a run of
its command line:

- Replies that no rule of TempCompass reads go to a network judge there, a model that was shut down
  in September 2026: the judge is taken out, and they get the 0 that an unreachable judge gives.
- Captions are rated by that judge alone. They are left out of the mean and counted as dropped;
  lmms-eval without its judge gives every one of them 0.
- lmms-eval 0.7.3 has no score over MVBench's or TempCompass's tasks, nor over VideoMMMU's tracks.
  Ours are the benchmarks' own means of the same item values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness.schema import Kind, Outcome, Sample, Score
from harness.scoring.answers import letters
from harness.scoring.rules import (
    binary_score,
    partial_score,
)
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
from tasks.videommmu_answers import LETTERED, MULTIPLE_CHOICE, QUESTION_TYPE

NAME = "lmms-eval"

_MRA = "MRA:.5:.95:.05"
_NOTHING_FOUND = "No Answer Found."
_DROPPED = "API Error"
_BY_TASK = {
    MULTI_CHOICE: "tempcompass_process_results_multi_choice",
    YES_NO: "tempcompass_process_results_yes_no",
    CAPTION_MATCHING: "tempcompass_process_results_caption_matching",
}


def lmms_scorer(task: str, aggregation: Aggregation) -> Scorer | None:
    """Return the scorer of a benchmark that lmms-eval has, None for any other."""
    rule = RULES.get(task)
    if rule is None:
        return None
    return Scorer(
        name=NAME,
        version=1,
        score=lambda sample, text: rule(sample, visible(text)),
        aggregation=aggregation,
        require=require,
    )


def score_vsibench(sample: Sample, text: str) -> Score:
    """Score the first word as a letter, or the first number in words or digits."""
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
    """Score the first lone letter of the text; an empty reply is left out of the mean."""
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
    """Score the letter or the values that its parsers read; an empty open reply is left out."""
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
    # Its list comes from a set; sorted, so that two runs show the same.
    credited = [value for value in read if module.eval_open(sample.answer, [value])]
    return binary_score(correct, sorted(str(value).strip() for value in credited or read)[-1])


def score_tempcompass(sample: Sample, text: str) -> Score:
    """Score by the matching rules; what only the judge could rate has no answer."""
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
    return binary_score(rated["rating"] == 1 if rated["match_success"] else None, _said(task, text))


def _said(task: str, text: str) -> str:
    """Return the part of a matched reply that the rules look at."""
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
}
