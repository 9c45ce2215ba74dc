"""What lmms-eval finds under its entry point ``lmms_eval.models``: the model ``videor1``."""

from __future__ import annotations

from typing import Any


def manifest() -> Any:
    """Return the manifest that makes ``lmms-eval --model videor1`` run on our engines."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest(model_id="videor1", chat_class_path="tasks.lmms.model.VideoR1")
