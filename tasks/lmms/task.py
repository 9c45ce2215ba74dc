"""A task of lmms-eval as a task of this harness: ``lmms:NAME``.

Prompts, media, generation arguments and scoring are lmms-eval's; frames, engines, records, resume
and statistics are ours. Deliberate departures and known differences:

- The score is the task's own aggregated number if that is on a scale of 0-1 or 0-100. If it equals
  the mean of the items' values, our clustered interval is reported with it. If not, it has no
  interval, the items' mean with its error is reported as a further figure, and no board ranks it.
- Under ``--protocol official`` the frames are those of lmms-eval's vLLM model: 32 evenly spaced, at
  most 1,605,632 pixels; under ``video-r1`` the paper's. Prompts and sampling are always the task's.
- Some rules guess if they read no answer (MMMU's does). lmms-eval's guess depends on what it scored
  before; ours is seeded by the document, so that scoring again gives the same value.
- Tasks that need a judge over the network, need data that are missing, or end the process are
  reported and left out of the run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.run.summary import (
    MEAN_OF_ITEMS,
    SAME,
)
from harness.schema import (
    FramePolicy,
    FrameRule,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring import prompts
from harness.stats import clustered_estimate
from harness.task.api import (
    Questions,
    Scorer,
)
from harness.task.protocol import Protocol
from tasks.base import PAPER_FRAMES, SUITES
from tasks.lmms.documents import Documents, index_of
from tasks.lmms.generation import sampling_of
from tasks.lmms.loading import load_task, task_boundary
from tasks.lmms.own_scoring import AGGREGATION, OwnScoring, score_of_total
from tasks.lmms.package import VERSION, require
from tasks.lmms.scorers import NAME

_log = logging.getLogger(__name__)

OWN_FRAMES = FramePolicy(
    rule=FrameRule.LINSPACE, max_frames=32, min_pixels=28 * 28, max_pixels=1_605_632
)


class LmmsTask:
    """A `harness.task.api.Task`; `load` imports lmms-eval."""

    version = 1
    homepage = "https://github.com/EvolvingLMMs-Lab/lmms-eval"
    source = None

    def __init__(self, name: str, include_path: Path | None) -> None:
        self.name = f"lmms:{name}"
        self.title = f"{name} (lmms-eval)"
        self._name = name
        self._include_path = include_path
        self._prompts: dict[str, Prompt] = {}
        self._own: OwnScoring | None = None
        self._sampling: Sampling | None = None

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the only scorer: the task's own scoring."""
        scorer = Scorer(
            name=NAME,
            version=1,
            score=self._score,
            aggregation=AGGREGATION,
            require=require,
            leaves_out=self._leaves_out,
            total=self._total,
        )
        return {NAME: scorer}

    def load(self, data: Path) -> Questions:
        """Load the data set and build the messages of every document.

        The questions are written to ``lmms/NAME`` in the data root; that file is the run's data
        fingerprint. In-memory images are written there when a run needs them.

        Raises:
            UsageError: lmms-eval is not installed or has no such task.
            UnavailableTaskError: The task cannot be run here.
        """
        task = load_task(self._name, self._include_path)
        with task_boundary(self._name):
            self._sampling = sampling_of(task.config.generation_kwargs)
            folder = data.parent / "lmms" / self._name
            self._own = OwnScoring(task, folder)
            documents = Documents(self._name, task, folder)
        self._prompts = documents.prompts
        return Questions(
            samples=documents.samples, files=(documents.write(),), prepare=documents.prepare
        )

    def protocol(self, suite: str) -> Protocol:
        """Return the preset ``video-r1`` or ``official``; they differ in frames only."""
        return self.protocol_with(self._sampling, suite)

    def protocol_with(self, sampling: Sampling | None, suite: str) -> Protocol:
        """Return the preset of a suite with the given sampling."""
        if suite not in SUITES:
            raise UsageError(f"unknown protocol {suite!r}; known: {', '.join(SUITES)}")
        return Protocol(
            suite=suite,
            task=f"{self.name}@{self.version}",
            template=f"lmms-eval {VERSION}",
            frames=PAPER_FRAMES if suite == prompts.VIDEO_R1 else OWN_FRAMES,
            sampling=sampling,
            scorer=self.scorers[NAME].tag,
        )

    def prompt(self, sample: Sample, template: str) -> Prompt:
        """Return the task's own messages."""
        return self._prompts[sample.id]

    def with_llm_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return None: the task's own scoring has no optional judge."""
        return None

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return every metric on lmms-eval's scale; log a warning if one cannot be computed."""
        records = _answered_records(run.get(self.name, ()))
        if not records:
            return {}
        totals = self._totals(records)
        for name, total in totals.items():
            if isinstance(total, BaseException):
                _log.warning(
                    "%s: %s cannot be aggregated over these %d items: %r",
                    self.name, name, len(records), total,
                )  # fmt: skip
        figures = {n: float(total) for n, total in totals.items() if isinstance(total, int | float)}
        mean = _mean_and_error(records)
        own = self._on_our_scale(totals, mean)
        if mean is not None and own is not None and abs(own - mean[0]) > SAME:
            figures[MEAN_OF_ITEMS] = 100 * mean[0]
            figures |= {f"{MEAN_OF_ITEMS}_se": 100 * mean[1]} if mean[1] else {}
        return figures

    def _score(self, sample: Sample, text: str) -> Score:
        own = self._scoring()
        index = index_of(sample.id)
        value = own.value(own.metrics(index, text))
        if not text.strip():
            return Score(value=value, outcome=Outcome.NO_ANSWER)
        known = {0.0: Outcome.WRONG, 1.0: Outcome.CORRECT}
        outcome = Outcome.PARTIAL if value is None else known.get(value, Outcome.PARTIAL)
        return Score(value=value, outcome=outcome, answer=own.reply(index, text))

    def _leaves_out(self, sample: Sample) -> bool:
        """Return whether the values of a sample are on another scale than 0 to 1."""
        return self._score(sample, "").value is None

    def _total(self, records: Sequence[Record]) -> float | None:
        """Return the task's own number on the scale 0 to 1, None if it has another scale."""
        answered = _answered_records(records)
        return (
            self._on_our_scale(self._totals(answered), _mean_and_error(answered))
            if answered
            else None
        )

    def _on_our_scale(
        self, totals: Mapping[str, Any], mean: tuple[float, float | None] | None
    ) -> float | None:
        return score_of_total(totals.get(self._scoring().main), mean[0] if mean else 0.0)

    def _totals(self, records: Sequence[Record]) -> dict[str, Any]:
        own = self._scoring()
        ordered = sorted(records, key=lambda record: index_of(record.id))
        return own.totals([own.metrics(index_of(r.id), _text_of(r)) for r in ordered])

    def _scoring(self) -> OwnScoring:
        if self._own is None:
            raise ValueError(f"{self.name}: call load() before scoring")
        return self._own


def _answered_records(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.text is not None and record.failure is None]


def _text_of(record: Record) -> str:
    """Return what the task's own scoring sees: nothing of a refusal."""
    return "" if record.outcome is Outcome.REFUSED else record.text or ""


def _mean_and_error(records: Sequence[Record]) -> tuple[float, float | None] | None:
    """Return the mean of the items' values and its standard error, None without values."""
    scored = [record for record in records if record.value is not None]
    if not scored:
        return None
    found = clustered_estimate(
        [record.value or 0.0 for record in scored],
        [record.cluster for record in scored],
        [() for _ in scored],
    )
    return found.mean, found.se
