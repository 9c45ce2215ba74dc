"""Names the run directory of an evaluation that names none."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.run.config import DEFAULT_RUNS, EvalConfig
from harness.run.numeric import NUMERIC
from harness.run.store import identity
from harness.schema import Variant

_LONGEST_PART = 40
_UNUSUAL = re.compile(r"[^\w.+-]+")


def default_out(
    config: EvalConfig, manifest: Mapping[str, Any], variant: str | None = None
) -> Path:
    """Return the run directory of an evaluation that names none.

    Its name contains a hash of everything in which a resumed run has to agree, so that two
    evaluations that cannot share a directory never do. Before it stands for a reader what was
    asked: checkpoint, protocol, variant (or `variant`, where given), and what is not the default
    of it.
    """
    text = json.dumps(identity(manifest), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    model = str(manifest["model"]).replace("/", "--")
    protocol, variant = Path(config.protocol).stem, variant or config.variant or Variant.ORDERED
    parts = [
        _UNUSUAL.sub("-", part).strip("-")[:_LONGEST_PART] for part in _parts(config, manifest)
    ]
    return DEFAULT_RUNS / "-".join((model, protocol, variant, *filter(None, parts), digest))


def _parts(config: EvalConfig, manifest: Mapping[str, Any]) -> Iterator[str]:
    if config.limit is not None:
        yield f"limit{config.limit}"
    if config.ids is not None:
        yield f"{len((manifest['choice'] or {}).get('ids') or ())}ids"
    yield from config.category or ()
    if config.max_frames is not None:
        yield f"{config.max_frames}frames"
    numeric = manifest.get(NUMERIC) or {}
    yield from (str(numeric[name]) for name in ("dtype", "quantization") if name in numeric)
