"""The frame cache: the second checkpoint decodes nothing, and nothing wrong is ever shown."""

from __future__ import annotations

import os
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from harness.errors import UsageError
from harness.schema import FramePolicy, Media
from harness.video.cache import FrameCache
from harness.video.decode import decode
from harness.video.jobs import DecodeJob
from harness.video.pool import DecodePool
from tests.clips import write_clip

POLICY = FramePolicy(max_frames=4, min_pixels=1)
PLENTY = 1 << 30


def media(path: Path, frames: int = 12) -> Media:
    return Media(path=write_clip(path, frames))


def kept(cache: FrameCache) -> list[Path]:
    return sorted(cache.folder.glob("*/*.frames"))


def test_a_second_run_decodes_nothing(tmp_path: Path) -> None:
    """Counted by the pool: all decodes the first time, all hits the second."""
    jobs = [
        DecodeJob(
            media=(media(tmp_path / f"{number}.mp4", 10 + number),),
            policy=POLICY,
            patch_multiple=28,
        )
        for number in range(3)
    ]
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    counted = []
    for _ in range(2):
        with DecodePool(workers=1, timeout_s=60, max_bytes=PLENTY, decoder=cache) as pool:
            assert len(list(pool.decode(jobs))) == 3
            counted.append((pool.counts.decodes, pool.counts.cache_hits))
    assert counted == [(3, 0), (0, 3)]


def test_cached_clips_equal_decoded_ones(tmp_path: Path) -> None:
    """Pixels, times and key are the same to the last bit."""
    clip = media(tmp_path / "a.mp4")
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    first, second = (cache(clip, POLICY, patch_multiple=28) for _ in range(2))
    plain = decode(clip, POLICY, patch_multiple=28)
    assert (first.cached, second.cached) == (False, True)
    for one in (first, second):
        assert np.array_equal(one.frames, plain.frames)
        for name in ("key", "kind", "indices", "timestamps", "fps", "duration_s", "notes"):
            assert getattr(one, name) == getattr(plain, name)
    assert second.frames.flags.writeable


def test_the_content_of_the_file_decides_not_its_name(tmp_path: Path) -> None:
    """A renamed file is found, a changed file or another policy is not."""
    clip = media(tmp_path / "a.mp4")
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    cache(clip, POLICY, patch_multiple=28)
    renamed = Media(path=clip.path.rename(tmp_path / "b.mp4"))
    assert cache(renamed, POLICY, patch_multiple=28).cached
    assert not cache(renamed, FramePolicy(max_frames=6, min_pixels=1), patch_multiple=28).cached
    assert not cache(renamed, POLICY, patch_multiple=14).cached
    assert not cache(media(tmp_path / "b.mp4", 13), POLICY, patch_multiple=28).cached


def test_clips_of_another_version_of_the_decoder_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mended decoder decodes anew, although the key of the clip stays."""
    clip = media(tmp_path / "a.mp4")
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    before = cache(clip, POLICY, patch_multiple=28)
    monkeypatch.setattr("harness.video.cache.DECODER_VERSION", 99)
    after = cache(clip, POLICY, patch_multiple=28)
    assert (after.cached, after.key) == (False, before.key)
    assert cache(clip, POLICY, patch_multiple=28).cached


@pytest.mark.parametrize("harm", ["cut", "flip", "flip a time", "empty", "garble"])
def test_a_damaged_entry_is_decoded_anew(tmp_path: Path, harm: str) -> None:
    """Whatever happened to the file, the frames shown are the video's own."""
    clip = media(tmp_path / "a.mp4")
    cache = FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    cache(clip, POLICY, patch_multiple=28)
    (entry,) = kept(cache)
    content = bytearray(entry.read_bytes())
    match harm:
        case "cut":
            del content[-100:]
        case "flip":
            content[-100] ^= 1
        case "flip a time":
            content[content.index(b"timestamps") + 15] ^= 1
        case "empty":
            content.clear()
        case "garble":
            content[:10] = b"[" * 10
    entry.write_bytes(content)
    again = cache(clip, POLICY, patch_multiple=28)
    assert not again.cached
    assert np.array_equal(again.frames, decode(clip, POLICY, patch_multiple=28).frames)
    assert cache(clip, POLICY, patch_multiple=28).cached


@pytest.mark.parametrize(
    "head",
    [b"{", b"[]", b"null", b"{}", b'{"shape": [1, 2]}', b'{"shape": "x", "kind": 3}', b"[" * 20000],
)
def test_an_entry_with_a_broken_head_is_decoded_anew(tmp_path: Path, head: bytes) -> None:
    """Its digest is right, as that of another version's entry would be."""
    clip, cache = media(tmp_path / "a.mp4"), FrameCache(tmp_path / "cache", PLENTY)
    cache.check()
    cache(clip, POLICY, patch_multiple=28)
    [entry] = kept(cache)
    content = head + b"\n" + entry.read_bytes().split(b"\n", 2)[2]
    entry.write_bytes(blake2b(content).hexdigest().encode() + b"\n" + content)
    assert [cache(clip, POLICY, patch_multiple=28).cached for _ in range(2)] == [False, True]


def test_the_least_recently_used_goes_when_the_cap_is_reached(tmp_path: Path) -> None:
    """The cap holds after every store; what was used last stays."""
    clips = [media(tmp_path / f"{number}.mp4", 10 + number) for number in range(3)]
    unbounded = FrameCache(tmp_path / "cache", PLENTY)
    unbounded.check()
    for age, clip in enumerate(clips[:2]):
        before = set(kept(unbounded))
        unbounded(clip, POLICY, patch_multiple=28)
        (new,) = set(kept(unbounded)) - before
        os.utime(new, (age, age))
    assert unbounded(
        clips[0], POLICY, patch_multiple=28
    ).cached  # used now, so the other one is older
    room_for_two = sum(path.stat().st_size for path in kept(unbounded)) + 100
    cache = FrameCache(unbounded.folder, room_for_two)
    cache(clips[2], POLICY, patch_multiple=28)
    assert sum(path.stat().st_size for path in kept(cache)) <= room_for_two
    assert [
        cache._load(decode(clip, POLICY, patch_multiple=28).key) is not None for clip in clips
    ] == [
        True,
        False,
        True,
    ]


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    """Exit 2 before anything is decoded, with the flag to change."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="--frame-cache"):
        FrameCache(tmp_path / "file", PLENTY).check()
