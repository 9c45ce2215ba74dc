"""Find the media files of a training row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.schema import Media, MediaKind
from tasks.files import Row, check_name, inside
from trainer.data.placeholders import in_order

_OTHER_MEDIA = (
    "video", "image", "video_path", "image_path", "video_paths", "image_paths",
    "media",
)  # fmt: skip
"""Fields in which other formats name media; here: ``path``, or ``images`` and ``videos``."""
LISTS = {"images": MediaKind.IMAGE, "videos": MediaKind.VIDEO}
"""Fields with the media of a row that may have several."""


def find_media(row: Row, roots: Sequence[Path]) -> tuple[Media, ...]:
    """Return the media of a row, in the order in which its question has them.

    A file that is nowhere has the first place where it was expected.

    Args:
        row: A row of a file of training rows.
        roots: Folders below which media lie.

    Raises:
        DatasetError: The fields about media contradict each other, or a path leaves the roots.
    """
    other = next((name for name in _OTHER_MEDIA if row.fields.get(name)), None)
    if any(row.fields.get(name) for name in LISTS):
        return _find_listed_media(row, roots)
    if not row.fields.get("path"):
        if other is not None:
            raise row.bad(
                other,
                "nothing: the medium of a row is under 'path', several under 'images', 'videos'",
            )
        if row.fields.get("data_type") not in (None, "", "text"):
            raise row.bad("path", f"a file, as data_type is {row.fields['data_type']!r:.20}")
        return ()  # a question without media
    if isinstance(row.fields["path"], list):
        raise row.bad("path", "one file; several media are under 'images' and 'videos'")
    if other is not None and row.fields[other] not in (row.fields["path"], [row.fields["path"]]):
        raise row.bad(other, "nothing beside 'path'; several media are under 'images' and 'videos'")
    kind = row.text("data_type")
    if kind not in (MediaKind.VIDEO, MediaKind.IMAGE):
        raise row.bad("data_type", "'video' or 'image'")
    return (_find_medium(row, "path", row.text("path"), MediaKind(kind), roots),)


def _find_listed_media(row: Row, roots: Sequence[Path]) -> tuple[Media, ...]:
    """Return the media of ``images`` and ``videos``, as the question's placeholders have them."""
    if row.fields.get("path") not in (None, ""):
        listed = next(name for name in LISTS if row.fields.get(name))
        given = row.fields["path"]
        if row.fields[listed] != [given]:  # the same file once more, as some formats have it
            raise row.bad("path", f"nothing beside '{listed}', which has the media of the row")
    other = next((name for name in _OTHER_MEDIA if row.fields.get(name)), None)
    if other is not None:
        raise row.bad(other, "nothing beside 'images' and 'videos'")
    images, videos = (
        [_find_medium(row, name, path, kind, roots) for path in row.texts(name)]
        for name, kind in LISTS.items()
    )
    try:
        return in_order(row.text("problem"), images, videos)
    except ValueError as error:
        raise row.bad("problem", str(error).removeprefix("expected ")) from None


def _find_medium(row: Row, name: str, path: str, kind: MediaKind, roots: Sequence[Path]) -> Media:
    """Return a medium at the first place where it is, or where it was expected."""
    places = list(_candidate_paths(row, name, path, roots))
    found = next((place for place in places if place.exists()), places[0])
    return Media(path=found, kind=kind)


def _candidate_paths(row: Row, name: str, path: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield where a media file may be: below each root, also without the root's own name.

    Published paths begin with the name of the folder they were packed from (``./Evaluation/...``),
    and the root may be that folder or the one above it. An absolute path lies below a root.
    """
    given = check_name(path, row.where)
    if given.is_absolute():
        if not any(given.is_relative_to(root.absolute()) for root in roots):
            raise row.bad(name, "a relative path, or one below data.media_roots")
        yield given
        return
    for root in roots:
        place = inside(root, str(given), row.where)
        yield place
        first, *rest = place.relative_to(root).parts
        if rest and first == root.name:
            yield root.joinpath(*rest)
