"""Scores texts that were generated elsewhere, without an engine and without videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from harness.backends.replay import ReplayBackend
from harness.errors import DatasetError
from harness.files import parse_json, read_file
from harness.run.config import JudgeConfig
from harness.run.manifest import make_manifest
from harness.run.plan import Plan, PlannedTask
from harness.run.protocols import check_scorer, pick_scorer
from harness.run.record import make_record
from harness.run.samples_file import keep_samples
from harness.run.selections import select
from harness.run.store import RunWriter
from harness.run.summary import Results, summarise_run, write_results
from harness.schema import ItemKey, Prompt, Record, Request, Sampling
from harness.scoring.reasoning.marks import IN_TEXT
from harness.scoring.tags import ScorerTag
from harness.task import registry

STORED = "stored"
"""Suite and template of a protocol whose texts were generated elsewhere."""
MAX_REPEATS = 10_000
"""As many as a protocol can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreConfig:
    """Which texts are scored, with what, and where the questions are."""

    task: str
    """``name`` or ``name:config``."""
    responses: Path
    """A JSON Lines file: ``{"id": ..., "text": ...}`` per line, and ``"repeat"`` where items were
    asked several times."""
    data: Path
    """Folder that holds one folder per benchmark."""
    scorer: str | None = None
    """None: the task's official one."""
    judge: JudgeConfig | None = None
    include_path: Path | None = None
    """Folder of further lmms-eval tasks."""
    out: Path | None = None
    """Run directory to write; None: nothing is kept."""
    reasoning: str = IN_TEXT
    """How thoughts are split off the texts (`Protocol.reasoning`)."""


@dataclass(frozen=True, slots=True)
class ScoredResponses:
    """The summaries and records of scored texts."""

    results: Results
    records: Mapping[ItemKey, Record]


def score_responses(config: ScoreConfig, argv: Sequence[str] = ()) -> ScoredResponses:
    """Score every response of a file; with `config.out` also write a run directory.

    Args:
        config: What is scored.
        argv: The command line, kept in ``run.json``.

    Raises:
        UsageError: An unknown task or scorer, or a file that cannot be read.
        DatasetError: A malformed line, a duplicated id, or an id that the task does not have.
    """
    # Names first: a misspelt one is told before anything about files.
    check_scorer([registry.find(config.task, config.include_path)], config.scorer)
    responses = read_responses(config.responses)
    repeats = 1 + max((repeat for _, repeat in responses), default=0)
    planned = _plan_task(config, repeats)
    plan = Plan((planned,))
    records = _score_texts(planned, responses)
    results = summarise_run(plan, records.values())
    if config.out:
        _write_run(config, plan, records, argv)
        write_results(config.out, results, records.values())
    return ScoredResponses(results, records)


def read_responses(path: Path) -> dict[ItemKey, str | None]:
    """Read ``{"id", "text"}`` lines; a text of ``null`` is a refusal.

    Where items were asked several times, each line has a ``repeat``, 0 for the first one.

    Raises:
        UsageError: The file cannot be read.
        DatasetError: A malformed line, or a repeat that is there twice.
    """
    responses: dict[ItemKey, str | None] = {}
    for number, line in enumerate(read_file(path).split(b"\n"), start=1):
        if line.strip():
            key, text = _parse_response(line, f"{path}, line {number}")
            if key in responses:
                raise DatasetError(
                    f"{path}, line {number}: id {key[0]!r} is duplicated (repeat {key[1]}); keep"
                    ' one line per id, or tell repeats apart by "repeat": 0, 1, ...'
                )
            responses[key] = text
    return responses


def _parse_response(line: bytes, where: str) -> tuple[ItemKey, str | None]:
    wanted = 'expected {"id": ..., "text": ...}'
    try:
        fields = parse_json(line, where)
    except DatasetError as error:
        raise DatasetError(f"{error}; {wanted}") from None
    if not isinstance(fields, dict) or not {"id", "text"} <= set(fields):
        raise DatasetError(f"{where}: {wanted}, got {fields!r:.80}")
    sample_id, text, repeat = fields["id"], fields["text"], fields.get("repeat", 0)
    if not isinstance(sample_id, str) or not (text is None or isinstance(text, str)):
        raise DatasetError(
            f"{where}: expected a string as id and a string or null as text,"
            f" got {sample_id!r:.80} and {text!r:.80}"
        )
    if not isinstance(repeat, int) or isinstance(repeat, bool) or not 0 <= repeat < MAX_REPEATS:
        raise DatasetError(
            f"{where}: field 'repeat': expected a whole number from 0 to {MAX_REPEATS - 1:,}, got"
            f" {repeat!r:.80}"
        )
    return (sample_id, repeat), text


def _plan_task(config: ScoreConfig, repeats: int) -> PlannedTask:
    task = registry.find(config.task, config.include_path)
    preset = task.protocol("official")
    name = config.scorer or ScorerTag.parse(preset.scorer).rule
    scorer = pick_scorer(task, name, config.judge)
    questions, fingerprint = select(task, config.data, config.task)
    protocol = replace(
        preset,
        suite=STORED,
        template=STORED,
        frames=None,
        sampling=None,
        scorer=scorer.tag,
        reasoning=config.reasoning,
        repeats=repeats,
    )
    return PlannedTask(
        selection=config.task,
        task=task,
        protocol=protocol,
        scorer=scorer,
        samples=questions.samples,
        fingerprint=fingerprint,
    )


def _score_texts(
    planned: PlannedTask, responses: Mapping[ItemKey, str | None]
) -> dict[ItemKey, Record]:
    known = {sample.id: sample for sample in planned.samples}
    unknown = list(dict.fromkeys(one for one, _ in responses if one not in known))
    if unknown:
        raise DatasetError(
            f"{len(unknown)} responses have ids that {planned.selection} does not have,"
            f" first: {unknown[0]!r}; its ids look like {next(iter(known))!r}"
        )
    answers = ReplayBackend(responses).generate(_make_request(*key) for key in responses)
    records = [
        replace(make_record(planned, known[request.id], answer), repeat=request.repeat)
        for request, answer in answers
    ]
    return {record.key: record for record in records}


def _make_request(sample_id: str, repeat: int) -> Request:
    """Return a request for a stored text; its prompt and sampling are not known."""
    unknown = Sampling(temperature=0.0, max_tokens=0)
    return Request(id=sample_id, repeat=repeat, prompt=Prompt(text=""), sampling=unknown)


def _write_run(
    config: ScoreConfig, plan: Plan, records: Mapping[ItemKey, Record], argv: Sequence[str]
) -> None:
    assert config.out is not None
    folder, responses = config.out, config.responses
    content = sha256(responses.read_bytes()).hexdigest()
    manifest = make_manifest(
        plan,
        model=responses.name,
        checkpoint={"name": responses.name, "kind": STORED, "sha256": content},
        backend="replay",
        limit=None,
        argv=argv,
    )
    manifest["data_root"] = str(config.data.absolute())
    with RunWriter(folder, manifest) as run:
        keep_samples(folder, plan, manifest)
        done = run.finished()
        for record in records.values():
            if record.key not in done:
                run.append(record)
