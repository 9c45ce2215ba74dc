"""The ``[trl]`` table: which fields may be set there, and what is refused with which reason."""

from dataclasses import dataclass, field

import pytest

from harness.errors import UsageError
from trainer.config.algorithms import ALGORITHMS, GRPO, SFT
from trainer.config.trl_fields import check_fields

COMMON = ["model.checkpoint=m", "data.rows=r.json", "data.media_roots=m"]


def read(algorithm, *sets):
    return algorithm.read_recipe("paper", [*COMMON, *sets])


def test_values_have_the_types_of_toml():
    """A text needs no quotes; numbers, lists and tables are written as in TOML."""
    recipe = read(GRPO, "trl.loss_type=dapo", "trl.epsilon_high=0.28", "trl.report_to=['wandb']")
    assert recipe.trl == {"loss_type": "dapo", "epsilon_high": 0.28, "report_to": ["wandb"]}


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ("trl.learning_rate=1", "set optim.learning_rate"),
        ("trl.max_steps=1", "set optim.max_steps"),
        ("trl.num_generations=4", "set rollout.num_generations"),
        ("trl.beta=0.1", "set reward.beta"),
        ("trl.bf16=true", "set model.dtype"),
        ("trl.use_vllm=true", "set rollout.engine"),
        ("trl.output_dir=x", "use --out"),
        ("trl.dataloader_num_workers=4", "set data.decode_workers"),
        ("trl.packing=true", "rows are read, batched and padded by videor1"),
        ("trl.eval_steps=5", "checkpoints are evaluated by `videor1 watch`"),
    ],
)
def test_a_field_that_a_section_or_the_loops_own_is_refused(assignment, reason):
    """Two places for one value would contradict each other; an unread field would mislead."""
    name = assignment.partition("=")[0]
    with pytest.raises(UsageError, match=f"{name} cannot be set: {reason}"):
        read(GRPO, assignment)


def test_sampling_fields_need_the_engine_that_reads_them():
    """Our vLLM sampler gets temperature and top_p only."""
    assert read(GRPO, "trl.top_k=5").trl == {"top_k": 5}
    with pytest.raises(UsageError, match=r'trl.top_k cannot be set: rollout.engine = "vllm"'):
        read(GRPO, "trl.top_k=5", "rollout.engine=vllm")


@pytest.mark.parametrize("algorithm", [GRPO, ALGORITHMS["tgrpo"]], ids=str)
@pytest.mark.parametrize(
    ("iterations", "save_steps", "near"),
    [(2, 5, "set 4 or 6"), (3, 100, "set 99 or 102"), (4, 2, "set 4"), (7, 6, "set 7")],
)
def test_checkpoints_lie_between_two_batches_of_completions(
    algorithm, iterations, save_steps, near
):
    """A batch that several updates share is in no checkpoint; what may be set is said."""
    sets = (f"trl.num_iterations={iterations}", f"optim.save_steps={save_steps}")
    with pytest.raises(UsageError, match=rf"save_steps: expected a multiple of .*{near}$"):
        read(algorithm, *sets)


@pytest.mark.parametrize(("iterations", "save_steps"), [(1, 5), (2, 4), (5, 5)])
def test_several_updates_on_one_batch_are_trained_where_checkpoints_fit(iterations, save_steps):
    """One update per batch fits always."""
    recipe = read(GRPO, f"trl.num_iterations={iterations}", f"optim.save_steps={save_steps}")
    assert recipe.trl["num_iterations"] == iterations


@dataclass
class Config:
    adam_beta2: float = 0.999
    tf32: bool | None = None
    label_names: list[str] | None = None
    loss_type: str = field(default="nll", metadata={"choices": ["nll", "dft"]})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"adam_beta3": 1}, "trl.adam_beta3: Config has no such field; near it: adam_beta2"),
        ({"adam_beta2": "x"}, "trl.adam_beta2: expected float, got 'x'"),
        ({"tf32": "yes"}, r"trl.tf32: expected bool \| None, got 'yes'"),
        ({"label_names": [3]}, r"trl.label_names: expected list\[str\] \| None, got \[3\]"),
        ({"loss_type": "x"}, "trl.loss_type: expected one of 'nll', 'dft', got 'x'"),
    ],
)
def test_names_and_types_are_checked_against_the_class(table, message):
    """Before a model is loaded; the message says what was expected."""
    check_fields({"adam_beta2": 1, "tf32": True, "label_names": ["a"], "loss_type": "dft"}, Config)
    with pytest.raises(UsageError, match=message):
        check_fields(table, Config)


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=str)
def test_every_refused_field_is_one_of_trl(algorithm):
    """A field that TRL renames or drops is found here."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from dataclasses import fields

    from trainer.config import trl_fields
    from trainer.loops.trl_names import GRPOConfig, SFTConfig

    known = {entry.name for config in (SFTConfig, GRPOConfig) for entry in fields(config)}
    refused = {name for names in trl_fields._RELIED_ON.values() for name in names}
    assert refused | set(trl_fields._OTHER_NAMES) | set(trl_fields.SAMPLING) <= known
    assert algorithm.load_trl_config().__name__ == algorithm.trl_config


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_the_table_reaches_trl_s_config(tmp_path):
    """A value replaces the one that the loops would give; one that TRL refuses is a usage error."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from trainer.loops.trl_arguments import make_config

    recipe = read(SFT, "model.dtype=float32", "trl.adam_beta2=0.95", "trl.report_to=none")
    check_fields(recipe.trl, SFT.load_trl_config())
    config = make_config(SFT.load_trl_config(), recipe, tmp_path)
    assert (config.adam_beta2, config.report_to, config.max_steps) == (0.95, [], -1)
    with pytest.raises(UsageError, match="SFTConfig refuses"):
        make_config(SFT.load_trl_config(), read(SFT, "trl.optim=nonsense"), tmp_path)


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_our_schedulers_are_those_of_transformers():
    """All but the two that follow an evaluation."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from transformers.trainer_utils import SchedulerType

    from trainer.config.choices import LrSchedulerType

    theirs = {kind.value for kind in SchedulerType}
    assert set(LrSchedulerType) == theirs - {"reduce_lr_on_plateau", "greedy"}


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("names", ["wandb", "['tensorboard', 'wandb']"])
def test_a_tracker_that_is_not_installed_is_refused_before_a_model_is_loaded(tmp_path, names):
    """By its package; one that is there is taken."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from trainer.loops.trl_arguments import make_config

    kind = SFT.load_trl_config()
    recipe = read(SFT, "model.dtype=float32", f"trl.report_to={names}")
    with pytest.raises(UsageError, match=r"trl.report_to: wandb is not installed; .*pip install"):
        make_config(kind, recipe, tmp_path)
    recipe = read(SFT, "model.dtype=float32", "trl.report_to=tensorboard")
    assert make_config(kind, recipe, tmp_path).report_to == ["tensorboard"]
