"""Make a tiny random model, and one that SFT has trained to answer in the right form."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2.5-VL with random weights."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from tests.engines import tiny

    return tiny.qwen2_5_vl(tmp_path_factory.mktemp("untrained") / "model")


@pytest.fixture(scope="session")
def student(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after some SFT: it mostly writes the tags, and guesses the letter between them."""
    from tests.trainer.small_runs import row, sft_recipe, train_small, write_media
    from trainer.algorithms import sft

    folder = tmp_path_factory.mktemp("student")
    media = write_media(folder / "media")
    training_rows = [row(number, media[number // 4 % 4]) for number in range(16)]
    recipe = sft_recipe(
        untrained,
        folder,
        max_steps=50,
        per_device_train_batch_size=8,
        learning_rate=5e-3,
        save_steps=50,
    )
    train_small(sft, recipe, folder / "run", rows=training_rows)
    return folder / "run" / "checkpoint-50"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Leave no environment variable of an engine behind."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
