"""Questions that need time: TempCompass's five aspects, counting and size, each with its twin.

A maker gets the look of the figure that is asked about and the looks that other figures may have.
It returns two scenes of the same figures, with one question and two answers. One scene is
the other reversed, re-timed or re-ordered. The middle frame, the only one that the single-frame
variant shows, is the same in both or equally likely in both, so neither it nor the wording tells
the twins apart.

Source of the aspects and of the conflicting clips: TempCompass (arXiv 2403.00476).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from harness.schema import Kind
from tasks.motionworld.drawing import COLOURS, N_FRAMES, Figure, Look, Scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One scene with its answer and the observation that leads there."""

    scene: Scene
    answer: str
    """One of the options, or a number."""
    seen: str
    """A sentence without its end; the answer's letter or number follows after a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """One question about two scenes with different answers."""

    question: str
    options: tuple[str, ...]
    """The same for every question of an aspect, in the same order; empty where the answer is a
    number."""
    kind: Kind
    pair: tuple[Told, Told]


def companion(rng: Random, look: Look, others: Sequence[Look]) -> Look:
    """Choose a look that shares neither colour nor form with `look`."""
    return rng.choice([each for each in others if not set(each) & set(look)])


def direction(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask which way a figure moves; the twin is reversed."""
    way = rng.choice(tuple(_STEPS))
    figure, length = _anywhere(rng, look), rng.uniform(20, 28)
    scene = _along(figure, _STEPS[way], [length * share for share in _PASSING])
    return Twins(
        question=f"Which way does the {figure.name} move?",
        options=tuple(_STEPS),
        kind=Kind.MULTIPLE_CHOICE,
        pair=(
            Told(scene=scene, answer=way, seen=f"It moves {way}"),
            Told(scene=scene[::-1], answer=_OPPOSITE[way], seen=f"It moves {_OPPOSITE[way]}"),
        ),
    )


def action(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask how one figure moves around another; the twin is reversed."""
    hub = _figure(companion(rng, look, others), rng.uniform(25, 31), rng.uniform(25, 31), 10)
    distance, angle = rng.uniform(14, 17), rng.uniform(0, 2 * math.pi)
    turns = rng.random() < 0.5
    # Angles grow clockwise on a screen, because rows are counted from the top.
    ways = ("clockwise", "counterclockwise") if turns else ("away", "closer")
    actor = _figure(look, 0, 0, 10)
    scene = tuple(
        (hub, _around(hub, actor, distance, angle + 3.6 * share))
        if turns
        else (hub, _around(hub, actor, distance + 14 * share, angle))
        for share in _PASSING
    )
    forth, back = (f"The {actor.name} {'turns' if turns else 'moves'} {way}" for way in ways)
    return Twins(
        question=f"How does the {actor.name} move around the {hub.name}?",
        options=("closer", "away", "clockwise", "counterclockwise"),
        kind=Kind.MULTIPLE_CHOICE,
        pair=(
            Told(scene=scene, answer=ways[0], seen=forth),
            Told(scene=scene[::-1], answer=ways[1], seen=back),
        ),
    )


def speed(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask how a figure's pace changes; the twin goes the same way at another pace."""
    figure, step = _anywhere(rng, look), rng.choice(tuple(_STEPS.values()))
    length = rng.uniform(22, 28)

    def told(pace: str) -> Told:
        # The middle frame shows the same place at every pace.
        shares = [_PACES[pace](index / LAST) - _PACES[pace](MIDDLE / LAST) for index in _INDICES]
        scene = _along(figure, step, [length * share for share in shares])
        return Told(scene=scene, answer=pace, seen=f"The {figure.name} {_PACE_SEEN[pace]}")

    first, second = rng.sample(tuple(_PACES), 2)
    return Twins(
        question=f"How does the pace of the {figure.name} change?",
        options=tuple(_PACES),
        kind=Kind.MULTIPLE_CHOICE,
        pair=(told(first), told(second)),
    )


def order(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask which of two figures comes first, or whether both do; the twin is re-ordered."""
    other = companion(rng, look, others)
    sides = rng.sample((rng.uniform(12, 20), rng.uniform(36, 44)), 2)
    one, two = (
        _figure(each, x, rng.uniform(14, 42), rng.uniform(12, 15))
        for each, x in zip((look, other), sides, strict=True)
    )
    together = rng.sample(((one, two), ()), 2)

    def told(answer: str) -> Told:
        if answer == "both":
            early, late = together
        else:
            first, then = (one, two) if answer == one.colour else (two, one)
            early, late = (first,), (then,)
        # Nothing is seen in the middle, whatever the order.
        scene = (early,) * 3 + ((),) * 2 + (late,) * 3
        return Told(scene=scene, answer=answer, seen=f"First comes {answer}")

    first, second = rng.sample((one.colour, two.colour, "both"), 2)
    return Twins(
        question=f"Which comes first, the {one.name} or the {two.name}?",
        options=(*COLOURS, "both"),
        kind=Kind.MULTIPLE_CHOICE,
        pair=(told(first), told(second)),
    )


def change(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask what a figure becomes, in colour or size; the twin is reversed."""
    figure = replace(_anywhere(rng, look), width=rng.uniform(14, 18))
    other = rng.choice([hue for hue, form in others if form == look[1] and hue != look[0]])
    # Half are repainted: whoever names the colour of one frame is then right as often as whoever
    # always says "larger".
    if rng.random() < 0.5:
        # Half of the moments leave the old colour in the middle frame, half the new one.
        moment = rng.choice((2, 3, 5, 6))
        repainted = replace(figure, colour=other)
        scene: Scene = ((figure,),) * moment + ((repainted,),) * (N_FRAMES - moment)
        forth, back = other, figure.colour
    else:
        scene = tuple((replace(figure, width=figure.width * (1 + share)),) for share in _PASSING)
        forth, back = "larger", "smaller"
    return Twins(
        question=f"What does the {figure.form} become?",
        options=(*COLOURS, "larger", "smaller"),
        kind=Kind.MULTIPLE_CHOICE,
        pair=(
            Told(scene=scene, answer=forth, seen=f"It becomes {forth}"),
            Told(scene=scene[::-1], answer=back, seen=f"It becomes {back}"),
        ),
    )


def count(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask how often a figure appears; the twin is re-timed and has another number."""
    resting = replace(_anywhere(rng, companion(rng, look, others)), x=rng.uniform(12, 20))
    figure = replace(_anywhere(rng, look), x=rng.uniform(36, 44))

    def told(times: int) -> Told:
        moments = rng.sample(_MOMENTS, times)
        scene = tuple((resting, figure) if index in moments else (resting,) for index in _INDICES)
        tally = " ".join(str(number) for number in range(1, times + 1))
        seen = f"The {figure.name} appears {tally} times"
        return Told(scene=scene, answer=str(times), seen=seen)

    first, second = rng.sample(range(1, len(_MOMENTS) + 1), 2)
    return Twins(
        question=f"How many times does the {figure.name} appear?",
        options=(),
        kind=Kind.NUMERICAL,
        pair=(told(first), told(second)),
    )


def size(rng: Random, look: Look, others: Sequence[Look]) -> Twins:
    """Ask how wide a figure is at the end; the twin is reversed."""
    figure = _anywhere(rng, look)
    first, last = rng.sample(_WIDTHS, 2)
    scene = tuple(
        (replace(figure, width=_MIDDLE_WIDTH + 2 * abs(share) * (end - _MIDDLE_WIDTH)),)
        for share in _PASSING
        for end in (first if share < 0 else last,)
    )
    seen = f"The width of the {figure.name} is {{}} and then {{}}"
    return Twins(
        question=f"How many pixels wide is the {figure.name} at the end?",
        options=(),
        kind=Kind.REGRESSION,
        pair=(
            Told(scene=scene, answer=str(last), seen=seen.format(first, last)),
            Told(scene=scene[::-1], answer=str(first), seen=seen.format(last, first)),
        ),
    )


ASPECTS: Mapping[str, Callable[[Random, Look, Sequence[Look]], Twins]] = MappingProxyType(
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

LAST = N_FRAMES - 1
MIDDLE = N_FRAMES // 2
"""The frame that the harness's single-frame variant shows."""

_INDICES = range(N_FRAMES)
_PASSING = tuple((index - (index >= MIDDLE)) / (LAST - 1) - 0.5 for index in _INDICES)
"""From -1/2 to 1/2 with a rest at 0 in both middle frames, so that one frame has no direction."""

_STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
_PACES: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "faster": lambda time: time**2.2,
        "slower": lambda time: 1 - (1 - time) ** 2.2,
        "steady": lambda time: time,
    }
)
_PACE_SEEN = {
    "faster": "is slow and then fast, it gets faster",
    "slower": "is fast and then slow, it gets slower",
    "steady": "is as fast as before, it stays steady",
}
_MOMENTS = (0, 2, 5, 7)
"""Frames in which a counted figure may be seen: never two in a row, never the middle one."""
_WIDTHS = (8, 12, 18, 26)
_MIDDLE_WIDTH = 15


def _figure(look: Look, x: float, y: float, width: float) -> Figure:
    return Figure(colour=look[0], form=look[1], x=x, y=y, width=width)


def _anywhere(rng: Random, look: Look) -> Figure:
    return _figure(look, rng.uniform(21, 35), rng.uniform(21, 35), rng.uniform(11, 15))


def _along(figure: Figure, step: tuple[int, int], offsets: Sequence[float]) -> Scene:
    """Return a figure displaced by so many pixels of a direction in each frame."""
    dx, dy = step
    return tuple(
        (replace(figure, x=figure.x + dx * offset, y=figure.y + dy * offset),) for offset in offsets
    )


def _around(hub: Figure, figure: Figure, distance: float, angle: float) -> Figure:
    return replace(
        figure, x=hub.x + distance * math.cos(angle), y=hub.y + distance * math.sin(angle)
    )
