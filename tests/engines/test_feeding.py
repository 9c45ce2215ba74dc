"""A whole run on vLLM: each video is decoded and encoded once, and speed changes no answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from harness.backends.base import EngineStats
from harness.run.observer import RunObserver
from harness.run.plan import Plan
from harness.run.reading import ReadingBackend
from harness.run.runner import Runner
from harness.run.store import RunWriter
from harness.schema import AnswerKey, FramePolicy, Media, Sampling
from harness.video.cache import FrameCache
from harness.video.decode import decode
from harness.video.pool import DecodeCounts, DecodePool
from tests.clips import write_clip
from tests.toys import planned, sample

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

from harness.backends.vllm import VLLMBackend, VLLMConfig

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
VIDEOS, QUESTIONS = 25, 8
OPTIONS = VLLMConfig(max_model_len=2048)
CLIP_BYTES = 8 * 168 * 168 * 3


@dataclass(frozen=True)
class Done:
    """What one run gave."""

    texts: dict[str, str | None]
    counts: DecodeCounts
    stats: EngineStats
    requests_read: int
    videos_read: list[str]
    """The questions with which the replica's account tells of videos that are read."""


@dataclass(frozen=True)
class Speed:
    """What may be chosen for speed alone."""

    workers: int = 2
    max_bytes: int = 1 << 30
    cache: bool = False
    backwards: bool = False
    options: VLLMConfig = OPTIONS


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """200 questions on 25 videos."""
    folder = tmp_path_factory.mktemp("videos")
    media = [Media(path=write_clip(folder / f"{n}.mp4", 8 + n)) for n in range(VIDEOS)]
    asked = planned([sample(n, (media[n // QUESTIONS],)) for n in range(VIDEOS * QUESTIONS)])
    protocol = replace(
        asked.protocol,
        frames=FramePolicy(fps=10, max_frames=8, min_pixels=140 * 140, max_pixels=168 * 168),
        sampling=Sampling(temperature=0.0, max_tokens=12),
    )
    return Plan((replace(asked, protocol=protocol),))


@pytest.fixture(scope="module")
def run_with(plan, checkpoint_of, tmp_path_factory):
    """Run the plan on an engine of its own; a repeated setting is run again."""

    def run(speed: Speed) -> Done:
        checkpoint = checkpoint_of("qwen2_5_vl")
        cache = FrameCache(tmp_path_factory.getbasetemp() / "frames", 1 << 30)
        cache.check()
        backend = VLLMBackend(checkpoint, speed.options)
        (task,) = plan.tasks
        if speed.backwards:
            task = replace(task, samples=task.samples[::-1])
        try:
            with (
                RunWriter(tmp_path_factory.mktemp("run"), {"schema": 1}) as out,
                DecodePool(
                    workers=speed.workers,
                    timeout_s=60,
                    max_bytes=speed.max_bytes,
                    decoder=cache if speed.cache else decode,
                ) as pool,
            ):
                runner = Runner(
                    Plan((task,)), out, RunObserver(), patch_multiple=checkpoint.patch_multiple
                )
                told: list[AnswerKey] = []
                runner.run(ReadingBackend(backend, told.append), pool)
                texts = {record.id: record.text for record in out.records.values()}
                read = [name for _, name, _ in told]
                return Done(texts, pool.counts, backend.stats(), backend.requests_read(), read)
        finally:
            backend.close()

    return run


@pytest.fixture(scope="module")
def usual(run_with) -> Done:
    return run_with(Speed())


def test_each_video_is_decoded_once_and_encoded_once(usual):
    """The decoder and the engine count the same 25; the other questions read the prefix cache."""
    assert None not in usual.texts.values()
    assert usual.counts.decodes == VIDEOS
    assert usual.stats.vision_encodings == VIDEOS
    assert usual.stats.cached_prompt_tokens > 0


def test_the_engine_tells_what_it_has_read(usual):
    """In the end all 200 requests; meanwhile a video is told of once, by its first question."""
    assert usual.requests_read == VIDEOS * QUESTIONS
    videos = [int(name.removeprefix("toy/")) // QUESTIONS for name in usual.videos_read]
    assert 0 < len(videos) == len(set(videos)) <= VIDEOS


def test_the_account_of_the_time_has_every_part(usual):
    """Vision, prefill, generation, preprocessing and waiting are all measured."""
    parts = usual.stats
    assert min(parts.vision_s, parts.prefill_s, parts.generate_s, parts.preprocess_s) > 0
    assert parts.idle_s >= 0


@pytest.mark.parametrize(
    "speed",
    [
        Speed(workers=1, max_bytes=CLIP_BYTES),
        Speed(cache=True, backwards=True),
        Speed(cache=True, options=replace(OPTIONS, max_num_seqs=3, waiting=0)),
    ],
    ids=["one clip in memory", "cache, backwards", "from the cache, small batches"],
)
def test_speed_changes_no_answer(run_with, usual, speed):
    """Same texts for all 200 items, whatever the order, look-ahead, workers, cache or batch."""
    done = run_with(speed)
    assert done.texts == usual.texts
    assert done.counts.peak_bytes <= max(speed.max_bytes, CLIP_BYTES)
    assert done.counts.decodes + done.counts.cache_hits == VIDEOS


def test_a_second_checkpoint_decodes_nothing(run_with):
    """With the frame cache on, only the first run decodes."""
    run_with(Speed(cache=True))
    assert run_with(Speed(cache=True)).counts.decodes == 0
