"""Write the report of the shortcut experiment: tables, answers, curves, and the numbers as JSON.

Like the report of the ablation, these files contain neither times nor machines, so that equal
results give equal files; the seconds per update are in ``times.json``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.board.latex import to_latex
from harness.board.markdown import to_markdown
from harness.board.table import Block, Table, TableCell
from harness.files import write_json, write_text
from trainer.miniature.arms import Arm
from trainer.miniature.report import (
    CURVES,
    LATEX,
    MARKDOWN,
    NUMBERS,
    UNADJUSTED,
    arm_row,
    estimate_cell,
    format_protocol,
    in_points,
)
from trainer.miniature.results import Results
from trainer.miniature.shortcut.arms import START, algorithm_title
from trainer.miniature.shortcut.curves import draw_curves
from trainer.miniature.shortcut.measures import MEASURES
from trainer.miniature.shortcut.questions import Finding
from trainer.miniature.shortcut.results import ShortcutResults
from trainer.miniature.shortcut.times import UpdateTime

TIMES = "times.json"


def report_tables(results: ShortcutResults) -> list[Table]:
    """Return the scores for each share of agreeing marks, the answers, and the times."""
    shares = [share for share in results.arms.agreements if _trained(results, share)]
    return [
        *_score_tables(results, shares),
        _answer_table(results),
        time_table(results.times),
    ]


def write_report(out: Path, results: ShortcutResults) -> list[Path]:
    """Write tables, numbers, curves and times into `out` and return the files.

    Raises:
        UsageError: matplotlib is not installed.
    """
    tables = report_tables(results)[:-1]
    draw_curves(results, out / CURVES)
    figure = f"\n![Scores during reinforcement learning]({CURVES})\n"
    write_text(out / MARKDOWN, to_markdown(tables) + figure)
    write_text(out / LATEX, to_latex(tables))
    write_json(out / NUMBERS, to_json(results))
    write_json(out / TIMES, {one.algorithm: asdict(one) for one in results.times})
    return [out / name for name in (MARKDOWN, LATEX, NUMBERS, CURVES, TIMES)]


def to_json(results: ShortcutResults) -> dict[str, Any]:
    """Return every estimate in points with its 95 % interval, and every question's answer."""
    return {
        "seeds": list(results.test.seeds),
        "intervals": results.test.basis,
        "margin": results.margin,
        "protocols": dict(results.test.evaluations.protocols),
        "scores": {arm.name: _scores(results.test, arm) for arm in results.test.arms},
        "development": {
            name: {str(step): _scores(results.dev[name, step], arm) for step in results.steps(arm)}
            for arm in results.test.arms
            for name in (arm.name,)
        },
        "questions": {one.question.name: _describe(one) for one in results.findings},
    }


def _scores(results: Results, arm: Arm) -> Mapping[str, Any]:
    return {one.name: in_points(results.score(arm, one)) for one in MEASURES}


def _describe(finding: Finding) -> dict[str, Any]:
    return {
        "sentence": finding.question.sentence,
        "agreement": finding.question.agreement,
        "difference": finding.question.difference,
        "answer": finding.answer.value,
        "seeds_needed": finding.seeds_needed,
        **in_points(finding.difference),
    }


def _trained(results: ShortcutResults, share: float) -> list[Arm]:
    arms = [results.arms.arm(name, share) for name in results.arms.algorithms]
    return [arm for arm in arms if arm in results.test.arms]


def _score_tables(results: ShortcutResults, shares: Sequence[float]) -> Iterator[Table]:
    for share in shares:
        first, last = share == shares[0], share == shares[-1]
        start = [START] if first and START in results.test.arms else []
        rows = (*start, *_trained(results, share))
        yield Table(
            title=_share_title(results, share),
            header=("model", *(measure.title for measure in MEASURES)),
            blocks=(Block(rows=tuple(arm_row(results.test, arm, MEASURES) for arm in rows)),),
            notes=tuple(_notes(results.test)) if last else (),
        )


def _share_title(results: ShortcutResults, share: float) -> str:
    if share == results.arms.control:
        return f"No shortcut: the mark agrees in {100 * share:.0f} % of the training clips"
    return f"The mark agrees in {100 * share:.0f} % of the training clips"


def _notes(results: Results) -> Iterator[str]:
    numbers = ", ".join(str(seed) for seed in results.seeds)
    yield f"Score ± 95 % interval in points, {results.basis}; seeds: {numbers}"
    yield "No mark, lying mark: the clips of the test split without a mark and with a wrong one"
    yield "Gain: ordered minus shuffled, clip by clip"
    yield (
        "Same shuffled: share of clips with a lying mark whose answer is the same with shuffled"
        " frames"
    )
    for task, samples in results.evaluations.samples.items():
        pairs = len({sample.cluster for sample in samples})
        yield (
            f"{task}: {len(samples):,} questions in {pairs:,} contrast pairs, the same for every"
            f" model; {format_protocol(results.evaluations.protocols[task])}"
        )
    yield "Settings were chosen with other seeds and another dataset"


def _answer_table(results: ShortcutResults) -> Table:
    return Table(
        title="Questions",
        header=("question", "mark agrees", "points", "difference", "answer"),
        blocks=(
            Block(
                rows=tuple(
                    (
                        TableCell(text=one.question.sentence),
                        TableCell(text=f"{100 * one.question.agreement:.0f} %"),
                        estimate_cell(one.difference),
                        TableCell(text=one.question.difference),
                        TableCell(text=one.verdict),
                    )
                    for one in results.findings
                )
            ),
        ),
        texts=2,
        notes=(
            f"Yes: the interval lies above 0; no: below {results.margin:g} points, so that a"
            " difference that matters is excluded",
            f"{UNADJUSTED.replace('claims', 'questions')}, {results.test.basis}",
        ),
    )


def time_table(times: Sequence[UpdateTime]) -> Table:
    """Return the seconds of an update with each algorithm, and relative to the first one."""
    base = times[0].seconds if times else 1.0
    return Table(
        title="Time per update",
        header=("algorithm", "seconds", "relative"),
        blocks=(
            Block(
                rows=tuple(
                    (
                        TableCell(text=algorithm_title(one.algorithm)),
                        TableCell(text=f"{one.seconds:.3f}"),
                        TableCell(text=f"{one.seconds / base:.2f}"),
                    )
                    for one in times
                )
            ),
        ),
        notes=("Median over updates, shares and seeds",),
    )
