"""Write the model card of a training run: ``README.md`` beside its checkpoints."""

from __future__ import annotations

from pathlib import Path

from harness.files import write_atomically
from harness.models.checkpoint import HUB_ID

_CARD = """\
---
library_name: transformers
{base}tags:
- videor1
- trl
- {algorithm}
---

# {name}

Trained with videor1's `{algorithm}` from `{start}`. `train.json` holds recipe and data,
`metrics.jsonl` the course of the training; the checkpoints are the folders `checkpoint-N`.

```console
$ videor1 eval {out}/checkpoint-N --tasks vsibench
```
"""


def write_card(out: Path, *, algorithm: str, start: str) -> None:
    """Write the card.

    Args:
        out: Folder of the run.
        algorithm: Name of the algorithm, a tag of the hub.
        start: Folder or hub id that training started from.
    """
    known = HUB_ID.fullmatch(start) is not None and not Path(start).exists()
    text = _CARD.format(
        base=f"base_model: {start}\n" if known else "",
        algorithm=algorithm,
        name=out.name,
        start=start,
        out=out,
    )
    write_atomically(out / "README.md", lambda path: path.write_text(text, encoding="utf-8"))
