"""The miniature's result, from folders as `videor1 train` and `eval` leave them."""

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
from trainer.miniature.arms import ARMS, CLIPS, FULL, GRPO, NO_IMAGES, SFT, STILLS, VARIANTS, ZERO
from trainer.miniature.hypotheses import (
    Verdict,
    judge,
    summary,
)
from trainer.miniature.report import (
    grids,
    write_pages,
)
from trainer.miniature.results import (
    GAIN,
    ORDERED,
    STILL,
    read_outcome,
)

PAIRS = [*(f"direction/000{number}" for number in range(4)), "order/0000", "order/0001"]
TWINS = [f"{pair}{twin}" for pair in PAIRS for twin in "ab"]
PICTURES = [f"place/000{number}" for number in range(4)]
QUESTIONS = {
    CLIPS: list(zip(TWINS, "AAAAAABBABCD", strict=True)),
    STILLS: list(zip(PICTURES, "AAAB", strict=True)),
}
"""Six pairs of clips and four pictures, each with its answer; every other pair has a new look."""

RIGHT = {
    (SFT, Variant.ORDERED): 1,
    (ZERO, Variant.ORDERED): 12,
    (GRPO, Variant.ORDERED): 12,
    (GRPO, Variant.SHUFFLED): 12,
    (FULL, Variant.ORDERED): 12,
}
"""How many of the first clips an arm gets right; 0 where nothing is said."""


def write_world(out):
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


def write_exam(out, seed, arm, variant, records):
    counts = {task: [1.0] * len(QUESTIONS[task]) for task in VARIANTS[variant]}
    folder = out / f"seed-{seed}" / "test" / f"{arm.name}-{variant}"
    return write_run(folder, make_manifest(counts), records)


@pytest.fixture
def experiment(tmp_path):
    """Write an experiment in which arms get `right` of the first clips right, and 3 pictures."""

    def write(right=RIGHT, arms=ARMS, seed=0):
        write_world(tmp_path)
        for arm in arms:
            for variant, tasks in VARIANTS.items():
                counts = {CLIPS: right.get((arm, variant), 0), STILLS: 3}
                records = [each for task in tasks for each in answers(task, counts[task])]
                write_exam(tmp_path, seed, arm, variant, records)
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
    outcome = read_outcome(experiment(), [0])
    found = outcome.score(SFT, ORDERED)
    assert (found.mean, found.se) == (pytest.approx(1 / 12), pytest.approx(1 / 12))
    assert found.ci95[1] == pytest.approx((1 + 2.5706) / 12, abs=1e-5)
    assert outcome.score(SFT, STILL).mean == 3 / 4
    assert outcome.score(FULL, GAIN).mean == 1.0
    assert outcome.score(GRPO, GAIN).mean == 0.0


def test_parts_are_aspects_and_looks(experiment):
    """The one right clip is of the aspect direction, 8 clips, and of the seen looks, 6 clips."""
    outcome = read_outcome(experiment(), [0])
    scores = {part.title: outcome.score(SFT, part).mean for part in outcome.parts}
    assert scores == {
        "direction": 1 / 8,
        "order": 0.0,
        "seen looks": pytest.approx(1 / 6),
        "new looks": 0.0,
        "stills, blind": 3 / 4,
    }


def test_the_best_constant_answer_is_one_per_aspect(experiment):
    """Always A is right about 6 of 8 directions and 1 of 4 orders, so about 7 of 12; stills 3/4."""
    outcome = read_outcome(experiment(), [0])
    assert outcome.constant(ORDERED) == pytest.approx(7 / 12)
    assert outcome.constant(STILL) == 3 / 4
    assert outcome.constant(GAIN) == 0.0
    assert [outcome.constant(part) for part in outcome.parts[:2]] == [6 / 8, 1 / 4]


def test_seeds_are_averaged_and_widen_the_interval(experiment):
    """A seed with all clips right and one with none make 1/2, and an interval without an end."""
    experiment(arms=[FULL])
    outcome = read_outcome(experiment({}, arms=[FULL], seed=1), [0, 1], [FULL])
    found = outcome.score(FULL, ORDERED)
    assert (found.mean, found.n, found.n_clusters) == (0.5, 12, 6)
    assert found.ci95 == (0.0, 1.0)
    assert "2 seeds" in outcome.basis


@pytest.mark.parametrize(
    ("full", "sft", "verdict"),
    [(12, 1, Verdict.SUPPORTED), (1, 12, Verdict.CONTRADICTED), (12, 12, Verdict.UNDECIDED)],
)
def test_the_interval_decides_a_claim(experiment, full, sft, verdict):
    """11/12 ± 0.214 lies above 0, its negative below, and a difference of 0 has 0 in it."""
    right = {(FULL, Variant.ORDERED): full, (SFT, Variant.ORDERED): sft}
    out = experiment(right, arms=[SFT, FULL])
    (finding,) = judge(read_outcome(out, [0], [SFT, FULL]))
    assert finding.difference.mean == pytest.approx((full - sft) / 12)
    assert finding.verdict is verdict
    assert summary([finding]) == f"{verdict}: rl"


def test_the_gains_decide_whether_order_matters_more(experiment):
    """Gains of 1 and 0 in all six pairs: the lower bound is 1 - 2 u with u = 1 - 0.025 ** (1/6)."""
    findings = {finding.claim.name: finding for finding in judge(read_outcome(experiment(), [0]))}
    unseen = 1 - 0.025 ** (1 / 6)
    assert findings["order"].difference.ci95[0] == pytest.approx(1 - 2 * unseen)
    assert summary(list(findings.values())) == (
        "supported: rl, rl-without-order, images, order;"
        " undecided at this scale: cold-start, temporal-reward"
    )


def test_claims_about_untrained_arms_are_left_out(experiment):
    """GRPO alone decides nothing, and there is no table of claims."""
    outcome = read_outcome(experiment(arms=[GRPO]), [0], [GRPO])
    assert judge(outcome) == ()
    assert summary(judge(outcome)) == "no claim compares the arms that were trained"
    assert len(grids(outcome)) == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda records: records[1:], r"sft-shuffled: motionworld/direction/0000a has no record"),
        (
            lambda records: [replace(records[0], value=None, outcome=Became.FAILED), *records[1:]],
            r"sft-shuffled: motionworld/direction/0000a has no value, it failed",
        ),
        (
            lambda records: [*records, replace(records[0], id="motionworld/x")],
            r"sft-shuffled: motionworld/x is no question",
        ),
    ],
)
def test_a_gap_is_refused(tmp_path, experiment, spoil, message):
    """Missing, failed and foreign answers are named with their run and id."""
    out = experiment(arms=[SFT])
    folder = out / "seed-0" / "test" / "sft-shuffled"
    folder.rename(tmp_path / "old")
    write_exam(out, 0, SFT, Variant.SHUFFLED, spoil(answers(CLIPS, 0)))
    with pytest.raises(DatasetError, match=message):
        read_outcome(out, [0], [SFT])


def test_another_protocol_or_no_run_is_refused(experiment):
    """Runs that were asked with other frames are not compared; a seed without runs is named."""
    out = experiment(arms=[SFT, FULL])
    with pytest.raises(UsageError, match=r"seed-1/test/sft-ordered: not a run directory"):
        read_outcome(out, [1], [SFT])
    manifest = out / "seed-0" / "test" / "tgrpo-blind" / "run.json"
    manifest.write_text(manifest.read_text().replace('"max": 16', '"max": 8', 1))
    with pytest.raises(RunMismatchError, match=r"protocol.motionworld.frames.max: 16 != 8"):
        read_outcome(out, [0], [SFT, FULL])


def test_pages_hold_rows_claims_and_curves(experiment):
    """Every format has the arms and what was found; a second write changes no byte."""
    pytest.importorskip("matplotlib")
    out = experiment()
    outcome = read_outcome(out, [0])
    files = write_pages(out, outcome)
    assert [file.name for file in files] == ["table.md", "table.tex", "outcome.json", "curves.png"]
    page = (out / "table.md").read_text()
    assert "| best constant answer | 58.3 | 0.0 | 58.3 | 58.3 | 58.3 | 58.3 | 75.0 |" in page
    assert "| SFT | 8.3 \\[0.0, 29.8\\] | 8.3 ± 21.4 | 0.0 \\[0.0, 45.9\\] |" in page
    assert "one seed does not say" in page
    assert "![Reinforcement learning](curves.png)" in page
    assert "full - SFT, ordered clips" in (out / "table.tex").read_text()
    assert all(arm.title in to_text(grids(outcome)) for arm in (SFT, FULL))
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    numbers = (out / "outcome.json").read_bytes()
    found = json.loads(numbers)
    assert found["claims"]["rl"]["verdict"] == "supported"
    assert found["claims"]["rl"]["points"] == pytest.approx(100 * 11 / 12)
    assert found["scores"][NO_IMAGES.name]["ordered"]["points"] == 0.0
    write_pages(out, read_outcome(out, [0]))
    assert (out / "outcome.json").read_bytes() == numbers


def test_without_reinforcement_learning_there_are_no_curves(experiment):
    """SFT alone has tables and numbers."""
    out = experiment(arms=[SFT])
    (out / "curves.png").write_bytes(b"of an earlier result with rewards")
    write_pages(out, read_outcome(out, [0], [SFT]))
    assert not (out / "curves.png").exists()
    assert "curves" not in (out / "table.md").read_text()
