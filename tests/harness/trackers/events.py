"""Reads event files of TensorBoard: records of length, checksum, message, checksum."""

from __future__ import annotations

import struct
from pathlib import Path


def read_events(folder: Path) -> tuple[dict[str, tuple[float, int]], dict[str, str]]:
    """Return the scalars (value and step) and the texts of a folder's event files, by name."""
    from tensorboardX.proto.event_pb2 import Event

    scalars: dict[str, tuple[float, int]] = {}
    texts: dict[str, str] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            event = Event.FromString(content[at + 12 : at + 12 + length])
            at += 12 + length + 4
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    scalars[value.tag] = value.simple_value, event.step
                else:
                    name = value.tag.removesuffix("/text_summary")
                    texts[name] = value.tensor.string_val[0].decode()
    return scalars, texts
