"""Gates on probes: the temporal gain is judged like a score, by the same statistics."""

from dataclasses import replace

import numpy as np
import pytest

from harness.cli import main
from harness.errors import DatasetError, UsageError
from harness.gate.baseline import freeze_run, read_baseline, write_baseline
from harness.gate.compare import compare_runs
from harness.gate.policy import Policy, ProbeRule, Rule, Tier, load_policy
from harness.gate.result import Verdict
from harness.probe.gains import gain_column, is_gain, read_run
from harness.stats import bounds, p_below, paired_difference
from tasks.demo.layouts import write_all
from tests.probes import CountingEngine, gold_where, is_in_order, probe_config, probe_with

GAIN = "vsibench [temporal gain]"
VARIANTS = ("ordered", "shuffled")


@pytest.fixture(scope="module")
def probes(tmp_path_factory):
    """Three models: one needs the order, one answers from a table, one is right less often."""
    folder = tmp_path_factory.mktemp("probes")
    data = folder / "data"
    write_all(data)
    knows = {
        "temporal": is_in_order,
        "table": lambda request: True,
        "worse": lambda request: is_in_order(request) and int(request.id[-1]) % 2 == 0,
    }
    for name, known in knows.items():
        config = probe_config(data, folder / name, limit=None, variants=VARIANTS)
        probe_with(config, CountingEngine(gold_where(data, known)), name)
    return folder


def _verdicts(gate):
    return {line.name: line.verdict for line in gate.lines}


def test_a_model_whose_score_stays_and_whose_gain_falls_is_a_regression(probes, tmp_path, capsys):
    """Ordered clips are answered from a table: the same scores, no use of the order."""
    base = tmp_path / "base.parquet"
    assert main(["baseline", str(probes / "temporal"), "-o", str(base)]) == 0
    assert main(["gate", str(base), str(probes / "table")]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("REGRESSION") or "REGRESSION: worse than the margin" in printed
    gate = compare_runs(base, probes / "table")
    assert _verdicts(gate)["vsibench"] is not Verdict.REGRESSION
    assert _verdicts(gate)[GAIN] is Verdict.REGRESSION
    line = next(line for line in gate.lines if line.name == GAIN)
    assert (line.comparison.base, line.comparison.candidate) == pytest.approx((1, 0))


def test_the_run_of_ordered_clips_alone_sees_nothing(probes):
    """What a gate on scores says of the same two models."""
    gate = compare_runs(probes / "temporal" / "ordered", probes / "table" / "ordered")
    assert Verdict.REGRESSION not in _verdicts(gate).values()


def test_a_model_is_no_worse_than_itself(probes):
    """Neither in its scores nor in its gains."""
    gate = compare_runs(probes / "temporal", probes / "temporal", Policy(margin=20))
    assert gate.verdict is Verdict.PASS
    assert sum(map(is_gain, _verdicts(gate))) == 2
    assert gate.same_checkpoint


def test_the_gains_of_a_file_are_those_of_the_folder(probes, tmp_path):
    """A baseline keeps one row per question and gain."""
    frozen = freeze_run(probes / "worse")
    write_baseline(tmp_path / "b.parquet", frozen)
    assert read_baseline(tmp_path / "b.parquet") == frozen
    gains = {item.id: item.value for item in frozen.items if item.task == GAIN}
    assert set(gains.values()) == {0.0, 1.0}
    assert len(gains) == sum(item.task == "vsibench" for item in frozen.items)


def test_a_margin_for_gains_has_a_table_of_its_own(probes, tmp_path):
    """[probe] sets it for all tasks, [probe.tasks] for one, and none is the policy's own."""
    file = tmp_path / "p.toml"
    file.write_text(
        'margin = 3\n[probe]\nmargin = 100\n[probe.tasks.tempcompass]\ntier = "advisory"\n'
    )
    policy = load_policy(file)
    assert (policy.margin_of("vsibench"), policy.margin_of(GAIN)) == (3, 100)
    tempcompass = gain_column("tempcompass")
    assert (policy.margin_of(tempcompass), policy.tier(tempcompass)) == (100, Tier.ADVISORY)
    assert Policy(margin=3).margin_of(GAIN) == 3
    gate = compare_runs(probes / "temporal", probes / "table", policy)
    assert _verdicts(gate)[GAIN] is not Verdict.REGRESSION


def test_the_mean_over_tasks_is_one_of_scores(probes):
    """A gain is no score of a benchmark."""
    gate = compare_runs(probes / "temporal", probes / "table")
    overall = next(line for line in gate.lines if line.name == "overall")
    assert overall.comparison.base == pytest.approx(overall.comparison.candidate)
    assert overall.n == sum(
        line.n for line in gate.lines if line.name in ("vsibench", "tempcompass")
    )


def test_items_that_fell_show_both_answers_and_their_question(probes):
    """Of a gain: what was said in order and shuffled, before and now."""
    gate = compare_runs(probes / "temporal", probes / "table")
    change = next(one for one in gate.changes if one.task == GAIN)
    flip = change.flips[0]
    assert flip.question
    assert flip.base.endswith("shuffled no answer")
    assert "shuffled no answer" not in flip.candidate


def test_a_baseline_of_a_probe_needs_a_probe(probes):
    """A run has no gains to judge; the message says which command makes some."""
    with pytest.raises(UsageError, match="`videor1 probe` makes it"):
        compare_runs(probes / "temporal", probes / "table" / "ordered")


def test_a_probe_is_judged_by_its_scores_against_a_run(probes):
    """Its gains are named as not judged."""
    gate = compare_runs(probes / "temporal" / "ordered", probes / "table")
    assert not any(map(is_gain, _verdicts(gate)))
    assert any("not judged, not in the baseline" in note and GAIN in note for note in gate.notes)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (
            Policy(probe=ProbeRule(margin=4)),
            "has \\[probe\\], and the baseline is not one of a probe",
        ),
        (Policy(tasks={GAIN: Rule(margin=1)}), "names the task 'vsibench \\[temporal gain\\]'"),
    ],
)
def test_a_rule_without_effect_is_refused(policy, message, probes):
    """For gains that the baseline does not have."""
    with pytest.raises(UsageError, match=message):
        compare_runs(probes / "temporal" / "ordered", probes / "table" / "ordered", policy)


def test_a_rule_for_the_gain_of_an_unknown_task_is_refused(probes):
    """It names those that there are."""
    policy = Policy(probe=ProbeRule(tasks={"mvbench": Rule(margin=1)}))
    with pytest.raises(UsageError, match=r"temporal gain of 'mvbench'.*tempcompass, vsibench"):
        compare_runs(probes / "temporal", probes / "table", policy)


def test_a_locked_margin_of_gains_cannot_be_loosened(probes, tmp_path):
    """As that of a score."""
    write_baseline(tmp_path / "b.parquet", freeze_run(probes / "temporal", Policy(margin=5)))
    loose = Policy(margin=5, probe=ProbeRule(margin=50))
    with pytest.raises(UsageError, match=r"\[temporal gain\] margin: 50, locked 5"):
        compare_runs(tmp_path / "b.parquet", probes / "table", loose)


def test_a_value_below_minus_one_is_damage(probes, tmp_path):
    """A gain lies between -1 and 1, a score between 0 and 1."""
    frozen = freeze_run(probes / "temporal")
    items = [
        replace(item, value=-1.0 if item.task == GAIN else item.value) for item in frozen.items
    ]
    write_baseline(tmp_path / "ok.parquet", replace(frozen, items=tuple(items)))
    read_baseline(tmp_path / "ok.parquet")
    for value, task in ((-1.5, GAIN), (-0.5, "vsibench")):
        bad = [replace(item, value=value) if item.task == task else item for item in items]
        write_baseline(tmp_path / "bad.parquet", replace(frozen, items=tuple(bad)))
        with pytest.raises(DatasetError, match="field 'value': expected"):
            read_baseline(tmp_path / "bad.parquet")


def test_a_failure_in_either_variant_is_a_failure_of_the_gain(probes):
    """It is counted as such; a question without a record in one of them has none."""
    _, records = read_run(probes / "temporal")
    assert {r.outcome.value for r in records if r.task == GAIN} == {"correct"}
    assert all(-1 <= r.value <= 1 for r in records if r.task == GAIN)


def test_equal_changes_of_gains_are_bounded_by_what_a_gain_can_change():
    """Ten videos without any change: a share u of others may move by 2, not by 1."""
    zeros, clusters = np.zeros(10), [str(n) for n in range(10)]
    unseen = 1 - 0.05**0.1
    score = paired_difference(zeros, zeros, clusters)
    gain = paired_difference(zeros, zeros, clusters, span=2.0)
    assert bounds(score, 0.05) == pytest.approx((-unseen, unseen))
    assert bounds(gain, 0.05) == pytest.approx((-2 * unseen, 2 * unseen))
    low, _ = bounds(gain, 0.05)
    assert p_below(replace(gain, mean=-gain.mean), -low) == pytest.approx(0.05)
