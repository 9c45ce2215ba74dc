"""A folder that `probe` or `watch` wrote stands for the runs in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.probe.summary import (
    ProbeFigure,
    ProbeSummary,
    ProbeVariant,
    TaskMeasure,
    VariantScore,
    write_probe,
)
from harness.report.build import build_report
from harness.report.config import FrameChoice
from tests.harness.report.examples import (
    ONE,
    first_records,
    manifest_of,
    second_records,
    write_run,
)


def test_a_folder_of_runs_stands_for_the_runs_in_it(tmp_path: Path, clips: Path):
    """As `probe` and `watch` write it; checkpoints are named by their step and drawn over it."""
    for step in (10, 0, 200):
        write_run(
            tmp_path / "watch" / f"step-{step:06d}", manifest_of(clips, model=str(step)),
            first_records(),
        )  # fmt: skip
    config = replace(ONE, frames=FrameChoice.NONE)
    built = build_report([tmp_path / "watch"], tmp_path / "out", config)
    labels = [run.source.label for run in built.overview.runs]
    assert labels == ["step 0", "step 10", "step 200"]
    assert "Over training" in built.page.read_text()


def test_a_probe_is_shown_with_its_measures_and_the_ordered_variant_first(
    tmp_path: Path, clips: Path
):
    """The page has the figures of probe.json; variants come in the order of a probe."""
    probe = tmp_path / "probe"
    write_run(probe / "blind", manifest_of(clips, order="blind"), second_records())
    write_run(probe / "ordered", manifest_of(clips), first_records())
    score = VariantScore(
        score=50.0, se=1.0, ci95=(48.0, 52.0), n=12, n_scored=11, n_clusters=4, outcomes={},
        missing=0, protocol_hash="0123", breakdown={},
    )  # fmt: skip
    figure = ProbeFigure(value=12.5, se=3.0, ci95=(6.5, 18.5), n=11, n_clusters=4)
    fewer = replace(figure, value=-20.0, ci95=None)
    measure = TaskMeasure(total=figure, left_out={}, categories={"route_planning": fewer})
    summary = ProbeSummary(
        schema=1, model="model", checkpoint={}, created="2026-11-26T05:39:42+00:00",
        variants={
            name: ProbeVariant(run=name, tasks={"vsibench": score}) for name in ("blind", "ordered")
        },
        measures={"need_of_video": {"vsibench": measure}},
    )  # fmt: skip
    write_probe(probe, summary)
    config = replace(ONE, frames=FrameChoice.NONE)
    built = build_report([probe], tmp_path / "out", config)
    assert [run.source.label for run in built.overview.runs] == ["ordered", "blind"]
    [view] = built.overview.probes
    [row] = view.differences
    assert (row.title, row.figure.score, row.figure.ci95) == ("need of video", 12.5, (6.5, 18.5))
    assert view.span == 20.0
    text = built.page.read_text()
    assert "+12.5" in text
    assert "+6.5 to +18.5" in text
    assert "−20.0" in text
