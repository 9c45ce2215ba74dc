"""Where three scorers disagree, counted on the same responses: ``docs/lmms_scorer_differences.md``.

``python -m tasks.lmms.parity_report > docs/lmms_scorer_differences.md`` writes the page anew; a
test compares it with what the installed lmms-eval gives. It needs the extra ``lmms``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.rescore.reasons import (
    Reason,
    differ,
    reason,
)
from harness.schema import Sample, Score
from harness.task import registry
from tasks.lmms.corpus import SIZE, responses
from tasks.lmms.package import VERSION

BENCHMARKS = ("videommmu", "vsibench", "mvbench", "tempcompass")
PAIRS = (("official", "lmms-eval"), ("video-r1", "lmms-eval"), ("official", "video-r1"))

_EXAMPLE_CHARACTERS = 48

Pair = tuple[str, str]


@dataclass(slots=True)
class Disagreements:
    """What a benchmark's responses showed: how many disagree, by pair and class, with examples."""

    counts: dict[Pair, dict[Reason, int]] = field(
        default_factory=lambda: {pair: {} for pair in PAIRS}
    )
    examples: dict[Reason, str] = field(default_factory=dict)

    def add(self, pair: Pair, cause: Reason, example: str) -> None:
        """Count one disagreement; of all examples the shortest one stays."""
        self.counts[pair][cause] = self.counts[pair].get(cause, 0) + 1
        kept = self.examples.setdefault(cause, example)
        if len(example) < len(kept):
            self.examples[cause] = example

    @property
    def classes(self) -> set[tuple[Pair, Reason]]:
        """The classes that occur, by pair."""
        return {(pair, cause) for pair, causes in self.counts.items() for cause in causes}


def count_disagreements(benchmark: str, size: int = SIZE) -> Disagreements:
    """Score the responses of a benchmark with all three scorers."""
    scorers = registry.get(benchmark).scorers
    found = Disagreements()
    for sample, text in responses(benchmark, size):
        scores = {name: scorers[name].score(sample, text) for name in dict.fromkeys(sum(PAIRS, ()))}
        for one, other in PAIRS:
            if differ(scores[one], scores[other]):
                cause = reason(sample, text, scores[one], scores[other])
                found.add((one, other), cause, _example(sample, text, scores))
    return found


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield "# Where `official`, `video-r1` and `lmms-eval` score the same response differently"
    yield ""
    yield f"Made by `python -m tasks.lmms.parity_report` with lmms-eval {VERSION}; do not edit."
    yield f"Per benchmark {SIZE:,} generated responses (`tasks/lmms/corpus.py`: every notation,"
    yield "wrapping, tag, script and length, many of them nothing a model would write): the counts"
    yield "say that a class exists, not how often it occurs in a real run. For that there is"
    yield "`videor1 rescore RUN --scorer lmms-eval`. The classes are those of"
    yield "`harness/rescore/reasons.py`. A pair of scorers without a number in a row agrees there."
    yield "The example is the shortest response of the class, with its gold answer and what"
    yield "`official` / `lmms-eval` / `video-r1` give it; `-` means left out of the mean."
    for benchmark in BENCHMARKS:
        yield from _table(benchmark, count_disagreements(benchmark))


def _table(benchmark: str, found: Disagreements) -> Iterator[str]:
    yield ""
    yield f"## {benchmark}"
    yield ""
    yield f"| class | {' | '.join(f'{one} ≠ {other}' for one, other in PAIRS)} | example |"
    yield f"|---|{'---:|' * len(PAIRS)}---|"
    for cause in Reason:
        if cause in found.examples:
            counts = [str(found.counts[pair].get(cause, "")) for pair in PAIRS]
            yield f"| {cause} | {' | '.join(counts)} | {found.examples[cause]} |"
    totals = [f"{sum(found.counts[pair].values()):,}" for pair in PAIRS]
    yield f"| all, of {SIZE:,} | {' | '.join(totals)} | |"


def _example(sample: Sample, text: str, scores: dict[str, Score]) -> str:
    shown = text if len(text) <= _EXAMPLE_CHARACTERS else f"{text[:_EXAMPLE_CHARACTERS]}…"
    # Backquotes and bars end a cell of the table, whatever they are escaped with.
    quoted = ascii(shown).replace("|", "\\x7c").replace("`", "\\x60")
    values = " / ".join(_value(scores[name]) for name in ("official", "lmms-eval", "video-r1"))
    return f"`{quoted}`, gold `{sample.answer}`: {values}"


def _value(score: Score) -> str:
    return "-" if score.value is None else f"{score.value:g}"


def main() -> None:
    """Print the page."""
    sys.stdout.writelines(f"{line}\n" for line in page())


if __name__ == "__main__":
    main()
