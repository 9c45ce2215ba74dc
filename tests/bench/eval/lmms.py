"""lmms-eval 0.7.3 as installed: its command line, its chat vLLM backend, our questions.

python -m tests.bench.eval.lmms DATA CHECKPOINT OUT BATCH_SIZE
"""

from __future__ import annotations

import json
import sys

from tests.bench.eval.probe import install
from tests.bench.eval.settings import ENGINE, FRAMES, NEW_TOKENS, PIXELS


def main() -> int:
    """Run ``lmms-eval`` on the task file of the workload."""
    data, checkpoint, out, batch_size = sys.argv[1:]
    install()
    from lmms_eval.cli.dispatch import main as lmms_eval

    model = {
        "model": checkpoint, "nframes": FRAMES, "max_pixels": PIXELS, "min_image_pixels": PIXELS,
        "max_new_tokens": NEW_TOKENS, "limit_mm_per_prompt": json.dumps({"image": FRAMES}),
        **ENGINE,
    }  # fmt: skip
    arguments = ",".join(f"{name}={value}" for name, value in model.items())
    sys.argv = [
        "lmms-eval", "--model", "vllm", "--model_args", arguments,
        "--tasks", "videor1_bench", "--include_path", data, "--batch_size", batch_size,
        "--output_path", out, "--log_samples",
    ]  # fmt: skip
    lmms_eval()
    return 0  # as it would itself, whatever happened; the bench counts answers


if __name__ == "__main__":
    sys.exit(main())
