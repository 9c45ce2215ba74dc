"""Write the report of the experiment: tables, tested claims, curves, and the numbers as JSON.

``table.md`` has everything, ``table.tex`` is for a paper, ``outcome.json`` has the numbers in
points. They contain neither times nor machines, so that equal results give equal files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.board.latex import to_latex
from harness.board.markdown import to_markdown
from harness.board.table import NOTHING, Block, Table, TableCell, score_text
from harness.files import write_json, write_text
from harness.stats import Estimate
from trainer.miniature.arms import Arm
from trainer.miniature.curves import draw_curves, rl_arms
from trainer.miniature.hypotheses import HypothesisResult, decide
from trainer.miniature.results import AblationResults, Measure, Results

MARKDOWN, LATEX, NUMBERS, CURVES = "table.md", "table.tex", "outcome.json", "curves.png"

CONSTANT = "best constant answer"
UNADJUSTED = "Each interval is a 95 % interval by itself, not adjusted for the number of claims"

_DIGITS = 6
"""Decimal places of a point; smaller differences are rounding errors."""


def report_tables(results: AblationResults) -> list[Table]:
    """Return the scores, their breakdown by aspect and appearance, and the tested claims."""
    decided = decide(results)
    tables = [
        _score_table(results, "", results.measures, tuple(_notes(results))),
        _score_table(results, "Ordered clips by aspect and appearance", results.breakdown, ()),
    ]
    return [*tables, _claim_table(results, decided)] if decided else tables


def write_report(out: Path, results: AblationResults) -> list[Path]:
    """Write tables, numbers and curves into `out` and return the files.

    Raises:
        UsageError: matplotlib is not installed.
    """
    tables, arms = report_tables(results), rl_arms(results.arms)
    figure = f"\n![Reinforcement learning]({CURVES})\n" if arms else ""
    if arms:
        draw_curves(out, arms, results.seeds, out / CURVES)
    else:
        (out / CURVES).unlink(missing_ok=True)  # from an earlier report with more arms
    write_text(out / MARKDOWN, to_markdown(tables) + figure)
    write_text(out / LATEX, to_latex(tables))
    write_json(out / NUMBERS, to_json(results))
    names = (MARKDOWN, LATEX, NUMBERS, *((CURVES,) if arms else ()))
    return [out / name for name in names]


def to_json(results: AblationResults) -> dict[str, Any]:
    """Return every estimate in points with its 95 % interval, and every claim with its verdict."""
    measures = (*results.measures, *results.breakdown)
    return {
        "seeds": list(results.seeds),
        "intervals": results.basis,
        "questions": {task: len(samples) for task, samples in results.evaluations.samples.items()},
        "protocols": dict(results.evaluations.protocols),
        "best_constant": {
            measure.name: round(100 * results.constant_baseline(measure), _DIGITS)
            for measure in measures
        },
        "scores": {
            arm.name: {measure.name: in_points(results.score(arm, measure)) for measure in measures}
            for arm in results.arms
        },
        "claims": {one.hypothesis.name: _describe_claim(one) for one in decide(results)},
    }


def _describe_claim(decided: HypothesisResult) -> dict[str, Any]:
    hypothesis = decided.hypothesis
    return {
        "sentence": hypothesis.sentence,
        "source": hypothesis.source,
        "difference": hypothesis.difference,
        "verdict": decided.decision.value,
        **in_points(decided.difference),
    }


def in_points(estimate: Estimate) -> Mapping[str, Any]:
    """Return mean and interval in points, for JSON."""
    interval = _interval_in_points(estimate)
    return {
        "points": round(100 * estimate.mean, _DIGITS),
        "ci95": None if interval is None else [round(bound, _DIGITS) for bound in interval],
    }


def _interval_in_points(estimate: Estimate) -> tuple[float, float] | None:
    if estimate.ci95 is None:
        return None
    low, high = estimate.ci95
    return 100 * low, 100 * high


def _score_table(
    results: AblationResults, title: str, measures: Sequence[Measure], notes: tuple[str, ...]
) -> Table:
    constants = (100 * results.constant_baseline(measure) for measure in measures)
    return Table(
        title=title,
        header=("model", *(measure.title for measure in measures)),
        blocks=(
            Block(
                rows=(
                    (TableCell(text=CONSTANT), *(_score_cell(p, None) for p in constants)),
                    *(arm_row(results, arm, measures) for arm in results.arms),
                )
            ),
        ),
        notes=notes,
    )


def arm_row(results: Results, arm: Arm, measures: Sequence[Measure]) -> tuple[TableCell, ...]:
    """Return the row of an arm: its title and its estimates."""
    scores = (estimate_cell(results.score(arm, measure)) for measure in measures)
    return TableCell(text=arm.title), *scores


def estimate_cell(estimate: Estimate) -> TableCell:
    """Return an estimate in points with its interval."""
    return _score_cell(100 * estimate.mean, _interval_in_points(estimate))


def _score_cell(points: float, interval: tuple[float, float] | None) -> TableCell:
    return TableCell(text=score_text(points, interval), sort=points)


def _notes(results: AblationResults) -> Iterator[str]:
    numbers = ", ".join(str(seed) for seed in results.seeds)
    yield f"Score ± 95 % interval in points, {results.basis}; seeds: {numbers}"
    yield "Temporal gain: ordered minus shuffled, clip by clip"
    yield f"{CONSTANT.capitalize()}: one answer per aspect, chosen on these questions"
    for task, samples in results.evaluations.samples.items():
        pairs = len({sample.cluster for sample in samples})
        in_pairs = f" in {pairs:,} contrast pairs" if pairs < len(samples) else ""
        yield (
            f"{task}: {len(samples):,} questions{in_pairs}, the same for every model;"
            f" {format_protocol(results.evaluations.protocols[task])}"
        )
    yield "Settings were tuned on the development split only; these scores are of the test split"


def format_protocol(protocol: Mapping[str, Any]) -> str:
    """Return the scorer and the hash of a protocol, for a note."""
    scorer, digest = (protocol.get(name, NOTHING) for name in ("scorer", "hash"))
    return f"scorer {scorer}, protocol {digest}"


def _claim_table(results: AblationResults, decided: Sequence[HypothesisResult]) -> Table:
    sources = list(dict.fromkeys(one.hypothesis.source for one in decided))
    return Table(
        title="Claims of the paper",
        header=("claim", "points", "difference", "verdict"),
        blocks=(
            Block(
                rows=tuple(
                    (
                        TableCell(text=f"{claim.sentence} [{sources.index(claim.source) + 1}]"),
                        estimate_cell(one.difference),
                        TableCell(text=claim.difference),
                        TableCell(text=one.decision),
                    )
                    for one in decided
                    for claim in (one.hypothesis,)
                )
            ),
        ),
        texts=2,
        notes=(
            f"{UNADJUSTED}, {results.basis}",
            *(f"[{number}] {source}" for number, source in enumerate(sources, start=1)),
        ),
    )
