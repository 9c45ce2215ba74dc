"""What is the same for every contender."""

from __future__ import annotations

FRAMES = 16
PIXELS = 128 * 28 * 28
"""Of a frame, least and most: VSI-Bench's official protocol enlarges smaller ones, too."""
NEW_TOKENS = 16
BATCH = 64
"""Questions that Video-R1's script decodes and then generates at a time."""
ENVIRONMENT = {
    "GOMP_SPINCOUNT": "0",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
}
ENGINE = {
    "dtype": "float32",
    "enforce_eager": True,
    "max_model_len": 8192,
    "skip_mm_profiling": True,
}
"""For the peers; our backend chooses the same by itself on a CPU."""
