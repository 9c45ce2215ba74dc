"""The loop of Video-R1's evaluation script (src/eval_bench.py@59d65c3), in our own words.

Decode and process 64 questions one after another in the main process, each with its own reading of
its video; then one ``LLM.generate`` over them; score; write all results so far; next 64.

    python -m tests.bench.eval.batch_loop DATA CHECKPOINT OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.bench.eval.probe import install
from tests.bench.eval.settings import BATCH, ENGINE, FRAMES, NEW_TOKENS, PIXELS


def main() -> int:
    """Ask every question of the workload."""
    data, checkpoint, out = sys.argv[1:]
    install()
    from transformers import AutoProcessor
    from vllm import LLM, SamplingParams

    lines = (Path(data) / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    engine = LLM(checkpoint, limit_mm_per_prompt={"image": 1, "video": 1}, **ENGINE)
    sampling = SamplingParams(temperature=0.0, max_tokens=NEW_TOKENS)
    processor = AutoProcessor.from_pretrained(checkpoint)
    results: list[dict[str, Any]] = []
    for start in range(0, len(questions), BATCH):
        batch = questions[start : start + BATCH]
        outputs = engine.generate(_inputs(processor, batch), sampling, use_tqdm=False)
        for question, output in zip(batch, outputs, strict=True):
            results.append({"id": question["id"], "output": output.outputs[0].text})
        Path(out).write_text(json.dumps({"results": results}, indent=1), encoding="utf-8")
    return 0


def _inputs(processor: Any, batch: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Render, decode and pack a batch."""
    from qwen_vl_utils import process_vision_info

    conversations = [_conversation(question) for question in batch]
    prompts = [
        processor.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        for turns in conversations
    ]
    # vLLM 0.32 wants the frames' times with the frames; the script's 0.7 took them as an option.
    _, videos, options = process_vision_info(
        conversations, return_video_kwargs=True, return_video_metadata=True
    )
    return [
        {
            "prompt": prompt,
            "multi_modal_data": {"video": video},
            "mm_processor_kwargs": options,
        }
        for prompt, video in zip(prompts, videos, strict=True)
    ]


def _conversation(question: dict[str, str]) -> list[dict[str, Any]]:
    video = {
        "type": "video", "video": question["video"], "nframes": FRAMES,
        "min_pixels": PIXELS, "max_pixels": PIXELS,
    }  # fmt: skip
    return [{"role": "user", "content": [video, {"type": "text", "text": question["prompt"]}]}]


if __name__ == "__main__":
    sys.exit(main())
