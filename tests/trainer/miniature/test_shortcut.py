"""The shortcut experiment: its arms, and the answers to its questions, worked by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.schema import Variant
from harness.stats.crossed import crossed_estimate, seeds_needed
from tests.runs import make_manifest, write_run
from tests.toys import record
from tests.trainer.miniature.test_experiment import experiment
from tests.trainer.rows import make_row, write_rows
from trainer.miniature.arms import VIDEO_TASK
from trainer.miniature.evaluations import read_evaluations
from trainer.miniature.results import Results
from trainer.miniature.settings import read_miniature
from trainer.miniature.shortcut.arms import START, VARIANTS, ShortcutArms
from trainer.miniature.shortcut.measures import GAIN_LYING, LYING, MEASURES, NO_MARK, SAME
from trainer.miniature.shortcut.page import BEGIN, END, fill_page
from trainer.miniature.shortcut.questions import (
    Answer,
    answer_question,
    answer_questions,
    list_questions,
    summarize,
)

ARMS = ShortcutArms(algorithms=("grpo", "tgrpo"), agreements=(0.5, 0.9))
GRPO, TGRPO = ARMS.arm("grpo", 0.9), ARMS.arm("tgrpo", 0.9)
[TAKES, *OTHERS] = list_questions(ARMS)


def test_every_algorithm_is_trained_on_every_share_from_one_start():
    """Each arm trains on the rows of its share; the start trains on its own."""
    study = ARMS.study
    assert [arm.name for arm in study.arms] == [
        "sft", "grpo-50", "tgrpo-50", "grpo-90", "tgrpo-90",
    ]  # fmt: skip
    assert [arm.training_rows for arm in study.arms] == ["sft", "rl-50", "rl-50", "rl-90", "rl-90"]
    assert {arm.start for arm in study.arms[1:]} == {"sft"}


def test_every_checkpoint_is_probed_on_dev_and_the_last_one_on_test(tmp_path):
    """With both frame orders in one probe, at the temperature of the training."""
    plan = experiment(tmp_path, settings=read_miniature("shortcut"), seeds=(3,), steps=50)
    words = {stage.name: stage.words for stage in plan.stages()}
    probed = [name for name in words if name.startswith("seed-3/grpo-90/")]
    assert probed == ["seed-3/grpo-90/dev-25", "seed-3/grpo-90/dev-50", "seed-3/grpo-90/test"]
    test = words["seed-3/grpo-90/test"]
    assert test[:4] == (
        "probe", str(tmp_path / "seed-3/grpo-90/checkpoint-50"), "--variants", "ordered,shuffled",
    )  # fmt: skip
    assert test[test.index("--temperature") + 1] == "1"
    assert str(tmp_path / "world/test") not in " ".join(words["seed-3/grpo-90/dev-25"])


def test_the_questions_are_asked_of_every_algorithm_and_share():
    """GRPO at 90 %; the published bonus there; its cost where the mark says nothing; and each
    algorithm against itself without a shortcut."""
    assert [(one.name, one.difference) for one in (TAKES, *OTHERS)] == [
        ("takes-90", "start - GRPO, lying mark"),
        ("prevents-tgrpo-90", "T-GRPO, published - GRPO, lying mark"),
        ("costs-tgrpo", "GRPO - T-GRPO, published, both"),
        ("learns-grpo-90", "GRPO at 50 % - at 90 %, lying mark"),
        ("learns-tgrpo-90", "T-GRPO, published at 50 % - at 90 %, lying mark"),
    ]


def differences(by_seed, pairs=100):
    """Return a table in which every pair of a seed has the seed's difference, and noise of 0.1."""
    noise = np.where(np.arange(pairs) % 2 == 0, 0.1, -0.1)
    signs = np.where(np.arange(len(by_seed)) % 2 == 0, 1, -1)
    return np.array(by_seed)[:, None] + signs[:, None] * noise


@pytest.mark.parametrize(
    ("by_seed", "answer"),
    [
        ([0.20, 0.22, 0.18, 0.21, 0.19], Answer.YES),
        ([-0.20, -0.22, -0.18, -0.21, -0.19], Answer.NO),
        ([0.001, -0.001, 0.002, -0.002, 0.0], Answer.NO),
        ([0.30, -0.20, 0.10, 0.25, -0.15], Answer.UNDECIDED),
    ],
)
def test_the_interval_answers_a_question(by_seed, answer):
    """Above 0 is yes; below the margin of 5 points is no; both in the interval is undecided."""
    found = answer_question(TAKES, differences(by_seed), 0.05)
    assert found.answer is answer
    assert found.difference.mean == pytest.approx(np.mean(by_seed))


def test_an_undecided_question_says_how_many_seeds_it_would_take():
    """Seeds at 0.10 +- 0.20 with a margin of 0.05: the mean is to be 0.10 from 0.

    The deviation of five seeds is 0.2 (sum of squares 0.16 over 4). The half of the interval,
    t * 0.2 / sqrt(S), is 0.1028 with S = 17 (t = 2.120) and 0.0995 with S = 18 (t = 2.110).
    """
    by_seed = [0.3, -0.1, 0.3, -0.1, 0.1]
    table = np.array(by_seed)[:, None] * np.ones(1000)
    found = answer_question(TAKES, table, 0.05)
    assert found.answer is Answer.UNDECIDED
    assert found.seeds_needed == 18
    assert found.verdict == "undecided; about 18 seeds would decide it"
    assert summarize([found]) == "undecided: takes-90"


def test_that_many_seeds_give_such_an_interval():
    """With the number of seeds that is said to be needed the interval is narrow enough."""
    rng = np.random.default_rng(0)

    def draw(seeds):
        return rng.normal(0, 0.2, (seeds, 1)) + rng.normal(0, 0.3, (seeds, 200))

    needed = [seeds_needed(draw(12), 0.1) for _ in range(50)]
    found = crossed_estimate(draw(int(np.median(needed))))
    assert (found.ci95[1] - found.ci95[0]) / 2 == pytest.approx(0.1, rel=0.35)


def test_one_seed_or_too_few_clips_cannot_say_how_many_are_needed():
    """One seed shows no deviation; clips that differ by 0.5 stay at 0.07 with any seeds."""
    clips = np.where(np.arange(100) % 2 == 0, 0.5, -0.5)
    assert seeds_needed(np.ones((1, 9)), 0.1) is None
    assert seeds_needed(np.tile(clips, (5, 1)), 0.05) is None
    assert answer_question(TAKES, clips[None, :], 0.05).verdict == (
        "undecided; seeds alone do not decide it"
    )


# Results, made from folders as `videor1 probe` writes them.

PAIRS = [f"order/000{number}" for number in range(4)]
KINDS = ("absent", "contradicts")
NAMES = [f"{pair}{clip}-{kind}" for pair in PAIRS for clip in "ab" for kind in KINDS]


def write_world(out: Path) -> None:
    rows = [
        make_row(
            problem_type="multiple choice",
            options=["A. red", "B. green", "C. blue", "D. yellow"],
            solution="<answer>A</answer>",
            path=f"./{name}.mp4",
            aspect="order",
            pair=name[:10],
            look="seen",
            mark=name.rpartition("-")[2],
        )
        for name in NAMES
    ]
    write_rows(out / "world" / "test" / VIDEO_TASK / "questions.json", rows)


def write_answers(folder: Path, right: dict[str, float]) -> None:
    """Write a run in which the first clips of each kind are answered with A, the others with B."""
    records = []
    seen = dict.fromkeys(KINDS, 0)
    for name in NAMES:
        kind = name.rpartition("-")[2]
        good = seen[kind] < right[kind]
        seen[kind] += 1
        one = record(0, float(good))
        records.append(
            replace(
                one,
                id=f"{VIDEO_TASK}/{name}",
                task=VIDEO_TASK,
                gold="A",
                answer="A" if good else "B",
            )
        )
    write_run(folder, make_manifest({VIDEO_TASK: [1.0] * len(NAMES)}), records)


@pytest.fixture
def results(tmp_path):
    """GRPO reads the mark, T-GRPO the order; the start does each in half of the clips."""
    write_world(tmp_path)
    right = {
        START: {"absent": 6, "contradicts": 4},
        GRPO: {"absent": 4, "contradicts": 0},
        TGRPO: {"absent": 8, "contradicts": 8},
    }
    for arm, ordered in right.items():
        shuffled = {"absent": 4, "contradicts": 0 if arm is GRPO else 4}
        write_answers(tmp_path / arm.name / "ordered", ordered)
        write_answers(tmp_path / arm.name / "shuffled", shuffled)

    def run_folder(seed, arm, variant):
        return tmp_path / arm.name / variant

    found = read_evaluations(tmp_path, [0], list(right), variants=VARIANTS, run_folder=run_folder)
    return Results(found)


def test_the_measures_are_those_of_the_clips_with_their_kind_of_mark(results):
    """Of 8 clips each: GRPO has 4 and 0 right; T-GRPO 8 and 8, half of that when shuffled."""
    points = {
        arm: [results.score(arm, one).mean for one in (NO_MARK, LYING, GAIN_LYING, SAME)]
        for arm in (GRPO, TGRPO)
    }
    assert points == {GRPO: [0.5, 0.0, 0.0, 1.0], TGRPO: [1.0, 1.0, 0.5, 0.5]}
    assert len({one.name for one in MEASURES}) == len(MEASURES)
    assert set(VARIANTS) == {Variant.ORDERED, Variant.SHUFFLED}


def test_the_questions_compare_the_arms_that_were_trained(results):
    """GRPO loses 4 of 8 against the start, T-GRPO is 8 of 8 above GRPO; the control is missing."""
    findings = answer_questions(results, ARMS, 5.0)
    assert {one.question.name: one.difference.mean for one in findings} == {
        "takes-90": 0.5,
        "prevents-tgrpo-90": 1.0,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("dataset.marks.agreements=[0.7]", "0.5, the control without a shortcut, is missing"),
        ("dataset.marks.agreements=[0.5,0.4]", "expected different shares from 0.5 to 1"),
        ("dataset.marks.order_share=1.2", "order_share"),
        ('dataset.aspects=["direction"]', "clips with marks are of order alone"),
        ('algorithms=["dpo"]', "no 'dpo'"),
        ("algorithms=[]", "expected shortcut with dataset.marks and algorithms"),
        ("margin=-1", "margin"),
    ],
)
def test_bad_settings_are_named(change, message):
    """Before anything is drawn."""
    with pytest.raises(UsageError, match=message):
        read_miniature("shortcut", [change])


def test_a_report_replaces_the_one_in_its_page(tmp_path):
    """Between its marks; the curves lie beside the page, and a second time changes nothing."""
    (tmp_path / "table.md").write_text("| new |\n\n![Scores](curves.png)\n")
    (tmp_path / "curves.png").write_bytes(b"png")
    (tmp_path / "times.json").write_text(
        '{"grpo": {"algorithm": "grpo", "seconds": 0.5, "updates": 9},'
        ' "tgrpo": {"algorithm": "tgrpo", "seconds": 0.75, "updates": 9}}'
    )
    page = tmp_path / "shortcut.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    fill_page(tmp_path, page)
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| new |\n\n![Scores](shortcut.png)\n")
    assert "| T-GRPO, published | 0.750 | 1.50 |" in text
    assert text.endswith(f"{END}after\n")
    assert "old" not in text
    assert (tmp_path / "shortcut.png").read_bytes() == b"png"
    fill_page(tmp_path, page)
    assert page.read_text() == text
    page.write_text("no marks\n")
    with pytest.raises(UsageError, match="expected the lines <!-- results: begin -->"):
        fill_page(tmp_path, page)
