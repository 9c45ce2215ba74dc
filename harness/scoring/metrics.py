"""Scores of one answer against its gold answer, 0 to 1; one function per rule, each sourced.

Used by benchmark scorers and by training rewards alike. Where two sources disagree there are two
named functions: float width and strictness decide boundary cases of mean relative accuracy.
"""

from __future__ import annotations

import numpy as np

from harness.scoring.answers import number

_THRESHOLDS = np.linspace(0.5, 0.95, 10)


def mean_relative_accuracy(predicted: float, target: float) -> float:
    """Return VSI-Bench's official MRA: the share of ten thresholds that the error stays within.

    Error is ``|p - t| / t`` in float64, compared with ``<=`` to ``1 - threshold`` for thresholds
    0.50, 0.55, ..., 0.95 (thinking-in-space ``metric.py``). A target of 0 is undefined there.
    """
    if target == 0:
        raise ValueError("mean relative accuracy is undefined for a target of 0")
    error = abs(predicted - target) / target
    return float(np.mean(error <= 1 - _THRESHOLDS))


def mean_relative_accuracy_strict(predicted: float, target: float) -> float:
    """Return Video-R1's MRA: float32, error ``|p - t| / (|t| + 1e-8)``, compared with ``<``.

    Source: Video-R1 ``eval_bench.py``. It differs from the official rule only at boundaries.
    """
    # Numbers beyond float32 become infinite: wrong answers there and here, no reason to warn.
    with np.errstate(over="ignore", invalid="ignore"):
        p, t = np.float32(predicted), np.float32(target)
        error = np.abs(p - t) / (np.abs(t) + np.float32(1e-8))
    within = error < np.float32(1) - _THRESHOLDS.astype(np.float32)
    return float(np.mean(within))


def numerical_match(predicted: str, gold: str) -> bool | None:
    """Tell whether two written numbers agree after rounding to two decimals.

    Video-R1's rule: a decimal mark (``.`` or ``,``) in exactly one of the two is a mismatch.
    Returns None where the prediction is no bare number.
    """
    value, target = number(predicted), number(gold)
    if value is None or target is None:
        return None
    if _has_mark(predicted) != _has_mark(gold):
        return False
    return round(value, 2) == round(target, 2)


def _has_mark(text: str) -> bool:
    return "." in text or "," in text
