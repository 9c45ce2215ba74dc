"""Clips with a mark: how often it agrees is counted, and every frame shows it."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness.scoring.answers import answer_tag
from tasks.motionworld.drawing import COLOURS, draw
from tasks.motionworld.folder import MANIFEST, write_marked_dataset
from tasks.motionworld.marks import (
    HELD_OUT_MARKS,
    MarkKind,
    held_out_questions,
    plain_clips,
    tempting_rows,
    undecided_rows,
)
from tasks.motionworld.splits import Item, Split
from tasks.motionworld.task import MotionWorld
from trainer.data.rows import read_training_rows

RL = Split(name="rl", pairs=40, stills=0)
DEV = Split(name="dev", pairs=20, stills=0, held_out=True)
LETTERS = dict(zip("ABCD", COLOURS, strict=True))


def colour_of(pixels: np.ndarray) -> str:
    """Name the colour at the centre of the mark."""
    distances = {name: np.abs(pixels.astype(int) - rgb).sum() for name, rgb in COLOURS.items()}
    name = min(distances, key=lambda one: distances[one])
    return name if distances[name] < 30 else "none"


def mark_colours(item: Item) -> set[str]:
    """Return the colours at the mark's place in all frames, measured on the drawn pixels."""
    return {colour_of(frame[4, 28]) for frame in draw(item.scene)}


def answer_of(item: Item) -> str:
    return LETTERS[answer_tag(item.row["solution"]) or ""]


def first_colour(item: Item) -> str | None:
    """Name the figure of the first frame, the mark left out; None where there are two."""
    figures = [figure for figure in item.scene[0] if (figure.x, figure.y) != (28, 4)]
    return figures[0].colour if len(figures) == 1 else None


@pytest.mark.parametrize(("agreement", "agreeing"), [(0.5, 40), (0.7, 56), (0.9, 72), (1.0, 80)])
def test_the_mark_agrees_in_the_stated_share_of_the_clips(agreement: float, agreeing: int) -> None:
    """Counted on the pixels of all 80 clips; every frame shows the same mark."""
    rows = list(tempting_rows(RL, 0, agreement))
    shown = [mark_colours(item) for item in rows]
    assert all(len(colours) == 1 for colours in shown)
    assert sum(answer_of(item) in seen for item, seen in zip(rows, shown, strict=True)) == agreeing


def test_a_mark_that_does_not_agree_names_the_other_figure() -> None:
    """So that the mark always has a colour that the question names."""
    for item in tempting_rows(RL, 0, 0.5):
        [colour] = mark_colours(item)
        assert colour in item.row["problem"]
        assert (item.row["mark"] == MarkKind.AGREES) == (colour == answer_of(item))


def test_a_higher_agreement_changes_marks_alone() -> None:
    """Answers and figures stay, and no mark that agreed stops to agree."""
    for low, high in zip(tempting_rows(RL, 0, 0.7), tempting_rows(RL, 0, 0.9), strict=True):
        assert (low.name, answer_of(low), low.row["process"]) == (
            high.name, answer_of(high), high.row["process"],
        )  # fmt: skip
        assert [picture[:-1] for picture in low.scene] == [picture[:-1] for picture in high.scene]
        if low.row["mark"] == MarkKind.AGREES:
            assert high.row["mark"] == MarkKind.AGREES


def test_an_order_that_is_seen_tells_the_answer_of_a_row_for_reinforcement_learning() -> None:
    """Whatever the mark says: the answer is the figure that is alone in the first frame."""
    rows = [item for item in tempting_rows(RL, 0, 0.7) if first_colour(item)]
    assert len(rows) == 40
    assert all(first_colour(item) == answer_of(item) for item in rows)


def test_without_the_mark_no_frame_tells_the_answer() -> None:
    """The two clips of a pair have the same frames in another order, and different answers."""
    pairs: dict[str, list[Item]] = {}
    for item in held_out_questions(DEV, 0):
        if item.row["mark"] == MarkKind.ABSENT:
            pairs.setdefault(item.row["pair"], []).append(item)
    assert len(pairs) == 20
    for one, other in pairs.values():
        assert Counter(one.scene) == Counter(other.scene)
        assert answer_of(one) != answer_of(other)


def figures_per_frame(item: Item) -> tuple[int, ...]:
    return tuple(len(picture) - (item.row["mark"] != MarkKind.ABSENT) for picture in item.scene)


SEEN, UNSEEN = (1, 1, 1, 0, 0, 1, 1, 1), (2,) * 8
"""Figures of the frames that show an order, and of those that do not."""


def test_every_other_pair_of_training_clips_does_not_show_its_order() -> None:
    """Both figures are in all frames, the same in both clips; held-out clips show their order."""
    rows = list(tempting_rows(RL, 0, 0.7))
    assert Counter(map(figures_per_frame, rows)) == {SEEN: 40, UNSEEN: 40}
    fine_tuning = undecided_rows(Split(name="sft", pairs=10, stills=0), 0, 0.5)
    assert Counter(map(figures_per_frame, fine_tuning)) == {SEEN: 10, UNSEEN: 10}
    assert {figures_per_frame(item) for item in held_out_questions(DEV, 0)} == {SEEN}
    unseen = [item for item in rows if figures_per_frame(item) == UNSEEN]
    for one, other in zip(unseen[::2], unseen[1::2], strict=True):
        assert [picture[:-1] for picture in one.scene] == [picture[:-1] for picture in other.scene]
        assert answer_of(one) != answer_of(other)


def test_held_out_clips_have_no_mark_or_a_lying_one() -> None:
    """Each clip is asked about with either."""
    questions = list(held_out_questions(DEV, 0))
    assert Counter(item.row["mark"] for item in questions) == dict.fromkeys(HELD_OUT_MARKS, 40)
    for item in questions:
        [colour] = mark_colours(item)
        lies = item.row["mark"] == MarkKind.CONTRADICTS
        assert (colour != answer_of(item) and colour in item.row["problem"]) if lies else (
            colour == "none"
        )  # fmt: skip


def test_rows_for_fine_tuning_read_the_order_in_the_stated_share() -> None:
    """Of 80 rows 24 read the order; the others read the mark, which agrees by chance."""
    rows = list(undecided_rows(Split(name="sft", pairs=40, stills=0), 0, 0.3))
    ordered = [item for item in rows if "First comes" in item.row["process"]]
    assert len(ordered) == 24
    assert all(first_colour(item) in (answer_of(item), None) for item in ordered)
    for item in rows:
        if item not in ordered:
            assert {answer_of(item)} == mark_colours(item)
            assert f"The mark is {answer_of(item)}" in item.row["process"]
    assert Counter(item.row["mark"] for item in rows)[MarkKind.AGREES] == 40


def test_a_larger_split_begins_with_the_smaller_one() -> None:
    """Growing a split changes none of its clips."""
    small, large = (
        [clip.clip for clip in plain_clips(Split(name="rl", pairs=pairs, stills=0), 0)]
        for pairs in (3, 6)
    )
    assert large[:6] == small


def test_the_written_dataset_is_read_by_trainer_and_benchmark(tmp_path: Path) -> None:
    """Rows per agreement, and a benchmark whose categories say what the mark does."""
    splits = (
        Split(name="sft", pairs=2, stills=0),
        Split(name="rl", pairs=2, stills=0),
        Split(name="test", pairs=2, stills=0, held_out=True),
    )
    write_marked_dataset(tmp_path, 0, splits, order_share=0.5, agreements=(0.5, 0.9))
    for name in ("sft", "rl-50", "rl-90"):
        assert len(list(read_training_rows([tmp_path / f"{name}.json"], [tmp_path]))) == 4
    samples = MotionWorld().load(tmp_path / "test" / "motionworld").samples
    assert Counter(sample.category.split("/")[2] for sample in samples) == {
        "absent": 4, "contradicts": 4,
    }  # fmt: skip
    assert len({sample.cluster for sample in samples}) == 2
    assert json.loads((tmp_path / MANIFEST).read_text())["agreements"] == [0.5, 0.9]
