"""Compares one answer with its gold answer, 0 to 1; one function per rule, with its source.

Benchmark scorers and training rewards use the same functions. Where two sources disagree there are
two functions: precision and strictness decide boundary cases of mean relative accuracy (MRA).
"""

from __future__ import annotations

import numpy as np

from harness.scoring.answers import number

_THRESHOLDS = np.linspace(0.5, 0.95, 10)


def mean_relative_accuracy(predicted: float, target: float) -> float:
    """Return VSI-Bench's official MRA: the share of ten thresholds that the error is within.

    The error ``|p - t| / t`` in float64 is compared with ``<=`` to ``1 - threshold`` for the
    thresholds 0.50, 0.55, ..., 0.95 (vision-x-nyu/thinking-in-space@51e089c). It is undefined for a
    target of 0.

    Raises:
        ValueError: The target is 0.
    """
    if target == 0:
        raise ValueError("mean relative accuracy is undefined for a target of 0")
    error = abs(predicted - target) / target
    return float(np.mean(error <= 1 - _THRESHOLDS))


def mean_relative_accuracy_strict(predicted: float, target: float) -> float:
    """Return Video-R1's MRA: float32, error ``|p - t| / (|t| + 1e-8)``, compared with ``<``.

    Source: ``src/eval_bench.py`` of tulerfeng/Video-R1@59d65c3. It differs from the official rule
    only at boundaries.
    """
    # Numbers beyond float32 become infinite and count as wrong, as in the original; no warning.
    with np.errstate(over="ignore", invalid="ignore"):
        p, t = np.float32(predicted), np.float32(target)
        error = np.abs(p - t) / (np.abs(t) + np.float32(1e-8))
    within = error < np.float32(1) - _THRESHOLDS.astype(np.float32)
    return float(np.mean(within))


def numerical_match(predicted: str, gold: str) -> bool | None:
    """Return whether two numbers, given as text, are equal after rounding to two decimals.

    Video-R1's rule: a mark (``.`` or ``,``) in exactly one of the two is a mismatch. Returns None
    if the prediction is not a bare number.
    """
    value, target = number(predicted), number(gold)
    if value is None or target is None:
        return None
    if _has_mark(predicted) != _has_mark(gold):
        return False
    return round(value, 2) == round(target, 2)


def temporal_iou(predicted: tuple[float, float], gold: tuple[float, float]) -> float:
    """Return the overlap of two spans of time over their hull, 0 to 1.

    It equals intersection over union where the spans meet and is 0 elsewhere; a span that ends
    before it starts, or where it starts, overlaps nothing. Nothing is clipped to the video. The
    definition of jiyanggao/TALL@3df6794 and of all that follow it (docs/sources.md).
    """
    if not predicted[0] < predicted[1]:
        return 0.0
    overlap = min(predicted[1], gold[1]) - max(predicted[0], gold[0])
    hull = max(predicted[1], gold[1]) - min(predicted[0], gold[0])
    return max(0.0, overlap) / hull if hull > 0 else 0.0


def _has_mark(text: str) -> bool:
    return "." in text or "," in text
