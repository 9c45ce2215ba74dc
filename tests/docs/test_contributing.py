"""What CONTRIBUTING.md says of the code is so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

MAX_LINES = 300
PROGRAM = "the program: Python would end with 1, which means regression"
REQUEST = "one request or item fails alone"
THREAD = "raised again in the thread that waits for the result"
OTHERS = "code of another package"
BROAD = {
    "harness/backends/fake.py": REQUEST,
    "harness/backends/feed.py": f"{REQUEST}; {THREAD}",
    "harness/backends/openai.py": f"{REQUEST}; {THREAD}",
    "harness/backends/transformers.py": REQUEST,
    "harness/backends/vllm.py": REQUEST,
    "harness/cli/__init__.py": PROGRAM,
    "harness/cli/commands.py": OTHERS,
    "harness/run/record.py": "a scorer fails alone",
    "harness/run/runner.py": REQUEST,
    "harness/run/samples_file.py": "a prompt that cannot be built is stored as none",
    "harness/replicas/threads.py": THREAD,
    "harness/run/recorder.py": THREAD,
    "harness/run/replica.py": THREAD,
    "harness/trackers/guard.py": f"{OTHERS}: a tracker never costs an answer",
    "harness/video/pool.py": THREAD,
    "harness/video/side_by_side.py": THREAD,
    "harness/video/worker.py": "one file fails alone",
    "tasks/lmms/own_scoring.py": OTHERS,
    "trainer/loops/clips.py": "one row fails alone",
    "trainer/loops/rollouts_server.py": THREAD,
}
"""Every module that catches any exception and does not raise from there, with the reason."""


def _modules() -> Iterator[tuple[str, Path]]:
    for package in ("harness", "tasks", "trainer"):
        for path in (ROOT / package).rglob("*.py"):
            yield str(path.relative_to(ROOT)), path


def _is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches any exception and does not raise one itself."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {ast.unparse(one) if one else "BaseException" for one in caught}
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return bool(names & {"Exception", "BaseException"}) and not raises


def test_any_exception_is_caught_only_where_one_thing_may_fail_alone() -> None:
    """A new place needs a reason in the table above; one that is gone is taken out."""
    broad = {
        name
        for name, path in _modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    }
    assert broad == set(BROAD)


def test_no_module_is_longer_than_it_may_be() -> None:
    """A module that grows beyond the limit holds two things."""
    lines = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in _modules()}
    assert {name: n for name, n in lines.items() if n > MAX_LINES} == {}


def test_the_rules_name_the_limit_and_files_that_exist() -> None:
    """CONTRIBUTING.md gives the same number, and every file it names is there."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"{MAX_LINES} lines" in text
    named = [word for word in text.replace("`", " ").split() if word.endswith((".py", ".txt"))]
    assert named
    assert [word for word in named if not (ROOT / word).exists()] == []
