"""What a score would be if its publisher's rule counted unanswered questions.

Some official rules leave a response in which they find no answer out of numerator and denominator,
so that a model gains by saying nothing readable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.run.summary import estimate_score
from harness.schema import Outcome, Record
from harness.task.api import Aggregation


def count_unanswered(records: Sequence[Record], means: Aggregation) -> dict[str, float]:
    """Return how many answers the rule leaves out, and the score in percent if they were wrong.

    Questions that failed for technical reasons stay out of both. Nothing is returned where the rule
    leaves nothing out.
    """
    asked = [record for record in records if record.outcome is not Outcome.FAILED]
    unanswered = sum(record.value is None for record in asked)
    if not unanswered:
        return {}
    counted = [replace(one, value=one.value or 0.0) for one in asked]
    estimate = estimate_score(counted, means)
    found = {"unanswered": float(unanswered)}
    return found if estimate is None else found | {"score_if_wrong": 100 * estimate.mean}
