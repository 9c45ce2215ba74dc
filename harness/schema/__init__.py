"""Defines the nouns of an evaluation: questions, requests, answers, records, and their figures."""

from harness.schema.asking import LATER, FramePolicy, FrameRule, Sampling, TemplateArgs, Variant
from harness.schema.figures import RepeatFigure, RepeatSummary, TaskSummary
from harness.schema.items import (
    AnswerKey,
    Clip,
    Completion,
    Failure,
    ItemKey,
    Kind,
    Media,
    MediaKind,
    Outcome,
    Prompt,
    Record,
    Request,
    Sample,
    Score,
)

__all__ = [
    "LATER",
    "AnswerKey",
    "Clip",
    "Completion",
    "Failure",
    "FramePolicy",
    "FrameRule",
    "ItemKey",
    "Kind",
    "Media",
    "MediaKind",
    "Outcome",
    "Prompt",
    "Record",
    "RepeatFigure",
    "RepeatSummary",
    "Request",
    "Sample",
    "Sampling",
    "Score",
    "TaskSummary",
    "TemplateArgs",
    "Variant",
]
