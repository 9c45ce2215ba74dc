"""Where the time went: what the end of a run shows and ``summary.json`` keeps."""

from __future__ import annotations

import dataclasses
import io
import json

from rich.console import Console

from harness.backends.base import EngineStats
from harness.cli.tables import print_timing
from harness.run.plan import Plan
from harness.run.summary import (
    summarise_run,
    write_results,
)
from harness.run.timing import (
    Stopwatch,
    Timing,
)
from harness.video.pool import DecodeCounts
from tests.toys import planned, record, sample

DECODE = DecodeCounts(workers=2, decodes=3, cache_hits=1, busy_s=1.5, peak_bytes=2 << 20)
TIMING = Timing(
    items=10,
    start_s=4.0,
    answer_s=2.0,
    prompt_tokens=900,
    output_tokens=50,
    decode=DECODE,
    engine=EngineStats(vision_s=0.5, vision_encodings=4, cached_prompt_tokens=600),
)


def test_rates_count_from_the_engine_being_ready():
    """10 items and 50 tokens in 2 s, whatever the start took."""
    assert (TIMING.items_per_s, TIMING.tokens_per_s) == (5.0, 25.0)


def test_a_stopwatch_counts_the_records_it_is_given():
    """Tokens are summed over this invocation's records."""
    watch = Stopwatch()
    watch.engine_ready()
    made = [dataclasses.replace(record(n), prompt_tokens=7, output_tokens=3) for n in range(4)]
    timing = watch.timing(made, DECODE, EngineStats())
    assert (timing.items, timing.prompt_tokens, timing.output_tokens) == (4, 28, 12)
    assert timing.start_s >= 0 <= timing.answer_s


def test_the_end_of_a_run_shows_where_the_time_went():
    """Known parts are named, unknown ones left out."""
    console = Console(file=io.StringIO(), width=120)
    print_timing(console, TIMING)
    shown = console.file.getvalue()
    assert "10 items in 2.0 s after 4.0 s of start-up: 5.0 items/s, 25 tokens/s" in shown
    assert "3 videos, 1 from the cache, 2 MiB held at most" in shown
    assert "vision 0.5 s" in shown
    assert "vision encodings: 4" in shown
    assert "600 of 900" in shown
    assert "prefill" not in shown


def test_the_summary_keeps_the_timing_of_the_invocation_that_did_the_work(tmp_path):
    """Running the finished command again changes nothing."""
    plan = Plan((planned([sample(1)]),))
    records = [record(1)]
    results = summarise_run(plan, records)
    write_results(tmp_path, results, records, TIMING)
    first = json.loads((tmp_path / "summary.json").read_text())
    write_results(tmp_path, results, records)
    assert json.loads((tmp_path / "summary.json").read_text()) == first
    assert first["timing"]["items_per_s"] == 5.0
    assert first["timing"]["decode"]["decodes"] == 3
    assert first["timing"]["engine"]["prefill_s"] is None
