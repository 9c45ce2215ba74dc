"""Video questions: TempCompass's five aspects, counting and size, in contrast pairs.

A generator gets the appearance of the figure that is asked about and those that other figures may
have. It returns a `ContrastPair`: one question, and two clips of the same figures with different
answers. One clip is the other reversed, re-timed or re-ordered. The middle frame, which is all that
the single-frame variant shows, is the same in both or equally likely in both: neither this frame
nor the wording of the question tells which of the two clips is shown.

Source of the aspects and of the idea of conflicting clips: TempCompass (arXiv 2403.00476).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from harness.schema import Kind
from tasks.motionworld.drawing import COLOURS, N_FRAMES, Appearance, Figure, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledScene:
    """One scene with its answer and a rationale."""

    scene: Scene
    answer: str
    """One of the options, or a number."""
    rationale: str
    """What is seen in the scene, without the final full stop: a colon and the answer's letter or
    number follow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastPair:
    """One question about two scenes with different answers."""

    question: str
    options: tuple[str, ...]
    """The same ones in the same order for every question of an aspect; empty where the answer is a
    number."""
    kind: Kind
    scenes: tuple[LabelledScene, LabelledScene]


def companion(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> Appearance:
    """Choose an appearance that shares neither colour nor shape with `appearance`."""
    return rng.choice([each for each in others if not set(each) & set(appearance)])


def direction(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask which way a figure moves; the second clip is the first one reversed."""
    way = rng.choice(tuple(_STEPS))
    figure, length = _place_anywhere(rng, appearance), rng.uniform(20, 28)
    scene = _translate(figure, _STEPS[way], [length * share for share in _POSITIONS])
    return ContrastPair(
        question=f"Which way does the {figure.name} move?",
        options=tuple(_STEPS),
        kind=Kind.MULTIPLE_CHOICE,
        scenes=(
            LabelledScene(scene=scene, answer=way, rationale=f"It moves {way}"),
            LabelledScene(
                scene=scene[::-1], answer=_OPPOSITE[way], rationale=f"It moves {_OPPOSITE[way]}"
            ),
        ),
    )


def action(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask how one figure moves around another; the second clip is the first one reversed."""
    hub = _make_figure(
        companion(rng, appearance, others), rng.uniform(25, 31), rng.uniform(25, 31), 10
    )
    distance, angle = rng.uniform(14, 17), rng.uniform(0, 2 * math.pi)
    turns = rng.random() < 0.5
    # Angles grow clockwise on a screen, because rows are counted from the top.
    ways = ("clockwise", "counterclockwise") if turns else ("away", "closer")
    actor = _make_figure(appearance, 0, 0, 10)
    scene = tuple(
        (hub, _place_around(hub, actor, distance, angle + 3.6 * share))
        if turns
        else (hub, _place_around(hub, actor, distance + 14 * share, angle))
        for share in _POSITIONS
    )
    verb = "turns" if turns else "moves"
    forward, backward = (f"The {actor.name} {verb} {way}" for way in ways)
    return ContrastPair(
        question=f"How does the {actor.name} move around the {hub.name}?",
        options=("closer", "away", "clockwise", "counterclockwise"),
        kind=Kind.MULTIPLE_CHOICE,
        scenes=(
            LabelledScene(scene=scene, answer=ways[0], rationale=forward),
            LabelledScene(scene=scene[::-1], answer=ways[1], rationale=backward),
        ),
    )


def speed(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask how a figure's pace changes; the second clip has the same path at another pace."""
    figure, step = _place_anywhere(rng, appearance), rng.choice(tuple(_STEPS.values()))
    length = rng.uniform(22, 28)

    def labelled(pace: str) -> LabelledScene:
        # In the middle frame the figure is at the same position at every pace.
        shares = [_PACES[pace](index / LAST) - _PACES[pace](MIDDLE / LAST) for index in _INDICES]
        scene = _translate(figure, step, [length * share for share in shares])
        return LabelledScene(
            scene=scene, answer=pace, rationale=f"The {figure.name} {_PACE_RATIONALES[pace]}"
        )

    first, second = rng.sample(tuple(_PACES), 2)
    return ContrastPair(
        question=f"How does the pace of the {figure.name} change?",
        options=tuple(_PACES),
        kind=Kind.MULTIPLE_CHOICE,
        scenes=(labelled(first), labelled(second)),
    )


def order(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask which of two figures appears first, or whether both do; the second clip is re-ordered."""
    other = companion(rng, appearance, others)
    sides = rng.sample((rng.uniform(12, 20), rng.uniform(36, 44)), 2)
    one, two = (
        _make_figure(each, x, rng.uniform(14, 42), rng.uniform(12, 15))
        for each, x in zip((appearance, other), sides, strict=True)
    )
    together = rng.sample(((one, two), ()), 2)

    def labelled(answer: str) -> LabelledScene:
        if answer == BOTH:
            early, late = together
        else:
            first, then = (one, two) if answer == one.colour else (two, one)
            early, late = (first,), (then,)
        # The middle frames are empty in every order.
        scene = (early,) * 3 + ((),) * 2 + (late,) * 3
        return LabelledScene(scene=scene, answer=answer, rationale=f"First comes {answer}")

    first, second = rng.sample((one.colour, two.colour, BOTH), 2)
    return ContrastPair(
        question=f"Which comes first, the {one.name} or the {two.name}?",
        options=(*COLOURS, BOTH),
        kind=Kind.MULTIPLE_CHOICE,
        scenes=(labelled(first), labelled(second)),
    )


def change(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask which colour or size a figure changes to; the second clip is the first one reversed."""
    figure = replace(_place_anywhere(rng, appearance), width=rng.uniform(14, 18))
    other = rng.choice(
        [
            each.colour
            for each in others
            if each.shape == appearance.shape and each.colour != appearance.colour
        ]
    )
    # Half of the questions are about colour: naming the colour of one frame is then right as often
    # as always answering "larger".
    if rng.random() < 0.5:
        # The middle frame, number 4, has the new colour after 2 or 3 and the old one after 5 or 6.
        moment = rng.choice((2, 3, 5, 6))
        repainted = replace(figure, colour=other)
        scene: Scene = ((figure,),) * moment + ((repainted,),) * (N_FRAMES - moment)
        forward, backward = other, figure.colour
    else:
        scene = tuple((replace(figure, width=figure.width * (1 + share)),) for share in _POSITIONS)
        forward, backward = "larger", "smaller"
    return ContrastPair(
        question=f"What does the {figure.shape} become?",
        options=(*COLOURS, "larger", "smaller"),
        kind=Kind.MULTIPLE_CHOICE,
        scenes=(
            LabelledScene(scene=scene, answer=forward, rationale=f"It becomes {forward}"),
            LabelledScene(scene=scene[::-1], answer=backward, rationale=f"It becomes {backward}"),
        ),
    )


def count(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask how many times a figure appears; the second clip has another number of times."""
    resting = replace(
        _place_anywhere(rng, companion(rng, appearance, others)), x=rng.uniform(12, 20)
    )
    figure = replace(_place_anywhere(rng, appearance), x=rng.uniform(36, 44))

    def labelled(times: int) -> LabelledScene:
        shown = rng.sample(_COUNT_FRAMES, times)
        scene = tuple((resting, figure) if index in shown else (resting,) for index in _INDICES)
        tally = " ".join(str(number) for number in range(1, times + 1))
        rationale = f"The {figure.name} appears {tally} times"
        return LabelledScene(scene=scene, answer=str(times), rationale=rationale)

    first, second = rng.sample(range(1, len(_COUNT_FRAMES) + 1), 2)
    return ContrastPair(
        question=f"How many times does the {figure.name} appear?",
        options=(),
        kind=Kind.NUMERICAL,
        scenes=(labelled(first), labelled(second)),
    )


def size(rng: Random, appearance: Appearance, others: Sequence[Appearance]) -> ContrastPair:
    """Ask how wide a figure is at the end; the second clip is the first one reversed."""
    figure = _place_anywhere(rng, appearance)
    first, last = rng.sample(_WIDTHS, 2)
    scene = tuple(
        (replace(figure, width=_MIDDLE_WIDTH + 2 * abs(share) * (end - _MIDDLE_WIDTH)),)
        for share in _POSITIONS
        for end in (first if share < 0 else last,)
    )
    rationale = f"The width of the {figure.name} is {{}} and then {{}}"
    return ContrastPair(
        question=f"How many pixels wide is the {figure.name} at the end?",
        options=(),
        kind=Kind.REGRESSION,
        scenes=(
            LabelledScene(scene=scene, answer=str(last), rationale=rationale.format(first, last)),
            LabelledScene(
                scene=scene[::-1], answer=str(first), rationale=rationale.format(last, first)
            ),
        ),
    )


PairGenerator = Callable[[Random, Appearance, Sequence[Appearance]], ContrastPair]

ASPECTS: Mapping[str, PairGenerator] = MappingProxyType(
    {
        "action": action,
        "direction": direction,
        "speed": speed,
        "order": order,
        "change": change,
        "count": count,
        "size": size,
    }
)

BOTH = "both"
"""The answer to `order` where both figures appear together."""

LAST = N_FRAMES - 1
MIDDLE = N_FRAMES // 2
"""The frame that the harness's single-frame variant shows."""

_INDICES = range(N_FRAMES)
_POSITIONS = tuple((index - (index >= MIDDLE)) / (LAST - 1) - 0.5 for index in _INDICES)
"""Positions from -1/2 to 1/2. Both middle frames are at 0, so that neither shows a direction."""

_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
_PACES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "faster": lambda time: time**2.2,
        "slower": lambda time: 1 - (1 - time) ** 2.2,
        "steady": lambda time: time,
    }
)
_PACE_RATIONALES = {
    "faster": "is slow and then fast, it gets faster",
    "slower": "is fast and then slow, it gets slower",
    "steady": "is as fast as before, it stays steady",
}
_COUNT_FRAMES = (0, 2, 5, 7)
"""Frames in which a counted figure may appear: never two in a row, never the middle one."""
_WIDTHS = (8, 12, 18, 26)
_MIDDLE_WIDTH = 15


def _make_figure(appearance: Appearance, x: float, y: float, width: float) -> Figure:
    return Figure(colour=appearance.colour, shape=appearance.shape, x=x, y=y, width=width)


def _place_anywhere(rng: Random, appearance: Appearance) -> Figure:
    return _make_figure(appearance, rng.uniform(21, 35), rng.uniform(21, 35), rng.uniform(11, 15))


def _translate(figure: Figure, step: tuple[int, int], offsets: Sequence[float]) -> Scene:
    """Return a scene in which the figure is displaced by `offsets` pixels along `step`."""
    dx, dy = step
    return tuple(
        (replace(figure, x=figure.x + dx * offset, y=figure.y + dy * offset),) for offset in offsets
    )


def _place_around(hub: Figure, figure: Figure, distance: float, angle: float) -> Figure:
    return replace(
        figure, x=hub.x + distance * math.cos(angle), y=hub.y + distance * math.sin(angle)
    )
