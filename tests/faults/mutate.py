"""Damages files at random: as bytes, as JSON, as lines, as tables, as places on disk."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 100, -0.5, 1.5, 1e308, float("nan"), float("inf"), 10**400, "",
    " ", "1.0", "nan", "A", "x" * 5000, "\ud83d", "\x00", "\x1b[2J\x1b]0;x\x07", "\u202eabc",
    "[/bold]", "<script>", "=1+1", "../../etc/passwd", "/dev/zero", "a/b/c", [], {}, [[]], [None],
    {"": {}}, {"a": [1, {"b": None}]}, ["x", 1],
)  # fmt: skip
ODD_TEXTS = (
    "", " ", "\n", "[]", "{}", "null", "NaN", "[1]", '"text"', "{", "[" * 100_000, '{"a":' * 5000,
    "9" * 5000, "\ufeff{}", "\x00", "<html></html>", "a,b\n1,2\n", "[a]\nb = 1\n", "PAR1",
)  # fmt: skip
Change = Callable[[Path, random.Random], None]


def damage(path: Path, rng: random.Random) -> str:
    """Damage a file in one way that fits its kind; return the name of the way."""
    ways: list[Change] = [change_bytes, change_bytes, replace_text, replace_place]
    if path.suffix in (".json", ".jsonl"):
        ways += [change_json] * 8
    elif path.suffix == ".parquet":
        ways += [change_table] * 6
    elif path.suffix in (".toml", ".csv"):
        ways += [change_words] * 6
    way = rng.choice(ways)
    way(path, rng)
    return way.__name__


def change_bytes(path: Path, rng: random.Random) -> None:
    """Cut, flip, insert or repeat bytes."""
    content = bytearray(path.read_bytes())
    at = rng.randrange(len(content) + 1)
    match rng.randrange(4):
        case 0:
            del content[at:]
        case 1:
            for _ in range(rng.randint(1, 8)):
                content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        case 2:
            content[at:at] = rng.randbytes(rng.randint(1, 20))
        case _:
            content[at:at] = content[max(0, at - 200) : at]
    path.write_bytes(content)


def replace_text(path: Path, rng: random.Random) -> None:
    """Put a small text of another kind in its place."""
    path.write_text(rng.choice(ODD_TEXTS))


def replace_place(path: Path, rng: random.Random) -> None:
    """Put something in its place that is no readable file of ours."""
    path.unlink()
    match rng.randrange(7):
        case 0:
            path.mkdir()
        case 1:
            os.mkfifo(path)
        case 2:
            path.symlink_to(path.name)
        case 3:
            path.symlink_to("/dev/zero")
        case 4:
            path.symlink_to("/dev/null")
        case 5:
            path.symlink_to("no-such-file")
        case _:
            pass


def change_json(path: Path, rng: random.Random) -> None:
    """Change, remove or add one or two values anywhere in the file, or in one of its lines."""
    lines = path.read_text().split("\n")
    by_line = path.suffix == ".jsonl"
    position = rng.randrange(max(1, len(lines) - 1)) if by_line else 0
    content = json.loads(lines[position] if by_line else "\n".join(lines))
    for _ in range(rng.randint(1, 2)):
        content = change_value(content, rng)
    text = json.dumps(content)
    if by_line:
        lines[position] = text
    path.write_text("\n".join(lines) if by_line else text)


def change_value(content: Any, rng: random.Random) -> Any:
    """Return a JSON value with one value in it changed, removed, added or doubled."""
    content = copy.deepcopy(content)
    if not isinstance(content, dict | list) or not content or rng.random() < 0.15:
        return rng.choice(ODD_VALUES)
    key = rng.choice(list(content)) if isinstance(content, dict) else rng.randrange(len(content))
    match rng.randrange(6):
        case 0:
            del content[key]
        case 1 if isinstance(content, dict):
            content[rng.choice(("extra", "", "\x1b", str(key) * 2))] = rng.choice(ODD_VALUES)
        case 1:
            content.append(copy.deepcopy(content[key]))
        case 2:
            content[key] = rng.choice(ODD_VALUES)
        case _:
            content[key] = change_value(content[key], rng)
    return content


def change_table(path: Path, rng: random.Random) -> None:
    """Drop, retype, empty or change a column of a Parquet file, or its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    column = rng.randrange(table.num_columns)
    name, rows = table.column_names[column], table.num_rows
    match rng.randrange(7):
        case 0:
            table = table.drop_columns([name])
        case 1:
            values = [rng.choice((None, 1.5, -100.0, float("nan"))) for _ in range(rows)]
            table = table.set_column(column, name, pa.array(values, pa.float64()))
        case 2:
            values = [rng.choice(("", "x", "\x1b[2J", "\u202e")) for _ in range(rows)]
            table = table.set_column(column, name, pa.array(values))
        case 3:
            table = table.slice(0, 0)
        case 4:
            table = pa.concat_tables([table, table])
        case 5:
            metadata = dict(table.schema.metadata or {})
            old = json.loads(metadata.get(b"videor1", b"{}"))
            metadata[b"videor1"] = json.dumps(change_value(old, rng)).encode()
            table = table.replace_schema_metadata(metadata)
        case _:
            table = table.replace_schema_metadata(None)
    pq.write_table(table, path)


def change_words(path: Path, rng: random.Random) -> None:
    """Replace, drop or double a word of a TOML or CSV file."""
    words = path.read_text().split(" ")
    at = rng.randrange(len(words))
    odd = str(rng.choice(ODD_VALUES)).encode("utf-8", "replace").decode()
    words[at : at + 1] = rng.choice(
        ([], [words[at]] * 2, [odd], [f'"{odd}"'], [f"{words[at]},{odd}"])
    )
    path.write_text(" ".join(words))
