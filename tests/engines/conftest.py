"""Tiny checkpoints and their answers to one list of questions, made once per session."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# pytest's importlib mode leaves sys.path alone; the helpers beside the tests are imported by name.
sys.path.insert(0, str(HERE))

from asking import Answers, ask, questions  # noqa: E402

from harness.models.checkpoint import Checkpoint, resolve  # noqa: E402

CheckpointOf = Callable[[str], Checkpoint]
AnswersOf = Callable[[str], Answers]


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory: pytest.TempPathFactory) -> CheckpointOf:
    """Build and resolve a tiny checkpoint by name."""
    pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
    import tiny

    folder = tmp_path_factory.mktemp("checkpoints")

    def build(name: str) -> Checkpoint:
        path = folder / name
        if not path.exists():
            if name in tiny.ARCHITECTURES:
                tiny.ARCHITECTURES[name](path)
            else:
                tiny.ADAPTERS[name](path, build("qwen2_5_vl").path)
        return resolve(str(path))

    return build


@pytest.fixture(scope="session")
def reference(checkpoint_of: CheckpointOf) -> AnswersOf:
    """Answers of the transformers engine."""
    from harness.backends.transformers import TransformersBackend

    answers: dict[str, Answers] = {}

    def of(name: str) -> Answers:
        if name not in answers:
            checkpoint = checkpoint_of(name)
            backend = TransformersBackend(checkpoint)
            answers[name] = ask(backend, questions(checkpoint.patch_multiple))
            backend.close()
        return answers[name]

    return of


@pytest.fixture(scope="session")
def small_cpu_cache() -> Iterator[None]:
    """Keep every vLLM of the session small; the variables are vLLM's own."""
    before = dict(os.environ)
    os.environ["VLLM_CPU_KVCACHE_SPACE"] = "1"
    yield
    os.environ.clear()
    os.environ.update(before)
