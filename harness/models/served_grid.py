"""Finds the frame grid of a served model in the config of the checkpoint that it comes from."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError
from harness.models.checkpoint import HUB_ID
from harness.models.identity import PROCESSOR_FILES
from harness.models.video_processor import patch_multiple

_WAIT_S = 10.0


def find_frame_grid(root: str | None) -> int | None:
    """Return what frame sides are multiples of, in pixels; None where it cannot be found.

    Args:
        root: What the server says that it has loaded: a folder that this machine can read, or a
            model on the hub, of which a few small files are fetched.
    """
    folder = None if root is None else _find_folder(root)
    if folder is None or not any((folder / name).is_file() for name in PROCESSOR_FILES):
        return None
    try:
        return patch_multiple(folder)
    except HarnessError:  # a damaged file; the server has read another one
        return None


def _find_folder(root: str) -> Path | None:
    try:
        if Path(root).is_dir():
            return Path(root)
    except (OSError, ValueError):  # a name that is too long, or a NUL in it
        return None
    match = HUB_ID.fullmatch(root)
    return None if match is None else _fetch_config(match["repo"], match["revision"])


def _fetch_config(repo: str, revision: str | None) -> Path | None:
    """Return the folder of a hub model's processor files, those at hand where there are some."""
    from huggingface_hub import snapshot_download

    for local in (True, False):
        try:
            folder: str = snapshot_download(
                repo,
                revision=revision,
                allow_patterns=list(PROCESSOR_FILES),
                local_files_only=local,
                etag_timeout=_WAIT_S,
            )
        except (OSError, ValueError):  # the hub's errors and its checks of ids
            continue
        if any((Path(folder) / name).is_file() for name in PROCESSOR_FILES):
            return Path(folder)
    return None
