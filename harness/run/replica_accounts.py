"""Says what each replica of an evaluation did, and which of them deviates from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.replicas import canary
from harness.replicas.standing import ReplicaState, Stage, Standing


def account(name: str, standing: Standing, *, pixels: str, latest: float) -> dict[str, Any]:
    """Return what ``summary.json`` says of one replica, given the time of the latest item."""
    joined, end = standing.joined, standing.ended
    return {
        "replica": name,
        "where": None if joined is None else joined.where,
        "versions": {} if joined is None else dict(joined.versions),
        "items": standing.items,
        "lost": standing.lost if standing.needed else None,
        "videos": standing.videos,
        "start_s": None if end is None else end.start_s,
        "answer_s": standing.answer_s,
        "idle_s": standing.idle_s(latest),
        "decodes": None if end is None else end.decode.decodes,
        "canary": {
            "pixels_expected": pixels,
            "pixels": None if joined is None else joined.pixels,
            "pixels_at_end": None if end is None else end.pixels,
            "text": standing.first,
            "text_at_end": None if end is None else end.text,
        },
    }


def states_of(accounts: Sequence[Any]) -> tuple[ReplicaState, ...]:
    """Return the replicas of a stored run as they stood at its end; malformed ones are left out."""
    found = []
    for one in accounts:
        fields = one if isinstance(one, Mapping) else {}
        lost, items, answer_s, idle_s = (
            fields.get(name) for name in ("lost", "items", "answer_s", "idle_s")
        )
        if not isinstance(items, int) or not isinstance(answer_s, float | int | None):
            continue
        found.append(
            ReplicaState(
                name=str(fields.get("replica", "-")),
                where=str(fields.get("where") or ""),
                stage=Stage.ENDED if lost is None else Stage.LOST,
                lost=None if lost is None else str(lost),
                items=items,
                items_per_s=items / answer_s if answer_s else 0.0,
                videos=int(fields.get("videos") or 0),
                held_videos=0,
                held_items=0,
                answer_s=answer_s,
                idle_s=idle_s if isinstance(idle_s, float | int) else None,
            )
        )
    return tuple(found)


def deviations(standings: Mapping[str, Standing], pixels: str) -> list[str]:
    """Return a sentence for each replica that answered items and whose canary deviates."""
    used = {name: one for name, one in standings.items() if one.items}
    ended = {name: one.ended for name, one in used.items() if one.ended is not None}
    found = [
        f"replica {name} decodes other pixels at its end than at its start; its items may be wrong"
        for name, end in ended.items()
        if end.pixels != pixels
    ]
    first = {name: one.first for name, one in used.items() if one.first is not None}
    last = {name: end.text for name, end in ended.items()}
    for when, texts in (("start", first), ("end", last)):
        found += [
            f"replica {name} answers the canary otherwise at its {when}: {texts[name]!r:.80},"
            f" not {_most_frequent(texts)!r:.80}"
            for name in canary.name_deviating(texts)
        ]
    return found


def _most_frequent(texts: Mapping[str, str]) -> str:
    return max(texts.values(), key=list(texts.values()).count)
