"""Lists the pairs of marks that models write around a thought, by name.

Sources: the tokens of vLLM 0.32's reasoning parsers (``vllm/reasoning``), the adapters of
VLMEvalKit@e8e78f0 for Kimi-VL and Keye-VL, and the chat templates of TRL 1.16 and of the publishers
(docs/sources.md, "Marks of thoughts").
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.thoughts import Marks

IN_TEXT = "in-text"
"""The rule under which a text is scored as the model wrote it."""
AUTO = "auto"
"""The rule that finds the marks in the checkpoint's chat template."""
_BETWEEN = "..."
"""Stands between the marks of a pair that a user writes out."""


NAMED: Mapping[str, Marks] = {
    "think": Marks("<think>", "</think>"),
    "thinking": Marks("<thinking>", "</thinking>"),
    "thought": Marks("<thought>", "</thought>"),
    "reasoning": Marks("<reasoning>", "</reasoning>"),
    "seed": Marks("<seed:think>", "</seed:think>"),
    "gemma4": Marks("<|channel>thought", "<channel|>"),
    "mistral": Marks("[THINK]", "[/THINK]"),
    "kimi": Marks("◁think▷", "◁/think▷"),
    "kimi3": Marks("<|open|>think<|sep|>", "<|close|>think<|sep|>"),
    "keye": Marks("<analysis>", "</analysis>"),
    "cohere": Marks("<|START_THINKING|>", "<|END_THINKING|>"),
    "minimax": Marks("<mm:think>", "</mm:think>"),
    "apertus": Marks("<|inner_prefix|>", "<|inner_suffix|>"),
    "plamo": Marks("<|plamo:begin_think:plamo|>", "<|plamo:end_think:plamo|>"),
    "gpt-oss": Marks("<|channel|>analysis<|message|>", "<|end|>"),
    "muse": Marks("to=self<|message|>", "<|eom|>"),
    "apriel": Marks("", "[BEGIN FINAL RESPONSE]"),
}
"""The pairs that a user can name, and that are tried where a template shows none."""

_TURN_ENDS = frozenset({"<|end|>", "<|eom|>"})
"""Closing marks that also end turns: without their opening mark they close no thought."""


def parse_rule(rule: str) -> Marks | None:
    """Return the marks that a reasoning rule names; None for ``auto`` and ``in-text``.

    Args:
        rule: ``auto``, ``in-text``, a name of `NAMED`, or both marks as ``OPEN...CLOSE``.

    Raises:
        ValueError: The rule is none of these.
    """
    if rule in (AUTO, IN_TEXT):
        return None
    if rule in NAMED:
        return NAMED[rule]
    opening, between, closing = rule.partition(_BETWEEN)
    if not between or not closing.strip():
        raise ValueError(
            f"reasoning: expected {AUTO}, {IN_TEXT}, one of"
            f" {', '.join(NAMED)}, or both marks as OPEN{_BETWEEN}CLOSE, got {rule!r:.80}"
        )
    if opening == closing:
        raise ValueError(f"reasoning: both marks of {rule!r:.80} are the same text")
    return Marks(opening.strip(), closing.strip())


def closes_alone(marks: Marks) -> bool:
    """Return whether a closing mark ends a thought even where no opening mark is seen."""
    return marks.close not in _TURN_ENDS
