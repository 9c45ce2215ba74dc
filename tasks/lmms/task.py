"""A task of lmms-eval as a task of this harness: ``lmms:NAME``.

Prompts, media, generation arguments and scoring are lmms-eval's; frames, engines, records, resume
and statistics are ours. Deliberate choices and known differences:

- The score is the task's own aggregated number where that lies on a scale of 0-1 or 0-100. Where
  it is the mean of the items' values, our clustered interval goes with it; where it is not, the
  score stands alone and the items' mean with its error stands beside it, and no board ranks it.
- Under ``--protocol official`` frames are those of lmms-eval's vLLM model: 32 evenly spaced, at
  most 1,605,632 pixels; under ``video-r1`` the paper's. Prompts and sampling are always the task's.
- Tasks that ask a network judge, need data that are not there or end the process are reported and
  left out of the run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import prompts
from harness.errors import UnavailableTaskError, UsageError
from harness.protocol import Protocol
from harness.schema import (
    FramePolicy,
    FrameRule,
    Kind,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.stats import clustered_estimate
from harness.summary import MEAN_OF_ITEMS, SAME
from harness.task import Questions, Scorer
from tasks.base import PAPER_FRAMES, SUITES
from tasks.lmms.bridge import LmmsEval
from tasks.lmms.generation import sampling_of
from tasks.lmms.loading import load_task, task_boundary
from tasks.lmms.messages import Question, read_messages
from tasks.lmms.package import VERSION, require
from tasks.lmms.scorers import NAME
from tasks.lmms.scoring import OwnScoring, score_of_total

OWN_FRAMES = FramePolicy(
    rule=FrameRule.LINSPACE, max_frames=32, min_pixels=28 * 28, max_pixels=1_605_632
)
_CLUSTER_PARTS = 3


class LmmsTask:
    """Satisfies `harness.task.Task`; lmms-eval is imported by `load`."""

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
        """The task's own scoring, the only one there is."""
        scorer = Scorer(
            name=NAME,
            version=1,
            score=self._score,
            aggregation=LmmsEval.aggregation,
            require=require,
            total=self._total,
        )
        return {NAME: scorer}

    def load(self, data: Path) -> Questions:
        """Load the data set and ask for every document's messages.

        Images without a file, and the questions as they are asked, are written to
        ``lmms/NAME`` in the data root; that file is the run's data fingerprint.

        Raises:
            UsageError: lmms-eval is not installed, or has no such task.
            UnavailableTaskError: The task cannot be asked here.
        """
        task = load_task(self._name, self._include_path)
        folder = data.parent / "lmms" / self._name
        with task_boundary(self._name):
            self._sampling = sampling_of(task.config.generation_kwargs)
            self._own = OwnScoring(task)
            samples = [
                self._sample(index, task, document, folder)
                for index, document in enumerate(task.eval_docs)
            ]
        self._check_media(samples)
        return Questions(samples=tuple(samples), files=(self._write(samples, folder),))

    def protocol(self, suite: str) -> Protocol:
        """Return the preset of a suite; only the frames depend on it."""
        return self.asked_with(self._sampling, suite)

    def asked_with(self, sampling: Sampling | None, suite: str) -> Protocol:
        """Return the preset of a suite with the sampling that a task's arguments ask for."""
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

    def with_judge(self, base_url: str, model: str) -> Scorer | None:
        """Return None: the task's own scoring stands as it is."""
        return None

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return every metric as lmms-eval reports it, on its own scale."""
        records = _answered(run.get(self.name, ()))
        if not records:
            return {}
        figures = {
            name: float(total)
            for name, total in self._totals(records).items()
            if isinstance(total, int | float)
        }
        mean, own = _mean(records), self._total(records)
        if mean is not None and own is not None and abs(own - mean[0]) > SAME:
            figures[MEAN_OF_ITEMS] = 100 * mean[0]
            figures |= {f"{MEAN_OF_ITEMS}_se": 100 * mean[1]} if mean[1] else {}
        return figures

    def _score(self, sample: Sample, text: str) -> Score:
        own = self._scoring()
        value = own.value(own.metrics(_index(sample.id), text))
        if not text.strip():
            return Score(value=value, outcome=Outcome.NO_ANSWER)
        known = {0.0: Outcome.WRONG, 1.0: Outcome.CORRECT}
        outcome = Outcome.PARTIAL if value is None else known.get(value, Outcome.PARTIAL)
        return Score(value=value, outcome=outcome)

    def _total(self, records: Sequence[Record]) -> float | None:
        """Return the task's own number on our scale."""
        answered = _answered(records)
        mean = _mean(answered)
        if not answered:
            return None
        total = self._totals(answered).get(self._scoring().main)
        return score_of_total(total, mean[0] if mean else 0.0)

    def _totals(self, records: Sequence[Record]) -> dict[str, Any]:
        own = self._scoring()
        ordered = sorted(records, key=lambda record: _index(record.id))
        return own.totals([own.metrics(_index(r.id), r.text or "") for r in ordered])

    def _scoring(self) -> OwnScoring:
        if self._own is None:
            raise ValueError(f"{self.name}: its questions have to be loaded first")
        return self._own

    def _sample(self, index: int, task: Any, document: Any, folder: Path) -> Sample:
        asked = read_messages(task.doc_to_messages(document), folder)
        sample_id = f"{self.name}/{index}"
        self._prompts[sample_id] = asked.prompt
        return Sample(
            id=sample_id,
            task=self.name,
            question="".join((*asked.prompt.before, asked.prompt.text)),
            answer=str(task.doc_to_target(document)),
            kind=Kind.FREE_FORM,
            category=self._name,
            cluster=_cluster(asked, sample_id),
            media=asked.media,
        )

    def _check_media(self, samples: Sequence[Sample]) -> None:
        paths = dict.fromkeys(media.path for sample in samples for media in sample.media)
        missing = [path for path in paths if not path.exists()]
        if missing:
            raise UnavailableTaskError(
                f"{self.name} cannot be asked: {len(missing)} of {len(paths)} media files are"
                f" missing, first: {missing[0]}"
            )

    def _write(self, samples: Sequence[Sample], folder: Path) -> Path:
        """Write what is asked, one line per document; its content is the fingerprint."""
        lines = (
            json.dumps({
                "id": sample.id,
                "system": self._prompts[sample.id].system,
                "before": self._prompts[sample.id].before,
                "text": self._prompts[sample.id].text,
                "media": [_place(media.path) for media in sample.media],
                "target": sample.answer,
            })
            for sample in samples
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "questions.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path


def _answered(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.text is not None and record.failure is None]


def _mean(records: Sequence[Record]) -> tuple[float, float | None] | None:
    """Return the mean of the items' values with its standard error, None without any."""
    scored = [record for record in records if record.value is not None]
    if not scored:
        return None
    found = clustered_estimate(
        [record.value or 0.0 for record in scored],
        [record.cluster for record in scored],
        [() for _ in scored],
    )
    return found.mean, found.se


def _index(sample_id: str) -> int:
    return int(sample_id.rpartition("/")[2])


def _cluster(asked: Question, sample_id: str) -> str:
    """Return the first medium: questions about one video are not independent."""
    return _place(asked.media[0].path) if asked.media else sample_id


def _place(path: Path) -> str:
    """Name a file by its last folders: what is above them differs from machine to machine."""
    return "/".join(path.parts[-_CLUSTER_PARTS:])
