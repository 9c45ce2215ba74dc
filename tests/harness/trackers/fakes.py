"""Packages that stand in for wandb and trackio: they write down what they are told."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

_WANDB = """
import json, os, sys
_LOG = {log!r}
_FAIL = {fail!r}

def _write(kind, **fields):
    print("wandb: noise on a terminal")
    print("wandb: noise on standard error", file=sys.stderr)
    with open(_LOG, "a") as file:
        file.write(json.dumps(dict(kind=kind, **fields)) + "\\n")
    if kind in _FAIL:
        raise ConnectionError("no route to wandb\\nsecond line")

class Settings:
    def __init__(self, **fields):
        self.fields = fields
        self.mode = fields.get("mode")

class _Setup:
    @property
    def settings(self):
        return Settings(mode=os.environ["WANDB_MODE"])

def setup():
    return _Setup()

def login(prompt, verify):
    assert not prompt
    return "WANDB_API_KEY" in os.environ

class Table:
    def __init__(self, columns, data, allow_mixed_types):
        self.columns, self.data = columns, data

class _Run:
    def log(self, values, step):
        table = next((v for v in values.values() if isinstance(v, Table)), None)
        if table is None:
            _write("scores", scores=values, step=step)
        else:
            _write("table", name=next(iter(values)), columns=table.columns, rows=table.data)
    def finish(self, exit_code):
        _write("finish", exit_code=exit_code)

def init(*, project, name, id, resume, dir, config, settings):
    _write("init", project=project, name=name, id=id, resume=resume, config=config,
           settings=settings.fields)
    return _Run()
"""
_TRACKIO = """
import json
_LOG = {log!r}

def _write(kind, **fields):
    print("* Trackio project initialized")
    with open(_LOG, "a") as file:
        file.write(json.dumps(dict(kind=kind, **fields)) + "\\n")

class Table:
    def __init__(self, columns, data):
        self.columns, self.data = columns, data

class _Run:
    def log(self, values, step):
        table = next((v for v in values.values() if isinstance(v, Table)), None)
        if table is None:
            _write("scores", scores=values, step=step)
        else:
            _write("table", name=next(iter(values)), columns=table.columns, rows=table.data)

def init(*, project, name, resume, config, embed, auto_log_cpu, auto_log_gpu):
    _write("init", project=project, name=name, resume=resume, config=config)
    return _Run()

def finish():
    _write("finish")
"""


class FakeTracker:
    """A fake package, and what it was told."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return the calls of one kind, in order."""
        if not self._log.exists():
            return []
        lines = map(json.loads, self._log.read_text().splitlines())
        return [line for line in lines if line["kind"] == kind]


def install(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *, fail: tuple[str, ...] = ()
) -> FakeTracker:
    """Make a fake package importable; calls of the kinds in `fail` raise."""
    log, path = folder / f"{name}.jsonl", folder / "site" / name / "__init__.py"
    path.parent.mkdir(parents=True)
    code = {"wandb": _WANDB, "trackio": _TRACKIO}[name]
    path.write_text(code.replace("{log!r}", repr(str(log))).replace("{fail!r}", repr(fail)))
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return FakeTracker(log)
