"""A probe from its settings to ``probe.json``, with an engine that knows the frames it is shown."""

import json
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import pytest

from harness.errors import DatasetError, TooManyFailuresError, UsageError
from harness.probe.config import ProbeConfig
from harness.probe.run import prepare_probe
from harness.probe.summary import PROBE, is_probe, read_probe
from harness.probe.table import as_markdown, make_tables, notes
from harness.run.config import EvalConfig, TrackConfig
from harness.run.plan import make_plan
from harness.run.store import read_manifest, read_records
from harness.schema import Failure
from tasks.demo.layouts import write_all
from tests.harness.trackers.fakes import install
from tests.probes import (
    TASKS,
    CountingEngine,
    gold_where,
    is_in_order,
    probe_config,
    probe_with,
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The demo's questions in the publishers' layouts."""
    folder = tmp_path_factory.mktemp("data")
    write_all(folder)
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """A finished probe of a model that always answers A, and its folder."""
    folder = tmp_path_factory.mktemp("probe")
    outcome, _ = probe_with(probe_config(data, folder))
    return outcome, folder


def test_all_variants_share_one_engine_and_one_decoding_per_video(data, tmp_path):
    """Two benchmarks with frame rules of their own: one decoding per video and rule."""
    outcome, engine = probe_with(probe_config(data, tmp_path))
    plan = make_plan(probe_config(data, tmp_path))
    videos = {(one.frames, s.media) for one in plan.tasks for s in one.samples}
    assert engine.starts == outcome.summary.engine_starts == 1
    assert outcome.timing.decode.decodes == len({(f.whole, m) for f, m in videos})
    assert set(engine.asked) == set(outcome.summary.variants)


def test_each_variant_is_a_run_that_eval_would_have_made(data, tmp_path):
    """The same identity, questions and records as the variant evaluated by itself."""
    probe_with(probe_config(data, tmp_path))
    for variant in ("shuffled", "reversed", "single", "blind"):
        alone = make_plan(
            EvalConfig(tasks=TASKS, data=data, limit=8, max_frames=4, max_pixels=56 * 56,
                       variant=variant)
        )  # fmt: skip
        manifest = read_manifest(tmp_path / variant)
        assert {k: v["hash"] for k, v in manifest["protocol"].items()} == {
            one.task.name: one.protocol.hash for one in alone.tasks
        }
        assert {r.id for r in read_records(tmp_path / variant)} == {s.id for s in alone.samples}
        assert manifest["probe"] == variant


def test_a_model_that_needs_order_shows_it(data, tmp_path):
    """Right in order and wrong otherwise: a gain of 100 points, and of nothing in reverse."""
    outcome, _ = probe_with(
        probe_config(data, tmp_path), CountingEngine(gold_where(data, is_in_order))
    )
    summary = outcome.summary
    for measure in ("temporal_gain", "direction_gain", "frames_gain", "need_of_video"):
        assert summary.measure(measure, "vsibench").value == pytest.approx(100)
    assert summary.variants["ordered"].tasks["tempcompass"].score == pytest.approx(100)


def test_a_model_that_always_names_a_place_never_agrees(finished):
    """A is another option once they have moved."""
    outcome, _ = finished
    assert outcome.summary.measure("option_agreement", "tempcompass").value == 0


def test_questions_without_options_are_named(finished):
    """VSI-Bench's numbers are not asked with options moved, and the result says so."""
    outcome, _ = finished
    assert (
        outcome.summary.left_out["options"]["vsibench"] == "4 of 8 questions (not multiple choice)"
    )
    assert any("vsibench, options: not asked" in note for note in notes(outcome.summary))


def test_a_probe_goes_on_where_it_was_ended(data, tmp_path):
    """A failure of one variant and another variant that is added are asked, nothing else."""

    def answer(request):
        down = request.run == "shuffled" and request.id.startswith("vsibench")
        return Failure(stage="generate", error="X", message="x") if down else "<answer>A</answer>"

    two = probe_config(data, tmp_path, variants=("ordered", "shuffled"))
    probe_with(two, CountingEngine(answer))
    three = probe_config(data, tmp_path, variants=("ordered", "shuffled", "blind"))
    outcome, engine = probe_with(three)
    assert engine.asked == {"shuffled": 8, "blind": 16}
    assert not outcome.summary.measures["temporal_gain"]["vsibench"].left_out


def test_a_finished_probe_starts_nothing_and_keeps_its_timing(data, tmp_path):
    """The counters are those of the invocation that did the work."""
    first, _ = probe_with(probe_config(data, tmp_path))
    again, engine = probe_with(probe_config(data, tmp_path))
    assert (engine.starts, again.timing) == (0, None)
    assert again.summary.timing == first.summary.timing
    assert replace(again.summary, created="") == replace(first.summary, created="")


def test_probe_json_reads_as_it_was_written(finished):
    """The reader checks every field."""
    outcome, folder = finished
    assert is_probe(folder)
    found = read_probe(folder)
    assert found.measures == outcome.summary.measures
    assert found.variants == outcome.summary.variants


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("measures"), "field 'measures' is missing"),
        (lambda c: c.update(schema=2), "expected 1, got 2"),
        (lambda c: c.update(schema="1"), "field 'schema': expected a whole number"),
        (lambda c: c["variants"].pop("ordered"), "expected ordered"),
        (lambda c: c["measures"].update(temporal_gain=[]), "expected an object"),
        (lambda c: c["measures"]["temporal_gain"]["vsibench"]["total"].update(value="x"),
         r"measures\.temporal_gain\.vsibench\.total\.value': expected a number"),
    ],
)  # fmt: skip
def test_a_damaged_probe_json_is_named(change, message, finished, tmp_path):
    """File, field, expected and found."""
    _, folder = finished
    content = json.loads((folder / PROBE).read_text())
    change(content)
    (tmp_path / PROBE).write_text(json.dumps(content))
    with pytest.raises((DatasetError, UsageError), match=message):
        read_probe(tmp_path)


def test_a_damaged_probe_json_is_made_again(data, finished, tmp_path):
    """It is derived from the runs beside it."""
    copytree(finished[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / PROBE).write_text("{")
    _, engine = probe_with(probe_config(data, tmp_path))
    assert engine.starts == 0
    assert read_probe(tmp_path).measures == finished[0].summary.measures


def test_a_folder_without_results_says_what_to_do(tmp_path):
    """Not a run, not a finished probe."""
    with pytest.raises(UsageError, match="the same command finishes an interrupted one"):
        read_probe(tmp_path)


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        (("shuffled", "blind"), "expected ordered"),
        (("ordered",), "at least one other"),
        (("ordered", "sideways"), "expected each of ordered"),
        (("ordered", "blind", "blind"), "at most once"),
        ((), "expected ordered"),
    ],
)
def test_variants_that_make_no_comparison_are_refused(variants, message):
    """Ordered and one other at least, each once, by known names."""
    with pytest.raises(ValueError, match=message):
        ProbeConfig(variants=variants)


@pytest.mark.parametrize("change", [{"variant": "blind"}, {"option_rotation": 1}])
def test_what_a_probe_sets_itself_cannot_be_set(change):
    """It would contradict the variants."""
    with pytest.raises(ValueError, match="a probe sets it itself"):
        ProbeConfig(**change)


@pytest.mark.parametrize("line", ['[frames]\norder = "shuffled"', "option_rotation = 1"])
def test_a_protocol_that_reorders_is_refused(line, data, tmp_path):
    """The variants would not be what they are called."""
    file = tmp_path / "p.toml"
    file.write_text(f'extends = "video-r1"\n{line}\n')
    with pytest.raises(UsageError, match="which a probe sets itself"):
        prepare_probe("x", probe_config(data, tmp_path / "o", protocol=str(file)), ["probe"])


def test_a_probe_of_options_alone_needs_some_that_move(data, tmp_path):
    """VSI-Bench's counts have none."""
    config = probe_config(
        data, tmp_path, tasks=("vsibench",), category=("object_counting",),
        variants=("ordered", "options"),
    )  # fmt: skip
    with pytest.raises(UsageError, match="no variant can be asked beside ordered: vsibench"):
        prepare_probe("x", config, ["probe"])


def test_each_variant_may_have_as_many_failures_as_a_run(data, tmp_path):
    """One failing question in each of three variants is within a budget of one."""
    fails = make_plan(probe_config(data, tmp_path)).samples[0].id
    down = Failure(stage="generate", error="X", message="x")
    engine = CountingEngine(lambda r: down if r.id == fails else "<answer>A</answer>")
    variants = ("ordered", "shuffled", "single")
    outcome, _ = probe_with(
        probe_config(data, tmp_path, variants=variants, max_failures="1"), engine
    )
    assert {name: results.failed for name, results in outcome.results.items()} == dict.fromkeys(
        variants, 1
    )
    two = CountingEngine(lambda r: down if int(r.id[-1]) % 2 else "<answer>A</answer>")
    with pytest.raises(TooManyFailuresError, match="failed, more than"):
        probe_with(probe_config(data, tmp_path / "2", variants=variants, max_failures="1"), two)


def test_videos_that_are_missing_are_left_out_of_every_variant(data, tmp_path):
    """Blind questions need no video, but pairs need both sides."""
    plan = make_plan(probe_config(data, tmp_path, tasks=("vsibench",)))
    gone = Path(plan.samples[0].media[0].path)
    kept = gone.rename(gone.with_suffix(".away"))
    try:
        config = probe_config(data, tmp_path, tasks=("vsibench",), allow_missing=True)
        outcome, _ = probe_with(config)
    finally:
        kept.rename(gone)
    missing = {name: results.missing for name, results in outcome.results.items()}
    assert missing["ordered"] == missing["blind"] > 0


def test_the_tables_hold_every_variant_and_markdown_escapes_names(finished):
    """One row per task and variant; a name cannot end a cell."""
    summary = replace(finished[0].summary, model="<b>|x|</b>")
    table, *by_category = make_tables(summary)
    assert {row[:2] for row in table.rows} >= {("vsibench", "ordered"), ("tempcompass", "options")}
    assert {one.title for one in by_category} == {"vsibench by category", "tempcompass by category"}
    text = as_markdown(summary)
    assert "&lt;b&gt;\\|x\\|&lt;/b&gt;" in text
    assert "| --- | --- |" in text


def test_trackers_get_every_variant_and_the_measures(finished, data, tmp_path, monkeypatch):
    """A finished probe is sent by the same command; tables hold few rows of all variants."""
    fake = install("wandb", tmp_path, monkeypatch)
    copytree(finished[1], tmp_path / "probe")
    track = TrackConfig(report_to=("wandb",), track_items=12)
    outcome, engine = probe_with(probe_config(data, tmp_path / "probe", track=track))
    told = {name: v for one in fake.told("scores") for name, v in one["scores"].items()}
    gain = outcome.summary.measure("temporal_gain", "vsibench")
    assert engine.starts == 0
    assert told["probe/vsibench/temporal_gain"] == gain.value
    assert told["probe/vsibench/temporal_gain/ci95_low"] == gain.ci95[0]
    for name, variant in outcome.summary.variants.items():
        assert told[f"{name}/tempcompass/score"] == variant.tasks["tempcompass"].score
    assert sum(len(table["rows"]) for table in fake.told("table")) == 12
