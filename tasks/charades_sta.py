"""Charades-STA: find start and end of a described action; 3,720 sentences on 1,334 videos.

Annotations: jiyanggao/TALL@3df6794 (paper: arXiv 1705.02101); videos: Charades of the Allen
Institute for AI. Three forms of the test set are read: the original text file, the JSON object by
video of Time-R1 and VideoChat-R1, and the Parquet file of lmms-lab/charades_sta on the Hugging Face
hub, whose zips have the videos. Its times are half-precision numbers; they are rounded to the
tenths of a second of the annotations, which lmms-eval does not do.

Item values are the overlap of the answered span with the annotated one
(`harness.scoring.metrics.temporal_iou`), so that the score is mIoU; a summary also has the share of
sentences with at least 0.3, 0.5 and 0.7 (`recall_at_0.3`, ...), thresholds included. No span is an
overlap of 0.

The annotators have published no prompt or parser. ``official`` is TimeChat's zero-shot prompt (its
spelling included), which lmms-eval has taken over, with TimeChat's parser, frames and sampling
(RenShuhuai-Andy/TimeChat@c60b332). Its example is the first sentence's own answer. Further scorers
read replies as other projects do (`tasks.span_parsers`): ``timelens``, ``videoauto-r1``,
``time-r1``, whose thresholds are exclusive, and ``time-r1-reward``. ``flexible`` and ``video-r1``
have our own rule (`harness.scoring.spans`). The template ``time-r1`` is Time-R1's prompt.

What to know of the data: 562 sentences end up to 1.5 s after their video, and nothing is clipped,
neither there nor here. Chance, computed from the annotations: the whole video gives a mIoU of 27.0
and 34.3, 0.4, 0.0 % above the thresholds, always its first half 30.2 and 49.5, 25.6, 10.0 %. Files
named ``val`` hold the test set. Charades-TimeLens is annotated anew and not comparable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import DatasetError
from harness.schema import (
    FrameRule,
    Kind,
    Media,
    Outcome,
    Prompt,
    Record,
    Sample,
    Sampling,
    Score,
)
from harness.scoring.rules import ScoreRule, score_span
from harness.scoring.spans import Span
from harness.task.api import Questions, Scorer
from tasks import sources
from tasks.base import MICRO, MODEL_SIZED, Benchmark
from tasks.files import Row, first_existing, inside, read_json, read_rows, read_text
from tasks.span_parsers import (
    read_time_r1,
    read_time_r1_reward,
    read_timechat,
    read_timelens,
    read_videoauto,
    round_span,
)

THRESHOLDS = (0.3, 0.5, 0.7)

TIME_R1 = "time-r1"
READERS: Mapping[str, Callable[[str], Span | None]] = {
    "timelens": lambda text: round_span(read_timelens(text)),
    "videoauto-r1": read_videoauto,
    TIME_R1: read_time_r1,
    f"{TIME_R1}-reward": read_time_r1_reward,
}
"""Further scorers with their parsers."""

_ASK = (
    "You are given a video from the charades dataset. Please find the visual event described by a"
    " sentence in the video, determining its starting and ending times. The format should be: 'The"
    " event happens in the start time - end time'. For example, The event 'person turn a light on'"
    " happens in the 24.3 - 30.4 seonds. Now I will give you the textual sentence: {sentence}."
    " Please return its start time and end time."
)
_TIME_R1_ASK = (
    'To accurately pinpoint the event "{sentence}" in the video, determine the precise time period'
    " of the event.\n\nOutput your thought process within the <think> </think> tags, including"
    " analysis with either specific time ranges (xx.xx to xx.xx) in <timestep> </timestep> tags."
    "\n\nThen, provide the start and end times (in seconds, precise to two decimal places) in the"
    ' format "start time to end time" within the <answer> </answer> tags. For example: "12.54 to'
    ' 17.83".'
)
_PAPER_ASK = "When does this happen in the video: {sentence}."
"""Video-R1 has no such question; the sentence is ours."""


class CharadesSTA(Benchmark):
    """The test set; the score is the mean overlap with the annotated spans."""

    name = "charades-sta"
    version = 2
    title = "Charades-STA"
    published_size = (3720, 1334)
    homepage = "https://huggingface.co/datasets/lmms-lab/charades_sta"
    source = sources.CHARADES_STA
    official_frames = replace(MODEL_SIZED, rule=FrameRule.LINSPACE, max_frames=96)
    official_sampling = Sampling(temperature=1.0, top_p=0.8, max_tokens=512)

    def load(self, data: Path) -> Questions:
        """Read the text file, the JSON object by video, or the hub's Parquet file."""
        (file,) = first_existing(
            data, "charades_sta_test.txt", "charades_test.json", "test.json", "data/test*.parquet"
        )
        read = {".txt": _read_lines, ".json": _read_videos}.get(file.suffix, _read_table)
        samples = tuple(_make_sample(*found, data) for found in read(file))
        return Questions(samples=samples, files=(file,))

    def official_prompt(self, sample: Sample) -> Prompt:
        """Return TimeChat's zero-shot prompt."""
        return Prompt(text=_ASK.format(sentence=sample.source["sentence"].strip(".")))

    def other_prompts(self) -> Mapping[str, Callable[[Sample], Prompt]]:
        """Return Time-R1's prompt, which stands before the video there and after it here."""
        return {
            TIME_R1: lambda sample: Prompt(
                text=_TIME_R1_ASK.format(sentence=sample.source["sentence"])
            )
        }

    def official_rule(self) -> ScoreRule:
        """Return the rule with TimeChat's parser."""
        return lambda sample, text: score_span(sample, read_timechat(text))

    @property
    def scorers(self) -> Mapping[str, Scorer]:
        """Return the scorers of every benchmark, and those of the field."""
        further = (
            Scorer(name=name, version=1, score=_rule(name), aggregation=MICRO) for name in READERS
        )
        return {**super().scorers, **{scorer.name: scorer for scorer in further}}

    def extra(self, run: Mapping[str, Sequence[Record]]) -> dict[str, float]:
        """Return the share of answers, in percent, whose overlap reaches each threshold."""
        return recalls(run.get(self.name, ()))


def recalls(records: Sequence[Record]) -> dict[str, float]:
    """Return recall at the three thresholds; at a threshold of Time-R1's evaluation is below it."""
    values = [r.value or 0.0 for r in records if r.outcome is not Outcome.FAILED]
    if not values:
        return {}
    strict = any(record.scorer.partition("@")[0] == TIME_R1 for record in records)
    reached = {
        bound: sum(value > bound if strict else value >= bound for value in values)
        for bound in THRESHOLDS
    }
    return {f"recall_at_{bound}": 100 * n / len(values) for bound, n in reached.items()}


def _rule(name: str) -> ScoreRule:
    def score(sample: Sample, text: str) -> Score:
        return score_span(sample, READERS[name](text))

    return score


Found = tuple[str, Any, Any, str, str]
"""Video, start, end, sentence, and where they were found."""


def _read_lines(file: Path) -> Iterator[Found]:
    """Yield the lines ``VIDEO start end##sentence`` of the original file."""
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if not line.strip():
            continue
        head, mark, sentence = line.strip().partition("##")
        words = head.split()
        if not mark or len(words) != 3:
            raise DatasetError(
                f"{file}, line {number}: expected 'VIDEO start end##sentence', got {line!r:.80}"
            )
        yield words[0], words[1], words[2], sentence, f"{file}, line {number}"


def _read_videos(file: Path) -> Iterator[Found]:
    """Yield the sentences of a JSON object with ``timestamps`` and ``sentences`` by video."""
    content = read_json(file)
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: expected an object by video, got {content!r:.80}")
    for video, about in content.items():
        match about:
            case {"timestamps": list(spans), "sentences": list(sentences)} if len(spans) == len(
                sentences
            ) and all(isinstance(span, list) and len(span) == 2 for span in spans):
                for (start, end), sentence in zip(spans, sentences, strict=True):
                    yield video, start, end, sentence, f"{file}, video {video}"
            case _:
                raise DatasetError(
                    f"{file}, video {video!r:.40}: expected as many timestamps [start, end] as"
                    f" sentences, got {about!r:.80}"
                )


def _read_table(file: Path) -> Iterator[Found]:
    """Yield the rows of the hub's file, with times as they were annotated, in tenths of a second.

    The file has half-precision numbers, which are off by up to 0.03: 24.3 is 24.296875 there.
    """
    for row in read_rows(file):
        match row.fields.get("timestamp"):
            case [float() | int() as start, float() | int() as end]:
                tenths = round(float(start), 1), round(float(end), 1)
            case _:
                raise row.bad("timestamp", "start and end in seconds")
        yield row.text("video").removesuffix(".mp4"), *tenths, row.text("caption"), row.where


def _make_sample(video: str, start: Any, end: Any, sentence: Any, where: str, data: Path) -> Sample:
    row = Row({"sentence": sentence, "start": start, "end": end}, where)
    words = row.text("sentence").strip()
    try:
        span = Span(float(start), float(end))
    except (TypeError, ValueError):
        raise row.bad("start", "numbers of seconds") from None
    if not 0 <= span.start_s < span.end_s:
        raise row.bad("end", f"a time after the start {start!r}")
    return Sample(
        id=f"{CharadesSTA.name}/{video}/{_digest(words)}",
        task=CharadesSTA.name,
        question=_PAPER_ASK.format(sentence=words.strip(".")),
        answer=str(span),
        kind=Kind.SPAN,
        category="test",
        cluster=video,
        media=(Media(path=inside(data, f"Charades_v1_480/{video}.mp4", where)),),
        source={"sentence": words},
    )


def _digest(sentence: str) -> str:
    """Return what tells a sentence from the others of its video, in whatever form it is."""
    plain = " ".join(sentence.lower().strip(". ").split())
    return hashlib.sha256(plain.encode()).hexdigest()[:8]
