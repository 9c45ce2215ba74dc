"""Questions about a still picture: colour, shape and place, for the image side of the mix."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from tasks.motionworld.drawing import COLOURS, FORMS, Figure, Look, Picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """One multiple-choice question about a picture of one figure."""

    question: str
    options: tuple[str, ...]
    """In a fixed order."""
    picture: Picture
    answer: str
    """One of the options."""
    seen: str
    """A sentence without its end; the answer's letter follows after a colon."""


def colour(rng: Random, look: Look) -> Still:
    """Ask for the colour of a form."""
    figure, _ = _somewhere(rng, look)
    return Still(
        question=f"What colour is the {figure.form}?",
        options=tuple(COLOURS),
        picture=(figure,),
        answer=figure.colour,
        seen=f"The {figure.form} is {figure.colour}",
    )


def shape(rng: Random, look: Look) -> Still:
    """Ask for the form of a colour."""
    figure, _ = _somewhere(rng, look)
    return Still(
        question=f"Which shape is {figure.colour}?",
        options=FORMS,
        picture=(figure,),
        answer=figure.form,
        seen=f"The {figure.colour} shape is a {figure.form}",
    )


def place(rng: Random, look: Look) -> Still:
    """Ask at which edge a figure is."""
    figure, edge = _somewhere(rng, look)
    return Still(
        question=f"Where is the {figure.name}?",
        options=tuple(_EDGES),
        picture=(figure,),
        answer=edge,
        seen=f"The {figure.name} is at the {edge}",
    )


STILLS: Mapping[str, Callable[[Random, Look], Still]] = MappingProxyType(
    {"colour": colour, "shape": shape, "place": place}
)

_EDGES = {"left": (10, 28), "right": (46, 28), "top": (28, 10), "bottom": (28, 46)}
"""Centre of a figure at each edge, in pixels."""


def _somewhere(rng: Random, look: Look) -> tuple[Figure, str]:
    """Return a figure at some edge, and the edge."""
    edge = rng.choice(tuple(_EDGES))
    x, y = (middle + rng.uniform(-4, 4) for middle in _EDGES[edge])
    return Figure(colour=look[0], form=look[1], x=x, y=y, width=rng.uniform(11, 15)), edge
