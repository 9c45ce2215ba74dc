"""How replicas are shown, while they run and at the end."""

from io import StringIO
from pathlib import Path

from rich.console import Console

from harness.replicas.standing import ReplicaState, Stage
from harness.run.progress import ProgressBar
from harness.run.replica_text import account_text, replica_lines, replica_table, replicas_clause

NODE = "node-17.cluster.example"


def state(name: str, stage: Stage = Stage.ANSWERS, **changes) -> ReplicaState:
    fields = {
        "where": NODE, "lost": None, "items": 120, "items_per_s": 4.0, "videos": 7,
        "held_videos": 3, "held_items": 41, "answer_s": 30.0, "idle_s": 0.0, **changes,
    }  # fmt: skip
    return ReplicaState(name=name, stage=stage, **fields)


DEAD = state("r1", Stage.LOST, lost="its process or node is gone (ActorDiedError)", held_videos=0)


def drawn(states, rows) -> str:
    console = Console(file=StringIO(), width=80)
    console.print(replica_table(states, rows))
    return console.file.getvalue()


def test_a_log_counts_replicas_by_what_they_do():
    """Those that answer come first; what nobody does is left out."""
    states = [DEAD, state("r0"), state("r2"), state("r1+1", Stage.WAITS)]
    assert replicas_clause(states) == "replicas: 2 answering, 1 waiting for room, 1 lost"


def test_a_line_of_progress_has_the_clause():
    """Only where there are replicas."""
    out = StringIO()
    bar = ProgressBar(Console(file=out, width=300))
    bar.begin(Path("run"), total=5, done=0)
    with bar.answering():
        bar.replicas([state("r0"), DEAD])
    assert "; replicas: 1 answering, 1 lost" in out.getvalue()
    assert bar.last_replicas == (state("r0"), DEAD)


def test_a_terminal_has_a_row_per_replica():
    """Items, videos, speed and what is held; eighty columns are enough."""
    row = drawn([state("r0")], 5).splitlines()[1]
    assert row.split() == ["r0", "120", "7", "4.0", "41", "of", "3", "videos", "answers"]


def test_a_low_terminal_shows_those_that_answer():
    """A lost one gives way."""
    shown = drawn([DEAD, state("r0"), state("r2")], 2)
    assert "r0" in shown
    assert "r2" in shown
    assert "r1" not in shown


def test_a_notebook_has_a_line_per_replica():
    """In the order in which they were started."""
    assert replica_lines([state("r0")]) == [
        "  r0: answers, 120 items, 7 videos, 4.0 items/s, holds 41 items of 3 videos"
    ]


def test_the_account_says_how_evenly_replicas_ran():
    """One of three was idle for 10 of its 40 s, one came late: the mean of 1, 3/4 and 1."""
    states = [
        state("r0", Stage.ENDED, answer_s=40.0),
        state("r2", Stage.ENDED, answer_s=30.0, idle_s=10.0),
        state("r1+1", Stage.ENDED, answer_s=10.0),
    ]
    assert account_text([*states, DEAD]) == (
        "3 replicas answered for 10.0 to 40.0 s, on average 92 % of the time to the run's last"
        " answer; r1 was lost: its process or node is gone (ActorDiedError)"
    )


def test_a_replica_that_answered_nothing_has_no_part_in_the_account():
    """There was nothing left for it."""
    assert account_text([state("r0", Stage.ENDED, answer_s=None)]) == ""
