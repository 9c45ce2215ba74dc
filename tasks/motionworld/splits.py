"""The splits of MotionWorld: which questions each has, and the training row of each question.

Splits are disjoint because every contrast pair comes from a random generator of its own, seeded
with the dataset's seed, split, aspect and number; a larger split keeps the pairs of a smaller one.
Some appearances (colour and shape) are held out: they occur in one half of the development and
test splits and nowhere else.

Options are not shuffled: all questions of an aspect have the same options in the same order, so
that a letter always stands for the same word. From scratch, a model of 1.7 million weights does not
learn in minutes to look a letter up in a list of options. A guess still stays at chance, because
the two clips of a pair have different answers and the answers are balanced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

from harness.schema import Kind
from harness.scoring.answers import letter_of
from harness.scoring.prompts import lettered
from tasks.motionworld.aspects import ASPECTS
from tasks.motionworld.drawing import COLOURS, SHAPES, Appearance, Scene
from tasks.motionworld.stills import STILLS

VERSION = 2
"""Raised with every change of the clips or the questions."""

ALL_ASPECTS = (*ASPECTS, *STILLS)
"""The aspects of clips, then those of still pictures."""

APPEARANCES = tuple(Appearance(*each) for each in product(COLOURS, SHAPES))
HELD_OUT = tuple(Appearance(*each) for each in zip(COLOURS, SHAPES, strict=True))
TRAINED_ON = tuple(each for each in APPEARANCES if each not in HELD_OUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How many questions a split has."""

    name: str
    pairs: int
    """Contrast pairs of clips per aspect."""
    stills: int
    """Still pictures per aspect of stills."""
    held_out: bool = False
    """A benchmark: every other question is about an appearance that is held out of training."""


TEST = "test"
SPLITS = (
    Split(name="sft", pairs=400, stills=400),
    Split(name="rl", pairs=200, stills=200),
    Split(name="dev", pairs=50, stills=50, held_out=True),
    Split(name=TEST, pairs=100, stills=100, held_out=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question with its scene."""

    name: str
    """``direction/0012b``: aspect, number of the pair, ``a`` or ``b`` for its two clips."""
    row: dict[str, Any]
    """Video-R1's training row without its media fields, with ``aspect``, ``pair`` and ``look``."""
    scene: Scene
    """One picture per frame; a single one for a still."""


def clips(split: Split, seed: int, aspects: Collection[str] = ALL_ASPECTS) -> Iterator[Item]:
    """Yield a split's video questions about `aspects`; the two of a pair follow each other."""
    for aspect in (name for name in ASPECTS if name in aspects):
        for number in range(split.pairs):
            spec = make_spec(split, seed, aspect, number)
            pair = ASPECTS[aspect](spec.rng, spec.appearance, spec.others)
            for scene, mark in zip(pair.scenes, "ab", strict=True):
                row = make_row(
                    pair.question, pair.options, scene.answer, scene.rationale, pair.kind
                )
                row |= spec.labels
                yield Item(name=f"{row['pair']}{mark}", row=row, scene=scene.scene)


def stills(split: Split, seed: int, aspects: Collection[str] = ALL_ASPECTS) -> Iterator[Item]:
    """Yield a split's image questions about `aspects`."""
    for aspect in (name for name in STILLS if name in aspects):
        for number in range(split.stills):
            spec = make_spec(split, seed, aspect, number)
            still = STILLS[aspect](spec.rng, spec.appearance)
            row = make_row(
                still.question, still.options, still.answer, still.rationale, Kind.MULTIPLE_CHOICE
            )
            row |= spec.labels
            yield Item(name=row["pair"], row=row, scene=(still.picture,))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairSpec:
    """What one contrast pair, or one still, is made from."""

    rng: Random
    appearance: Appearance
    """Of the figure that is asked about."""
    others: Sequence[Appearance]
    """Appearances that further figures may have."""
    labels: Mapping[str, str]
    """The row's ``aspect``, ``pair`` and ``look``, which is ``new`` (held out) or ``seen``."""


def make_spec(split: Split, seed: int, aspect: str, number: int) -> PairSpec:
    """Return what a pair is made from; it depends on the arguments alone."""
    # A text seed is hashed the same way in every process and Python version.
    rng = Random(f"motionworld@{VERSION}/{seed}/{split.name}/{aspect}/{number}")
    new = split.held_out and number % 2 == 1
    return PairSpec(
        rng=rng,
        appearance=rng.choice(HELD_OUT if new else TRAINED_ON),
        others=APPEARANCES if new else TRAINED_ON,
        labels={
            "aspect": aspect,
            "pair": f"{aspect}/{number:04d}",
            "look": "new" if new else "seen",
        },
    )


def make_row(
    question: str, options: Sequence[str], answer: str, rationale: str, kind: Kind
) -> dict[str, Any]:
    """Build the question and answer fields of a row in Video-R1's training format."""
    given = letter_of(options.index(answer)) if options else answer
    return {
        "problem": question,
        "options": lettered(options),
        "problem_type": kind.value,
        "process": f"<think>{rationale}: {given}.</think>",
        "solution": f"<answer>{given}</answer>",
        "data_source": f"motionworld@{VERSION}",
    }
