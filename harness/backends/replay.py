"""Answers requests with stored texts, so that responses of any model can be scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harness.backends.base import Answer, EngineStats
from harness.schema import Completion, Failure, ItemKey, Request


class ReplayBackend:
    """Answers a request with the text stored for it; a text of None is a refusal.

    Args:
        texts: By id and number of the repeat; one that is stored under the id alone is repeat 0.
    """

    name = "replay"

    def __init__(self, texts: Mapping[ItemKey, str | None] | Mapping[str, str | None]) -> None:
        self._texts = {(k, 0) if isinstance(k, str) else k: text for k, text in texts.items()}

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Look up the text of every request; a request without one yields a `Failure`."""
        for request in requests:
            key = request.id, request.repeat
            if key not in self._texts:
                yield request, _missing_response(request)
                continue
            text = self._texts[key]
            if text is None:
                yield request, Completion(text="", finish_reason="refusal", refused=True)
            else:
                yield request, Completion(text=text, finish_reason="stop")

    def stats(self) -> EngineStats:
        """Return empty statistics: nothing is measured."""
        return EngineStats()

    def close(self) -> None:
        """Do nothing: there is no engine to free."""


def _missing_response(request: Request) -> Failure:
    message = f"no stored response for {request.id}"
    return Failure(stage="generate", error="MissingResponse", message=message)
