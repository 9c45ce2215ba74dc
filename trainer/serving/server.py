"""Ask one vLLM server for completions of prompts with video, and give it new weights.

Frames travel without loss and with their times, in the form that `harness.backends.openai` has for
them; the server's tokens of the prompt are compared with the trainer's. Weights are read by the
server from a folder (`trainer.serving.worker`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from harness.backends.openai import TRUST_FLAG, OpenAIBackend, ServerConfig
from harness.errors import BackendError
from harness.models.server import served
from harness.schema import Clip, Prompt, Request, Sampling
from harness.server.errors import (
    BadRequestError,
    BrokenConnectionError,
    NotFoundError,
    ServerFaultError,
    TimeLimitError,
    UnreachableServerError,
)
from trainer.serving.worker import WeightsFromFolder

LOST = (UnreachableServerError, BrokenConnectionError, TimeLimitError, ServerFaultError)
"""Errors of a server that is gone or broken; it may come back, with other weights."""
START_COMMAND = "videor1 train serve"
_LONGEST_BATCH_S = 3600.0
"""Seconds that a server may take for the completions of a prompt, waiting for others included."""
_NEVER = -100.0
_METHOD = WeightsFromFolder.load_trained_weights.__name__

Completions = list[tuple[list[int], list[float]]]
"""Token ids and log-probabilities of each completion of a prompt."""


class AskedRow(Protocol):
    """What is sent of a row."""

    @property
    def id(self) -> str:
        """The row's id, for messages."""

    @property
    def prompt(self) -> Prompt:
        """The question."""

    @property
    def clips(self) -> tuple[Clip, ...]:
        """Its media, decoded."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The token ids that the trainer has for both."""


class RolloutServer(OpenAIBackend):
    """A vLLM server that `videor1 train serve` started.

    A request that fails is not repeated here: the server may have been started anew since, with the
    weights of its checkpoint.

    Args:
        url: Address, with or without ``/v1``.

    Raises:
        CheckpointError: No server answers, or it refuses the key.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            served(_api_address(url)), ServerConfig(max_retries=0, timeout_s=_LONGEST_BATCH_S)
        )
        self.url = url

    def load_weights(self, folder: Path, *, alone: bool) -> None:
        """Replace the weights and clear the caches, which belong to the old weights.

        Args:
            folder: Where they are; no two sets of weights have the same path.
            alone: Whether nobody may ask the server now. Otherwise another process of the training
                may have given it the same weights and be asking.

        Raises:
            BackendError: The server cannot replace its weights, or does not see the folder.
        """
        try:
            reply = self._client.post(
                "/../collective_rpc", {"method": _METHOD, "args": [str(folder)]}
            )
            results = [one for one in reply.get("results", ()) if one]
            if results and all("unchanged" in one for one in results):
                return
            self._client.post("/../reset_encoder_cache", {})
            again = "" if alone else "?reset_running_requests=true"
            cleared = self._client.post(f"/../reset_prefix_cache{again}", {})
        except (NotFoundError, ServerFaultError) as error:
            if isinstance(error, ServerFaultError) and _METHOD not in str(error):
                raise
            raise BackendError(
                f"the server at {self.url} takes no weights ({error}); start it with"
                f" `{START_COMMAND}`"
            ) from error
        faults = [one["error"] for one in results if "error" in one]
        if faults:
            raise BackendError(
                f"{self.url}: {faults[0]}; set rollout.weights_folder to a folder that the trainer"
                " and its servers have under the same path"
            )
        if cleared.get("success") is not True:
            raise BackendError(
                f"the server at {self.url} still answers others; a server belongs to one training"
            )

    def sample(
        self, row: AskedRow, sampling: Sampling, *, count: int, never: Iterable[int]
    ) -> Completions:
        """Return `count` completions of one prompt.

        Args:
            row: The prompt.
            sampling: How; the i-th completion has the seed ``sampling.seed + i``.
            count: Completions.
            never: Tokens that are not sampled.

        Raises:
            BackendError: The server refuses the prompt, or tokenizes it otherwise.
        """
        request = Request(id=row.id, prompt=row.prompt, clips=row.clips, sampling=sampling)
        body = {
            **self._request_body(request),
            "n": count,
            "logprobs": True,
            "top_logprobs": 0,
            "logit_bias": {str(token): _NEVER for token in never},
        }
        try:
            reply = self._client.post("/chat/completions", body)
        except BadRequestError as error:
            hint = f"; start it with `{START_COMMAND}`" if TRUST_FLAG in str(error) else ""
            raise BackendError(
                f"row {row.id}: the server at {self.url} refuses it: {error}{hint}"
            ) from error
        theirs = reply.get("prompt_token_ids") or []
        if list(theirs) != list(row.ids):
            raise BackendError(
                f"row {row.id}: the prompt of {len(theirs)} tokens of the server at {self.url}"
                f" differs from the trainer's of {len(row.ids)}; serve the checkpoint that is"
                f" trained, with `{START_COMMAND}`"
            )
        return self._read_choices(reply, count, row)

    def _read_choices(self, reply: Mapping[str, Any], count: int, row: AskedRow) -> Completions:
        choices = sorted(reply.get("choices", ()), key=lambda one: int(one["index"]))
        found = [
            (
                list(one.get("token_ids") or ()),
                [
                    float(token["logprob"])
                    for token in (one.get("logprobs") or {}).get("content", ())
                ],
            )
            for one in choices
        ]
        if len(found) != count or any(not ids or len(ids) != len(logps) for ids, logps in found):
            raise BackendError(
                f"row {row.id}: the server at {self.url} sent {len(found)} of {count} completions"
                " with their tokens and log-probabilities"
            )
        return found


def _api_address(url: str) -> str:
    url = url.rstrip("/")
    return url if url.endswith("/v1") else f"{url}/v1"


def _logps(choice: Mapping[str, Any]) -> list[float]:
    content = (choice.get("logprobs") or {}).get("content") or ()
    return [float(token["logprob"]) for token in content]
