"""The miniature's report, made from folders as `videor1 train` and `eval` write them."""

import json
from dataclasses import replace

import pytest

from harness.board.text import to_text
from harness.errors import DatasetError, RunMismatchError, UsageError
from harness.schema import Outcome as Became
from harness.schema import Variant
from tests.runs import make_manifest, write_run
from tests.toys import record
from tests.trainer.rows import make_row, write_rows
from trainer.miniature.arms import (
    ARMS,
    FULL,
    GRPO,
    IMAGE_TASK,
    NO_IMAGES,
    SFT,
    VARIANTS,
    VIDEO_TASK,
    ZERO,
)
from trainer.miniature.evaluations import read_evaluations
from trainer.miniature.hypotheses import Decision, decide, summarize
from trainer.miniature.report import report_tables, write_report
from trainer.miniature.results import (
    GAIN,
    IMAGES,
    ORDERED,
    AblationResults,
)

PAIRS = [*(f"direction/000{number}" for number in range(4)), "order/0000", "order/0001"]
CLIP_NAMES = [f"{pair}{clip}" for pair in PAIRS for clip in "ab"]
IMAGE_NAMES = [f"place/000{number}" for number in range(4)]
QUESTIONS = {
    VIDEO_TASK: list(zip(CLIP_NAMES, "AAAAAABBABCD", strict=True)),
    IMAGE_TASK: list(zip(IMAGE_NAMES, "AAAB", strict=True)),
}
"""Six pairs of clips and four images with their answers; every other pair has a new appearance."""

RIGHT = {
    (SFT, Variant.ORDERED): 1,
    (ZERO, Variant.ORDERED): 12,
    (GRPO, Variant.ORDERED): 12,
    (GRPO, Variant.SHUFFLED): 12,
    (FULL, Variant.ORDERED): 12,
}
"""How many of the first clips an arm gets right; 0 where nothing is said."""


def write_dataset(out):
    for task, questions in QUESTIONS.items():
        rows = [
            make_row(
                problem_type="multiple choice",
                options=["A. a", "B. b", "C. c", "D. d"],
                solution=f"<answer>{answer}</answer>",
                path=f"./{name}.mp4",
                aspect=name.partition("/")[0],
                pair=name.rstrip("ab"),
                look="new" if int(name.rstrip("ab")[-1]) % 2 else "seen",
            )
            for name, answer in questions
        ]
        write_rows(out / "world" / "test" / task / "questions.json", rows)


def answers(task, right):
    return [
        replace(record(number, float(number < right)), id=f"{task}/{name}", task=task, gold=answer)
        for number, (name, answer) in enumerate(QUESTIONS[task])
    ]


def write_evaluation(out, seed, arm, variant, records):
    counts = {task: [1.0] * len(QUESTIONS[task]) for task in VARIANTS[variant]}
    folder = out / f"seed-{seed}" / "test" / f"{arm.name}-{variant}"
    return write_run(folder, make_manifest(counts), records)


def read_results(out, seeds, arms=ARMS):
    return AblationResults(read_evaluations(out, seeds, arms))


@pytest.fixture
def experiment(tmp_path):
    """Write an experiment in which arms get `right` of the first clips right, and 3 images."""

    def write(right=RIGHT, arms=ARMS, seed=0):
        write_dataset(tmp_path)
        for arm in arms:
            for variant, tasks in VARIANTS.items():
                counts = {VIDEO_TASK: right.get((arm, variant), 0), IMAGE_TASK: 3}
                records = [each for task in tasks for each in answers(task, counts[task])]
                write_evaluation(tmp_path, seed, arm, variant, records)
            run = tmp_path / f"seed-{seed}" / arm.name
            run.mkdir()
            steps = (
                {"step": step, "reward": 1.0, "temporal/shuffled": 0.5, "temporal/gap": 0.1}
                for step in range(1, 30)
            )
            (run / "metrics.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in steps))
        return tmp_path

    return write


def test_scores_are_over_pairs_of_clips(experiment):
    """One of twelve right: pairs are 1/2, 0, 0, 0, 0, 0, so the mean is 1/12 and so is its error.

    Student's quantile with five degrees of freedom is 2.5706.
    """
    results = read_results(experiment(), [0])
    found = results.score(SFT, ORDERED)
    assert (found.mean, found.se) == (pytest.approx(1 / 12), pytest.approx(1 / 12))
    assert found.ci95[1] == pytest.approx((1 + 2.5706) / 12, abs=1e-5)
    assert results.score(SFT, IMAGES).mean == 3 / 4
    assert results.score(FULL, GAIN).mean == 1.0
    assert results.score(GRPO, GAIN).mean == 0.0


def test_the_breakdown_is_by_aspect_and_appearance(experiment):
    """The one right clip is of the aspect direction (8 clips) and of the seen ones (6 clips)."""
    results = read_results(experiment(), [0])
    scores = {part.title: results.score(SFT, part).mean for part in results.breakdown}
    assert scores == {
        "direction": 1 / 8,
        "order": 0.0,
        "seen appearances": pytest.approx(1 / 6),
        "new appearances": 0.0,
        "images, blind": 3 / 4,
    }


def test_the_best_constant_answer_is_one_per_aspect(experiment):
    """Always A is right about 6 of 8 directions and 1 of 4 orders, so about 7 of 12; images 3/4."""
    results = read_results(experiment(), [0])
    assert results.constant_baseline(ORDERED) == pytest.approx(7 / 12)
    assert results.constant_baseline(IMAGES) == 3 / 4
    assert results.constant_baseline(GAIN) == 0.0
    assert [results.constant_baseline(part) for part in results.breakdown[:2]] == [6 / 8, 1 / 4]


def test_seeds_are_averaged_and_widen_the_interval(experiment):
    """A seed with all clips right and one with none make 1/2, and an interval without an end."""
    experiment(arms=[FULL])
    results = read_results(experiment({}, arms=[FULL], seed=1), [0, 1], [FULL])
    found = results.score(FULL, ORDERED)
    assert (found.mean, found.n, found.n_clusters) == (0.5, 12, 6)
    assert found.ci95 == (0.0, 1.0)
    assert "2 seeds" in results.basis


@pytest.mark.parametrize(
    ("full", "sft", "verdict"),
    [(12, 1, Decision.SUPPORTED), (1, 12, Decision.CONTRADICTED), (12, 12, Decision.UNDECIDED)],
)
def test_the_interval_decides_a_claim(experiment, full, sft, verdict):
    """11/12 ± 0.214 lies above 0, its negative below, and a difference of 0 has 0 in it."""
    right = {(FULL, Variant.ORDERED): full, (SFT, Variant.ORDERED): sft}
    out = experiment(right, arms=[SFT, FULL])
    (finding,) = decide(read_results(out, [0], [SFT, FULL]))
    assert finding.difference.mean == pytest.approx((full - sft) / 12)
    assert finding.decision is verdict
    assert summarize([finding]) == f"{verdict}: rl"


def test_the_gains_decide_whether_order_matters_more(experiment):
    """Gains of 1 and 0 in all six pairs: the lower bound is 1 - 2 u with u = 1 - 0.025 ** (1/6)."""
    findings = {one.hypothesis.name: one for one in decide(read_results(experiment(), [0]))}
    unseen = 1 - 0.025 ** (1 / 6)
    assert findings["order"].difference.ci95[0] == pytest.approx(1 - 2 * unseen)
    assert summarize(list(findings.values())) == (
        "supported: rl, rl-without-order, images, order;"
        " undecided at this scale: cold-start, temporal-reward"
    )


def test_hypotheses_about_arms_without_training_are_left_out(experiment):
    """GRPO alone decides nothing, and there is no table of claims."""
    results = read_results(experiment(arms=[GRPO]), [0], [GRPO])
    assert decide(results) == ()
    assert summarize(decide(results)) == "no claim of the paper compares the arms that were trained"
    assert len(report_tables(results)) == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda records: records[1:], r"sft-shuffled: motionworld/direction/0000a has no record"),
        (
            lambda records: [replace(records[0], value=None, outcome=Became.FAILED), *records[1:]],
            r"sft-shuffled: motionworld/direction/0000a has no value, its outcome is failed",
        ),
        (
            lambda records: [*records, replace(records[0], id="motionworld/x")],
            r"sft-shuffled: motionworld/x is not a question",
        ),
    ],
)
def test_a_gap_is_refused(tmp_path, experiment, spoil, message):
    """Missing, failed and foreign answers are named with their run and id."""
    out = experiment(arms=[SFT])
    folder = out / "seed-0" / "test" / "sft-shuffled"
    folder.rename(tmp_path / "old")
    write_evaluation(out, 0, SFT, Variant.SHUFFLED, spoil(answers(VIDEO_TASK, 0)))
    with pytest.raises(DatasetError, match=message):
        read_results(out, [0], [SFT])


def test_another_protocol_or_no_run_is_refused(experiment):
    """Runs that were asked with other frames are not compared; a seed without runs is named."""
    out = experiment(arms=[SFT, FULL])
    with pytest.raises(UsageError, match=r"seed-1/test/sft-ordered: not a run directory"):
        read_results(out, [1], [SFT])
    manifest = out / "seed-0" / "test" / "tgrpo-blind" / "run.json"
    manifest.write_text(manifest.read_text().replace('"max": 16', '"max": 8', 1))
    with pytest.raises(RunMismatchError, match=r"protocol.motionworld.frames.max: 16 != 8"):
        read_results(out, [0], [SFT, FULL])


def test_pages_hold_rows_claims_and_curves(experiment):
    """Every format has the arms and what was found; a second write changes no byte."""
    pytest.importorskip("matplotlib")
    out = experiment()
    results = read_results(out, [0])
    files = write_report(out, results)
    assert [file.name for file in files] == ["table.md", "table.tex", "outcome.json", "curves.png"]
    page = (out / "table.md").read_text()
    assert "| best constant answer | 58.3 | 0.0 | 58.3 | 58.3 | 58.3 | 58.3 | 75.0 |" in page
    assert "| SFT | 8.3 \\[0.0, 29.8\\] | 8.3 ± 21.4 | 0.0 \\[0.0, 45.9\\] |" in page
    assert "one seed says nothing" in page
    assert "![Reinforcement learning](curves.png)" in page
    assert "full - SFT, ordered clips" in (out / "table.tex").read_text()
    assert all(arm.title in to_text(report_tables(results)) for arm in (SFT, FULL))
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    numbers = (out / "outcome.json").read_bytes()
    found = json.loads(numbers)
    assert found["claims"]["rl"]["verdict"] == "supported"
    assert found["claims"]["rl"]["points"] == pytest.approx(100 * 11 / 12)
    assert found["scores"][NO_IMAGES.name]["ordered"]["points"] == 0.0
    write_report(out, read_results(out, [0]))
    assert (out / "outcome.json").read_bytes() == numbers


def test_without_reinforcement_learning_there_are_no_curves(experiment):
    """SFT alone has tables and numbers."""
    out = experiment(arms=[SFT])
    (out / "curves.png").write_bytes(b"of an earlier result with rewards")
    write_report(out, read_results(out, [0], [SFT]))
    assert not (out / "curves.png").exists()
    assert "curves" not in (out / "table.md").read_text()
