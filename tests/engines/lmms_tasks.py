"""Small tasks in lmms-eval's own form, with local data: videos, images, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from tests.clips import picture, write_clip

UTILS = """
import random
import sys

import requests
from PIL import Image

DATA = {data!r}


def video(doc):
    return [DATA + "/" + doc["video"]]


def gone(doc):
    sys.exit("video path: gone.mp4 does not exist, please check")


def missing(doc):
    return [DATA + "/gone.mp4"]


def text(doc, lmms_eval_specific_kwargs=None):
    kwargs = lmms_eval_specific_kwargs or {{}}
    return kwargs.get("pre_prompt", "") + doc["question"] + kwargs.get("post_prompt", "")


def interleaved(doc, lmms_eval_specific_kwargs=None):
    image = Image.open(DATA + "/" + doc["image"])
    return [
        {{"role": "system", "content": [{{"type": "text", "text": "Look closely."}}]}},
        {{
            "role": "user",
            "content": [
                {{"type": "text", "text": "Here is a picture: "}},
                {{"type": "image", "url": image}},
                {{"type": "text", "text": text(doc)}},
            ],
        }},
    ]


def score(doc, results):
    right = results[0][:1].lower() == doc["answer"].lower()
    listed = {{"score": float(right), "group": doc["group"]}}
    return {{"exact": float(right), "listed": listed, "submission": results[0]}}


def judged(doc, results):
    reply = requests.post("https://api.example.org/judge", json={{"text": results[0]}})
    return {{"exact": reply.json()["rating"]}}


def share(items):
    return round(sum(items) / len(items), 5)


def both_groups(items):
    right = {{item["group"]: item["score"] for item in items}}
    return (right["first"] + right["rest"]) / 2


def sent(items, args):
    with open(args.output_path + "/sent.txt", "w") as file:
        file.write(",".join(items))


def percent_of_groups(items):
    groups = {{}}
    for item in items:
        groups.setdefault(item["group"], []).append(item["score"])
    means = [sum(values) / len(values) for values in groups.values()]
    return 100 * sum(means) / len(means)
"""

TASK = """
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}/rows.json
test_split: test
output_type: generate_until
doc_to_text: !function utils.text
doc_to_target: answer
process_results: !function utils.score
generation_kwargs:
  max_new_tokens: 12
  temperature: 0
  do_sample: false
lmms_eval_specific_kwargs:
  default:
    post_prompt: "\\nAnswer with one word."
metric_list:
  - metric: exact
    aggregation: !function utils.share
    higher_is_better: true
  - metric: listed
    aggregation: !function utils.percent_of_groups
    higher_is_better: true
"""

_SENT_METRICS = """metric_list:
  - metric: listed
    aggregation: !function utils.both_groups
  - metric: submission
    aggregation: !function utils.sent
"""

ROWS = [
    {
        "video": f"clip{number // 2}.mp4",
        "image": f"image{number // 2}.png",
        "question": f"Question {number}: which way does it go?",
        "answer": "AB"[number % 2],
        "group": "first" if number < 2 else "rest",
    }
    for number in range(6)
]
"""Six questions, two per clip and per picture, in groups of two and four."""

VIDEO, IMAGE, GROUPED, STOPS = "toy_video", "toy_image", "toy_grouped", "toy_stops"
JUDGED, EXITS, LOST, NO_DATA = "toy_judged", "toy_exits", "toy_lost", "toy_no_data"
BEAMS, CHOICES, GROUP = "toy_beams", "toy_choices", "toy_group"
SENT = "toy_sent"

_REFUSED = {
    JUDGED: {"process_results: !function utils.score": "process_results: !function utils.judged"},
    EXITS: {"\noutput_type": "\ndoc_to_visual: !function utils.gone\noutput_type"},
    LOST: {"\noutput_type": "\ndoc_to_visual: !function utils.missing\noutput_type"},
    NO_DATA: {"rows.json": "no-rows.json"},
    BEAMS: {"  do_sample: false": "  do_sample: false\n  num_beams: 4"},
    CHOICES: {"generate_until": "loglikelihood"},
}


def write_tasks(folder: Path) -> Path:
    """Write data and tasks; return the folder for ``--include-path``."""
    data, tasks = folder / "media", folder / "tasks"
    data.mkdir(parents=True)
    tasks.mkdir()
    for number in range(3):
        write_clip(data / f"clip{number}.mp4", frames=8 + 4 * number)
        Image.fromarray(picture(40 + number)).save(data / f"image{number}.png")
    (data / "rows.json").write_text(json.dumps(ROWS))
    (tasks / "utils.py").write_text(UTILS.format(data=str(data)))
    plain = TASK.format(data=data)
    shown = "\ndoc_to_visual: !function utils.video\noutput_type"
    video = plain.replace("\noutput_type", shown)
    metrics = plain[plain.index("metric_list:") :]
    grouped = (
        metrics[: metrics.index("  - metric: exact")] + metrics[metrics.index("  - metric: l") :]
    )
    texts = {
        VIDEO: video,
        IMAGE: plain + "doc_to_messages: !function utils.interleaved\n",
        GROUPED: video.replace(metrics, grouped),
        SENT: video.replace(metrics, _SENT_METRICS),
        STOPS: video.replace("  do_sample", '  until: ["e"]\n  do_sample'),
    }
    for name, changes in _REFUSED.items():
        texts[name] = video if name not in (EXITS, LOST) else plain
        for old, new in changes.items():
            texts[name] = texts[name].replace(old, new)
    for name, text in texts.items():
        (tasks / f"{name}.yaml").write_text(f"task: {name}\n{text}")
    (tasks / "group.yaml").write_text(f"group: {GROUP}\ntask:\n  - {VIDEO}\n  - {IMAGE}\n")
    return tasks
