"""Shows frames with text between them, such as subtitles, and says what was shown.

A prompt whose text belongs to frames (`harness.schema.Prompt.between`) is asked as single images
with text in between, the form in which publishers of such benchmarks ask it and which every engine
takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from harness.run.plan import PlannedTask
from harness.schema import AskedPart, Clip, MediaKind, Prompt, Sample
from harness.task.api import TimedPrompts
from harness.text.stored import storable


def show_between(prompt: Prompt, clips: tuple[Clip, ...]) -> tuple[Prompt, tuple[Clip, ...]]:
    """Return prompt and media as an engine gets them: frames as images where text is between them.

    Args:
        prompt: The prompt of a question.
        clips: Its clips, frames in the order shown.

    Returns:
        Both unchanged where the prompt has no `Prompt.between`; else a prompt whose texts stand in
        `Prompt.before` and `Prompt.text`, and a clip of one frame for each frame.

    Raises:
        ValueError: A text stands behind more frames than there are.
    """
    if prompt.between is None:
        return prompt, clips
    frames = cut_clips(clips)
    texts: defaultdict[int, str] = defaultdict(str)
    first = 0
    for before, clip in zip(prompt.before, clips, strict=False):
        texts[first] += before
        first += len(clip.frames)
    for after, text in prompt.between:
        if not 0 <= after <= len(frames):
            raise ValueError(f"a text stands behind {after} frames, there are {len(frames)}")
        texts[after] += text
    before_each = tuple(texts[place] for place in range(len(frames)))
    text = texts[len(frames)] + prompt.text
    return replace(prompt, before=before_each, between=None, text=text), frames


def describe_asked(
    planned: PlannedTask, sample: Sample, clips: tuple[Clip, ...]
) -> tuple[AskedPart, ...]:
    """Return the user turn of an item if its text depends on the frames; else nothing.

    Args:
        planned: The item's task.
        sample: The item.
        clips: What the model saw, one clip per medium.
    """
    if not clips or not isinstance(planned.task, TimedPrompts):
        return ()
    prompt = planned.prompt(sample, clips)
    if prompt == planned.prompt(sample):
        return ()
    prompt, shown = show_between(prompt, clips)
    parts, frames = [], 0
    for place, clip in enumerate(shown):
        text = prompt.before[place] if place < len(prompt.before) else ""
        if text:
            parts.append(AskedPart(frames=frames, text=storable(text)))
            frames = 0
        frames += len(clip.frames)
    return (*parts, AskedPart(frames=frames, text=storable(prompt.text)))


def cut_clips(clips: Iterable[Clip]) -> tuple[Clip, ...]:
    """Return every frame of some clips as an image of its own."""
    return tuple(frame for clip in clips for frame in _cut(clip))


def _cut(clip: Clip) -> list[Clip]:
    """Return each frame of a clip as an image; equal frames of equal clips have equal keys."""
    times = sorted(clip.timestamps)
    return [
        replace(
            clip,
            key=f"{clip.key}-{place}",
            kind=MediaKind.IMAGE,
            frames=clip.frames[place : place + 1],
            indices=(clip.indices[place],),
            timestamps=(times[place],),
            decode_s=0.0,
            notes=(),
        )
        for place in range(len(clip.frames))
    ]
