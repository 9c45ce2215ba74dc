"""The decode pool with files that hang, crash or raise, and consumers that stop early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.schema import Clip, Failure, FramePolicy, Media, MediaKind
from harness.video.decode import decode
from harness.video.jobs import DecodeJob, heaviest_first
from harness.video.pool import DecodePool
from harness.video.worker import Worker
from tests.clips import fake_decode, number, write_clip
from tests.interrupts import interruptible
from tests.paths import ROOT

BYTES = 3072  # of the clip that `fake_decode` returns, and of a job of `POLICY`
POLICY = FramePolicy(max_frames=1, min_pixels=1, max_pixels=1024)


def job(*names: str) -> DecodeJob:
    media = tuple(Media(path=Path(f"/clips/{name}.mp4")) for name in names)
    return DecodeJob(media=media, policy=POLICY, patch_multiple=4)


def fakes(*, workers: int = 1, timeout_s: float = 60.0, max_bytes: int = 100 * BYTES) -> DecodePool:
    return DecodePool(
        workers=workers, timeout_s=timeout_s, max_bytes=max_bytes, decoder=fake_decode
    )


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def gone(pid: int, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def pid_of(clip: Clip) -> int:
    """Read the worker's process id, which `fake_decode` puts into the key."""
    return int(clip.key.rpartition("-")[2])


def workers() -> list[str]:
    """Return the command lines of this process's decode workers, living or not waited for."""
    listing = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True
    )
    return [line for line in listing.stdout.splitlines() if "harness.video.worker" in line]


@pytest.fixture(autouse=True)
def _no_children() -> Iterator[None]:
    """After every test all workers are gone."""
    yield
    assert not workers()


def new_shared_memory() -> set[Path]:
    """Use a pool, end it in the middle of its work, and list what appeared in /dev/shm."""
    shared = Path("/dev/shm")
    before = set(shared.iterdir())
    with fakes(workers=2) as pool:
        next(pool.decode([job("a"), job("hang"), job("b"), job("crash")]))
    return set(shared.iterdir()) - before


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this system has no /dev/shm")
def test_nothing_is_left_in_shared_memory() -> None:
    """A pool that is ended in the middle of its work leaves nothing in /dev/shm."""
    # Other processes of this machine may come and go there; a leak would show every time.
    assert any(not new_shared_memory() for _ in range(3))


def test_clips_are_those_of_decode(tmp_path: Path) -> None:
    """What a worker returns equals what `decode` returns here, and it can be written to."""
    paths = [write_clip(tmp_path / f"{count}.mp4", count) for count in (10, 20)]
    policy = FramePolicy(max_frames=4, min_pixels=1)
    both = DecodeJob(
        media=tuple(Media(path=path) for path in paths), policy=policy, patch_multiple=28
    )
    with DecodePool(workers=1, timeout_s=60, max_bytes=1 << 30) as pool:
        ((done, clips),) = pool.decode([both])
        assert pool.counts.decodes == 2
    assert done is both
    assert not isinstance(clips, Failure)
    for path, clip in zip(paths, clips, strict=True):
        here = decode(Media(path=path), policy, patch_multiple=28)
        assert (clip.key, clip.indices, clip.timestamps) == (
            here.key,
            here.indices,
            here.timestamps,
        )
        assert np.array_equal(clip.frames, here.frames)
        assert number(clip.frames[-1]) == clip.indices[-1]
        assert clip.frames.flags.writeable


def test_workers_give_way_to_the_engine() -> None:
    """They run at a lower priority than the process that drives it."""
    with fakes() as pool:
        ((_, (clip,)),) = pool.decode([job("a")])
        assert os.getpriority(os.PRIO_PROCESS, pid_of(clip)) > os.getpriority(os.PRIO_PROCESS, 0)


def test_every_job_comes_back_once() -> None:
    """Two workers share the jobs; a finished worker does not wait for the other."""
    jobs = [job(f"a{index}") for index in range(20)]
    with fakes(workers=2) as pool:
        results = dict(pool.decode(jobs))
        assert pool.counts.decodes == 20
    assert set(results) == set(jobs)
    assert not any(isinstance(result, Failure) for result in results.values())


def test_bad_file_is_a_failure() -> None:
    """What the decoder raises comes back with its name, its message and the path."""
    with fakes() as pool:
        results = dict(pool.decode([job("raise"), job("fine")]))
    failure = results[job("raise")]
    assert failure == Failure(
        stage="media", error="KeyError", message="/clips/raise.mp4: 'no such atom'"
    )
    assert not isinstance(results[job("fine")], Failure)


@pytest.mark.parametrize(
    ("name", "error", "reason"),
    [
        ("hang", "TimeoutError", "not decoded within 1.5 s"),
        ("crash", "ChildProcessError", "the decode worker was killed by SIGABRT"),
    ],
)
def test_lost_worker_costs_its_job_only(name: str, error: str, reason: str) -> None:
    """A file that hangs or crashes its worker fails; the jobs before and after it do not."""
    with fakes(timeout_s=1.5) as pool:
        results = dict(pool.decode([job("a"), job("b", name, "c"), job("d")]))
    failure = results.pop(job("b", name, "c"))
    message = f"/clips/{name}.mp4: {reason}"
    assert failure == Failure(stage="media", error=error, message=message)
    first, last = (clip for clips in results.values() for clip in clips if isinstance(clip, Clip))
    assert pid_of(first) != pid_of(last)


def test_a_pipe_is_no_video(tmp_path: Path) -> None:
    """It would never end; the real decoder refuses it."""
    pipe = tmp_path / "endless.mp4"
    os.mkfifo(pipe)
    endless = DecodeJob(media=(Media(path=pipe),), policy=POLICY, patch_multiple=4)
    with DecodePool(workers=1, timeout_s=60.0, max_bytes=1 << 20) as pool:
        ((_, failure),) = pool.decode([endless])
    assert isinstance(failure, Failure)
    assert (failure.error, str(pipe) in failure.message) == ("InaccessibleMediaError", True)
    assert "is a pipe, expected a file" in failure.message


def test_worker_is_kept_between_calls() -> None:
    """Processes are started once, not for every call."""
    with fakes() as pool:
        ((_, first),) = pool.decode([job("a")])
        ((_, second),) = pool.decode([job("b")])
    assert not isinstance(first, Failure)
    assert not isinstance(second, Failure)
    assert pid_of(first[0]) == pid_of(second[0])


def test_a_worker_that_was_just_killed_is_replaced() -> None:
    """It may still be ending when the next file comes; that file does not fail."""
    worker = Worker(fake_decode, timeout_s=60)
    one = job("a")
    try:
        for _ in range(3):
            assert not isinstance(worker.decode(one.media[0], one.policy, 28), Failure)
            worker.kill()
    finally:
        worker.stop()


def test_workers_live_from_call_to_call() -> None:
    """The end of one call kills nobody, however late its threads end."""
    with fakes() as pool:
        answers = [list(pool.decode([job("a")])) for _ in range(20)]
    assert (
        len({pid_of(clips[0]) for [(_, clips)] in answers if not isinstance(clips, Failure)}) == 1
    )


SCRIPT = """
from tests.harness.video.test_pool import fakes, job, pid_of

print("the script runs")
with fakes() as pool:
    ((_, clips),) = pool.decode([job("a")])
    print(clips[0].key.partition("-")[0])
"""


def kill_itself(media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
    """Decode a file that names how often its process is to be killed first."""
    times = int(media.path.read_text())
    if times:
        media.path.write_text(str(times - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return fake_decode(media, policy, patch_multiple=patch_multiple)


@pytest.mark.parametrize("kills", [0, 1, 2, 3])
def test_a_file_whose_worker_is_killed_is_tried_once_more(tmp_path: Path, kills: int) -> None:
    """The system kills a process when memory is full; twice, and the file is named."""
    worker = Worker(kill_itself, timeout_s=60)
    video = tmp_path / "a.mp4"
    video.write_text(str(kills))
    try:
        answer = worker.decode(Media(path=video), POLICY, 4)
        assert worker.decodes == 1
    finally:
        worker.stop()
    if kills < 2:
        assert isinstance(answer, Clip)
    else:
        assert isinstance(answer, Failure)
        assert answer.message == f"{video}: the decode worker was killed by SIGKILL, twice"


def test_a_script_without_a_main_guard_decodes(tmp_path: Path) -> None:
    """Workers never run the script that started them."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["the script runs", "a.mp4"]


def test_worker_that_died_idle_is_replaced() -> None:
    """Nobody's job fails because a worker was lost between two jobs."""
    with fakes() as pool:
        ((_, first),) = pool.decode([job("a")])
        assert not isinstance(first, Failure)
        os.kill(pid_of(first[0]), signal.SIGKILL)
        os.waitid(os.P_PID, pid_of(first[0]), os.WEXITED | os.WNOWAIT)
        ((_, clips),) = pool.decode([job("b")])
    assert not isinstance(clips, Failure)


def counted(pulled: list[str]) -> Iterator[DecodeJob]:
    """Yield twenty jobs, noting each as it is pulled."""
    for index in range(20):
        pulled.append(f"a{index}")
        yield job(pulled[-1])


def settled(pulled: list[str]) -> int:
    """Wait until nothing more is pulled, and return how many were."""
    count = -1
    while len(pulled) > count:
        count = len(pulled)
        time.sleep(0.3)
    return count


@pytest.mark.parametrize(("room", "ahead"), [(3, 3), (1, 1), (0, 1)])
def test_look_ahead_is_bounded(room: int, ahead: int) -> None:
    """No more is decoded than fits, though always one job; one more is pulled and waits.

    What the consumer took counts until it is released.
    """
    pulled: list[str] = []
    with fakes(workers=2, max_bytes=room * BYTES) as pool:
        results = pool.decode(counted(pulled))
        for released in (0, 1, 2):
            done, _ = next(results)
            assert settled(pulled) == released + ahead + 1
            assert pool.counts.decodes == released + ahead
            pool.release(done)
        for done, _ in results:
            pool.release(done)
        assert pool.counts.decodes == 20
        assert pool.counts.peak_bytes == max(room, 1) * BYTES


def test_decoding_begins_before_the_first_result_is_asked_for() -> None:
    """An engine can be loaded meanwhile."""
    pulled: list[str] = []
    with fakes(max_bytes=3 * BYTES) as pool:
        results = pool.decode(counted(pulled))
        deadline = time.monotonic() + 30  # the worker may start slowly
        while len(pulled) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert pool.counts.decodes == 3
        for done, _ in results:
            pool.release(done)


def test_the_longest_videos_are_decoded_first(tmp_path: Path) -> None:
    """The size of the files stands for their length; a missing file comes last."""
    jobs = []
    for name, size in [("short", 10), ("long", 1000), ("middle", 100)]:
        path = tmp_path / name
        path.write_bytes(bytes(size))
        jobs.append(DecodeJob(media=(Media(path=path),), policy=POLICY, patch_multiple=4))
    missing = job("missing")
    ordered = heaviest_first([missing, *jobs])
    assert [one.media[0].path.stem for one in ordered] == ["long", "middle", "short", "missing"]


def test_a_job_is_measured_by_its_bound() -> None:
    """Room is kept for every frame the policy allows; an image is one frame."""
    image = Media(path=Path("i.png"), kind=MediaKind.IMAGE)
    policy = FramePolicy(max_frames=16, max_pixels=1000)
    both = DecodeJob(media=(image, Media(path=Path("v.mp4"))), policy=policy, patch_multiple=28)
    assert both.max_bytes == 17 * 3000


def test_consumer_that_stops_early() -> None:
    """Leaving the loop ends what is under way at once, and the pool can be used again."""
    with fakes(workers=2) as pool:
        for _ in pool.decode([job("a"), job("hang"), job("hang-2")]):
            break
        results = pool.decode([job("b")])
        assert len(list(results)) == 1


def test_close_during_a_decode() -> None:
    """Closing the pool ends its workers though results are still expected."""
    began = time.monotonic()
    pool = fakes(workers=2)
    results = pool.decode([job("a"), job("hang"), job("b")])
    _, clips = next(results)
    assert not isinstance(clips, Failure)
    pool.close()
    assert gone(pid_of(clips[0]))
    results.close()
    assert time.monotonic() - began < 20


def broken_jobs() -> Iterator[DecodeJob]:
    yield job("a")
    raise RuntimeError("no more questions")


def test_error_in_the_jobs_reaches_the_consumer() -> None:
    """What the jobs raise is raised where the results are read."""
    with fakes(workers=2) as pool, pytest.raises(RuntimeError, match="no more questions"):
        list(pool.decode(broken_jobs()))


def test_ctrl_c_does_not_reach_workers() -> None:
    """A worker that gets SIGINT goes on; the parent decides."""
    with fakes() as pool:
        ((_, first),) = pool.decode([job("a")])
        assert not isinstance(first, Failure)
        os.kill(pid_of(first[0]), signal.SIGINT)
        ((_, second),) = pool.decode([job("b")])
        assert not isinstance(second, Failure)
        assert pid_of(first[0]) == pid_of(second[0])


class KilledWhileStarting:
    """A decoder that kills its worker, as a full memory does, the first times it is received."""

    def __init__(self, folder: Path, times: int) -> None:
        self.folder, self.times = folder, times

    def __call__(self, media: Media, policy: FramePolicy, *, patch_multiple: int) -> Clip:
        return fake_decode(media, policy, patch_multiple=patch_multiple)

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        starts = len(list(self.folder.iterdir()))
        if starts < self.times:
            (self.folder / str(starts)).touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("times", [1, 3])
def test_a_worker_killed_while_it_starts_is_started_again(tmp_path: Path, times: int) -> None:
    """A memory that is full for a moment ends no run."""
    decoder = KilledWhileStarting(tmp_path, times)
    with DecodePool(workers=1, timeout_s=60, max_bytes=100 * BYTES, decoder=decoder) as pool:
        ((_, clips),) = pool.decode([job("a")])
        assert not isinstance(clips, Failure)


def test_a_worker_that_never_starts_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    """After four starts the error says what happened and what may help."""
    decoder = KilledWhileStarting(tmp_path, 99)
    with (
        DecodePool(workers=1, timeout_s=60, max_bytes=100 * BYTES, decoder=decoder) as pool,
        pytest.raises(HarnessError, match=r"killed by SIGKILL while it started \(4 times\)"),
    ):
        list(pool.decode([job("a")]))


def test_a_worker_whose_parent_goes_while_it_starts_prints_nothing() -> None:
    """It finds its pipe closed and ends."""
    ours, theirs = Pipe()
    code = f"from harness.video.worker import serve; serve({theirs.fileno()}, {os.getpid()})"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        pass_fds=[theirs.fileno()],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as child:
        theirs.close()
        ours.close()
        _, errors = child.communicate(timeout=30)
    assert errors == ""


PARENT = """
from tests.harness.video.test_pool import fakes, job, pid_of

if __name__ == "__main__":
    with fakes() as pool:
        results = pool.decode([job("a"), job("hang")])
        print(pid_of(next(results)[1][0]), flush=True)
        next(results)
"""


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_no_orphans(tmp_path: Path, kill: signal.Signals) -> None:
    """Workers end with their parent, even while they hang, and leave no warning behind."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        interruptible([sys.executable, str(script)]),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.send_signal(kill)
    _, errors = parent.communicate(timeout=20)
    assert gone(worker)
    assert "resource_tracker" not in errors
    assert errors.strip().endswith("KeyboardInterrupt") == (kill == signal.SIGINT)
