"""Each complete checkpoint is evaluated once, whatever is killed in between."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.backends.engine_config import EngineConfig
from harness.cli.exits import Exit
from harness.errors import RunMismatchError, UsageError
from harness.files import locked
from tasks.demo.layouts import write_mvbench
from tests.paths import ROOT
from tests.trainer.commands import run, write_weights
from tests.trainer.fake_runs import Evaluator, begin_run, fits, save, write_state
from trainer.cli.train import TrainCommand
from trainer.cli.watch import WatchCommand
from trainer.runs.checkpoints import (
    incomplete_checkpoints,
    read_checkpoint,
    saved_checkpoints,
)
from trainer.runs.folder import STOP
from trainer.watch.evaluations import read_points
from trainer.watch.settings import (
    GateSettings,
    SliceSettings,
    WatchSettings,
    claim_watch,
    read_watch_settings,
    watched_run,
)
from trainer.watch.timeline import read_timeline
from trainer.watch.timeline_view import plot, print_timeline
from trainer.watch.watcher import (
    BUSY,
    Watcher,
    eval_command,
)

# Of 400 items that all agree, less than 1.2 % can be otherwise at 1 %: within the margin of 2.
GOOD, BAD = [1.0] * 400, [0.0] * 400
MIXED = [1.0, 0.0] * 200
STEPS = [10, 20, 30, 40, 50]
QUICK = WatchSettings(poll_s=0.01, slice=SliceSettings(attempts=2))


@pytest.fixture
def watched(tmp_path):
    """A run that begins with ``start`` and whose checkpoints all score alike, and its watcher."""
    train, out = begin_run(tmp_path / "run"), tmp_path / "watch"
    out.mkdir()
    values = {"start": GOOD, **{f"checkpoint-{step}": GOOD for step in STEPS}}

    def make(settings=QUICK, evaluate=None, **others):
        evaluate = evaluate or Evaluator(
            {**values, **{k.replace("_", "-"): v for k, v in others.items()}}
        )
        return Watcher(train, out, settings, fits(evaluate)), evaluate

    make.run, make.out = train, out
    return make


def test_the_start_and_every_checkpoint_are_evaluated_once_in_order(watched):
    """The second round, and another watcher, find nothing to do."""
    watcher, evaluator = watched()
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    assert evaluator.asked == ["start", *(f"checkpoint-{step}" for step in STEPS)]
    again, evaluator = watched()
    again.watch()
    assert evaluator.asked == []
    assert [point.step for point in read_points(watched.out)] == [0, *STEPS]


def test_a_checkpoint_that_is_still_being_written_is_waited_for(watched):
    """First weights without the state, then a copy with the state before the weights."""
    watcher, evaluator = watched()
    folder = save(watched.run, 10, state=False)
    whole = (folder / "model.safetensors").read_bytes()
    assert watcher.catch_up()
    assert evaluator.asked == ["start"]
    write_state(folder, 10)
    (folder / "model.safetensors").write_bytes(whole[:-7])
    watcher.catch_up()
    assert evaluator.asked == ["start"]
    assert incomplete_checkpoints(watched.run) == {
        folder: f"model.safetensors has {len(whole) - 7:,} of {len(whole):,} bytes"
    }
    (folder / "model.safetensors").write_bytes(whole)
    watcher.catch_up()
    assert evaluator.asked == ["start", "checkpoint-10"]


def test_shards_have_to_be_there_all(tmp_path):
    """The index names them before they are written."""
    folder = save(tmp_path, 10)
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    write_weights(folder / "model-1.safetensors")
    assert read_checkpoint(folder) == "model-2.safetensors is missing"
    write_weights(folder / "model-2.safetensors")
    assert [saved.step for saved in saved_checkpoints(tmp_path)] == [10]


@pytest.mark.parametrize(
    ("state", "lack"),
    [
        (
            '{"global_step": 9, "max_steps": 50, "save_steps": 10}',
            "trainer_state.json is of step 9",
        ),
        ('{"global_step"', "not readable yet"),
        ("{}", "not readable yet: 'max_steps'"),
    ],
)
def test_a_state_that_is_not_this_steps_is_not_the_end(tmp_path, state, lack):
    """Half a JSON file, or that of another step."""
    folder = save(tmp_path, 10)
    (folder / "trainer_state.json").write_text(state, encoding="utf-8")
    assert lack in read_checkpoint(folder)


def test_a_checkpoint_that_changed_after_its_evaluation_is_refused(watched):
    """Its scores would be those of other weights."""
    watcher, _ = watched()
    folder = save(watched.run, 10)
    watcher.catch_up()
    write_weights(folder / "model.safetensors", fill=99)
    with pytest.raises(RunMismatchError, match="has other weights than those that were evaluated"):
        watcher.catch_up()


def test_a_checkpoint_that_changes_while_it_is_evaluated_is_not_recorded(watched):
    """What was scored is not what lies there now."""

    def meddle(spec, folder, log):
        if spec.endswith("checkpoint-10"):
            write_weights(Path(spec) / "model.safetensors", fill=99)
        return Evaluator({"start": GOOD, "checkpoint-10": GOOD})(spec, folder, log)

    watcher, _ = watched(evaluate=meddle)
    save(watched.run, 10)
    watcher.catch_up()
    assert "changed while it was evaluated" in watcher.failures[10]
    assert [point.step for point in read_points(watched.out)] == [0]


def test_a_crash_costs_one_checkpoint_and_is_tried_again(watched):
    """After two attempts it is given up and named; the next watch tries again."""
    asked = []

    def crash(spec, folder, log):
        asked.append(Path(spec).name)
        if spec.endswith("checkpoint-20"):
            return 139
        return Evaluator({Path(spec).name: GOOD})(spec, folder, log)

    watcher, _ = watched(evaluate=crash)
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    assert asked.count("checkpoint-20") == 2
    assert list(watcher.failures) == [20]
    assert "ended with exit 139" in watcher.failures[20]
    assert [point.step for point in read_points(watched.out)] == [0, 10, 30, 40, 50]
    again, evaluator = watched()
    again.watch()
    assert evaluator.asked == ["checkpoint-20"]


def test_an_evaluation_that_outlived_its_watch_is_waited_for(watched):
    """Two processes never write one run."""
    answers = iter([0, BUSY, BUSY, 0])

    def busy(spec, folder, log):
        code = next(answers)
        return code or Evaluator({Path(spec).name: GOOD})(spec, folder, log)

    watcher, _ = watched(evaluate=busy)
    save(watched.run, 10)
    assert [watcher.catch_up() for _ in range(3)] == [False, False, True]
    assert [point.step for point in read_points(watched.out)] == [0, 10]


def test_each_evaluation_spends_its_part_of_alpha(watched):
    """Five planned evaluations at 5 % in all: 1 % each; a drop to 0 points is detected."""
    watcher, _ = watched(checkpoint_30=BAD)
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    verdicts = [point.verdict for point in read_points(watched.out)]
    assert verdicts == [None, "PASS", "PASS", "REGRESSION", "PASS", "PASS"]
    assert GateSettings(alpha=0.05).policy(5).alpha == pytest.approx(0.01)
    assert read_points(watched.out)[3].reason.startswith("evaluation 3 of 5: worse than the margin")


def test_repeated_evaluations_of_equal_checkpoints_are_no_regression(watched):
    """The same scores ten times over stay what they are."""
    watcher, _ = watched(start=MIXED, **{f"checkpoint_{step}": MIXED for step in STEPS})
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    assert {point.verdict for point in read_points(watched.out)[1:]} == {"PASS"}


def test_evaluations_beyond_the_plan_are_shown_without_a_verdict(watched):
    """All of alpha is spent."""
    settings = replace(QUICK, gate=GateSettings(evaluations=2))
    watcher, _ = watched(settings)
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    late = read_points(watched.out)[3]
    assert (late.verdict, late.reason) == (
        None,
        "no verdict: all 2 planned evaluations (gate.evaluations) are done",
    )


@pytest.mark.parametrize("stop", [True, False])
def test_training_is_told_to_stop_on_a_regression_only_if_asked(watched, stop):
    """Later checkpoints are not evaluated then."""
    settings = replace(QUICK, gate=GateSettings(stop_on_regression=stop))
    watcher, evaluator = watched(settings, checkpoint_20=BAD)
    for step in STEPS:
        save(watched.run, step)
    watcher.watch()
    assert (watched.run / STOP).exists() == stop
    assert evaluator.asked[-1] == ("checkpoint-20" if stop else "checkpoint-50")
    if stop:
        assert (
            "step 20, evaluation 2 of 5: worse"
            in json.loads((watched.run / STOP).read_text())["reason"]
        )


def test_a_run_that_is_not_there_yet_is_waited_for(tmp_path):
    """The watch may be started first; a run that names no start is refused."""
    (tmp_path / "out").mkdir()
    watcher = Watcher(tmp_path / "run", tmp_path / "out", QUICK, fits(Evaluator({})))
    assert watcher.catch_up()
    assert not watcher.is_over()
    save(tmp_path / "run", 10)
    with pytest.raises(UsageError, match=r"no train.json.*gate.start"):
        watcher.catch_up()


def test_a_last_checkpoint_saved_while_another_is_evaluated_is_not_missed(watched):
    """An evaluation takes longer than the training's last steps."""

    def slow(spec, folder, log):
        if spec.endswith("checkpoint-10"):
            save(watched.run, 50)
        return Evaluator({Path(spec).name: GOOD})(spec, folder, log)

    watcher, _ = watched(evaluate=slow)
    save(watched.run, 10)
    watcher.watch()
    assert [point.step for point in read_points(watched.out)] == [0, 10, 50]
    assert not watcher.interrupted


def test_an_interrupted_training_is_evaluated_and_not_waited_for(watched):
    """No process locks its folder and nothing is written: after a while the watch ends."""
    watcher, evaluator = watched(replace(QUICK, stalled_after_s=0.05))
    for step in (10, 20):
        save(watched.run, step)
    watcher.watch()
    assert evaluator.asked == ["start", "checkpoint-10", "checkpoint-20"]
    assert watcher.interrupted


def test_a_training_at_work_is_waited_for(watched):
    """It may take any time from one checkpoint to the next."""
    watcher, _ = watched(replace(QUICK, stalled_after_s=0.05))
    watching = threading.Thread(target=watcher.watch, daemon=True)
    with locked(watched.run):
        watching.start()
        watching.join(timeout=0.3)
        assert watching.is_alive()
        save(watched.run, 50)
    watching.join(timeout=30)
    assert not watching.is_alive()
    assert not watcher.interrupted
    assert [point.step for point in read_points(watched.out)] == [0, 50]


def test_the_command_says_how_far_an_interrupted_training_got(watched):
    """Exit 4, whatever the verdicts are; folder, step and what to do are named."""
    watcher, _ = watched()
    words = [watched.run, "--config", "paper", "--out", watched.out]
    hurry = ["--set", "poll_s=0.01", "--set", "stalled_after_s=0.03"]
    watcher.catch_up()
    verdict = run(WatchCommand(), *words, *hurry)
    assert verdict.code is Exit.INCOMPLETE
    assert "is not running and has saved no checkpoint;" in verdict.reason
    save(watched.run, 10)
    watcher.catch_up()
    verdict = run(WatchCommand(), *words, *hurry)
    assert verdict.code is Exit.INCOMPLETE
    assert f"the training in {watched.run} is not running" in verdict.reason
    assert "has saved step 10 of 50;" in verdict.reason
    assert f"step 10 PASS; 2 checkpoints evaluated in {watched.out}" in verdict.reason
    assert run(WatchCommand(), *words, "--once").code is Exit.OK


def test_without_a_start_there_is_nothing_to_compare_with(watched):
    """Its evaluation failing ends the watch, and says so."""
    watcher, _ = watched(evaluate=lambda spec, folder, log: 4)
    save(watched.run, 10)
    watcher.watch()
    assert list(watcher.failures) == [0]


def test_every_checkpoint_is_asked_the_same_slice(tmp_path):
    """The command is that of a person, flag for flag."""
    asked = SliceSettings(tasks=("mvbench",), data=Path("d"), items_per_task=7, max_frames=4)
    command = eval_command("c", tmp_path / "r", asked, tmp_path / "frames")
    assert command[1:] == [
        "-P", "-m", "harness", "eval", "c",
        "--tasks", "mvbench", "--data", "d", "--max-frames", "4", "--limit", "7",
        "--out", str(tmp_path / "r"), "--frame-cache", str(tmp_path / "frames"),
    ]  # fmt: skip


def test_an_engine_and_a_protocol_file_reach_every_evaluation(tmp_path):
    """A model that needs two GPUs, asked under a protocol of one's own."""
    protocol = tmp_path / "mine.toml"
    protocol.write_text('extends = "official"\n[frames]\nmax_frames = 8\n')
    path = tmp_path / "watch.toml"
    path.write_text(
        f'[slice]\nprotocol = "{protocol}"\nbackend = "vllm"\n'
        '[engine]\ntensor_parallel = 2\ndtype = "bfloat16"\n'
    )
    settings = read_watch_settings(str(path), ["engine.max_num_seqs=8"])
    words = eval_command("c", tmp_path / "r", settings.slice, tmp_path / "f", settings.engine)
    line = " ".join(words)
    assert f"--protocol {protocol} " in line
    for flag in ("--backend vllm", "--tensor-parallel 2", "--dtype bfloat16", "--max-num-seqs 8"):
        assert flag in line, flag


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[slice]\nprotocol = "offical"', "offical"),
        ('[engine]\nbase_url = "http://x/v1"', "engine.base_url: a watch starts its own engine"),
        ('[engine]\nbackend = "vllm"', "engine.backend: name it as slice.backend"),
        ("[engine]\ntensor_paralel = 2", "Did you mean 'tensor_parallel'?"),
    ],
)
def test_an_engine_or_protocol_that_cannot_be_is_refused_at_the_start(tmp_path, content, words):
    """Not by the failure of every evaluation."""
    path = tmp_path / "watch.toml"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_watch_settings(str(path))
    assert words in str(caught.value)


def test_another_engine_setting_is_another_watch(tmp_path):
    """Scores of two number formats are no timeline; settings that nobody gave change nothing."""
    claim_watch(tmp_path, QUICK, tmp_path)
    claim_watch(tmp_path, replace(QUICK, engine=EngineConfig()), tmp_path)
    with pytest.raises(RunMismatchError, match="float16"):
        claim_watch(tmp_path, replace(QUICK, engine=EngineConfig(dtype="float16")), tmp_path)


def test_the_shipped_settings_are_valid_and_unknown_keys_are_refused():
    """All four benchmarks, 200 items each, under the paper's protocol."""
    paper = read_watch_settings("paper")
    assert len(paper.slice.tasks) == 4
    assert paper.slice.items_per_task == 200
    with pytest.raises(UsageError, match=r"unknown key 'slice.items'; valid keys: tasks"):
        read_watch_settings("paper", ["slice.items=3"])
    with pytest.raises(UsageError, match=r"neither a .toml file nor a preset of watch"):
        read_watch_settings("papers")
    with pytest.raises(UsageError, match="stalled_after_s: expected more than 0, got 0"):
        read_watch_settings("paper", ["stalled_after_s=0"])


def test_old_names_of_settings_are_refused_with_the_new_ones(tmp_path):
    """On the command line and in a file."""
    with pytest.raises(UsageError, match="patience_s is now called stalled_after_s"):
        read_watch_settings("paper", ["patience_s=5"])
    file = tmp_path / "watch.toml"
    file.write_text("[gate]\nlooks = 5\n")
    with pytest.raises(UsageError, match=r"watch.toml: gate.looks is now called gate.evaluations"):
        read_watch_settings(str(file))


def test_a_watch_of_the_version_before_is_resumed(watched):
    """Its files have the old names of three fields."""
    watcher, _ = watched()
    save(watched.run, 10)
    watcher.catch_up()
    claim_watch(watched.out, QUICK, watched.run)
    for name, old, new in (
        ("watch", "looks", "evaluations"),
        ("step-000010", "judgement", "verdict"),
    ):
        file = watched.out / f"{name}.json"
        file.write_text(file.read_text().replace(f'"{new}":', f'"{old}":'))
    assert '"judgement": "PASS"' in (watched.out / "step-000010.json").read_text()
    claim_watch(watched.out, QUICK, watched.run)
    assert watched_run(watched.out) == watched.run.resolve()
    again, evaluator = watched()
    again.catch_up()
    assert evaluator.asked == []
    assert [point.verdict for point in read_points(watched.out)] == [None, "PASS"]


def _timeline(watched):
    watcher, _ = watched(checkpoint_30=BAD)
    for step in STEPS:
        save(watched.run, step)
    metrics = [
        {"step": step, "reward": step / 10, "temporal/gap": 0.1 * (step > 20)}
        for step in range(1, 51)
    ]
    lines = "".join(f"{json.dumps(metric)}\n" for metric in metrics)
    (watched.run / "metrics.jsonl").write_text(lines + '{"step": 51', encoding="utf-8")
    watcher.watch()
    return read_timeline(watched.out, watched.run)


def test_the_timeline_shows_scores_reward_gap_and_verdict(watched):
    """Reward and gap are means over the steps since the checkpoint before."""
    timeline = _timeline(watched)
    console = Console(record=True, width=150, file=StringIO())
    print_timeline(console, timeline)
    lines = [line.split() for line in console.export_text().splitlines()]
    # Steps 21 to 30: rewards 2.1 to 3.0, their mean is 2.55.
    assert ["30", "0.0", "[-1.0,", "1.0]", "2.550", "0.100", "REGRESSION"] in lines
    assert ["0", "100.0", "[99.0,", "101.0]", "-", "-", "start"] in lines
    assert timeline.mean_until("reward", timeline.points[1]) == pytest.approx(0.55)


def test_timelines_share_one_plot(watched, tmp_path):
    """A panel per benchmark, the reward and the gap, a curve per run."""
    pytest.importorskip("matplotlib")
    timeline = _timeline(watched)
    plot([timeline, replace(timeline, name="other")], tmp_path / "both.png")
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_watch_in_one_folder_is_refused(tmp_path):
    """While it runs, and later where it would evaluate something else."""
    run_folder, out = begin_run(tmp_path / "run"), tmp_path / "out"
    flags = [run_folder, "--config", "paper", "--out", out, "--once", "--set", "slice.data=no"]
    with locked(out):
        assert "another process is writing" in run(WatchCommand(), *flags).reason
    verdict = run(
        WatchCommand(), *flags, "--set", "slice.backend=fake", "--set", "slice.attempts=1"
    )
    assert verdict.code is Exit.INCOMPLETE
    verdict = run(WatchCommand(), *flags, "--set", "gate.margin=5")
    assert verdict.code is Exit.USAGE
    assert "gate.margin: 2.0 != 5.0" in verdict.reason


_COMMAND = (
    "import sys; from tests.trainer.commands import run;"
    " from trainer.cli.watch import WatchCommand;"
    " verdict = run(WatchCommand(), *sys.argv[1:]); print(verdict); sys.exit(int(verdict.code))"
)


@pytest.mark.slow
def test_five_checkpoints_written_meanwhile_survive_a_kill_and_a_half_written_one(tmp_path):
    """The real command with real evaluations: killed once, each checkpoint is evaluated once."""
    write_mvbench(tmp_path / "data/mvbench")
    train, out = (
        begin_run(tmp_path / "run", start=str(save(tmp_path / "before", 5))),
        tmp_path / "w",
    )
    settings = {
        "slice.tasks": "mvbench", "slice.data": tmp_path / "data", "slice.backend": "fake",
        "slice.items_per_task": 10, "slice.max_frames": 2, "slice.max_pixels": 3136,
        "gate.margin": 5, "poll_s": 0.2,
    }  # fmt: skip
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-c", _COMMAND, str(train), "--config", "paper", "--out", str(out)]

    def start():
        return subprocess.Popen([*command, *sets], cwd=ROOT, stdout=subprocess.PIPE, text=True)

    watch = start()
    save(train, 10)
    half = save(train, 20, state=False)
    _wait_for(out / "step-000010.json", watch)
    save(train, 30)
    _wait_for(out / "step-000030.log", watch)  # its evaluation has begun
    watch.send_signal(signal.SIGKILL)
    watch.communicate()
    before = {path: path.read_bytes() for path in out.glob("step-*/records-0.jsonl")}
    watch = start()
    save(train, 40)
    write_state(half, 20)
    save(train, 50)
    printed, _ = watch.communicate(timeout=240)
    assert watch.returncode == 3, printed  # ten items cannot tell
    assert [point.step for point in read_points(out)] == [0, 10, 20, 30, 40, 50]
    assert "6 checkpoints evaluated" in printed
    for step in (0, 10, 20, 30, 40, 50):
        lines = (out / f"step-{step:06d}/records-0.jsonl").read_text().splitlines()
        assert len(lines) == len({json.loads(line)["id"] for line in lines}) == 10
    finished = out / "step-000010/records-0.jsonl"
    assert finished.read_bytes() == before[finished]
    verdict = run(TrainCommand(), "timeline", out)
    assert (verdict.code, verdict.reason) == (Exit.OK, "1 timelines")


def _wait_for(path, process):
    for _ in range(1200):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")
