"""The model ``videor1`` for lmms-eval: its tasks and reports, our decoding and engines.

``lmms-eval --model videor1 --model_args pretrained=CHECKPOINT --tasks ...``. Every video is decoded
once for all questions of all tasks and given to the model as video. With ``out=DIR`` answers are
stored as they come, and the same command resumes after a crash. Frames are those of
``videor1 eval --protocol official`` unless an argument changes them.

lmms-eval ends with exit code 0 even after an error. Errors here end the process with a message and
exit code 1.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from lmms_eval.api.instance import GenerationResult, TokenCounts
from lmms_eval.api.model import lmms

from harness.backends.asked import Asked
from harness.backends.select import ResolvedEngine, resolve_engine
from harness.errors import HarnessError, UsageError
from harness.run.config import EvalConfig
from harness.run.evaluate import evaluate_plan, failure_limits
from harness.run.manifest import describe_run
from harness.run.options import with_options
from harness.run.plan import Plan, PlannedTask
from harness.run.progress import ProgressBar
from harness.run.protocol_files import find_protocol
from harness.run.protocols import apply_changes
from harness.run.store import read_records
from harness.schema import Outcome, Prompt, Record, Sample, Score
from harness.scoring.reasoning.marks import IN_TEXT
from harness.task.api import Scorer
from tasks.lmms.bridge import LmmsEval
from tasks.lmms.documents import sample_of
from tasks.lmms.generation import cut, sampling_of, stops_of
from tasks.lmms.messages import read_messages, write_images
from tasks.lmms.task import LmmsTask

_LEFT_TO_LMMS_EVAL = Scorer(
    name="lmms-eval-itself",
    version=1,
    score=lambda sample, text: Score(value=None, outcome=Outcome.PARTIAL),
    aggregation=LmmsEval.aggregation,
)


class VideoR1(lmms):  # type: ignore[misc]
    """Any checkpoint that ``videor1 eval`` takes."""

    is_simple = False

    def __init__(
        self,
        pretrained: str,
        batch_size: object = None,
        max_batch_size: object = None,
        device: object = None,
        **options: object,
    ) -> None:
        """Resolve the checkpoint; the engine starts with the first request.

        Args:
            pretrained: Checkpoint, as ``videor1 eval`` takes it.
            batch_size: lmms-eval's; unused, since our engines batch by themselves.
            max_batch_size: As `batch_size`.
            device: As `batch_size`.
            options: Any flag of ``videor1 eval`` but ``tasks`` and ``data``, with underscores.
        """
        super().__init__()
        with _exit_on_error():
            self._config = _read_options(options)
            asked = Asked(
                task="lmms-eval",
                template_args=self._config.template_arg,
                reasoning=self._config.reasoning or IN_TEXT,
                thinking_budget=self._config.thinking_budget,
                max_tokens=None,
            )
            self._engine = resolve_engine(str(pretrained), self._config.engine, [asked])

    def generate_until(self, requests: Sequence[Any]) -> list[Any]:
        """Return the answers to all requests of all tasks, in the order of the requests."""
        with _exit_on_error(), _answer_folder(self._config.out) as folder:
            asked = _Requests(requests, self.task_dict, folder / "images", self._config)
            records = _answer(asked.plan, self._engine, folder, self._config)
            failed = [record for record in records.values() if record.failure is not None]
            if not self._config.failure_budget.allows(len(failed), len(records)):
                raise HarnessError(
                    f"{len(failed)} of {len(records)} items failed, more than max_failures="
                    f"{self._config.max_failures}, first: {failed[0].id}: {failed[0].failure}"
                )
            return [asked.result(records[sample_id]) for sample_id in asked.ids]

    def loglikelihood(self, requests: Sequence[Any]) -> list[Any]:
        """End the process: the engines generate text only."""
        raise SystemExit("videor1: tasks of the type loglikelihood are not supported")

    def generate_until_multi_round(self, requests: Sequence[Any]) -> list[Any]:
        """End the process: the engines answer one turn."""
        raise SystemExit("videor1: tasks of several rounds are not supported")


class _RequestedTask(LmmsTask):
    """A task whose questions come from lmms-eval's requests, not from its data set."""

    def add(self, sample: Sample, prompt: Prompt) -> None:
        """Add one question with its prompt."""
        self._prompts[sample.id] = prompt

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return nothing: lmms-eval computes its metrics from our answers itself."""
        return {}


class _Requests:
    """lmms-eval's requests, converted to a plan."""

    def __init__(
        self, requests: Sequence[Any], datasets: Mapping[str, Any], images: Path, config: EvalConfig
    ) -> None:
        self.ids: list[str] = []
        """The sample ids of the requests, in order."""
        self._datasets = datasets
        self._images = images
        self._tasks: dict[str, _RequestedTask] = {}
        self._samples: dict[str, list[Sample]] = {}
        self._arguments: dict[str, Mapping[str, Any]] = {}
        seen: Counter[tuple[str, int]] = Counter()
        for request in requests:
            _, doc_to_messages, arguments, index, task, split = request.args
            # A repeated document becomes an item of a second task, with another seed.
            name = f"{task}#{seen[task, index]}" if seen[task, index] else task
            seen[task, index] += 1
            self._arguments[name] = arguments
            self._add(name, index, doc_to_messages(datasets[task][split][index]))
        self.plan = Plan(tuple(self._planned(name, config) for name in self._tasks))

    def result(self, record: Record) -> Any:
        """Return a record in lmms-eval's form; a tolerated failure is an empty text."""
        stops = stops_of(self._arguments[record.task.partition(":")[2]])
        counts = TokenCounts(input_tokens=record.prompt_tokens, output_tokens=record.output_tokens)
        return GenerationResult(text=cut(record.text or "", stops), token_counts=counts)

    def _add(self, name: str, index: int, messages: Any) -> None:
        task = self._tasks.setdefault(name, _RequestedTask(name, None))
        question = read_messages(messages, self._images)
        write_images(messages, self._images)
        sample = sample_of(name, index, question, answer="")
        task.add(sample, question.prompt)
        self._samples.setdefault(name, []).append(sample)
        self.ids.append(sample.id)

    def _planned(self, name: str, config: EvalConfig) -> PlannedTask:
        task, arguments = self._tasks[name], self._arguments[name]
        repetition = int(name.partition("#")[2] or 0)
        source = find_protocol(config.protocol)
        preset = task.protocol_with(sampling_of(arguments), source.preset)
        if source.changes_of(task.name).get("repeats", 1) != 1:
            raise UsageError(f"{source.place}: repeats: lmms-eval decides how often it asks")
        moved = source.changes_of(task.name).get("option_rotation", 0)
        if config.option_rotation or moved:
            raise UsageError("option_rotation: no option moves in the prompts of lmms-eval")
        seeded = replace(config, seed=(config.seed or 0) + repetition) if repetition else config
        return PlannedTask(
            selection=task.name,
            task=task,
            protocol=apply_changes(preset, _LEFT_TO_LMMS_EVAL, source, seeded),
            scorer=_LEFT_TO_LMMS_EVAL,
            samples=tuple(self._samples[name]),
            fingerprint=json.dumps(sorted(arguments.items(), key=str), default=str),
        )


def _answer(
    plan: Plan, engine: ResolvedEngine, folder: Path, config: EvalConfig
) -> dict[str, Record]:
    """Answer what the run directory still lacks, and return all of its records."""
    manifest = describe_run(plan, engine, named=engine.checkpoint, argv=sys.argv)
    evaluate_plan(
        plan,
        engine,
        folder,
        manifest=manifest,
        decoding=config.decode,
        observer=ProgressBar(),
        limits=failure_limits(config),
    )
    return {record.id: record for record in read_records(folder)}


def _read_options(options: Mapping[str, object]) -> EvalConfig:
    """Return the settings that model arguments ask for; frames are the publishers' by default."""
    refused = {"tasks", "data", "limit", "repeats"} & options.keys()
    if refused:
        raise UsageError(
            f"{', '.join(sorted(refused))}: lmms-eval decides what is asked, and how often"
        )
    texts = {
        name: value if isinstance(value, bool) else str(value)
        for name, value in options.items()
        if value is not None
    }
    return with_options(EvalConfig(protocol="official"), texts)


@contextmanager
def _answer_folder(out: Path | None) -> Iterator[Path]:
    """Yield the folder for answers: `out`, or a temporary one without it."""
    if out is not None:
        yield out
        return
    with TemporaryDirectory(prefix="videor1-") as folder:
        yield Path(folder)


@contextmanager
def _exit_on_error() -> Iterator[None]:
    """End the process on any error: lmms-eval would print it and exit with 0."""
    try:
        yield
    except HarnessError as error:
        raise SystemExit(f"videor1: {error}") from error
    except Exception as error:
        traceback.print_exc()
        raise SystemExit(f"videor1: {type(error).__name__}: {error}") from error
