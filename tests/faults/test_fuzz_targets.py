"""The fuzzer's targets on damaged seeds; `python -m tests.faults.fuzz` finds the rest."""

from __future__ import annotations

import random
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.faults.fuzz import NAMES
from tests.faults.fuzz_targets import TARGETS, words_of
from tests.paths import ROOT


def damage_bytes(content: bytes, words: list[bytes], rng: random.Random) -> bytes:
    """Cut, flip, repeat, or put a word in."""
    at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return content[:at]
        case 1:
            return content[:at] + content[to:]
        case 2:
            return content[:to] + content[at:to] * rng.randrange(1, 4) + content[to:]
        case 3:
            return content[:at] + rng.choice(words) + content[min(to, at + 8) :]
        case _:
            return content[:at] + rng.randbytes(min(4, to - at)) + content[min(to, at + 4) :]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_damaged_inputs_keep_every_promise(tmp_path, name: str) -> None:
    """400 inputs of each kind: a value or a named error, whatever the bytes are."""
    assert tuple(TARGETS) == NAMES
    for part in ("own", "seeds"):
        (tmp_path / part).mkdir()
    check = TARGETS[name].make(tmp_path / "own")
    seeds = list(TARGETS[name].seeds(tmp_path / "seeds"))
    words = [word.encode() for word in words_of(name)]
    rng = random.Random(name)
    for seed in seeds:
        check(seed)
    for _ in range(400):
        content = rng.choice(seeds)
        for _ in range(rng.randint(1, 3)):
            content = damage_bytes(content, words, rng)
        check(content)


@pytest.mark.skipif(find_spec("atheris") is not None, reason="atheris is installed")
def test_without_atheris_one_line_says_so() -> None:
    """It is needed here only, so no environment of ours has it."""
    command = [sys.executable, "-m", "tests.faults.fuzz", "reply"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install atheris" in done.stderr
