"""Image questions about one still picture: colour, shape and place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from tasks.motionworld.drawing import COLOURS, SHAPES, Appearance, Figure, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class StillQuestion:
    """One multiple-choice question about a picture of one figure."""

    question: str
    options: tuple[str, ...]
    """The same ones in the same order for every question of an aspect."""
    picture: Picture
    answer: str
    """One of the options."""
    rationale: str
    """What the picture shows, without the full stop: a colon and the answer's letter follow."""


def colour(rng: Random, appearance: Appearance) -> StillQuestion:
    """Ask which colour a shape has."""
    figure, _ = _place_at_edge(rng, appearance)
    return StillQuestion(
        question=f"What colour is the {figure.shape}?",
        options=tuple(COLOURS),
        picture=(figure,),
        answer=figure.colour,
        rationale=f"The {figure.shape} is {figure.colour}",
    )


def shape(rng: Random, appearance: Appearance) -> StillQuestion:
    """Ask which shape has a colour."""
    figure, _ = _place_at_edge(rng, appearance)
    return StillQuestion(
        question=f"Which shape is {figure.colour}?",
        options=SHAPES,
        picture=(figure,),
        answer=figure.shape,
        rationale=f"The {figure.colour} shape is a {figure.shape}",
    )


def place(rng: Random, appearance: Appearance) -> StillQuestion:
    """Ask at which edge of the picture a figure is."""
    figure, edge = _place_at_edge(rng, appearance)
    return StillQuestion(
        question=f"Where is the {figure.name}?",
        options=tuple(_EDGES),
        picture=(figure,),
        answer=edge,
        rationale=f"The {figure.name} is at the {edge}",
    )


STILLS: Mapping[str, Callable[[Random, Appearance], StillQuestion]] = MappingProxyType(
    {"colour": colour, "shape": shape, "place": place}
)

_EDGES = {"left": (10, 28), "right": (46, 28), "top": (28, 10), "bottom": (28, 46)}
"""Centre of a figure at each edge, in pixels."""


def _place_at_edge(rng: Random, appearance: Appearance) -> tuple[Figure, str]:
    """Return a figure near a random edge of the picture, and the name of that edge."""
    edge = rng.choice(tuple(_EDGES))
    x, y = (middle + rng.uniform(-4, 4) for middle in _EDGES[edge])
    return Figure(
        colour=appearance.colour, shape=appearance.shape, x=x, y=y, width=rng.uniform(11, 15)
    ), edge
