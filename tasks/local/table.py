"""Makes a task of a table of questions that the user names: ``--tasks ./traffic.jsonl``.

``traffic.toml`` beside the table says which columns hold what, and what is not the default
(`tasks.local.settings`). Every kind of fault in the rows is told once, with its first line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from harness.schema import FramePolicy, FrameRule, Kind, Prompt, Sample, Sampling
from harness.scoring.prompts import VIDEO_R1, lettered
from harness.scoring.rules import ScoreRule
from harness.task.api import Questions, Scorer
from harness.task.protocol import Protocol
from tasks.base import MODEL_PIXELS, Benchmark
from tasks.files import Row
from tasks.local.names import check_name
from tasks.local.questions import Table
from tasks.local.rows import columns_of, read_table
from tasks.local.scoring import require_rouge, table_rule
from tasks.local.settings import (
    TableSettings,
    TextRule,
    find_columns,
    read_table_settings,
    settings_file,
)

_INSTRUCTIONS: Mapping[Kind, str] = {
    Kind.MULTIPLE_CHOICE: "Answer with the option's letter only.",
    Kind.NUMERICAL: "Answer with a number only.",
    Kind.REGRESSION: "Answer with a number only.",
    Kind.SPAN: "Answer with the start and end in seconds, for example 12.5 to 17.8.",
    Kind.FREE_FORM: "Answer with a word or a short phrase.",
}
"""Last lines of the prompt under ``official``, where the settings have no prompt of their own."""


def load_table(file: Path) -> TableTask:
    """Read a table's settings and return its task; rows are read when they are needed.

    Raises:
        UsageError: The settings or the name of the file cannot be used.
    """
    return TableTask(file, read_table_settings(file))


class TableTask(Benchmark):
    """A benchmark in a table: one row per question, media beside it."""

    def __init__(self, file: Path, settings: TableSettings) -> None:
        if settings.name is None:
            advice = f'rename the file, or set name = "..." in {settings_file(file)}'
        else:
            advice = f"change it in {settings_file(file)}"
        self.own_file, self.settings = file, settings
        self.name = check_name(settings.name or file.stem, file, advice)
        self.version = settings.version
        self.title = settings.title or self.name
        self.homepage = settings.homepage or str(file)
        self.official_frames = FramePolicy(
            rule=FrameRule.LINSPACE,
            max_frames=settings.max_frames,
            min_pixels=MODEL_PIXELS[0],
            max_pixels=MODEL_PIXELS[1],
        )
        self.official_sampling = Sampling(temperature=0.0, max_tokens=settings.max_tokens)

    @property
    def own_folder(self) -> Path:
        """The folder in which the paths of the table's media begin."""
        beside = self.own_file.parent
        return beside if self.settings.media is None else beside / self.settings.media

    @cached_property
    def _rows(self) -> list[Row]:
        return read_table(self.own_file)

    @cached_property
    def _samples(self) -> tuple[Sample, ...]:
        rows = self._rows
        columns = find_columns(self.settings, columns_of(rows), self.own_file)
        table = Table(self.own_file, self.name, self.own_folder, self.settings, columns)
        return table.samples(rows)

    def place_of(self, media: Path) -> str:
        """Return file and line of the first question about a medium."""
        return self._places.get(media, "")

    @cached_property
    def _places(self) -> dict[Path, str]:
        places: dict[Path, str] = {}
        for sample, row in zip(self._samples, self._rows, strict=True):
            for media in sample.media:
                places.setdefault(media.path, row.where)
        return places

    def load(self, data: Path) -> Questions:
        """Return the questions of the table; `data` is `own_folder`."""
        settings = settings_file(self.own_file)
        files = (self.own_file, *([settings] if settings.exists() else []))
        return Questions(samples=self._samples, files=files)

    def protocol(self, suite: str) -> Protocol:
        """Return a preset; free text, which the paper's rule cannot score, gets our own rule."""
        preset = super().protocol(suite)
        if suite == VIDEO_R1 and any(one.kind is Kind.FREE_FORM for one in self._samples):
            return replace(preset, scorer=self.scorers["official+answer"].tag)
        return preset

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the scorers; to score free text by ROUGE they need its package."""
        found = super().scorers
        if self.settings.text is not TextRule.ROUGE:
            return found
        return {name: replace(one, require=require_rouge) for name, one in found.items()}

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return the prompt of the settings, or question, options and what to answer with."""
        options = "\n".join(lettered(sample.options))
        if self.settings.prompt is not None:
            text = self.settings.prompt.replace("{options}", options)
            return Prompt(text=text.replace("{question}", sample.question))
        lines = [sample.question, options, _INSTRUCTIONS[sample.kind]]
        return Prompt(text="\n".join(filter(None, lines)))

    def official_rule(self) -> ScoreRule:
        """Return the rules of ``flexible`` for options, numbers and spans, and one for texts."""
        return table_rule(self.settings.text)
