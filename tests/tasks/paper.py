"""Video-R1's evaluation prompt, built from a row of its own file as ``eval_bench.py`` builds it."""

from typing import Any

_TEMPLATE = (
    "{question}\n"
    "Please think about this question as if you were a human pondering deeply. "
    "Engage in an internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', "
    "'oh, I see', 'let's break it down', etc, or other natural language thought expressions "
    "It's encouraged to include self-reflection or verification in the reasoning process. "
    "Provide your detailed reasoning between the <think> and </think> tags, and then give your "
    "final answer between the <answer> and </answer> tags."
)
_NUMBER = (
    " Please provide the numerical value (e.g., 42 or 3.14) within the <answer> </answer> tags."
)
_TYPES = {
    "multiple choice": " Please provide only the single option letter (e.g., A, B, C, D, etc.)"
    " within the <answer> </answer> tags.",
    "numerical": _NUMBER,
    "regression": _NUMBER,
}


def paper_prompt(row: dict[str, Any]) -> str:
    """Return the text that Video-R1 asks for a row with problem, options and type."""
    question = row["problem"]
    if row["problem_type"] == "multiple choice":
        question += "Options:\n" + "".join(f"{option}\n" for option in row["options"])
    return _TEMPLATE.format(question=question) + _TYPES[row["problem_type"]]
