"""The world's splits: which questions are drawn, and what a row about each one says.

Splits are disjoint because every pair of twins is drawn from a generator of its own, seeded by
world, split, aspect and number. Growing a split leaves the pairs it has as they are. Some looks
(colour and form) are held out: they occur in the ``new`` half of the development and test splits
and nowhere else.

Options are not shuffled: all questions of an aspect have the same ones in the same order, so that
a letter is another name of one word. A model of 1.7 million weights does not learn from nothing,
in minutes, to look a letter up in a list. What keeps guessing at chance is that twins have
conflicting answers and that the answers are balanced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from harness.schema import Kind
from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from tasks.motionworld.aspects import ASPECTS
from tasks.motionworld.drawing import COLOURS, FORMS, Look, Scene
from tasks.motionworld.stills import STILLS

VERSION = 2
"""Moves with every change of what is drawn or asked."""

EVERYTHING = (*ASPECTS, *STILLS)
"""Every aspect that can be asked about, in clips and in still pictures."""

HELD_OUT: tuple[Look, ...] = tuple(zip(COLOURS, FORMS, strict=True))
LOOKS: tuple[Look, ...] = tuple(product(COLOURS, FORMS))
SEEN = tuple(look for look in LOOKS if look not in HELD_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How much of everything a split holds."""

    name: str
    pairs: int
    """Pairs of twin clips per aspect."""
    stills: int
    """Pictures per kind of still question."""
    held_out: bool = False
    """A benchmark: every other question is about a look that is held out of training."""


TEST = "test"
SPLITS = (
    Split(name="sft", pairs=400, stills=400),
    Split(name="rl", pairs=200, stills=200),
    Split(name="dev", pairs=50, stills=50, held_out=True),
    Split(name=TEST, pairs=100, stills=100, held_out=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question with the scene that answers it."""

    name: str
    """``direction/0012b``: aspect, number of the pair, which twin."""
    row: dict[str, Any]
    """The paper's training row but for its media, with ``aspect``, ``pair`` and ``look``."""
    scene: Scene
    """A still is a scene of one picture."""


def clips(split: Split, seed: int, aspects: Collection[str] = EVERYTHING) -> Iterator[Item]:
    """Yield the video questions of a split about some aspects, twins side by side."""
    for aspect in (name for name in ASPECTS if name in aspects):
        for number in range(split.pairs):
            cast = _cast(split, seed, aspect, number)
            twins = ASPECTS[aspect](cast.rng, cast.look, cast.others)
            for told, mark in zip(twins.pair, "ab", strict=True):
                row = _row(twins.question, twins.options, told.answer, told.seen, twins.kind)
                row |= {"aspect": aspect, "pair": f"{aspect}/{number:04d}", "look": cast.novelty}
                yield Item(name=f"{row['pair']}{mark}", row=row, scene=told.scene)


def stills(split: Split, seed: int, aspects: Collection[str] = EVERYTHING) -> Iterator[Item]:
    """Yield the image questions of a split about some aspects."""
    for aspect in (name for name in STILLS if name in aspects):
        for number in range(split.stills):
            cast = _cast(split, seed, aspect, number)
            still = STILLS[aspect](cast.rng, cast.look)
            row = _row(
                still.question, still.options, still.answer, still.seen, Kind.MULTIPLE_CHOICE
            )
            row |= {"aspect": aspect, "pair": f"{aspect}/{number:04d}", "look": cast.novelty}
            yield Item(name=row["pair"], row=row, scene=(still.picture,))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cast:
    """Who plays in one pair, and its generator."""

    rng: Random
    look: Look
    """Of the figure that is asked about."""
    others: Sequence[Look]
    """Looks that further figures may have."""
    novelty: str
    """``seen`` or ``new``."""


def _cast(split: Split, seed: int, aspect: str, number: int) -> _Cast:
    # A text seed is hashed the same way in every process and Python version.
    rng = Random(f"motionworld@{VERSION}/{seed}/{split.name}/{aspect}/{number}")
    if split.held_out and number % 2:
        return _Cast(rng=rng, look=rng.choice(HELD_OUT), others=LOOKS, novelty="new")
    return _Cast(rng=rng, look=rng.choice(SEEN), others=SEEN, novelty="seen")


def _row(
    question: str, options: Sequence[str], answer: str, seen: str, kind: Kind
) -> dict[str, Any]:
    """Build the fields of the paper's training rows that say what is asked and answered."""
    given = letter_of(options.index(answer)) if options else answer
    return {
        "problem": question,
        "options": lettered(options),
        "problem_type": kind.value,
        "process": f"<think>{seen}: {given}.</think>",
        "solution": f"<answer>{given}</answer>",
        "data_source": f"motionworld@{VERSION}",
    }
