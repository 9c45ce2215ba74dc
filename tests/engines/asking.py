"""Requests on synthetic clips, and what to look at in their answers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.backends.base import Backend
from harness.run.between_frames import show_between
from harness.schema import (
    Clip,
    Completion,
    Failure,
    FrameText,
    MediaKind,
    Prompt,
    Request,
    Sampling,
)

Answers = dict[str, Completion | Failure]
GREEDY = Sampling(temperature=0.0, max_tokens=12)


def clip(
    patch_multiple: int, seed: int, *, frames: int = 4, kind: MediaKind = MediaKind.VIDEO
) -> Clip:
    """Make a clip of random tiles, two rows of three, that fits the grid of a processor."""
    tiles = np.random.default_rng(seed).integers(0, 256, (frames, 2, 3, 3), dtype=np.uint8)
    return Clip(
        key=f"clip-{seed}-{frames}-{kind}",
        kind=kind,
        frames=tiles.repeat(patch_multiple, axis=1).repeat(patch_multiple, axis=2),
        indices=tuple(range(0, 5 * frames, 5)),
        timestamps=tuple(0.5 * frame for frame in range(frames)),
        fps=10.0,
        total_frames=5 * frames,
        duration_s=0.5 * frames,
    )


def image(patch_multiple: int, seed: int) -> Clip:
    return clip(patch_multiple, seed, frames=1, kind=MediaKind.IMAGE)


def request(
    name: str, text: str = "How many chairs?", clips: Iterable[Clip] = (), **changes: object
) -> Request:
    fields = {"prompt": Prompt(text=text), "sampling": GREEDY, **changes}
    return Request(id=name, clips=tuple(clips), **fields)


def questions(patch_multiple: int) -> list[Request]:
    """List 45 requests: nine clips asked four times each, and every other kind of input."""
    many = [
        request(
            f"clip-{seed}/{turn}",
            f"Question {turn}: which direction?",
            [clip(patch_multiple, seed)],
        )
        for seed in range(9)
        for turn in range(4)
    ]
    system = Prompt(text="And now?", system="You are a careful observer.")
    prefilled = Prompt(text="And now?", prefill="<think>")
    between = Prompt(text="And now?", between=(FrameText(1, "Hello.\n"), FrameText(4, "Bye.\n")))
    spoken, frames = show_between(between, (clip(patch_multiple, 53),))
    return [
        *many,
        request("text between frames", clips=frames, prompt=spoken),
        request("blind"),
        request("image", clips=[image(patch_multiple, 50)]),
        request("image and video", clips=[image(patch_multiple, 50), clip(patch_multiple, 1)]),
        request("two videos", clips=[clip(patch_multiple, 1), clip(patch_multiple, 2)]),
        request("one frame", clips=[clip(patch_multiple, 51, frames=1)]),
        request("odd frames", clips=[clip(patch_multiple, 52, frames=5)]),
        request("system", clips=[clip(patch_multiple, 1)], prompt=system),
        request("prefill", clips=[clip(patch_multiple, 1)], prompt=prefilled),
    ]


def ask(backend: Backend, requests: Iterable[Request]) -> Answers:
    return {request.id: answer for request, answer in backend.generate(requests)}


def disagreements(ours: Answers, theirs: Answers) -> list[str]:
    """List the questions answered with other tokens, and where they part."""
    return [
        f"{name}: {_first_difference(ours[name], theirs[name])}"
        for name in theirs
        if _tokens(ours[name]) != _tokens(theirs[name])
    ]


def _tokens(answer: Completion | Failure) -> tuple[int, ...] | None:
    return answer.token_ids if isinstance(answer, Completion) else None


def _first_difference(ours: Completion | Failure, theirs: Completion | Failure) -> str:
    left, right = _tokens(ours), _tokens(theirs)
    if left is None or right is None:
        return f"{ours} != {theirs}"
    at = next(
        (at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]),
        min(len(left), len(right)),
    )
    return f"token {at}: {left[at:]} != {right[at:]}"
