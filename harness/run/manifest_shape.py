"""Checks ``run.json``: types and ranges of the fields that commands read.

What every command needs is required; what one command needs, it requires itself. A field that is
there has its type in any case.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from harness.errors import DatasetError
from harness.files import Fields
from harness.task import registry
from harness.task.local_results import LOCAL_TASKS

SCHEMA_VERSION = 2
"""Schema 2 has records of repeats and protocols with further fields."""
READABLE_SCHEMAS = (1, SCHEMA_VERSION)


def check_manifest(content: Mapping[str, Any], where: str) -> None:
    """Raise where the content of a ``run.json`` is not a manifest of this version.

    Raises:
        DatasetError: A field is missing, of another type or out of range, or a task lacks its
            protocol or data; names `where`, field, expected and found.
    """
    fields = Fields(content, where)
    version = content.get("schema", SCHEMA_VERSION)
    if version not in READABLE_SCHEMAS or isinstance(version, bool):
        known = " or ".join(map(str, READABLE_SCHEMAS))
        raise fields.bad("schema", f"{known}, the formats that this version reads")
    for name in ("model", "backend", "protocol_hash", "created"):
        fields.text(name, optional=True)
    fields.whole("limit", 1, optional=True)
    choice = fields.table("choice", optional=True)
    for name in () if choice is None else ("ids", "categories"):
        choice.texts(name, optional=True)  # type: ignore[union-attr]
    _check_local(fields)
    fields.table("checkpoint")
    fields.table("numeric", optional=True)
    questions = fields.table("questions", optional=True)
    for name in () if questions is None else questions.content:
        questions.whole(name, 0)  # type: ignore[union-attr]
    check_tasks(fields)
    _check_selections(fields)


def _check_local(fields: Fields) -> None:
    """Raise where what is kept of local benchmarks is malformed."""
    if fields.table(LOCAL_TASKS, optional=True) is None:
        return
    for _, about in fields.tables(LOCAL_TASKS):
        for name in ("file", "title"):
            about.text(name)
        for _, preset in about.tables("presets"):
            check_protocol(preset)
        for _, means in about.tables("aggregations"):
            means.text("name")
            levels = means.table("levels", optional=True)
            for category in () if levels is None else levels.content:
                levels.texts(category)  # type: ignore[union-attr]


def check_tasks(fields: Fields) -> None:
    """Raise where a task lacks its protocol or its data, or a field of them is malformed."""
    protocols, data = dict(fields.tables("protocol")), dict(fields.tables("data"))
    _require_same("data", data, protocols, fields)
    for protocol in protocols.values():
        check_protocol(protocol)
    for about in data.values():
        about.whole("items", 0)
        about.text("sha256")


def require_setting(content: Mapping[str, Any], where: str) -> None:
    """Raise where a checked manifest lacks what tells a run from others on a board."""
    fields = Fields(content, where)
    for name in ("model", "protocol_hash", "created"):
        fields.text(name)
    fields.texts("tasks")
    for _, protocol in fields.tables("protocol"):
        for name in ("scorer", "hash"):
            protocol.text(name)
        if "frames" not in protocol.content:
            raise protocol.bad("frames", "an object or null")
        frames = protocol.table("frames", optional=True)
        if frames is not None:
            frames.whole("max_frames", 1)
            frames.text("order")


def require_plan(content: Mapping[str, Any], where: str) -> None:
    """Raise where a checked manifest lacks what it takes to ask or score its items again."""
    fields = Fields(content, where)
    fields.texts("tasks")
    if "limit" not in content:
        raise fields.bad("limit", "a whole number or null")
    for _, protocol in fields.tables("protocol"):
        protocol.text("scorer")


def check_protocol(protocol: Fields) -> None:
    """Raise `DatasetError` where a field of one task's protocol is of another type."""
    for name in ("suite", "task", "template", "scorer", "hash", "system", "reasoning"):
        protocol.text(name, optional=True)
    protocol.table("template_args", optional=True)
    protocol.whole("thinking_budget", 0, optional=True)
    protocol.whole("repeats", 1, optional=True)
    protocol.whole("option_rotation", 0, optional=True)
    frames = protocol.table("frames", optional=True)
    if frames is not None:
        for name in ("rule", "order"):
            frames.text(name, optional=True)
        for name in ("min_frames", "max_frames", "min_pixels", "max_pixels"):
            frames.whole(name, 1, optional=True)
        frames.number("fps", 0, math.inf, optional=True)
    sampling = protocol.table("sampling", optional=True)
    if sampling is not None:
        for name in ("max_tokens", "top_k"):
            sampling.whole(name, 0, optional=True)
        for name in ("temperature", "top_p", "min_p", "repetition_penalty"):
            sampling.number(name, 0, math.inf, optional=True)
        for name in ("presence_penalty", "frequency_penalty"):
            sampling.number(name, -math.inf, math.inf, optional=True)
        sampling.texts("stop", optional=True)


def _check_selections(fields: Fields) -> None:
    """Raise where ``name:config`` selections are not those of the tasks with a protocol."""
    selections = fields.texts("tasks", optional=True)
    if selections is None:
        return
    names = [registry.name_of(selection) for selection in selections]
    if len(set(names)) != len(names):
        raise fields.bad("tasks", "every task once")
    _require_same("protocol", fields.content["protocol"], names, fields)


def _require_same(name: str, found: Iterable[str], expected: Iterable[str], of: Fields) -> None:
    if set(found) != set(expected) or not set(found):
        raise DatasetError(
            f"{of.where}: field {name!r}: expected the tasks {', '.join(sorted(expected)):.200},"
            f" got {', '.join(sorted(found)) or 'none':.200}"
        )
