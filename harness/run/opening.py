"""Starts what an evaluation needs: an engine and a pool of decode processes."""

from __future__ import annotations

import gc

from harness.backends.base import Backend
from harness.backends.select import ResolvedEngine
from harness.run.config import DecodeConfig
from harness.video.cache import FrameCache
from harness.video.decode import decode
from harness.video.pool import DecodePool


def start_engine(engine: ResolvedEngine) -> Backend:
    """Start the engine without garbage collection, and exempt what it made from later ones.

    The imports leave a million objects that stay until the end; collecting them takes a tenth of
    the start-up, and later a third of a second each time, in the middle of the run.
    """
    gc.disable()
    try:
        return engine.build()
    finally:
        gc.freeze()
        gc.enable()


def open_decode_pool(decoding: DecodeConfig) -> DecodePool:
    """Return a pool of decode processes with the frame cache that the settings ask for."""
    cache = None
    if decoding.frame_cache is not None:
        cache = FrameCache(decoding.frame_cache, decoding.frame_cache_size << 30)
        cache.check()
    return DecodePool(
        workers=decoding.workers,
        timeout_s=decoding.decode_timeout,
        max_bytes=decoding.look_ahead << 20,
        decoder=cache or decode,
    )
