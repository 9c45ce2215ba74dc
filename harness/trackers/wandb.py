"""Sends to Weights & Biases, or with ``WANDB_MODE=offline`` writes what ``wandb sync`` sends.

API: https://docs.wandb.ai/ref/python; entity, mode and server come from wandb's own variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UsageError
from harness.text.shown import for_terminal
from harness.trackers.api import ItemTable, TrackedRun, Tracker


class WandbTracker:
    """A run of wandb."""

    def __init__(self, run: Any) -> None:
        self._run = run

    def log_scores(self, scores: Mapping[str, float], step: int) -> None:
        """Log numbers; the last ones are the summary of the run."""
        self._run.log(dict(scores), step=step)

    def log_table(self, table: ItemTable, step: int) -> None:
        """Log a `wandb.Table`, whose cells wandb shows as text."""
        import wandb

        rows = [[for_terminal(c) if isinstance(c, str) else c for c in row] for row in table.rows]
        self._run.log(
            {
                table.name: wandb.Table(
                    columns=list(table.columns), data=rows, allow_mixed_types=True
                )
            },
            step=step,
        )

    def close(self, *, failed: bool) -> None:
        """Send what is left."""
        self._run.finish(exit_code=int(failed))


def start(run: TrackedRun) -> Tracker:
    """Start a run, or go on with the one of the same id.

    Raises:
        UsageError: There is no key, and wandb is not offline.
    """
    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",  # the command's own output stays on the terminal alone
        disable_git=True,
        save_code=False,
        x_disable_meta=True,  # it holds the command line, in which a password may stand
    )
    offline = wandb.setup().settings.mode in ("offline", "disabled", "dryrun")
    if not offline and not wandb.login(prompt=False, verify=False):
        raise UsageError(
            "wandb has no key: run `wandb login`, set WANDB_API_KEY, or set WANDB_MODE=offline"
        )
    run.folder.mkdir(parents=True, exist_ok=True)
    return WandbTracker(
        wandb.init(
            project=run.project,
            name=run.name,
            id=run.id,
            resume="allow",
            dir=run.folder,  # it makes a folder wandb there
            config=dict(run.config),
            settings=settings,
        )
    )
