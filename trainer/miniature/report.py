"""The result for readers and for programs: tables, claims and curves below the experiment's folder.

``table.md`` shows everything, ``table.tex`` is for a paper, ``outcome.json`` holds the numbers in
points. None of them names a time or a machine, so that equal results are equal files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.board.latex import to_latex
from harness.board.markdown import to_markdown
from harness.board.table import NOTHING, Table, TableCell, score_text
from harness.files import write_json, write_text
from harness.stats import Estimate
from trainer.miniature.curves import draw_curves, rl_arms
from trainer.miniature.hypotheses import (
    Finding,
    judge,
)
from trainer.miniature.results import (
    Measure,
    Outcome,
)

MARKDOWN, LATEX, NUMBERS, CURVES = "table.md", "table.tex", "outcome.json", "curves.png"

CONSTANT = "best constant answer"
UNADJUSTED = "Each interval is a 95 % interval by itself, unadjusted for the number of claims"

_DIGITS = 6
"""Of a point; what differs by less is rounding."""


def grids(outcome: Outcome) -> list[Table]:
    """Return the table, its breakdown by aspect and look, and the claims that can be judged."""
    findings = judge(outcome)
    tables = [
        _scores(outcome, "", outcome.measures, tuple(_notes(outcome))),
        _scores(outcome, "Ordered clips by aspect and look", outcome.parts, ()),
    ]
    return [*tables, _claims(outcome, findings)] if findings else tables


def write_pages(out: Path, outcome: Outcome) -> list[Path]:
    """Write tables, numbers and curves below `out` and return the files.

    Raises:
        UsageError: matplotlib is not installed.
    """
    tables, learned = grids(outcome), rl_arms(outcome.arms)
    figure = f"\n![Reinforcement learning]({CURVES})\n" if learned else ""
    if learned:
        draw_curves(out, learned, outcome.seeds, out / CURVES)
    else:
        (out / CURVES).unlink(missing_ok=True)  # of more arms, from before
    write_text(out / MARKDOWN, to_markdown(tables) + figure)
    write_text(out / LATEX, to_latex(tables))
    write_json(out / NUMBERS, as_json(outcome))
    names = (MARKDOWN, LATEX, NUMBERS, *((CURVES,) if learned else ()))
    return [out / name for name in names]


def as_json(outcome: Outcome) -> dict[str, Any]:
    """Return every estimate in points with its 95 % interval, and every claim with its verdict."""
    measures = (*outcome.measures, *outcome.parts)
    return {
        "seeds": list(outcome.seeds),
        "intervals": outcome.basis,
        "questions": {task: len(samples) for task, samples in outcome.exam.samples.items()},
        "protocols": dict(outcome.exam.protocols),
        "best_constant": {
            measure.name: round(100 * outcome.constant(measure), _DIGITS) for measure in measures
        },
        "scores": {
            arm.name: {measure.name: _points(outcome.score(arm, measure)) for measure in measures}
            for arm in outcome.arms
        },
        "claims": {finding.claim.name: _judged(finding) for finding in judge(outcome)},
    }


def _judged(finding: Finding) -> dict[str, Any]:
    claim = finding.claim
    return {
        "sentence": claim.sentence,
        "source": claim.source,
        "difference": claim.difference,
        "verdict": finding.verdict.value,
        **_points(finding.difference),
    }


def _points(estimate: Estimate) -> Mapping[str, Any]:
    interval = _interval(estimate)
    return {
        "points": round(100 * estimate.mean, _DIGITS),
        "ci95": None if interval is None else [round(bound, _DIGITS) for bound in interval],
    }


def _interval(estimate: Estimate) -> tuple[float, float] | None:
    if estimate.ci95 is None:
        return None
    low, high = estimate.ci95
    return 100 * low, 100 * high


def _scores(
    outcome: Outcome, title: str, measures: Sequence[Measure], notes: tuple[str, ...]
) -> Table:
    constants = (100 * outcome.constant(measure) for measure in measures)
    return Table(
        title=title,
        header=("model", *(measure.title for measure in measures)),
        rows=(
            (TableCell(text=CONSTANT), *(_field(points, None) for points in constants)),
            *(
                (
                    TableCell(text=arm.title),
                    *(_estimated(outcome.score(arm, measure)) for measure in measures),
                )
                for arm in outcome.arms
            ),
        ),
        notes=notes,
    )


def _estimated(estimate: Estimate) -> TableCell:
    return _field(100 * estimate.mean, _interval(estimate))


def _field(points: float, interval: tuple[float, float] | None) -> TableCell:
    return TableCell(text=score_text(points, interval), sort=points)


def _notes(outcome: Outcome) -> Iterator[str]:
    numbers = ", ".join(str(seed) for seed in outcome.seeds)
    yield f"Score ± 95 % interval in points, {outcome.basis}; seeds: {numbers}"
    yield "Temporal gain: ordered minus shuffled, clip by clip"
    yield f"{CONSTANT.capitalize()}: always the same one for an aspect, chosen on these questions"
    for task, samples in outcome.exam.samples.items():
        pairs = len({sample.cluster for sample in samples})
        twins = f" in {pairs:,} pairs of twins" if pairs < len(samples) else ""
        yield (
            f"{task}: {len(samples):,} questions{twins}, the same for every model;"
            f" {_asked(outcome.exam.protocols[task])}"
        )
    yield "Settings were tuned on the development split only; these are questions of the test split"


def _asked(protocol: Mapping[str, Any]) -> str:
    scorer, digest = (protocol.get(name, NOTHING) for name in ("scorer", "hash"))
    return f"scorer {scorer}, protocol {digest}"


def _claims(outcome: Outcome, findings: Sequence[Finding]) -> Table:
    sources = list(dict.fromkeys(finding.claim.source for finding in findings))
    return Table(
        title="What the paper says",
        header=("claim", "points", "difference", "verdict"),
        rows=tuple(
            (
                TableCell(text=f"{claim.sentence} [{sources.index(claim.source) + 1}]"),
                _estimated(finding.difference),
                TableCell(text=claim.difference),
                TableCell(text=finding.verdict),
            )
            for finding in findings
            for claim in (finding.claim,)
        ),
        texts=2,
        notes=(
            f"{UNADJUSTED}, {outcome.basis}",
            *(f"[{number}] {source}" for number, source in enumerate(sources, start=1)),
        ),
    )
