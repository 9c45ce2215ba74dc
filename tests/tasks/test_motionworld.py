"""MotionWorld: answers are what is drawn, pairs conflict, splits are disjoint."""

import math
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from random import Random

import numpy as np
import pytest

from harness.schema import Kind, Media, Variant
from harness.scoring.answers import answer_tag
from harness.video.decode import decode
from harness.video.variants import arrange
from tasks.motionworld.aspects import ASPECTS, MIDDLE, ContrastPair, LabelledScene
from tasks.motionworld.drawing import (
    COLOURS,
    N_FRAMES,
    SHAPES,
    SIDE,
    Appearance,
    Figure,
    Scene,
    draw,
    write_clip,
)
from tasks.motionworld.splits import (
    APPEARANCES,
    HELD_OUT,
    SPLITS,
    TRAINED_ON,
    Item,
    Split,
    clips,
    stills,
)
from tasks.motionworld.stills import STILLS
from tasks.motionworld.task import FRAMES

DRAWS = 30
TRAINING = [split for split in SPLITS if not split.held_out]
BENCHMARKS = [split for split in SPLITS if split.held_out]


def made(aspect: str) -> Iterator[ContrastPair]:
    for number in range(DRAWS):
        rng = Random(number)
        yield ASPECTS[aspect](rng, rng.choice(APPEARANCES), APPEARANCES)


def cover(frame: np.ndarray, colour: str) -> np.ndarray:
    """Return which pixels of a frame are of a colour, edges left out."""
    return np.abs(frame.astype(int) - COLOURS[colour]).max(axis=-1) < 40


def centre(frame: np.ndarray, colour: str) -> tuple[float, float]:
    rows, columns = np.nonzero(cover(frame, colour))
    return float(columns.mean()), float(rows.mean())


def seen_direction(question: str, frames: np.ndarray) -> str:
    colour = next(word for word in question.split() if word in COLOURS)
    (x0, y0), (x1, y1) = centre(frames[0], colour), centre(frames[-1], colour)
    if abs(x1 - x0) > abs(y1 - y0):
        return "right" if x1 > x0 else "left"
    return "down" if y1 > y0 else "up"


def seen_action(question: str, frames: np.ndarray) -> str:
    actor, hub = (word for word in question.split() if word in COLOURS)
    places = [
        np.subtract(centre(frame, actor), centre(frame, hub)) for frame in frames[[0, 2, MIDDLE]]
    ]
    distances = [math.hypot(*place) for place in places]
    if abs(distances[0] - distances[-1]) > 4.5:
        return "closer" if distances[-1] < distances[0] else "away"
    (x0, y0), (x1, y1) = places[1:]
    return "clockwise" if x0 * y1 - x1 * y0 > 0 else "counterclockwise"


def seen_speed(question: str, frames: np.ndarray) -> str:
    colour = next(word for word in question.split() if word in COLOURS)
    # A figure is cut off at the edge in the outermost frames at times, so these are not measured.
    places = [centre(frames[index], colour) for index in (1, 3, 4, 6)]
    early, late = math.dist(*places[:2]), math.dist(*places[2:])
    if abs(early - late) < 0.25 * (early + late):
        return "steady"
    return "faster" if late > early else "slower"


def seen_order(question: str, frames: np.ndarray) -> str:
    colours = [word for word in question.split() if word in COLOURS]
    moments = [min(i for i, f in enumerate(frames) if cover(f, c).any()) for c in colours]
    if moments[0] == moments[1]:
        return "both"
    return colours[moments.index(min(moments))]


def seen_change(question: str, frames: np.ndarray) -> str:
    areas = [{colour: int(cover(frame, colour).sum()) for colour in COLOURS} for frame in frames]
    first, last = (max(area, key=area.__getitem__) for area in (areas[0], areas[-1]))
    if first != last:
        return last
    return "larger" if areas[-1][last] > areas[0][last] else "smaller"


def seen_count(question: str, frames: np.ndarray) -> str:
    colour = next(word for word in question.split() if word in COLOURS)
    shown = [cover(frame, colour).any() for frame in frames]
    return str(sum(now and not before for before, now in zip([False, *shown], shown, strict=False)))


MEASURED = {
    "direction": seen_direction,
    "action": seen_action,
    "speed": seen_speed,
    "order": seen_order,
    "change": seen_change,
    "count": seen_count,
}


@pytest.mark.parametrize("aspect", sorted(MEASURED))
def test_the_answer_is_what_the_pixels_show(aspect: str) -> None:
    """Measured on the drawn pixels alone, each clip of a pair shows its own answer."""
    for pair in made(aspect):
        for clip in pair.scenes:
            assert MEASURED[aspect](pair.question, draw(clip.scene)) == clip.answer


def test_the_width_at_the_end_is_the_one_drawn() -> None:
    """The last frame spans as many pixels as the answer says, but for the mixed edge."""
    for pair in made("size"):
        for clip in pair.scenes:
            frame = draw(clip.scene)[-1]
            [figure] = clip.scene[-1]
            columns = np.nonzero(cover(frame, figure.colour).any(axis=0))[0]
            assert abs(np.ptp(columns) + 1 - float(clip.answer)) <= 2


@pytest.mark.parametrize("aspect", sorted(ASPECTS))
def test_the_clips_of_a_pair_share_their_question_and_have_different_answers(aspect: str) -> None:
    """One question, one set of options, two answers, two clips of as many frames."""
    for pair in made(aspect):
        one, other = pair.scenes
        assert one.answer != other.answer
        assert len(one.scene) == len(other.scene) == N_FRAMES
        assert not np.array_equal(draw(one.scene), draw(other.scene))
        assert (pair.kind is Kind.MULTIPLE_CHOICE) == bool(pair.options)
        if pair.options:
            assert len(set(pair.options)) == len(pair.options)
            assert {one.answer, other.answer} <= set(pair.options)


@pytest.mark.parametrize("aspect", sorted(set(ASPECTS) - {"change"}))
def test_the_middle_frame_is_the_same_in_both_clips_of_a_pair(aspect: str) -> None:
    """The frame that the single-frame variant shows does not tell the two clips apart."""
    for pair in made(aspect):
        one, other = (draw(clip.scene)[MIDDLE] for clip in pair.scenes)
        assert np.array_equal(one, other)


def test_the_middle_frame_does_not_tell_what_a_figure_becomes() -> None:
    """The middle frame has the new colour half of the time, and sizes start and end elsewhere."""
    same = []
    for number in range(600):
        rng = Random(number)
        clip = rng.choice(ASPECTS["change"](rng, rng.choice(APPEARANCES), APPEARANCES).scenes)
        if clip.answer in COLOURS:
            same.append(clip.scene[MIDDLE][0].colour == clip.answer)
    # Four standard errors around one half.
    assert abs(np.mean(same) - 0.5) < 4 * 0.5 / math.sqrt(len(same))


def test_the_middle_frame_looks_the_same_whatever_is_moving() -> None:
    """Distance to the hub in the middle is distributed alike for turning and for approaching."""
    distances: dict[bool, list[float]] = {True: [], False: []}
    for number in range(600):
        rng = Random(number)
        clip = ASPECTS["action"](rng, rng.choice(APPEARANCES), APPEARANCES).scenes[0]
        hub, actor = clip.scene[MIDDLE]
        turning = "clockwise" in clip.answer
        distances[turning].append(math.hypot(actor.x - hub.x, actor.y - hub.y))
    assert abs(np.mean(distances[True]) - np.mean(distances[False])) < 0.3


def test_the_single_frame_variant_shows_the_middle(tmp_path: Path) -> None:
    """The harness takes the frame that the generators keep neutral."""
    shown = next(made("direction")).scenes[0]
    write_clip(tmp_path / "clip.mp4", draw(shown.scene))
    clip = decode(Media(path=tmp_path / "clip.mp4"), FRAMES, patch_multiple=28)
    assert arrange(clip, Variant.SINGLE, seed=0).indices == (MIDDLE,)


def test_a_file_holds_exactly_what_was_drawn(tmp_path: Path) -> None:
    """Every frame of a written clip decodes to the drawn pixels, at its own time."""
    for number, shown in enumerate(chain.from_iterable(next(made(a)).scenes for a in ASPECTS)):
        path = tmp_path / f"{number}.mp4"
        frames = draw(shown.scene)
        write_clip(path, frames)
        clip = decode(Media(path=path), FRAMES, patch_multiple=28)
        assert np.array_equal(clip.frames, frames)
        assert clip.timestamps == tuple(index / 2 for index in range(N_FRAMES))


@pytest.mark.parametrize("kind", sorted(STILLS))
def test_a_still_answers_its_question(kind: str) -> None:
    """The picture shows one figure, the one that is asked about, and its answer."""
    for number in range(DRAWS):
        rng = Random(number)
        appearance = rng.choice(APPEARANCES)
        still = STILLS[kind](rng, appearance)
        [figure] = still.picture
        assert still.answer in still.options
        assert (figure.colour, figure.shape) == appearance
        if kind == "place":
            off = {"left": -figure.x, "right": figure.x, "top": -figure.y, "bottom": figure.y}
            assert off[still.answer] + SIDE / 2 * (1 if off[still.answer] < 0 else -1) > 10
        else:
            assert still.answer == {"colour": figure.colour, "shape": figure.shape}[kind]


def items(split: Split, seed: int = 0) -> Iterator[Item]:
    return chain(clips(split, seed), stills(split, seed))


def figures(item: Item) -> set[tuple[str, str]]:
    return {(figure.colour, figure.shape) for picture in item.scene for figure in picture}


def asked(item: Item) -> str:
    return str(item.row["problem"])


def test_no_clip_is_in_two_splits() -> None:
    """No two questions of different splits are about the same scene."""
    owners: dict[Scene, str] = {}
    for split in SPLITS:
        for item in items(split):
            assert owners.setdefault(item.scene, split.name) == split.name, item.name


@pytest.mark.parametrize("split", TRAINING, ids=lambda split: split.name)
def test_held_out_appearances_are_never_trained_on(split: Split) -> None:
    """No training clip shows a held-out appearance, not even as the figure beside it."""
    for item in items(split):
        assert not figures(item) & set(HELD_OUT), item.name


@pytest.mark.parametrize("split", BENCHMARKS, ids=lambda split: split.name)
def test_half_of_a_benchmark_is_about_held_out_appearances(split: Split) -> None:
    """Questions marked new show a held-out appearance, those marked seen show none."""
    groups = Counter()
    for item in items(split):
        groups[item.row["look"]] += 1
        assert bool(figures(item) & set(HELD_OUT)) == (item.row["look"] == "new"), item.name
    assert groups["new"] == groups["seen"]


def test_every_colour_and_shape_is_trained_on() -> None:
    """What is held out is the combination, not its parts."""
    assert len(HELD_OUT) == 4
    assert {colour for colour, _ in TRAINED_ON} == set(COLOURS)
    assert {shape for _, shape in TRAINED_ON} == set(SHAPES)


def test_the_same_seed_draws_the_same_dataset_and_another_seed_another() -> None:
    """Rows and scenes depend on seed, split and number alone."""
    split = Split(name="sft", pairs=2, stills=2)
    assert list(items(split)) == list(items(split))
    assert list(items(split)) != list(items(split, seed=1))


def test_a_larger_split_begins_with_the_smaller_one() -> None:
    """Growing a split changes none of its questions."""
    small = {item.name: item for item in items(Split(name="rl", pairs=2, stills=2))}
    large = {item.name: item for item in items(Split(name="rl", pairs=4, stills=3))}
    assert all(large[name] == item for name, item in small.items())


def test_the_rationale_ends_in_the_answer_it_argues_for() -> None:
    """The thought closes with the letter or number of the solution, after its option's words."""
    for item in items(Split(name="sft", pairs=20, stills=20)):
        given = answer_tag(item.row["solution"])
        thought = item.row["process"].removeprefix("<think>").removesuffix(".</think>")
        words, _, last = thought.rpartition(": ")
        assert last == given
        if item.row["options"]:
            option = item.row["options"]["ABCDEF".index(last)].removeprefix(f"{last}. ")
            assert words.endswith(f" {option}")


@pytest.mark.parametrize("aspect", sorted(ASPECTS))
def test_options_are_the_same_for_every_question_of_an_aspect(aspect: str) -> None:
    """A letter means one word throughout."""
    assert len({pair.options for pair in made(aspect)}) == 1


GUESS = {"speed": 1 / 3, "order": 1 / 3} | dict.fromkeys(
    ("action", "direction", "change", "count", "size"), 1 / 4
)
"""How often the best guess is right that knows the question and not the clip: one of four answers,
one of three paces, one of the two named colours or both; of what a figure becomes, half are sizes.
"""


@pytest.mark.parametrize("aspect", sorted(ASPECTS))
def test_no_constant_answer_does_well(aspect: str) -> None:
    """On the test split the best constant letter or number stays near the best guess."""
    [test] = [split for split in SPLITS if split.name == "test"]
    answers = Counter(answer_tag(item.row["solution"]) for item in clips(test, 0, [aspect]))
    [(_, best)] = answers.most_common(1)
    assert best / answers.total() < GUESS[aspect] + 0.1


@pytest.mark.parametrize("aspect", sorted(ASPECTS))
def test_the_wording_gives_nothing_away(aspect: str) -> None:
    """Over many pairs about one appearance each answer is as frequent as the others."""
    roles: Counter[str] = Counter()
    for number in range(800):
        pair = ASPECTS[aspect](Random(number), Appearance("red", "circle"), TRAINED_ON)
        roles.update(_role(pair, clip) for clip in pair.scenes)
    assert max(roles.values()) / roles.total() < GUESS[aspect] + 0.04


def _role(pair: ContrastPair, clip: LabelledScene) -> str:
    """Name an answer by its place in the question where it is named there."""
    words = pair.question.replace(",", "").split()
    return f"word {words.index(clip.answer)}" if clip.answer in words else clip.answer


def test_the_colour_of_one_frame_does_not_tell_what_a_figure_becomes() -> None:
    """Whoever names the colour in the middle is right as often as the best guess."""
    scenes = [
        each
        for number in range(800)
        for rng in (Random(number),)
        for each in ASPECTS["change"](rng, rng.choice(APPEARANCES), APPEARANCES).scenes
    ]
    right = sum(each.scene[MIDDLE][0].colour == each.answer for each in scenes)
    assert right / len(scenes) < GUESS["change"] + 0.04


def test_figures_know_their_names() -> None:
    """Questions and rationales name a figure by colour and shape."""
    assert Figure(colour="red", shape="cross", x=0, y=0, width=1).name == "red cross"
