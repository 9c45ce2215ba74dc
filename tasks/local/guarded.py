"""Checks what a user's benchmark class returns, and names the line of an error in its file.

All of it is tried on the first question before an engine starts: an error in the class is told at
once, and not once per question, or at the end of the run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import DatasetError, HarnessError, UsageError
from harness.schema import Kind, Media, Prompt, Record, Sample, Score
from harness.task.api import Aggregation, Questions, Scorer
from harness.task.protocol import PRESETS, Protocol
from tasks.base import Benchmark

EXAMPLE = "docs/benchmarks.md has an example"
_TEXTS = ("id", "task", "question", "answer", "category", "cluster")
"""Fields of a question that are texts."""


class Guarded(Benchmark):
    """The first base of a user's class; see the module."""

    own_file: Path

    def load(self, data: Path) -> Questions:
        """Read the questions; the content of the Python file belongs to the run as theirs does."""
        if not data.is_dir():
            raise UsageError(
                f"{data}: no such folder; the benchmark {self.name!r} of {self.own_file} has its"
                " data there, --data names the folder that holds it"
            )
        found: Any = self._guard(super().load, data)
        self._require("load", isinstance(found, Questions), "harness.Questions", found)
        for sample in found.samples:
            self._check_sample(sample)
        self._try_out(found.samples)
        made: Questions = replace(found, files=(*found.files, self.own_file))
        return made

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the scorers of the class."""
        made: Mapping[str, Scorer] = self._guard(lambda: super(Guarded, self).scorers)
        for scorer in made.values():
            self._require(
                "aggregation",
                isinstance(scorer.aggregation, Aggregation),
                "harness.Aggregation",
                scorer.aggregation,
            )
        return made

    def protocol(self, suite: str) -> Protocol:
        """Return a preset of the class."""
        made: Protocol = self._guard(super().protocol, suite)
        return made

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return further figures of the class."""
        made: dict[str, float] = self._guard(super().extra, run)
        return made

    def _check_sample(self, sample: object) -> None:
        self._require("load", isinstance(sample, Sample), "samples of harness.Sample", sample)
        assert isinstance(sample, Sample)
        for name in _TEXTS:
            value = getattr(sample, name)
            self._require("load", isinstance(value, str), f"a text as {name}", value)
        name = f"task={self.name!r} in every sample"
        self._require("load", sample.task == self.name, name, sample.task)
        self._require("load", isinstance(sample.kind, Kind), "a harness.Kind", sample.kind)
        self._require(
            "load",
            isinstance(sample.options, tuple) and all(isinstance(o, str) for o in sample.options),
            "a tuple of texts as options",
            sample.options,
        )
        self._require(
            "load",
            isinstance(sample.media, tuple)
            and all(isinstance(m, Media) and isinstance(m.path, Path) for m in sample.media),
            "a tuple of harness.Media, each with a pathlib.Path, as media",
            sample.media,
        )

    def _try_out(self, samples: Sequence[Sample]) -> None:
        """Build the first question's prompts, score two replies, and average the categories."""
        for sample in samples[:1]:
            for suite in PRESETS:
                prompt = self._guard(self.prompt, sample, self.protocol(suite).template)
                named = f"{suite.replace('-', '_')} prompt"
                self._require(named, isinstance(prompt, Prompt), "harness.Prompt", prompt)
            for scorer in self.scorers.values():
                for reply in ("", sample.answer):
                    score = self._guard(scorer.score, sample, reply)
                    self._require("rule", isinstance(score, Score), "harness.Score", score)
        for category in sorted({sample.category for sample in samples}):
            for scorer in self.scorers.values():
                path = self._guard(scorer.aggregation.levels, category)
                self._require("levels", isinstance(path, tuple), "a tuple of names", path)
        self.extra({self.name: ()})

    def _guard(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - code of the user
            raise as_usage_error(self.own_file, error) from None

    def _require(self, part: str, holds: bool, expected: str, got: object) -> None:
        if not holds:
            raise DatasetError(
                f"{self.own_file}: {part} of {type(self).__name__}: expected {expected}, got"
                f" {got!r:.80}; {EXAMPLE}"
            )


def as_usage_error(file: Path, error: BaseException) -> UsageError:
    """Return the error of a file's code with the last of its lines that took part."""
    if isinstance(error, SyntaxError):
        line, text = error.lineno, error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [one.lineno for one in frames if one.filename == str(file)]
        line, text = (lines[-1] if lines else None), str(error)
    place = str(file) if line is None else f"{file}, line {line}"
    first = next((one.strip() for one in text.splitlines() if one.strip()), "")
    missing = isinstance(error, ModuleNotFoundError)
    advice = "a benchmark is one file; what it imports has to be installed" if missing else ""
    told = f"{type(error).__name__}: {first:.300}" if first else type(error).__name__
    return UsageError(f"{place}: {told}; {advice or 'correct the file'}")
