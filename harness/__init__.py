"""Evaluates video-language models: the public API.

    import harness

    run = harness.evaluate("path/or/hub-id", tasks=["vsibench"], data="data")
    run.scores["vsibench"].score

The names below are stable; modules behind them may move. They are imported on first use, so that
``import harness`` loads no engine and no data library. docs/python.md describes them.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes longer than all else here
if TYPE_CHECKING:
    from harness.backends.engine_config import EngineConfig
    from harness.board.leaderboard import read_board as leaderboard
    from harness.board.rows import Board
    from harness.errors import (
        BackendError,
        DatasetError,
        HarnessError,
        TooManyFailuresError,
        UsageError,
    )
    from harness.gate.compare import compare_runs as compare
    from harness.gate.result import GateResult
    from harness.probe.config import ProbeConfig
    from harness.probe.run import ask_variants
    from harness.probe.summary import ProbeSummary
    from harness.probe.summary import read_probe as load_probe
    from harness.run.config import DecodeConfig, EvalConfig, FailureBudget, JudgeConfig, TrackConfig
    from harness.run.evaluate import evaluate
    from harness.run.observer import RunObserver
    from harness.run.result import Run, load_run
    from harness.schema import (
        Clip,
        Completion,
        Failure,
        FramePolicy,
        FrameRule,
        Kind,
        Media,
        MediaKind,
        Outcome,
        Prompt,
        Record,
        Request,
        Sample,
        Sampling,
        Score,
        TaskSummary,
        Variant,
    )
    from harness.scoring.answers import letters
    from harness.scoring.prompts import lettered
    from harness.scoring.rules import (
        after_answer_tag,
        binary_score,
        partial_score,
        score_video_r1,
    )
    from harness.task.api import Aggregation, Questions, Scorer, Task
    from harness.task.protocol import Protocol

__all__ = [
    "Aggregation",
    "BackendError",
    "Board",
    "Clip",
    "Completion",
    "DatasetError",
    "DecodeConfig",
    "EngineConfig",
    "EvalConfig",
    "Failure",
    "FailureBudget",
    "FramePolicy",
    "FrameRule",
    "GateResult",
    "HarnessError",
    "JudgeConfig",
    "Kind",
    "Media",
    "MediaKind",
    "Outcome",
    "ProbeConfig",
    "ProbeSummary",
    "Prompt",
    "Protocol",
    "Questions",
    "Record",
    "Request",
    "Run",
    "RunObserver",
    "Sample",
    "Sampling",
    "Score",
    "Scorer",
    "Task",
    "TaskSummary",
    "TooManyFailuresError",
    "TrackConfig",
    "UsageError",
    "Variant",
    "after_answer_tag",
    "ask_variants",
    "binary_score",
    "compare",
    "evaluate",
    "leaderboard",
    "lettered",
    "letters",
    "load_probe",
    "load_run",
    "partial_score",
    "score_video_r1",
]

_SCHEMA = (
    "Clip", "Completion", "Failure", "FramePolicy", "FrameRule", "Kind", "Media", "MediaKind",
    "Outcome", "Prompt", "Record", "Request", "Sample", "Sampling", "Score", "TaskSummary",
    "Variant",
)  # fmt: skip
_MODULES = {
    "harness.backends.engine_config": ("EngineConfig",),
    "harness.board.rows": ("Board",),
    "harness.errors": (
        "BackendError", "DatasetError", "HarnessError", "TooManyFailuresError", "UsageError",
    ),
    "harness.gate.result": ("GateResult",),
    "harness.probe.config": ("ProbeConfig",),
    "harness.probe.run": ("ask_variants",),
    "harness.probe.summary": ("ProbeSummary",),
    "harness.run.config": (
        "DecodeConfig", "EvalConfig", "FailureBudget", "JudgeConfig", "TrackConfig",
    ),
    "harness.run.evaluate": ("evaluate",),
    "harness.run.observer": ("RunObserver",),
    "harness.run.result": ("Run", "load_run"),
    "harness.schema": _SCHEMA,
    "harness.scoring.answers": ("letters",),
    "harness.scoring.prompts": ("lettered",),
    "harness.scoring.rules": (
        "after_answer_tag", "binary_score", "partial_score", "score_video_r1",
    ),
    "harness.task.api": ("Aggregation", "Questions", "Scorer", "Task"),
    "harness.task.protocol": ("Protocol",),
}  # fmt: skip
_RENAMED = {
    "load_probe": ("harness.probe.summary", "read_probe"),
    "compare": ("harness.gate.compare", "compare_runs"),
    "leaderboard": ("harness.board.leaderboard", "read_board"),
}

if not TYPE_CHECKING:  # a type checker would take any name for one of these

    def __getattr__(name: str) -> object:
        """Import an exported name on first use."""
        from importlib import import_module

        if name in _RENAMED:
            module, original = _RENAMED[name]
            return getattr(import_module(module), original)
        if name == "__version__":
            return import_module("harness.plugins").installed_version()
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(module), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
