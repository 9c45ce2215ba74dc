"""Answers requests with Hugging Face transformers, batch by batch: the reference engine.

It is slow, but uses no server, cache or scheduler. A batch has the requests that have arrived, in
order. Greedy answers do not depend on the batch; sampled ones do, because one random generator
serves all rows of a batch.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.backends import chat, positions
from harness.backends.base import Answer, EngineStats
from harness.backends.feed import Feed, failure
from harness.backends.logits import NOT_FINITE, LogitsWatch
from harness.backends.penalties import penalties
from harness.backends.stops import cut_at_stop
from harness.backends.thoughts import ThoughtReader
from harness.errors import BackendError
from harness.models.checkpoint import Checkpoint
from harness.plugins import importing
from harness.schema import Completion, Failure, Request, Sampling

_PAUSE_S = 0.05
"""Seconds that an incomplete batch waits for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformersConfig:
    """Settings of the transformers engine; none of them belongs to the protocol."""

    batch_size: int = 8
    device: str | None = None
    """Torch device; None: a GPU if there is one."""
    dtype: str | None = None
    """Torch dtype; None: bfloat16 on a GPU, float32 on a CPU."""


class TransformersBackend:
    """Answers requests with `AutoModelForImageTextToText`.

    The constructor loads the model and turns off transformers' progress bars and warnings in this
    process.
    """

    name = "transformers"

    def __init__(self, checkpoint: Checkpoint, options: TransformersConfig | None = None) -> None:
        self._options = options or TransformersConfig()
        self._processor = chat.load_processor(checkpoint)
        self._thoughts = ThoughtReader(self._processor)
        self._media_options = chat.media_options(self._processor)
        model = _load_model(checkpoint, self._options)
        positions.fix_rope_positions(model)
        self._stop_ids, self._pad_id = _take_special_ids(model, self._processor.tokenizer)
        if checkpoint.adapter is not None:
            model = _load_adapter(model, checkpoint.adapter)
        self._model = model.eval()
        self._preprocess_s = self._generate_s = self._idle_s = 0.0

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Yield the answers batch by batch; the requests of a batch have the same sampling."""
        size = self._options.batch_size
        feed = Feed(requests, lambda request: request, ahead=size)
        try:
            for batch in _group_batches(feed, size):
                yield from self._answer_batch(batch)
        finally:
            feed.close()
            self._idle_s += feed.idle_s

    def stats(self) -> EngineStats:
        """Return the times; vision, prefill and generation are one call, counted as generation."""
        return EngineStats(
            preprocess_s=self._preprocess_s, idle_s=self._idle_s, generate_s=self._generate_s
        )

    def close(self) -> None:
        """Free the model."""
        import torch

        del self._model
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _answer_batch(self, batch: list[Request]) -> list[Answer]:
        """Answer a batch; if that fails, answer its requests one by one to find the bad ones."""
        try:
            completions = self._generate_batch(batch)
        except Exception as error:  # noqa: BLE001 - the boundary: a request costs itself only
            if len(batch) == 1:
                return [(batch[0], failure(error))]
            return [answer for request in batch for answer in self._answer_batch([request])]
        return list(zip(batch, completions, strict=True))

    def _generate_batch(self, batch: list[Request]) -> list[Completion | Failure]:
        import torch

        sampling = batch[0].sampling
        started = time.perf_counter()
        inputs = self._make_inputs(batch).to(self._model.device)
        ready = time.perf_counter()
        self._preprocess_s += ready - started
        for name in [name for name in inputs if name.startswith("pixel_values")]:
            # Nothing else is cast: seconds per frame would lose their digits in bfloat16.
            inputs[name] = inputs[name].to(self._model.dtype)
        prompt_length = inputs["input_ids"].shape[1]
        torch.manual_seed(_seed_of(batch))
        watch = LogitsWatch()
        with torch.inference_mode():
            rows = self._model.generate(
                **inputs,
                generation_config=self._generation_config(sampling),
                logits_processor=[watch, *penalties(sampling, prompt_length)],
                **self._stop_options(sampling),
            )
        answers = [
            self._make_completion(request, row)
            for request, row in zip(batch, rows[:, prompt_length:].tolist(), strict=True)
        ]
        prompt_tokens = inputs["attention_mask"].sum(dim=1).tolist()
        ended = time.perf_counter()
        self._generate_s += ended - ready
        seconds = ended - started
        return [
            failure(NOT_FINITE)
            if broken
            else replace(answer, prompt_tokens=tokens, generate_s=seconds)
            for answer, tokens, broken in zip(
                answers, prompt_tokens, watch.broken_rows(len(batch)), strict=True
            )
        ]

    def _make_inputs(self, batch: list[Request]) -> Any:
        images = [found for request in batch if (found := chat.images(request.clips))]
        clips = [clip for request in batch for clip in request.clips if not chat.is_image(clip)]
        options = self._media_options
        return self._processor(
            text=[chat.render(self._processor, request.prompt, request.clips) for request in batch],
            images=images or None,
            videos=[clip.frames for clip in clips] or None,
            images_kwargs=options["images_kwargs"],
            videos_kwargs={
                **options["videos_kwargs"],
                "video_metadata": [chat.video_metadata(clip) for clip in clips],
            },
            # The template has written every special token that the model expects.
            text_kwargs={"padding": True, "padding_side": "left", "add_special_tokens": False},
            return_tensors="pt",
        )

    def _generation_config(self, sampling: Sampling) -> Any:
        from transformers import GenerationConfig

        random: dict[str, Any] = {"do_sample": False}
        if sampling.temperature > 0:
            random = {
                "do_sample": True,
                "temperature": sampling.temperature,
                "top_p": sampling.top_p,
                "top_k": sampling.top_k,
                "min_p": sampling.min_p or None,
            }
        return GenerationConfig(
            max_new_tokens=sampling.max_tokens,
            repetition_penalty=sampling.repetition_penalty,
            eos_token_id=self._stop_ids,
            pad_token_id=self._pad_id,
            **random,
        )

    def _stop_options(self, sampling: Sampling) -> dict[str, Any]:
        """Return the arguments that end an answer at the stop texts."""
        if not sampling.stop:
            return {}
        return {"stop_strings": list(sampling.stop), "tokenizer": self._processor.tokenizer}

    def _make_completion(self, request: Request, row: list[int]) -> Completion:
        """Return a generated row up to the token or the stop text that ends it."""
        stops = request.sampling.stop
        end = next((at for at, token in enumerate(row, 1) if token in self._stop_ids), None)
        token_ids = tuple(row[:end])
        while stops and end is None and token_ids and token_ids[-1] == self._pad_id:
            token_ids = token_ids[:-1]  # a row that a stop text has ended is padded
        completion = self._thoughts.complete(
            request,
            token_ids,
            "length" if end is None else "stop",
            output_tokens=len(token_ids),
        )
        kept = cut_at_stop(completion.text, stops)
        if kept == completion.text:
            return completion
        return replace(completion, text=kept, finish_reason="stop")


def _seed_of(batch: list[Request]) -> int:
    """Return the seed of a batch, from that of the protocol and the prompts.

    With the seed of the protocol alone the answers of all batches would be drawn with the same
    random numbers: 400 questions in batches of 8 would have 8 draws.
    """
    prompts = "\n".join(request.prompt.text for request in batch)
    text = f"{batch[0].sampling.seed}\n{prompts}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest())


def _group_batches(feed: Feed[Request], size: int) -> Iterator[list[Request]]:
    """Group requests; a batch ends at `size`, at other sampling settings, or at a pause."""
    batch: list[Request] = []
    while batch or not feed.exhausted:
        taken = feed.take(wait_s=_PAUSE_S if batch else None)
        request = taken and taken[0]
        if batch and (request is None or batch[0].sampling != request.sampling):
            yield batch
            batch = []
        if request is not None:
            batch.append(request)
        if len(batch) == size:
            yield batch
            batch = []


def _load_model(checkpoint: Checkpoint, options: TransformersConfig) -> Any:
    with importing("torch", "transformers"):
        import torch
    with importing("transformers", "transformers"):
        import transformers

        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = options.dtype or ("float32" if device == "cpu" else "bfloat16")
    try:
        model, report = transformers.AutoModelForImageTextToText.from_pretrained(
            checkpoint.path, dtype=dtype, output_loading_info=True
        )
    except Exception as error:
        raise BackendError(
            f"transformers cannot load {checkpoint.path}: {type(error).__name__}: {error}"
        ) from error
    refuse_partial(checkpoint, report)
    return model.to(device)


def refuse_partial(checkpoint: Checkpoint, report: dict[str, Any]) -> None:
    """Raise `BackendError` if weights are missing, which transformers would initialise randomly."""
    absent = sorted(report["missing_keys"])
    if absent:
        raise BackendError(
            f"{checkpoint.path} lacks {len(absent)} weights of its own architecture, first"
            f" {absent[0]}; the checkpoint is incomplete"
        )


def _load_adapter(model: Any, adapter: Path) -> Any:
    with importing("peft", "transformers"):
        from peft import PeftModel
    try:
        return PeftModel.from_pretrained(model, adapter)
    except Exception as error:
        raise BackendError(
            f"{adapter} does not fit its base model: {type(error).__name__}: {error}"
        ) from error


def _take_special_ids(model: Any, tokenizer: Any) -> tuple[list[int], int]:
    """Return the ids that end an answer and the padding id; reset the generation config.

    The checkpoint's generation config is replaced by an empty one, because its sampling settings
    (temperature, top_k, repetition penalty) would fill every field that the protocol leaves out.
    """
    from transformers import GenerationConfig

    stored = model.generation_config
    model.generation_config = GenerationConfig()
    listed = stored.eos_token_id if isinstance(stored.eos_token_id, list) else [stored.eos_token_id]
    stop_ids = [
        int(token)
        for token in dict.fromkeys([*listed, tokenizer.eos_token_id])
        if token is not None
    ]
    if not stop_ids:
        raise BackendError(
            "neither generation_config.json nor the tokenizer has an end-of-text token"
        )
    pad = stored.pad_token_id if stored.pad_token_id is not None else tokenizer.pad_token_id
    return stop_ids, stop_ids[0] if pad is None else int(pad)
