"""Answers requests with a Python function, for tests, the demo and trying a task without a model.

The function gets the whole request, frames included, and returns the text, a `Completion` (to set
token counts) or a `Failure`. An exception fails its request only, as with any other engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.backends.base import Answer, EngineStats
from harness.backends.feed import failure
from harness.schema import Completion, Failure, Request

AnswerFunction = Callable[[Request], str | Completion | Failure]


class FakeBackend:
    """Answers every request with a function, in order."""

    name = "fake"

    def __init__(self, answer: AnswerFunction) -> None:
        self._function = answer

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Call the function once per request."""
        for request in requests:
            yield request, self._answer(request)

    def stats(self) -> EngineStats:
        """Return empty statistics: nothing is measured."""
        return EngineStats()

    def close(self) -> None:
        """Do nothing: there is no engine to free."""

    def _answer(self, request: Request) -> Completion | Failure:
        try:
            answer = self._function(request)
        except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
            return failure(error)
        if isinstance(answer, str):
            return Completion(text=answer, finish_reason="stop")
        return answer


def first_option(request: Request) -> str:
    """Answer A to every request, in the form that the prompt asks for: a constant baseline."""
    return "<answer>A</answer>" if "<answer>" in request.prompt.text else "A"
