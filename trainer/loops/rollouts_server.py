"""Sample completions with vLLM servers on other GPUs.

A prompt is sent once for all of its completions, with its frames and their times. Changed weights
are written to a folder that the servers read. Each process asks the servers itself; the first one
writes the weights.
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list

from harness.schema import Sampling
from trainer.config.choices import Dtype
from trainer.config.recipe import GRPORecipe
from trainer.loops.ahead import Wait
from trainer.loops.inputs import PromptInputs
from trainer.loops.phase_clock import SYNC
from trainer.loops.rollouts import Sampled
from trainer.loops.shared_prompts import distinct_rows
from trainer.loops.weights import TrainedWeights
from trainer.serving.pool import ServerPool, connect
from trainer.serving.server import Completions, RolloutServer


class ServerRollouts:
    """Samples with servers whose weights follow the trained model.

    Args:
        pool: The servers.
        recipe: How completions are sampled, and the number format of the weights that servers get.
        folder: Where the weights are written.
        vision_ids: Vision tokens, which are never sampled.
    """

    reports_logps = True

    def __init__(
        self,
        pool: ServerPool[RolloutServer],
        recipe: GRPORecipe,
        *,
        folder: Path,
        vision_ids: Sequence[int],
    ) -> None:
        half = recipe.model.dtype is Dtype.BFLOAT16
        self._pool = pool
        self._settings = recipe.rollout
        self._folder = folder
        self._dtype = torch.bfloat16 if half else torch.float32
        self._never = tuple(vision_ids)
        self._weights = TrainedWeights()
        self._step: int | None = None
        self._writes = False
        self._start = ""

    def sample(self, trainer: Any, rows: Sequence[PromptInputs]) -> Sampled:
        """Sample one completion per row, with the log-probability of each of its tokens.

        Raises:
            BackendError: No server answers, or one refuses a prompt or tokenizes it otherwise.
        """
        return self.begin(trainer, rows)()

    def begin(self, trainer: Any, rows: Sequence[PromptInputs]) -> Wait:
        """Give the servers the present weights and begin to sample one completion per row.

        What `sample` may raise is raised by the returned function.
        """
        with trainer.clock.phase(SYNC):
            self._update_weights(trainer)
        prompts, prompt_of = distinct_rows(rows)
        counts = Counter(prompt_of)
        first = trainer.accelerator.process_index
        answers = [
            _in_thread(self._question(first + number, prompt, counts[number]))
            for number, prompt in enumerate(prompts)
        ]

        def wait() -> Sampled:
            left = [iter(answer.result()) for answer in answers]
            sampled = [next(left[prompt]) for prompt in prompt_of]
            return [ids for ids, _ in sampled], [logps for _, logps in sampled]

        return wait

    def close(self) -> None:
        """Close the connections and remove the weights that this process wrote for servers."""
        self._pool.close()
        if self._writes:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _question(self, number: int, row: PromptInputs, count: int) -> Callable[[], Completions]:
        """Return what asks the servers for the completions of one prompt."""
        sampling = Sampling(
            temperature=self._settings.temperature,
            top_p=self._settings.top_p,
            max_tokens=self._settings.max_completion_length,
            # A checkpoint contains the state of torch's generator, so a resumed run draws the same.
            seed=int(torch.randint(2**31, (1,)).item()),
        )
        return lambda: self._pool.ask(
            number,
            lambda server: server.sample(row, sampling, count=count, never=self._never),
        )

    def _update_weights(self, trainer: Any) -> None:
        """Give the servers the weights of this step, unless they have them."""
        step = trainer.state.global_step
        if self._step == step:
            return
        accelerator = trainer.accelerator
        accelerator.wait_for_everyone()  # servers still sample for a process that is behind
        if not self._start:  # servers that are still up know the weights of an earlier start
            start = [secrets.token_hex(4)]
            broadcast_object_list(start, from_process=0)
            self._start = start[0]
        folder = self._folder / self._start / f"step-{step}"
        self._weights.write(trainer, folder, self._dtype)
        ready: list[Any] = [None]
        self._writes = accelerator.is_main_process
        if self._writes:
            self._pool.load(folder)
            ready = [self._pool.ready()]
            for old in self._folder.glob("*/step-*"):
                if old != folder:
                    shutil.rmtree(old, ignore_errors=True)
        broadcast_object_list(ready, from_process=0)
        if not self._writes:
            self._pool.assume(folder, ready[0])
        self._step = step


def connect_servers(recipe: GRPORecipe, out: Path, vision_ids: Sequence[int]) -> ServerRollouts:
    """Wait for the servers of a recipe, and return what samples with them.

    Args:
        recipe: Its ``rollout.servers``.
        out: Folder of the run.
        vision_ids: Vision tokens, which are never sampled.

    Raises:
        CheckpointError: A server does not answer within ``rollout.vllm_server_timeout``.
    """
    settings = recipe.rollout
    servers = connect(settings.servers, settings.vllm_server_timeout)
    pool = ServerPool(servers, settings.vllm_server_timeout)
    folder = weights_folder(settings.weights_folder, out)
    return ServerRollouts(pool, recipe, folder=folder, vision_ids=vision_ids)


def weights_folder(shared: Path | None, out: Path) -> Path:
    """Return where the weights of a run are written: below `shared`, else in its own folder.

    The path is absolute, as servers have other working directories. Runs that share a folder do not
    meet.
    """
    run = out.resolve()
    if shared is None:
        return run / "rollout-weights"
    return shared.resolve() / f"{run.name}-{hashlib.sha256(str(run).encode()).hexdigest()[:8]}"


def _in_thread(work: Callable[[], Completions]) -> Future[Completions]:
    """Start a thread that does not keep the program from ending, as those of an executor do."""
    result: Future[Completions] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised where the result is waited for
            result.set_exception(error)

    threading.Thread(target=run, name="rollout", daemon=True).start()
    return result
