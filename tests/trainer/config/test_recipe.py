"""Recipes: presets, types, unknown keys, and what ``--set`` may change."""

from functools import reduce
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.schema import Kind, MediaKind
from trainer.config.algorithms import ALGORITHMS, GRPO, SFT, TGRPO
from trainer.config.choices import (
    GroupAccuracy,
    LrSchedulerType,
    Permutation,
)
from trainer.config.recipe import as_json
from trainer.config.renamed import RENAMED, with_new_names
from trainer.config.sections import LoraSettings

MINIMAL = """
[model]
checkpoint = "some/model"
[data]
rows = ["rows.json"]
media_roots = ["media"]
"""


@pytest.fixture
def recipe(tmp_path):
    def write(text="", algorithm=TGRPO, sets=()):
        path = tmp_path / "recipe.toml"
        path.write_text(MINIMAL + text, encoding="utf-8")
        return algorithm.read_recipe(str(path), sets)

    return write


SERVED = '[rollout]\nengine = "vllm-server"\nservers = ["http://a"]\n'


@pytest.mark.parametrize(
    ("algorithm", "preset"),
    [(algorithm, preset) for algorithm in ALGORITHMS.values() for preset in algorithm.presets],
)
def test_every_preset_that_ships_is_a_valid_recipe(algorithm, preset):
    """A typo in a shipped recipe fails here, not on a cluster."""
    assert algorithm.read_recipe(preset).model.checkpoint


def test_each_algorithm_has_the_papers_recipe_and_a_tiny_one():
    """``code`` exists where the published code departs from the paper."""
    ours, large = {"tiny", "gpu", "shortcut"}, {"qwen2.5-vl-7b", "qwen3-vl-8b"}
    small = {f"{name}-24gb" for name in large}
    assert set(SFT.presets) == {"paper"} | ours | large | small
    assert set(GRPO.presets) == {"paper", "code"} | ours | large | small
    assert set(TGRPO.presets) == {"paper", "code"} | ours | large
    variants = [name for name in ALGORITHMS if name.startswith("tgrpo-")]
    assert [set(ALGORITHMS[name].presets) for name in variants] == [ours | large] * 4


def test_the_paper_preset_holds_the_papers_values():
    """G 8, G~ 4, 768 tokens, alpha 0.3, omega 0.2 in 320-512 tokens, mu 1, beta 0.04, lr 1e-6."""
    paper = TGRPO.read_recipe("paper")
    assert (paper.rollout.num_generations, paper.rollout.shuffled_group_size) == (8, 4)
    assert (paper.rollout.temperature, paper.rollout.top_p) == (1.0, 0.95)
    assert paper.rollout.max_completion_length == 768
    assert paper.rollout.permutation is Permutation.FRAME
    assert (paper.reward.temporal_weight, paper.reward.length_weight) == (0.3, 0.2)
    assert (paper.reward.length_min, paper.reward.length_max) == (320, 512)
    assert (paper.reward.mu, paper.reward.tau, paper.reward.length_min_correct) == (1.0, 0.5, 1)
    assert paper.reward.group_accuracy is GroupAccuracy.PROPORTION
    assert (paper.reward.beta, paper.optim.learning_rate) == (0.04, 1e-6)
    assert (paper.optim.max_steps, paper.optim.max_grad_norm) == (1000, 5.0)
    video = paper.frames.policy(MediaKind.VIDEO)
    assert (video.max_frames, video.max_pixels) == (16, 128 * 28 * 28)
    assert paper.frames.policy(MediaKind.IMAGE).max_pixels == 512 * 28 * 28


def test_the_code_preset_differs_from_the_papers_in_the_documented_values_only():
    """mu 0.8, mean accuracies, correct above 0.1, two correct for the length bonus, 1,200 steps."""
    paper, code = (as_json(TGRPO.read_recipe(name)) for name in ("paper", "code"))
    changed = {
        f"{section}.{key}": value
        for section, values in code.items()
        for key, value in values.items()
        if paper[section][key] != value
    }
    assert changed == {
        "frames.max_pixels": 105369,
        "optim.max_steps": 1200,
        "reward.group_accuracy": "mean",
        "reward.length_min_correct": 2,
        "reward.mu": 0.8,
        "reward.tau": 0.1,
    }


def test_defaults_are_the_papers(recipe):
    """A recipe that names model and data alone has the paper's rewards and rollouts."""
    paper = TGRPO.read_recipe("paper")
    assert recipe().reward == paper.reward
    assert recipe().rollout == paper.rollout
    assert recipe().frames == paper.frames


def test_a_recipe_may_extend_another_and_change_single_values(tmp_path, recipe):
    """Tables are merged, values replaced; the path is relative to the file."""
    recipe("[optim]\nmax_steps = 3\nseed = 7\n")
    child = tmp_path / "child.toml"
    child.write_text('extends = "recipe.toml"\n[optim]\nmax_steps = 9\n', encoding="utf-8")
    optim = GRPO.read_recipe(str(child)).optim
    assert (optim.max_steps, optim.seed) == (9, 7)


def test_recipes_that_extend_each_other_in_a_circle_are_refused(tmp_path):
    """It would never end."""
    (tmp_path / "a.toml").write_text('extends = "b.toml"', encoding="utf-8")
    (tmp_path / "b.toml").write_text('extends = "a.toml"', encoding="utf-8")
    with pytest.raises(UsageError, match="extends"):
        SFT.read_recipe(str(tmp_path / "a.toml"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tgrpo-gap", '[trl]\nscale_rewards = "group"', r"set reward.scale_rewards"),
        ("tgrpo-gap", '[reward]\nscale_rewards = "group"', r"expected one of 'none' or 'batch'"),
        ("tgrpo-unscaled", '[trl]\nscale_rewards = "group"', r"divides by no deviation"),
        (
            "tgrpo-contrast",
            '[trl]\nmulti_objective_aggregation = "normalize_then_sum"',
            r'expected "sum_then_normalize", got \'normalize_then_sum\'',
        ),
        ("tgrpo-contrast", "[reward]\nmu = 1.0", r"unknown key 'reward.mu'"),
        ("tgrpo-evidence", "[reward]\nevidence_floor = 0.05", r"not below evidence_clip, 0.05"),
        ("tgrpo-evidence", "[reward]\nevidence_clip = 0.0", r"evidence_clip: expected more than 0"),
        ("tgrpo-evidence", "[rollout]\nshuffled_group_size = 4", r"unknown key 'rollout.shuffled"),
    ],
)
def test_a_variant_refuses_what_would_undo_it(recipe, name, text, message):
    """A deviation of the group, a threshold that it does not have, a clip that pays nothing."""
    with pytest.raises(UsageError, match=message):
        recipe(text, ALGORITHMS[name])


def test_the_variants_say_what_advantages_are_divided_by(recipe):
    """GRPO, evidence and contrast by the group's deviation, as published; the others by nothing, or
    by one of the update."""
    names = [name for name in ALGORITHMS if name != "sft"]
    assert {name: recipe(algorithm=ALGORITHMS[name]).scale_rewards for name in names} == {
        "grpo": "group", "tgrpo": "group", "tgrpo-evidence": "group", "tgrpo-contrast": "group",
        "tgrpo-gap": "none", "tgrpo-unscaled": "none",
    }  # fmt: skip
    batch = recipe('[reward]\nscale_rewards = "batch"', ALGORITHMS["tgrpo-gap"])
    assert batch.scale_rewards == "batch"


def test_more_shuffled_than_ordered_answers_may_be_sampled(recipe):
    """G~ is free; evidence samples none."""
    assert recipe("[rollout]\nshuffled_group_size = 24").shuffled_group_size == 24
    assert recipe(algorithm=ALGORITHMS["tgrpo-evidence"]).shuffled_group_size == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optim]\nlerning_rate = 1.0", r"unknown key 'optim.lerning_rate'; valid keys: learning_"),
        ("[reward]\nalpha = 0.3", r"unknown key 'reward.alpha'; valid keys: .*temporal_weight"),
        ("[optimizer]\nsteps = 1", r"unknown key 'optimizer'; valid keys: .*optim"),
        ("[optim]\nmax_steps = 1.5", r"optim.max_steps: expected a whole number, got 1.5"),
        ("[optim]\nmax_steps = true", r"optim.max_steps: expected a whole number, got True"),
        ("[optim]\nmax_steps = 0", r"optim: max_steps: expected more than 0, got 0"),
        ("[optim]\nlearning_rate = nan", r"learning_rate: expected more than 0, got nan"),
        (
            '[optim]\nlr_scheduler_type = "square"',
            r"optim.lr_scheduler_type: expected one of 'constant', 'constant_with",
        ),
        ("[rollout]\nnum_generations = 1", r"num_generations: expected at least 2"),
        ('[rollout]\nengine = "vllm"\ntemperature = 0.9', r"temperature: expected 1 with the vllm"),
        (
            '[rollout]\nengine = "vllm-server"',
            r"servers: the engine vllm-server needs",
        ),
        ('[rollout]\nservers = ["http://a"]', r'servers: expected engine = "vllm-server"'),
        ("[rollout]\nahead = 1", r'ahead: expected engine = "vllm-server", got "transformers"'),
        ("[rollout]\nahead = 2", r"ahead: expected 0 or 1, got 2"),
        (f"{SERVED}filter_groups = true\nahead = 1", r"filter_groups: expected false with ahead"),
        (f"{SERVED}temperature = 0.9", r"temperature: expected 1 with the vllm-server engine"),
        (f"{SERVED}vllm_enable_sleep_mode = true", r"vllm_enable_sleep_mode: expected engine ="),
        (
            f"{SERVED}ahead = 1\n[trl]\nvllm_importance_sampling_correction = false",
            r"vllm_importance_sampling_correction: expected true with rollout.ahead",
        ),
        ("[rollout]\nvllm_enable_sleep_mode = true", r"vllm_enable_sleep_mode: expected engine"),
        ('[rollout]\nweights_folder = "w"', r"weights_folder: expected engine"),
        ("[rollout]\nshuffled_group_size = 0", r"shuffled_group_size: expected more than 0"),
        ("[reward]\ntau = 1.0", r"tau: expected at least 0 and below 1"),
        ("[reward]\nlength_min = 600", r"length_min is 600, more than length_max, 512"),
        ("[frames]\nmax_frames = 2", r"min_frames is 4, more than max_frames, 2"),
        ("[optim.max_steps]\na = 1", r"optim.max_steps: expected a whole number, got {'a': 1}"),
    ],
)
def test_what_a_recipe_may_not_hold_is_refused_with_what_it_may(recipe, text, message):
    """The message names the key and what was expected."""
    with pytest.raises(UsageError, match=message):
        recipe(text)


def test_temporal_knobs_belong_to_tgrpo_alone(recipe):
    """In a GRPO recipe they would do nothing, so they are unknown there."""
    with pytest.raises(UsageError, match=r"unknown key 'reward.mu'"):
        recipe("[reward]\nmu = 1.0", GRPO)
    with pytest.raises(UsageError, match=r"unknown key 'rollout'"):
        recipe("[rollout]\nnum_generations = 4", SFT)


def test_a_missing_section_or_key_is_named(tmp_path):
    """Model and data have no default, and both are tables with lists in them."""
    path = tmp_path / "r.toml"
    path.write_text("model = 3\ndata = {}", encoding="utf-8")
    with pytest.raises(UsageError, match="model: expected a table, got 3"):
        SFT.read_recipe(str(path))
    path.write_text('[model]\ncheckpoint = "m"\n[data]\nrows = "a.json"\nmedia_roots = []')
    with pytest.raises(UsageError, match=r"data.rows: expected a list, got 'a.json'"):
        SFT.read_recipe(str(path))
    path.write_text('[model]\ncheckpoint = "m"', encoding="utf-8")
    with pytest.raises(UsageError, match="key 'data' is missing"):
        SFT.read_recipe(str(path))


def test_set_changes_single_values_with_their_types(recipe):
    """Texts need no quotes, lists of one no brackets, whole numbers may stand for fractions."""
    changed = recipe(
        sets=[
            "optim.learning_rate=1",
            "optim.lr_scheduler_type=cosine",
            "optim.gradient_checkpointing=false",
            "model.checkpoint=2024",
            "data.rows=a.json",
            'data.media_roots=["m", "n"]',
            'data.kinds=["OCR"]',
            "model.lora.r=8",
            "optim.max_steps=5",
        ]
    )
    assert changed.optim.learning_rate == 1.0
    assert changed.optim.lr_scheduler_type is LrSchedulerType.COSINE
    assert changed.optim.gradient_checkpointing is False
    assert changed.model.checkpoint == "2024"
    assert changed.data.rows == (Path("a.json"),)
    assert changed.data.media_roots == (Path("m"), Path("n"))
    assert changed.data.kinds == (Kind.OCR,)
    assert changed.model.lora == LoraSettings(r=8)
    assert changed.optim.max_steps == 5


def test_set_unsets_with_none_what_may_be_unset(recipe):
    """A preset's step limit can be taken away; a required value cannot."""
    assert recipe("[optim]\nmax_steps = 5", sets=["optim.max_steps=none"]).optim.max_steps is None
    with pytest.raises(UsageError, match=r"optim.seed: expected a whole number, got 'none'"):
        recipe(sets=["optim.seed=none"])


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_key_is_refused_with_its_new_name(recipe, old, new):
    """In a file and on the command line; the rollout's keys are GRPO's and T-GRPO's."""
    section, _, field = old.rpartition(".")
    with pytest.raises(UsageError, match=f"{old} is now called {new}"):
        recipe(f"[{section}]\n{field} = 1" if section != "model" else "", sets=[f"{old}=1"])
    with pytest.raises(UsageError, match=f"--set {old}=1: {old} is now called {new}"):
        recipe(sets=[f"{old}=1"])


def test_every_new_name_is_a_field():
    """A typo in the table would send people to a key that does not exist either."""
    plain = as_json(TGRPO.read_recipe("paper", ["model.lora.r=8"]))
    for new in RENAMED.values():
        *sections, field = new.split(".")
        assert field in reduce(lambda table, name: table[name], sections, plain)


def test_a_run_of_before_the_option_goes_on_without_shared_prompts():
    """Its updates to come are rounded as its first ones; a stored value stays."""
    stored = as_json(TGRPO.read_recipe("paper"))
    assert stored["rollout"].pop("share_prompt") is True
    assert with_new_names(stored)["rollout"]["share_prompt"] is False
    new = as_json(TGRPO.read_recipe("paper"))
    assert with_new_names(new) == new
    assert "rollout" not in with_new_names(as_json(SFT.read_recipe("paper")))


def test_advantages_are_scaled_by_one_rule(recipe):
    """By problem type, or as TRL does; never both in silence."""
    assert recipe(sets=["reward.task_ema_decay=0.99"]).reward.task_ema_decay == 0.99
    with pytest.raises(UsageError, match=r"expected at least 0 and below 1, got 1\.0"):
        recipe(sets=["reward.task_ema_decay=1.0"])
    with pytest.raises(UsageError, match=r"trl\.scale_rewards cannot be set: reward\.task_ema"):
        recipe("[trl]\nscale_rewards = 'none'", sets=["reward.task_ema_decay=0.9"])


def test_a_constant_learning_rate_refuses_a_warmup(recipe):
    """transformers would ignore the warm-up in silence."""
    with pytest.raises(UsageError, match="expected 0 with the scheduler constant, got 5"):
        recipe('[optim]\nlr_scheduler_type = "constant"\nwarmup_steps = 5')


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("optim.lr=1", r"unknown key 'optim.lr'; valid keys: learning_rate"),
        ("optim=1", r"optim is a section; its fields: learning_rate"),
        ("optim.max_steps.more=1", r"optim.max_steps is a value, not a section"),
        ("optim.max_steps", r"expected section.field=value"),
        ("optim.max_steps=many", r"optim.max_steps: expected a whole number, got 'many'"),
    ],
)
def test_a_set_that_fits_no_field_is_refused(recipe, assignment, message):
    """``--set`` is checked against the frozen config, like the file."""
    with pytest.raises(UsageError, match=message):
        recipe(sets=[assignment])


def test_a_name_that_is_no_preset_lists_the_presets():
    """A file is recognised by its suffix."""
    with pytest.raises(UsageError, match=r"neither a .toml file nor a preset of sft; presets: pap"):
        SFT.read_recipe("paperr")
    with pytest.raises(UsageError, match=r"nowhere.toml: not a readable TOML file"):
        SFT.read_recipe("nowhere.toml")
