"""A replica that is killed leaves no process of its engine behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_REPLICA = """
import signal, subprocess, sys, time
from harness.replicas.guard import start_guard
guard = start_guard()
deaf = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True);"
    "time.sleep(600)"
)
engine = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
engine.stdout.readline()
print(guard.pid, engine.pid, flush=True)
time.sleep(600)
"""


def _lives(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="reads /proc")
def test_the_engine_of_a_killed_replica_is_gone_within_ten_seconds():
    """Even one that ignores SIGTERM; and so is the guard."""
    replica = subprocess.Popen([sys.executable, "-c", _REPLICA], stdout=subprocess.PIPE, text=True)
    assert replica.stdout is not None
    pids = [int(word) for word in replica.stdout.readline().split()]
    assert [_lives(pid) for pid in pids] == [True, True]
    replica.send_signal(signal.SIGKILL)
    replica.communicate()
    end = time.monotonic() + 10
    while any(map(_lives, pids)) and time.monotonic() < end:
        time.sleep(0.1)
    assert [_lives(pid) for pid in pids] == [False, False]
