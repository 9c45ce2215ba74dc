"""Downloads a benchmark's published files from the Hugging Face hub and unpacks them.

A `Source` names repository, commit and files. An interrupted fetch is finished by running it again:
the hub client skips complete files, `harness.data.archives` skips extracted ones. A receipt in the
folder names the commit.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.archives import (
    Archive,
    unpack,
)
from harness.data.tars import unpack_tar
from harness.errors import UsageError
from harness.files import write_json

if TYPE_CHECKING:
    from huggingface_hub import DryRunFileInfo

RECEIPT = ".videor1-source.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The repository, commit and files of a benchmark on the hub."""

    repo: str
    """Dataset id."""
    revision: str
    """Commit that is fetched by default."""
    folder: str
    """Name of the benchmark's folder under the data root."""
    files: tuple[str, ...]
    """Glob patterns of the files to download in addition to the archives."""
    archives: tuple[Archive, ...] = ()
    licence: str = ""
    """Licence of the data as their page names it; empty where we do not know it."""
    size_gb: float | None = None
    """Size of the download in GB, as published; None where we do not know it."""
    undistributed: Mapping[str, str] = field(default_factory=dict)
    """Categories whose media may not be distributed, with the reason."""

    @property
    def page(self) -> str:
        """Address of the page that describes the data and has its terms."""
        return f"https://huggingface.co/datasets/{self.repo}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The record of what was fetched into a folder; later fetches take the same commit."""

    repo: str
    revision: str
    """Commit hash."""
    files: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Receipt | None:
        """Return the receipt of a folder; None if nothing was fetched yet."""
        path = folder / RECEIPT
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(**{**content, "files": tuple(content["files"])})
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{path}: not a receipt; delete it and fetch again") from error


def fetch(
    source: Source, folder: Path, *, revision: str | None = None, endpoint: str | None = None
) -> Receipt:
    """Download `source` into `folder` and unpack its archives; complete files are skipped.

    Args:
        source: What to fetch.
        folder: The benchmark's own folder.
        revision: Commit or branch; None: that of the folder's receipt, else the source's.
        endpoint: Address of the hub; None: ``HF_ENDPOINT``, else the public hub.

    Raises:
        UsageError: The hub cannot be reached or refuses, the disk is too small, an archive is bad.
    """
    before = Receipt.read(folder)
    pinned = before.revision if before and before.repo == source.repo else source.revision
    receipt = _download(source, folder, revision or pinned, endpoint)
    for archive in source.archives:
        found = [folder / name for name in receipt.files if fnmatchcase(name, archive.path)]
        if found and ".tar" in archive.path:
            unpack_tar(archive, found, folder)
        elif found:
            unpack(archive, folder)
    return receipt


def _download(source: Source, folder: Path, revision: str, endpoint: str | None) -> Receipt:
    from huggingface_hub import errors

    try:
        listing = _download_snapshot(source, folder, revision, endpoint, dry_run=True)
        if not listing:
            raise UsageError(f"{source.page} has none of the expected files at {revision}")
        _require_space(listing, folder)
        receipt = Receipt(
            repo=source.repo,
            revision=listing[0].commit_hash,
            files=tuple(sorted(file.filename for file in listing)),
        )
        write_json(folder / RECEIPT, asdict(receipt))
        _download_snapshot(source, folder, receipt.revision, endpoint, dry_run=False)
    # the base of the transport's errors, under the one name that outlives its changes of library
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        raise UsageError(_download_advice(source, revision, error)) from error
    return receipt


def _download_snapshot(
    source: Source, folder: Path, revision: str, endpoint: str | None, *, dry_run: bool
) -> Any:
    """Download what is missing; a dry run returns the listing instead, one entry per file."""
    from huggingface_hub import snapshot_download

    return snapshot_download(
        source.repo,
        repo_type="dataset",
        revision=revision,
        local_dir=folder,
        allow_patterns=[*source.files, *(archive.path for archive in source.archives)],
        endpoint=endpoint,
        dry_run=dry_run,
    )


def _require_space(listing: list[DryRunFileInfo], folder: Path) -> None:
    """Raise `UsageError` if the disk is too small; zips are kept and videos do not compress."""
    missing = [file for file in listing if file.will_download]
    packed = (file.filename.endswith(".zip") or ".tar" in file.filename for file in missing)
    copies = (2 if one else 1 for one in packed)
    needed = sum(n * (file.file_size or 0) for n, file in zip(copies, missing, strict=True))
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UsageError(
            f"{folder}: the download and its unpacked videos need {needed / 1e9:.1f} GB,"
            f" {free / 1e9:.1f} GB are free"
        )


def _download_advice(source: Source, revision: str, error: BaseException) -> str:
    """Return the message for a refused or broken download, with what to do about it."""
    from huggingface_hub import errors

    while error.__cause__ is not None and not isinstance(error, errors.HfHubHTTPError):
        error = error.__cause__
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"the hub refuses you access to {source.repo}: open {source.page}, accept its terms if"
            " it asks for that, and set HF_TOKEN (or run `hf auth login`)"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{source.repo} has no revision {revision!r}; `--revision main` takes the newest"
    return (
        f"cannot fetch {source.page}: {error}; complete files are kept, run the same command again"
        " to continue"
    )
