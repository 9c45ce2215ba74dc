"""What ``run.json`` records of the engine, and what a resumed run must share with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.backends.fake import FakeBackend, first_option
from harness.backends.select import ResolvedEngine
from harness.errors import RunMismatchError
from harness.run.config import EvalConfig
from harness.run.default_folder import default_out
from harness.run.items import ItemChoice
from harness.run.manifest import describe_run, make_manifest
from harness.run.manifest_facts import partial_tasks
from harness.run.numeric import numeric_of
from harness.run.plan import Plan
from harness.run.store import RunWriter
from tests.toys import planned, sample

ENGINE = ResolvedEngine(
    backend="fake",
    checkpoint="ck",
    identity={"weights": "f00d"},
    patch_multiple=28,
    build=lambda: FakeBackend(first_option),
    settings={"dtype": "float16", "max_num_seqs": 8},
    numeric={"dtype": "float16"},
)
PLAN = Plan((planned([sample(1), sample(2)]),))


def _manifest(engine=ENGINE, plan=PLAN, limit=None):
    return describe_run(
        plan, engine, named="a/ck", choice=ItemChoice(limit=limit), argv=["videor1", "eval"]
    )


def _old_manifest():
    """Return the manifest of a run that was made before engine settings were recorded."""
    return make_manifest(
        PLAN, model="ck", checkpoint=ENGINE.identity, backend="fake", limit=None, argv=["videor1"]
    )


def test_the_settings_and_the_checkpoint_as_named_are_recorded():
    """All settings for a reader, those that can change an answer for comparisons."""
    manifest = _manifest()
    assert manifest["named"] == "a/ck"
    assert manifest["engine"] == {"dtype": "float16", "max_num_seqs": 8}
    assert manifest["numeric"] == {"dtype": "float16"}


def test_a_run_is_not_resumed_in_another_number_format(tmp_path):
    """The differing field is named."""
    with RunWriter(tmp_path, _manifest()):
        pass
    other = replace(ENGINE, numeric={"dtype": "bfloat16"})
    with pytest.raises(RunMismatchError, match=r"numeric.dtype: 'float16' != 'bfloat16'"):
        RunWriter(tmp_path, _manifest(other))
    with pytest.raises(RunMismatchError, match=r"numeric.dtype: 'float16' != None"):
        RunWriter(tmp_path, _manifest(replace(ENGINE, numeric={})))


def test_settings_of_memory_and_speed_may_change_on_resume(tmp_path):
    """After running out of memory, the same run goes on with smaller batches."""
    with RunWriter(tmp_path, _manifest()):
        pass
    with RunWriter(tmp_path, _manifest(replace(ENGINE, settings={"max_num_seqs": 4}))):
        pass


def test_a_run_from_before_the_settings_goes_on_with_the_defaults(tmp_path):
    """It was made with them; anything else is refused."""
    with RunWriter(tmp_path, _old_manifest()):
        pass
    with RunWriter(tmp_path, _manifest(replace(ENGINE, numeric={}))):
        pass
    with pytest.raises(RunMismatchError, match=r"numeric.dtype: None != 'float16'"):
        RunWriter(tmp_path, _manifest())


@pytest.mark.parametrize(
    ("words", "numeric"),
    [
        ("--frame-grid 32", {"frame_grid": 32}),
        ("--frame-grid=32 --video-as-images", {"frame_grid": 32, "video_as_images": True}),
        ("--frame-grid 28", {}),
        ("--system '--video-as-images'' x'", {}),
        ("--frame-grid", {}),
        ("'", {}),
    ],
)
def test_what_a_served_model_was_shown_is_read_from_an_old_command(tmp_path, words, numeric):
    """Frames as images or of other sizes give other answers; runs of version 0.2 noted it there."""
    old = _old_manifest() | {"argv": f"videor1 eval m --base-url http://h/v1 {words}"}
    assert numeric_of(old) == numeric
    with RunWriter(tmp_path, old):
        pass
    with RunWriter(tmp_path, _manifest(replace(ENGINE, numeric=numeric))):
        pass
    with pytest.raises(RunMismatchError, match=r"numeric\.frame_grid: .* != 40"):
        RunWriter(tmp_path, _manifest(replace(ENGINE, numeric={"frame_grid": 40})))


def test_the_default_folder_tells_number_formats_apart_and_keeps_its_old_name():
    """A run of version 0.2 is found again by the same command."""
    names = {
        default_out(EvalConfig(), _manifest(replace(ENGINE, numeric=numeric)))
        for numeric in ({}, {"dtype": "float16"}, {"dtype": "bfloat16"}, {"quantization": "fp8"})
    }
    assert len(names) == 4
    assert default_out(EvalConfig(), _old_manifest()) in names


def test_a_run_of_a_part_of_a_benchmark_says_so():
    """The number of questions that the benchmark has is recorded beside those that were asked."""
    part = Plan((replace(planned([sample(1), sample(2)]), questions=128),))
    whole = Plan((replace(planned([sample(1), sample(2)]), questions=2),))
    assert partial_tasks(_manifest(plan=part)) == {"toy": "2 of 128 questions"}
    assert partial_tasks(_manifest(plan=whole)) == {}
    assert partial_tasks(_old_manifest()) == {}


@pytest.mark.parametrize("stored", [["a:8000", "b:8000"], "several"])
def test_a_run_of_several_servers_goes_on_with_others_of_the_same_model(tmp_path, stored):
    """Each is named; runs of before have `several`. Another model, or one server, is refused."""
    served = {"server": stored, "model": "m", "root": "/models/m"}
    with RunWriter(tmp_path, _manifest(replace(ENGINE, identity=served))):
        pass
    others = {**served, "server": ["b:8000", "c:8000"]}
    with RunWriter(tmp_path, _manifest(replace(ENGINE, identity=others))):
        pass
    for refused in ({**others, "model": "n"}, {**others, "server": "a:8000"}):
        with pytest.raises(RunMismatchError):
            RunWriter(tmp_path, _manifest(replace(ENGINE, identity=refused)))
