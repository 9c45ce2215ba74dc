"""Right training rows, one of every problem type and medium: docs/rows.md shows these."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.schema import Kind


@dataclass(frozen=True, slots=True)
class ExampleRow:
    """A row that passes every check, for SFT and for reinforcement learning."""

    title: str
    """What it is an example of."""
    fields: Mapping[str, Any]

    @property
    def kind(self) -> Kind:
        """Its problem type."""
        return Kind(self.fields["problem_type"])

    def as_line(self) -> str:
        """Return it as one line of a ``.jsonl`` file."""
        return json.dumps(dict(self.fields), ensure_ascii=False)


def _row(title: str, **fields: Any) -> ExampleRow:
    return ExampleRow(title, MappingProxyType(fields))


_CAR = {"data_type": "video", "path": "clips/1.mp4"}
_SIGN = {"data_type": "image", "path": "pictures/sign.png"}

EXAMPLES = (
    _row(
        "multiple choice, video",
        problem_id=1,
        problem="Which way does the car turn?",
        problem_type="multiple choice",
        options=["A. left", "B. right"],
        **_CAR,
        process="<think>The car leaves the picture on the right.</think>",
        solution="<answer>B</answer>",
    ),
    _row(
        "numerical, video",
        problem_id=2,
        problem="How many people cross the street?",
        problem_type="numerical",
        **_CAR,
        process="<think>Two from the left, one from the right.</think>",
        solution="<answer>3</answer>",
    ),
    _row(
        "regression, video",
        problem_id=3,
        problem="How wide is the street, in metres?",
        problem_type="regression",
        **_CAR,
        process="<think>About four cars of 1.8 m fit beside each other.</think>",
        solution="<answer>7.2</answer>",
    ),
    _row(
        "temporal grounding, video",
        problem_id=4,
        problem="When does the light show red?",
        problem_type="temporal grounding",
        **_CAR,
        process="<think>It turns red after a second and green one and a half later.</think>",
        solution="<answer>1.0 to 2.5</answer>",
    ),
    _row(
        "free-form, video",
        problem_id=5,
        problem="What does the driver do at the crossing?",
        problem_type="free-form",
        **_CAR,
        process="<think>The light is red, then the car turns.</think>",
        solution="<answer>The driver waits for the light and turns right.</answer>",
    ),
    _row(
        "OCR, image",
        problem_id=6,
        problem="What does the sign say?",
        problem_type="OCR",
        **_SIGN,
        process="<think>Red, eight corners.</think>",
        solution="<answer>STOP</answer>",
    ),
    _row(
        "multiple choice, image, options without letters",
        problem_id=7,
        problem="Which shape has the sign?",
        problem_type="multiple choice",
        options=["triangle", "circle", "octagon"],
        **_SIGN,
        process="<think>I count eight corners.</think>",
        solution="<answer>C</answer>",
    ),
    _row(
        "numerical, text alone",
        problem_id=8,
        problem="A car drives 30 metres in 2 seconds. How many metres per second is that?",
        problem_type="numerical",
        process="<think>30 / 2 = 15.</think>",
        solution="<answer>15</answer>",
    ),
    _row(
        "multiple choice, an image and a video between the texts",
        problem_id=9,
        problem="Does the driver who sees this sign <image> stop in <video>? ",
        problem_type="multiple choice",
        options=["A. yes", "B. no"],
        images=["pictures/sign.png"],
        videos=["clips/1.mp4"],
        process="<think>The sign says stop, and the car waits.</think>",
        solution="<answer>A</answer>",
    ),
)
"""Of a problem type with several examples, the first is shown in messages."""


def example_of(kind: Kind) -> ExampleRow:
    """Return a right row of a problem type."""
    return next(example for example in EXAMPLES if example.kind is kind)
