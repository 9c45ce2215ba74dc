"""Resolves settings into the tasks, protocols and items of a run, before an engine starts.

A plan depends on the settings and the question files alone, so the dry run, the run and the check
of an existing run directory agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.backends.asked import Asked
from harness.errors import UnavailableTaskError, UsageError
from harness.run.config import EvalConfig
from harness.run.items import ItemChoice, fingerprint_ids
from harness.run.protocol_files import ProtocolFile, find_protocol
from harness.run.protocols import check_scorer, protocol_notes, resolve_protocol
from harness.run.selections import check_data_root, find_tasks, local_names, select
from harness.schema import Clip, FramePolicy, Prompt, Sample, Sampling
from harness.task.api import InterleavedPrompts, Scorer, Task, TimedPrompts
from harness.task.local_results import describe_local
from harness.task.protocol import Protocol
from harness.task.rotation import rotate_questions
from harness.task.selection import stored_selection


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One benchmark, or one of its configs, as this run asks it."""

    selection: str
    """``name`` or ``name:config`` as selected."""
    task: Task
    protocol: Protocol
    scorer: Scorer
    samples: tuple[Sample, ...]
    fingerprint: str
    """Hash of the question files."""
    questions: int | None = None
    """How many questions the selection has, asked or not; None where nobody knows."""
    chosen: bool = False
    """Whether the samples were chosen by id or category."""
    left_out: str = ""
    """Which of the chosen questions a protocol with `option_rotation` leaves out, and why."""
    beside: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """Ids of the subsets that the publisher wants beside the whole; None: the data have no list."""
    run: str = ""
    """Which of several runs that share an engine asks it; empty where there is only one."""

    @property
    def frames(self) -> FramePolicy:
        """The frame policy; a protocol of stored texts has none and must not be run."""
        if self.protocol.frames is None:
            raise ValueError(f"{self.selection}: a protocol without frames cannot be run")
        return self.protocol.frames

    @property
    def sampling(self) -> Sampling:
        """The sampling; a protocol of stored texts has none and must not be run."""
        if self.protocol.sampling is None:
            raise ValueError(f"{self.selection}: a protocol without sampling cannot be run")
        return self.protocol.sampling

    @property
    def images(self) -> int:
        """Most frames of an item that are shown as images, with text between them."""
        task = self.task
        between = isinstance(task, InterleavedPrompts) and task.interleaves(self.protocol.template)
        media = max((len(sample.media) for sample in self.samples), default=0)
        return media * self.frames.max_frames if between else 0

    def prompt(self, sample: Sample, clips: Sequence[Clip] = ()) -> Prompt:
        """Build the prompt of one of the samples, with what the protocol adds to it.

        Text that belongs to frames, such as subtitles, is in it only where the clips are given.
        """
        if clips and isinstance(self.task, TimedPrompts):
            times = [clip.timestamps for clip in clips]
            prompt = self.task.prompt_at(sample, self.protocol.template, times)
        else:
            prompt = self.task.prompt(sample, self.protocol.template)
        system = prompt.system if self.protocol.system is None else self.protocol.system
        return replace(prompt, system=system, template_args=self.protocol.template_args)


@dataclass(frozen=True, slots=True)
class Plan:
    """All tasks of one run."""

    tasks: tuple[PlannedTask, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Selections that cannot be asked here, with the reason; they cost no other task."""
    absent: frozenset[str] = frozenset()
    """Ids of questions whose media are missing; they are left open."""

    @property
    def asked(self) -> tuple[Asked, ...]:
        """What the tasks ask of the chat template and of the engine."""
        return tuple(
            Asked(
                task=planned.task.name,
                template_args=planned.protocol.template_args,
                reasoning=planned.protocol.reasoning,
                thinking_budget=planned.protocol.thinking_budget,
                max_tokens=planned.sampling.max_tokens,
                images=planned.images,
            )
            for planned in self.tasks
        )

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of the runs that share the engine; one empty name where there is only one run."""
        return tuple(dict.fromkeys(planned.run for planned in self.tasks))

    @property
    def samples(self) -> list[Sample]:
        """Every sample of every task."""
        return [sample for planned in self.tasks for sample in planned.samples]

    @property
    def notes(self) -> list[str]:
        """What a user should know of the tasks' protocols."""
        notes: list[str] = []
        for planned in self.tasks:
            preset = planned.task.protocol(planned.protocol.suite)
            notes += protocol_notes(planned.protocol, preset)
            if planned.left_out:
                notes.append(f"{planned.selection}: left out, options fixed: {planned.left_out}")
        return notes

    @property
    def unit(self) -> str:
        """What `n_answers` counts, for messages: ``items``, or ``answers`` where items repeat."""
        return "items" if self.n_answers == len(self.samples) else "answers"

    @property
    def n_answers(self) -> int:
        """Number of answers that the run asks for: items times repeats."""
        return sum(len(planned.samples) * planned.protocol.repeats for planned in self.tasks)

    def identity(self) -> dict[str, Any]:
        """Return the manifest fields that a resumed run must share."""
        return {
            "tasks": [stored_selection(one.selection, one.task.name) for one in self.tasks],
            "protocol": {
                planned.task.name: {**asdict(planned.protocol), "hash": planned.protocol.hash}
                for planned in self.tasks
            },
            "data": {planned.task.name: _describe_data(planned) for planned in self.tasks},
        }

    def questions(self) -> dict[str, int]:
        """Return how many questions each task has, asked or not, where that is known."""
        return {
            planned.task.name: planned.questions
            for planned in self.tasks
            if planned.questions is not None
        }

    def local(self) -> dict[str, Any]:
        """Return what the manifest keeps of tasks that files define, by name."""
        described = {
            one.task.name: describe_local(one.task, (s.category for s in one.samples))
            for one in self.tasks
        }
        return {name: found for name, found in described.items() if found is not None}

    @property
    def protocol_hash(self) -> str:
        """One hash over the tasks' protocol hashes, used in folder names."""
        joined = ",".join(sorted(planned.protocol.hash for planned in self.tasks))
        return hashlib.sha256(joined.encode()).hexdigest()[:12]


def _describe_data(planned: PlannedTask) -> dict[str, Any]:
    described = {"items": len(planned.samples), "sha256": planned.fingerprint}
    return described | ({"ids": fingerprint_ids(planned.samples)} if planned.chosen else {})


def make_plan(config: EvalConfig) -> Plan:
    """Load the selected tasks and resolve their protocols.

    Raises:
        UsageError: Unknown task, config, id or category, a task selected twice, or malformed data.
    """
    # Names first: a misspelt one is told before anything about data that it would need.
    tasks, unavailable = find_tasks(config.tasks, config.include_path)
    source = find_protocol(config.protocol, local_names(tasks))
    choice = ItemChoice.of_config(config)
    check_scorer(tasks.values(), config.scorer)
    check_data_root(tasks, config.data)
    planned = []
    for selection, task in tasks.items():
        try:
            planned.append(_plan_task(selection, task, config, source, choice))
        except UnavailableTaskError as error:
            unavailable[selection] = str(error)
    if not planned:
        raise UsageError("; ".join(unavailable.values()))
    plan = Plan(tuple(planned), unavailable)
    choice.refuse_unknown(plan.samples)
    return plan


def _plan_task(
    selection: str, task: Task, config: EvalConfig, source: ProtocolFile, choice: ItemChoice
) -> PlannedTask:
    questions, fingerprint = select(task, config.data, selection)
    samples = choice.choose(questions.samples, selection)
    questions.prepare(samples)
    protocol, scorer = resolve_protocol(task, source, config)
    planned = PlannedTask(
        selection=selection,
        task=task,
        protocol=protocol,
        scorer=scorer,
        samples=samples,
        fingerprint=fingerprint,
        questions=len(questions.samples),
        chosen=choice.names_items,
        beside={name: questions.subsets.get(name) for name in questions.beside},
    )
    if protocol.template != task.protocol(source.preset).template:
        planned.prompt(samples[0])  # refuses an unknown template now, not once per item
    return with_moved_options(planned)


def with_moved_options(planned: PlannedTask) -> PlannedTask:
    """Return a task whose options stand where its protocol's `option_rotation` moves them.

    Raises:
        UnavailableTaskError: No question's options can be moved; says why.
    """
    places = planned.protocol.option_rotation
    if not places:
        return planned
    found = rotate_questions(planned.task, planned.protocol.template, planned.samples, places)
    if not found.samples:
        raise UnavailableTaskError(
            f"{planned.selection}: no question whose options can be moved: {found.sentence}"
        )
    return replace(planned, samples=found.samples, chosen=True, left_out=found.sentence)
