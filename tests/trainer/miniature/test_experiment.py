"""The miniature's commands and their scheduler: in order, some at a time, resumed, interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.cli.exits import Exit
from harness.errors import RunMismatchError, UsageError
from tests.interrupts import interruptible
from tests.paths import ROOT
from tests.trainer.commands import run
from trainer.cli.miniature import MiniatureCommand
from trainer.config.presets import presets_of
from trainer.miniature.arms import ARMS, FULL, SFT, ZERO
from trainer.miniature.experiment import (
    Experiment,
    Stage,
    claim_experiment,
)
from trainer.miniature.scheduler import (
    Scheduler,
    durations,
    stage_log,
)
from trainer.miniature.settings import read_miniature
from trainer.miniature.studies import find_study
from trainer.watch.evaluations import (
    EvalPoint,
    TaskScore,
    write_point,
)


def experiment(out: Path, **changes: object) -> Experiment:
    settings = changes.get("settings") or read_miniature("tiny")
    study = find_study(settings)  # type: ignore[arg-type]
    values = {
        "settings": settings, "study": study, "arms": study.arms, "seeds": (0, 1), "out": out,
        **changes,
    }  # fmt: skip
    return Experiment(**values)  # type: ignore[arg-type]


def test_every_arm_starts_from_the_end_of_its_start(tmp_path):
    """T-GRPO starts from the last SFT checkpoint, zero from the initial model."""
    plan = experiment(tmp_path, arms=ARMS)
    words = {stage.name: stage.words for stage in plan.stages()}
    steps = SFT.algorithm.read_recipe("tiny", [f"data.media_roots={tmp_path}"]).optim.max_steps
    trained = tmp_path / f"seed-1/sft/checkpoint-{steps}"
    assert f"model.checkpoint={trained}" in words["seed-1/tgrpo"]
    assert f"model.checkpoint={tmp_path / 'seed-1/initial'}" in words["seed-1/zero"]
    assert "optim.seed=1" in words["seed-1/grpo"]
    assert "data.media=video" in words["seed-1/tgrpo-video"]
    assert "data.media=video" not in words["seed-1/tgrpo"]


def test_reinforcement_learning_starts_from_the_first_good_checkpoint(tmp_path):
    """By development score; from the last one where none is good or none is evaluated yet."""
    plan = experiment(tmp_path, settings=read_miniature("tiny", ["min_dev_score=80"]))
    last = plan.checkpoint(0, "sft")
    watch = tmp_path / "seed-0/watch/sft"
    watch.mkdir(parents=True)
    for step, points in ((0, 99.0), (30, 79.9), (60, 80.0), (90, 95.0)):
        score = TaskScore(score=points, ci95=None, n=1)
        name = f"checkpoint-{step}"
        write_point(
            watch, EvalPoint(step=step, checkpoint=name, weights="", scores={"motionworld": score})
        )
    assert plan.checkpoint(0, "sft") == Path("checkpoint-60")
    assert plan.checkpoint(1, "sft").parent == last.parents[2] / "seed-1/sft"
    [start] = [stage for stage in plan.stages() if stage.name == "seed-0/tgrpo"]
    assert "model.checkpoint=checkpoint-60" in start.words
    later = experiment(tmp_path, settings=read_miniature("tiny", ["min_dev_score=99"]))
    assert later.checkpoint(0, "sft") == last


def test_a_dataset_without_images_has_video_questions_alone(tmp_path):
    """It has no folder of image questions."""
    asked = read_miniature("tiny", ['dataset.aspects=["order"]'])
    plan = [stage.words for stage in experiment(tmp_path, settings=asked).stages()]
    tasks = {words[words.index("--tasks") + 1] for words in plan if "--tasks" in words}
    assert tasks == {"motionworld"}


def test_what_others_wait_for_comes_first(tmp_path):
    """SFT and zero of every seed, with the evaluations that choose the cold start."""
    first = [stage.name for stage in experiment(tmp_path, seeds=(0,)).first_stages()]
    assert first == ["seed-0/sft", "seed-0/zero", "seed-0/sft/watch", "seed-0/zero/watch"]


def test_training_and_tuning_never_see_the_test_split(tmp_path):
    """The final evaluations alone name it, and they name no other split."""
    for stage in experiment(tmp_path).stages():
        told = " ".join(stage.words)
        assert (stage.words[0] == "eval") == (str(tmp_path / "world/test") in told)
        if stage.words[0] == "watch":
            assert f"slice.data={tmp_path / 'world/dev'}" in told


def test_steps_are_those_of_reinforcement_learning(tmp_path):
    """SFT keeps its own; what is evaluated is the checkpoint of the last step."""
    plan = experiment(tmp_path, steps=7, arms=(SFT, FULL))
    words = {stage.name: stage.words for stage in plan.stages()}
    assert "optim.max_steps=7" in words["seed-0/tgrpo"]
    assert "optim.max_steps=7" not in words["seed-0/sft"]
    assert words["seed-0/tgrpo/ordered"][1] == str(tmp_path / "seed-0/tgrpo/checkpoint-7")


@pytest.mark.parametrize("preset", presets_of("miniature"))
def test_the_shipped_settings_load_with_their_recipes(preset, tmp_path):
    """Every stage of every arm can be written down."""
    plan = experiment(tmp_path, settings=read_miniature(preset))
    stages = {"shortcut": 2 * (3 + 12 * 6)}  # a start, and twelve arms with four checkpoints
    assert len(plan.stages()) == stages.get(preset, 2 * len(ARMS) * 7)


def test_a_dry_run_prints_the_commands_and_runs_none(tmp_path, capsys):
    """They can be pasted into a shell."""
    verdict = run(
        MiniatureCommand(), "--dry-run", "--arms", "sft,tgrpo", "--out", tmp_path / "mini"
    )
    assert verdict.code is Exit.OK
    assert capsys.readouterr().out.startswith("videor1 train sft --config tiny")
    assert not (tmp_path / "mini").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--arms", "tgrpo"), "tgrpo starts from sft; name sft, too"),
        (("--arms", "dpo"), "no arm 'dpo'; there are sft, zero"),
        (("--config", "huge"), "presets: gpu, shortcut, tiny"),
        (("--set", "dataset.aspects=smell"), "no ['smell']"),
        (("--set", "model.heads=3"), "3 heads of width 128"),
    ],
)
def test_bad_choices_are_named(flags, message):
    """Before anything is drawn."""
    verdict = run(MiniatureCommand(), *flags, "--dry-run")
    assert verdict.code is Exit.USAGE
    assert message in verdict.reason


def test_a_folder_holds_one_experiment(tmp_path):
    """Seeds and arms may be added, sizes may not change."""
    claim_experiment(experiment(tmp_path / "mini"))
    claim_experiment(experiment(tmp_path / "mini", seeds=(0, 1, 2), arms=(SFT, ZERO)))
    with pytest.raises(RunMismatchError, match="steps: None != 3"):
        claim_experiment(experiment(tmp_path / "mini", steps=3))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").touch()
    with pytest.raises(UsageError, match="holds no experiment"):
        claim_experiment(experiment(tmp_path / "other"))


def test_an_experiment_of_the_version_before_is_resumed(tmp_path):
    """Its settings have old names, and the initial model lies in a folder with an old name."""
    plan = experiment(tmp_path / "mini")
    claim_experiment(plan)
    file = tmp_path / "mini/miniature.json"
    old = file.read_text().replace('"dataset":', '"world":').replace("min_dev_score", "enough")
    file.write_text(old)
    (tmp_path / "mini/seed-0/untaught").mkdir(parents=True)
    claim_experiment(plan)
    assert plan.initial_model(0).name == "untaught"
    assert plan.initial_model(1).name == "initial"
    with pytest.raises(RunMismatchError, match=r"min_dev_score: 80\.0 != 70\.0"):
        claim_experiment(
            experiment(tmp_path / "mini", settings=read_miniature("tiny", ["min_dev_score=70"]))
        )


def test_old_names_of_settings_are_refused_with_the_new_ones(tmp_path):
    """Also of a value within a renamed table."""
    with pytest.raises(UsageError, match="enough is now called min_dev_score"):
        read_miniature("tiny", ["enough=70"])
    with pytest.raises(UsageError, match="world is now called dataset"):
        read_miniature("tiny", ["world.sft=4"])


# The scheduler, with shell scripts in place of videor1.


def stage(name: str, script: str, needs: str | None = None, *accepted: Exit) -> Stage:
    return Stage(name=name, words=("-c", script), needs=needs, accepted=(Exit.OK, *accepted))


def run_stages(folder: Path, *stages: Stage, jobs: int = 1) -> Scheduler:
    scheduler = Scheduler(folder, jobs=jobs, threads=1, program=("sh",))
    scheduler.run(stages, lambda progress: None)
    return scheduler


def test_what_a_stage_needs_is_done_before_it(tmp_path):
    """Whatever the order in which they are named."""
    file = tmp_path / "order"
    later, sooner = stage("b", f"echo b >> {file}", "a"), stage("a", f"echo a >> {file}")
    assert not run_stages(tmp_path, later, sooner, jobs=2).failed
    assert file.read_text() == "a\nb\n"
    assert set(durations(tmp_path)) == {"a", "b"}
    assert durations(tmp_path).keys() == {"a", "b"}


def test_what_is_done_is_not_run_again(tmp_path):
    """A second schedule runs the new stage only."""
    file = tmp_path / "order"
    first = stage("a", f"echo a >> {file}")
    run_stages(tmp_path, first)
    run_stages(tmp_path, first, stage("b", f"echo b >> {file}", "a"))
    assert file.read_text() == "a\nb\n"


def test_a_failure_is_named_with_its_log_and_nothing_new_begins(tmp_path):
    """What failed is tried again by the next run."""
    bad = stage("bad", "echo no such file; exit 4")
    scheduler = run_stages(tmp_path, bad, stage("after", "true", "bad"), stage("other", "true"))
    assert scheduler.failed == {"bad": f"exit 4, see {stage_log(tmp_path, bad)}"}
    assert stage_log(tmp_path, bad).read_text() == "no such file\n"
    assert set(durations(tmp_path)) == set()


def test_an_accepted_exit_code_is_no_failure(tmp_path):
    """A watch that finds a regression has done its work."""
    script = "echo 'exit 1 (regression): step 8 is worse' >&2; exit 1"
    assert not run_stages(tmp_path, stage("watch", script, None, Exit.REGRESSION)).failed
    assert set(durations(tmp_path)) == {"watch"}


def test_a_crash_is_no_regression(tmp_path):
    """Python ends with 1 where it crashes; only a command that says so has found a regression."""
    crash = f"{sys.executable} -c 'import no_such_module'"
    scheduler = run_stages(tmp_path, stage("watch", crash, None, Exit.REGRESSION))
    assert scheduler.failed.keys() == {"watch"}
    assert set(durations(tmp_path)) == set()


def test_commands_run_with_their_own_number_of_threads(tmp_path):
    """The last bits of a training depend on it."""
    one = stage("a", "echo $OMP_NUM_THREADS $GOMP_SPINCOUNT")
    run_stages(tmp_path, one)
    assert stage_log(tmp_path, one).read_text() == "1 0\n"


_INTERRUPTED = """
import sys
from pathlib import Path
from trainer.miniature.scheduler import Scheduler
from trainer.miniature.experiment import Stage
folder = Path(sys.argv[1])
script = (
    f"trap 'echo saved >> {folder}/saved; exit 130' INT; touch {folder}/began;"
    " while :; do sleep 0.05; done"
)
try:
    Scheduler(folder, jobs=1, program=("sh",)).run([Stage(name="a", words=("-c", script))], print)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_reaches_what_is_under_way_and_waits_for_it(tmp_path):
    """The command saves what it has; the stage is not done."""
    process = subprocess.Popen(
        interruptible([sys.executable, "-c", _INTERRUPTED, str(tmp_path)]),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    )
    while not (tmp_path / "began").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert (tmp_path / "saved").read_text() == "saved\n"
    assert set(durations(tmp_path)) == set()


def test_a_torn_last_line_is_a_stage_that_is_not_done(tmp_path):
    """As a kill leaves it."""
    line = json.dumps({"stage": "a", "command": "x", "seconds": 1})
    (tmp_path / "stages.jsonl").write_text(f"{line}\n{line[:9]}")
    assert set(durations(tmp_path)) == {"a"}
