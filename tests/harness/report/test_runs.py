"""Which runs a folder stands for in a report, and what they are called."""

from harness.probe.summary import ProbeSummary, ProbeVariant, write_probe
from harness.report.runs import find_runs
from tests.harness.report.examples import first_records, manifest_of, write_run


def test_a_watch_that_probes_shows_the_ordered_variant_of_every_checkpoint(tmp_path, clips):
    """By step, as a watch that evaluates."""
    for step in (0, 10):
        folder = tmp_path / "watch" / f"step-{step:06d}"
        for variant in ("ordered", "shuffled"):
            write_run(folder / variant, manifest_of(clips, model=str(step)), first_records())
        variants = {name: ProbeVariant(run=name, tasks={}) for name in ("ordered", "shuffled")}
        write_probe(
            folder,
            ProbeSummary(
                schema=1, model="m", checkpoint={}, created="", variants=variants, measures={}
            ),
        )
    found = find_runs([tmp_path / "watch"])
    assert [(run.label, run.step) for run in found] == [("step 0", 0), ("step 10", 10)]
    assert {run.folder.name for run in found} == {"ordered"}
    variants = find_runs([tmp_path / "watch" / "step-000010"])
    assert [run.folder.name for run in variants] == ["ordered", "shuffled"]
