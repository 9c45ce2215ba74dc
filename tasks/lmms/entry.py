"""The entry point ``lmms_eval.models`` of lmms-eval: the model ``videor1``."""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    """Return the manifest for ``lmms-eval --model videor1``."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="videor1", chat_class_path="tasks.lmms.model.VideoR1")
