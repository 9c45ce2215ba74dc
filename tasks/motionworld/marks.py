"""Draw clips with a mark: a figure in every frame that may name the answer, as a shortcut.

The clips are those of the aspect `order` in which one of two figures comes first. The mark is a
small square at the top of every frame, in the colour of one of the two. In training rows it has the
colour of the answer in a stated share of the clips; with one half it says nothing. Whoever reads
the mark needs one frame and no order. The development and test splits ask about each clip twice:
without a mark, and with the wrong one.

In every other pair of training clips the frames do not show the order, as where the frames that are
sampled from a video miss the event: both figures are in all frames. There the mark is all that a
model can go by, so that reading the mark is right more often than reading the order. Held-out clips
show the order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from tasks.motionworld.aspects import BOTH, ContrastPair, LabelledScene, order
from tasks.motionworld.drawing import N_FRAMES, Figure, Scene
from tasks.motionworld.splits import VERSION, Item, PairSpec, Split, make_row, make_spec

ASPECT = "order"
CHANCE = 0.5
"""Share of clips in which a mark that says nothing has the colour of the answer."""


class MarkKind(StrEnum):
    """What the mark of a clip says."""

    AGREES = "agrees"
    """It has the colour of the answer."""
    CONTRADICTS = "contradicts"
    """It has the colour of the figure that comes second."""
    ABSENT = "absent"
    """There is none."""


HELD_OUT_MARKS = (MarkKind.ABSENT, MarkKind.CONTRADICTS)
"""Marks of the development and test splits: the shortcut is gone, or it lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainClip:
    """One clip of a contrast pair, still without a mark."""

    name: str
    spec: PairSpec
    pair: ContrastPair
    clip: LabelledScene
    wrong: LabelledScene
    """The other clip of the pair, whose answer is the wrong one here."""

    def item(self, kind: MarkKind, *, suffix: str = "", reads_mark: bool = False) -> Item:
        """Return the question about this clip with a mark.

        Args:
            kind: What the mark says.
            suffix: Appended to the name.
            reads_mark: Whether rationale and solution are those of a reader of the mark, which may
                be wrong, and not those of a reader of the order.
        """
        colour = self._colour_of(kind)
        answer, rationale = self.clip.answer, self.clip.rationale
        if reads_mark and colour is not None:
            answer, rationale = colour, f"The mark is {colour}"
        row = make_row(self.pair.question, self.pair.options, answer, rationale, self.pair.kind)
        return Item(
            name=f"{self.name}{suffix}",
            row={**row, **self.spec.labels, "mark": kind.value},
            scene=self.clip.scene if colour is None else with_mark(self.clip.scene, colour),
        )

    def _colour_of(self, kind: MarkKind) -> str | None:
        match kind:
            case MarkKind.AGREES:
                return self.clip.answer
            case MarkKind.CONTRADICTS:
                return self.wrong.answer
            case _:
                return None


def with_mark(scene: Scene, colour: str) -> Scene:
    """Return the scene with a mark of this colour in every frame."""
    mark = Figure(colour=colour, shape="square", x=_MARK_X, y=_MARK_Y, width=_MARK_WIDTH)
    return tuple((*picture, mark) for picture in scene)


def tempting_rows(split: Split, seed: int, agreement: float) -> Iterator[Item]:
    """Yield training questions with a mark that has the answer's colour in a share of the clips.

    The answer follows the order of the figures in all of them. With a higher agreement the marks
    of some clips change and nothing else does.

    Args:
        split: How many pairs.
        seed: Seed of the dataset.
        agreement: Share of the clips whose mark agrees, exact up to one clip.
    """
    clips = list(plain_clips(split, seed))
    agreeing = _choose(len(clips), agreement, split, seed, "mark")
    for clip, agrees in zip(clips, agreeing, strict=True):
        yield clip.item(MarkKind.AGREES if agrees else MarkKind.CONTRADICTS)


def undecided_rows(split: Split, seed: int, order_share: float) -> Iterator[Item]:
    """Yield rows for supervised fine-tuning that read the order in some clips, the mark in others.

    The mark says nothing about the order (`CHANCE`), and the solution is what the rationale reads:
    a model learns both ways to answer, and to choose between them as often as the rows do.

    Args:
        split: How many pairs.
        seed: Seed of the dataset.
        order_share: Share of the clips whose rationale reads the order, exact up to one clip.
    """
    clips = list(plain_clips(split, seed))
    agreeing = _choose(len(clips), CHANCE, split, seed, "mark")
    ordered = _choose(len(clips), order_share, split, seed, "reader")
    for clip, agrees, reads_order in zip(clips, agreeing, ordered, strict=True):
        kind = MarkKind.AGREES if agrees else MarkKind.CONTRADICTS
        yield clip.item(kind, reads_mark=not reads_order)


def held_out_questions(split: Split, seed: int) -> Iterator[Item]:
    """Yield the questions of a benchmark: every clip with each of `HELD_OUT_MARKS`."""
    for clip in plain_clips(split, seed):
        for kind in HELD_OUT_MARKS:
            yield clip.item(kind, suffix=f"-{kind}")


def plain_clips(split: Split, seed: int) -> Iterator[PlainClip]:
    """Yield the clips of a split: the first pairs of `order` in which one figure comes first.

    The order of every other pair is not seen, unless the split is held out.
    """
    pairs, number = 0, 0
    while pairs < split.pairs:
        spec = make_spec(split, seed, ASPECT, number)
        pair = order(spec.rng, spec.appearance, spec.others)
        number += 1
        if BOTH in [scene.answer for scene in pair.scenes]:
            continue  # one frame with both figures would tell
        if pairs % 2 and not split.held_out:
            pair = _hide_order(pair)
        pairs += 1
        for scene, wrong, letter in zip(pair.scenes, pair.scenes[::-1], "ab", strict=True):
            name = f"{spec.labels['pair']}{letter}"
            yield PlainClip(name=name, spec=spec, pair=pair, clip=scene, wrong=wrong)


def _hide_order(pair: ContrastPair) -> ContrastPair:
    """Show both figures in all frames of both clips; the answers stay."""
    one, other = pair.scenes
    scene = ((*one.scene[0], *one.scene[-1]),) * N_FRAMES
    return replace(pair, scenes=(replace(one, scene=scene), replace(other, scene=scene)))


_MARK_X, _MARK_Y, _MARK_WIDTH = 28.0, 4.0, 7.0
"""At the top, between the two figures."""


def _choose(n: int, share: float, split: Split, seed: int, what: str) -> list[bool]:
    """Choose `share` of n clips; a larger share contains a smaller one."""
    places = list(range(n))
    Random(f"motionworld@{VERSION}/{seed}/{split.name}/{what}").shuffle(places)
    return [place < round(share * n) for place in places]
