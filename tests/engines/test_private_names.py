"""What our code uses of libraries that these may change without notice, and whether it is there.

A name is private here if it has a leading underscore, if it is imported from below the top of a
library, or if no documentation of the library mentions it. When a library moves one, the test of
that row fails and names the module of ours that has to follow.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.paths import ROOT


class Name(NamedTuple):
    """A name of a library (``module:attribute.attribute``) and the module of ours that uses it."""

    path: str
    used_in: str


TABLE = [
    Name("huggingface_hub.errors:NotASafetensorsRepoError", "trainer/cost/model_shape.py"),
    Name("lmms_eval.api.instance:GenerationResult", "tasks/lmms/model.py"),
    Name("lmms_eval.api.instance:TokenCounts", "tasks/lmms/model.py"),
    Name("lmms_eval.api.model:lmms", "tasks/lmms/model.py"),
    Name("lmms_eval.api.task:ConfigurableTask._filters", "tasks/lmms/own_scoring.py"),
    Name("lmms_eval.llm_judge", "tasks/lmms/network_check.py"),
    Name("lmms_eval.models.registry_v2:ModelManifest", "tasks/lmms/entry.py"),
    Name("lmms_eval.tasks", "tasks/lmms/package.py"),
    Name("lmms_eval.tasks:TaskManager", "tasks/lmms/loading.py"),
    Name("lmms_eval.tasks:TaskManager._get_config", "tasks/lmms/loading.py"),
    Name("lmms_eval.tasks._task_utils.mcq_extract", "tasks/lmms/package.py"),
    Name("lmms_eval.utils:load_yaml_config", "tasks/lmms/loading.py"),
    Name("ray._private:worker", "harness/replicas/ray_fleet.py"),
    Name("ray._private.worker:print_to_stdstream", "harness/replicas/ray_fleet.py"),
    Name(
        "ray.util.scheduling_strategies:NodeAffinitySchedulingStrategy",
        "harness/replicas/ray_nodes.py",
    ),
    Name("transformers.trainer:Trainer._load_from_checkpoint", "trainer/loops/model.py"),
    Name("transformers.trainer:Trainer._save_checkpoint", "trainer/loops/batches.py"),
    Name("vllm.v1.worker.gpu_worker:Worker.reload_weights", "trainer/serving/worker.py"),
    Name("transformers.trainer:Trainer._maybe_log_save_evaluate", "trainer/loops/finite.py"),
    Name("transformers.trainer:Trainer._save_checkpoint", "trainer/loops/phases.py"),
    Name("transformers.trainer:Trainer.get_batch_samples", "trainer/loops/phases.py"),
    Name("transformers.trainer:Trainer._prepare_inputs", "trainer/algorithms/sft.py"),
    Name("transformers.integrations.sdpa_attention:repeat_kv", "trainer/loops/shared_attention.py"),
    Name(
        "transformers.integrations.sdpa_attention:sdpa_attention_forward",
        "trainer/loops/shared_attention.py",
    ),
    Name("transformers.masking_utils:sdpa_mask", "trainer/loops/shared_attention.py"),
    Name("transformers:PreTrainedConfig._attn_implementation", "trainer/loops/shared_attention.py"),
    Name(
        "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl:Qwen2_5_VLModel.rope_deltas",
        "trainer/loops/prefill.py",
    ),
    Name("transformers.trainer_callback:PrinterCallback", "trainer/algorithms/sft.py"),
    Name("transformers.trainer_callback:PrinterCallback", "trainer/loops/rollout_trainer.py"),
    Name(
        "transformers.models.qwen2_5_vl.modeling_qwen2_5_vl:Qwen2_5_VLModel.get_rope_index",
        "harness/backends/positions.py",
    ),
    Name("trl:GRPOTrainer._buffered_inputs", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._calculate_rewards", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._compute_loss", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._dist", "trainer/loops/rollouts.py"),
    Name("trl:GRPOTrainer._generate_and_score_completions", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._generate_single_turn", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._get_per_token_logps_and_entropies", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._get_train_sampler", "trainer/loops/batches.py"),
    Name("trl:GRPOTrainer._get_per_token_logps_and_entropies", "trainer/loops/likelihoods.py"),
    Name("trl:GRPOTrainer._tokenizer", "trainer/loops/likelihoods.py"),
    Name("torch:ops.mkldnn._linear_pointwise", "trainer/loops/packed_linear.py"),
    Name("torch:ops.mkldnn._reorder_linear_weight", "trainer/loops/packed_linear.py"),
    Name("transformers.cache_utils:DynamicLayer", "trainer/loops/shared_cache.py"),
    Name("transformers.trainer:Trainer._save_checkpoint", "trainer/loops/task_scaling.py"),
    Name("trl.trainer.grpo_trainer", "trainer/miniature/warm.py"),
    Name("transformers.models.qwen2_5_vl.modeling_qwen2_5_vl", "trainer/miniature/warm.py"),
    Name("vllm.entrypoints.openai.api_server", "trainer/serving/command.py"),
    Name("trl:GRPOTrainer._metrics", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._prepare_inputs", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._send_telemetry", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._step", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._tokenize_prompts", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._tokenizer", "trainer/loops/rollout_trainer.py"),
    Name("trl:GRPOTrainer._tokenizer", "trainer/loops/rollouts.py"),
    Name("trl:SFTTrainer._metrics", "trainer/algorithms/sft.py"),
    Name("trl:SFTTrainer._send_telemetry", "trainer/algorithms/sft.py"),
    Name("trl:SFTTrainer._tokenizer", "trainer/algorithms/sft.py"),
    Name("trl.generation.vllm_generation:VLLMGeneration", "trainer/loops/weights.py"),
    Name("trl.generation.vllm_generation:VLLMGeneration._init_vllm", "trainer/loops/weights.py"),
    Name(
        "trl.generation.vllm_generation:VLLMGeneration._iter_named_params",
        "trainer/loops/weights.py",
    ),
    Name("trl.generation.vllm_generation:empty_cache", "trainer/loops/rollouts_vllm.py"),
    Name("trl.models.utils:unwrap_model_for_generation", "trainer/loops/trl_names.py"),
    Name("trl.trainer.utils:RepeatSampler", "trainer/loops/trl_names.py"),
    Name("vllm.config.reasoning:ReasoningConfig", "harness/backends/vllm_engine.py"),
    Name("vllm:LLMEngine.collective_rpc", "harness/backends/vllm_stats.py"),
    Name("vllm:LLMEngine.engine_core", "harness/backends/vllm.py"),
    Name("vllm:LLMEngine.logger_manager", "harness/backends/vllm_stats.py"),
    Name("vllm:LLMEngine.model_config", "harness/backends/vllm.py"),
    Name("vllm:LLMEngine.sleep", "trainer/loops/rollouts_vllm.py"),
    Name("vllm:LLMEngine.wake_up", "trainer/loops/rollouts_vllm.py"),
    Name("vllm:LLMEngine.model_executor", "trainer/loops/rollouts_vllm.py"),
    Name("vllm:LLMEngine.renderer", "harness/backends/vllm.py"),
    Name("vllm:LLMEngine.reset_encoder_cache", "trainer/loops/rollouts_vllm.py"),
    Name("vllm:LLMEngine.reset_prefix_cache", "trainer/loops/rollouts_vllm.py"),
    Name("vllm.lora.request:LoRARequest", "harness/backends/lora.py"),
    Name(
        "vllm.model_executor.layers.quantization:QUANTIZATION_METHODS",
        "harness/backends/vllm_arguments.py",
    ),
    Name("vllm.platforms:current_platform", "harness/backends/vllm_engine.py"),
    Name("vllm.platforms:current_platform", "trainer/loops/rollouts_vllm.py"),
    Name("vllm.platforms:current_platform", "trainer/serving/command.py"),
    Name("vllm.renderers.base:BaseRenderer.mm_processor_cache", "harness/backends/vllm.py"),
    Name("vllm.renderers.base:BaseRenderer.render_cmpl", "harness/backends/vllm.py"),
    Name("vllm.renderers.base:BaseRenderer.shutdown", "harness/backends/vllm.py"),
    Name("vllm.sampling_params:RequestOutputKind", "harness/backends/vllm.py"),
    Name("vllm.sampling_params:RequestOutputKind", "trainer/loops/rollouts_vllm.py"),
    Name("vllm.utils.argparse_utils:FlexibleArgumentParser", "harness/backends/vllm_arguments.py"),
    Name(
        "vllm.v1.executor.uniproc_executor:UniProcExecutor.driver_worker",
        "trainer/loops/rollouts_vllm.py",
    ),
    Name(
        "vllm.v1.metrics.loggers:StatLoggerManager.stat_loggers", "harness/backends/vllm_stats.py"
    ),
    Name(
        "vllm.v1.metrics.stats:IterationStats.prompt_token_stats", "harness/backends/vllm_stats.py"
    ),
    Name("vllm.v1.metrics.stats:PromptTokenStats.cached_tokens", "harness/backends/vllm_stats.py"),
    Name(
        "vllm.v1.metrics.stats:SchedulerIterationDetails.num_ctx_tokens",
        "harness/backends/vllm_stats.py",
    ),
    Name(
        "vllm.v1.metrics.stats:SchedulerIterationDetails.num_encoder_inputs",
        "harness/backends/vllm_stats.py",
    ),
    Name(
        "vllm.v1.metrics.stats:SchedulerStats.iteration_details", "harness/backends/vllm_stats.py"
    ),
    Name(
        "vllm.v1.metrics.stats:SchedulerStats.num_skipped_waiting_reqs",
        "harness/backends/vllm_stats.py",
    ),
    Name("vllm.v1.metrics.stats:SchedulerStats.num_waiting_reqs", "harness/backends/vllm_stats.py"),
    Name(
        "vllm.v1.worker.gpu_worker:Worker.get_encoder_timing_stats",
        "harness/backends/vllm_stats.py",
    ),
    Name(
        "vllm.v1.worker.gpu_model_runner:GPUModelRunner.reload_weights",
        "trainer/loops/rollouts_vllm.py",
    ),
]
LIBRARIES = ("huggingface_hub", "lmms_eval", "ray", "transformers", "trl", "vllm")
PYTHON = {"_actions", "_exit", "_run_exitfuncs"}
"""Private names of Python's own library, which has kept them for long."""


@pytest.mark.engine
@pytest.mark.filterwarnings("default")  # third-party imports warn
@pytest.mark.parametrize("name", TABLE, ids=lambda name: f"{name.path} in {name.used_in}")
def test_the_name_is_still_there(name: Name) -> None:
    """The installed version of the library has it; else the module named here has to follow."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    module, _, attributes = name.path.partition(":")
    if module.startswith("ray"):
        pytest.importorskip("ray", reason="Ray is not installed")
    if module.startswith("lmms_eval"):
        pytest.importorskip("lmms_eval", reason="lmms-eval is not installed")
    found: object = import_module(module)
    for attribute in filter(None, attributes.split(".")):
        if not hasattr(found, attribute):
            assert _sets_in_instances(found, attribute), f"{name.path} is gone: {name.used_in}"
            return
        found = getattr(found, attribute)


def _sets_in_instances(cls: object, attribute: str) -> bool:
    """Return whether a class declares an attribute, or assigns it to ``self`` somewhere."""
    assert inspect.isclass(cls), f"{cls} has no {attribute}"
    assigned = re.compile(rf"self\.{attribute}\b[^=\n]*=|^\s+{attribute}:", re.MULTILINE)
    return any(
        assigned.search(inspect.getsource(base))
        for base in cls.__mro__
        if base.__module__.partition(".")[0] in LIBRARIES
    )


@dataclass(frozen=True)
class Class:
    """What one class of ours names itself."""

    bases: tuple[str, ...]
    own: frozenset[str]


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("harness", "tasks", "trainer"):
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def _classes() -> dict[str, list[Class]]:
    """Map names to our classes of that name."""
    found: dict[str, list[Class]] = {}
    for _, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own = {each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef)}
                own |= {
                    each.attr if isinstance(each, ast.Attribute) else each.id
                    for each in ast.walk(node)
                    if isinstance(each, (ast.Attribute, ast.Name))
                    and isinstance(each.ctx, ast.Store)
                }
                bases = tuple(ast.unparse(base).partition("[")[0] for base in node.bases)
                found.setdefault(node.name, []).append(Class(bases, frozenset(own)))
    return found


def _is_own(name: str, cls: str, classes: dict[str, list[Class]]) -> bool:
    """Return whether a class of ours, or one it derives from, gives itself a name."""
    return any(
        name in known.own or any(_is_own(name, base, classes) for base in known.bases)
        for known in classes.get(cls, ())
    )


def _uses(tree: ast.Module, classes: dict[str, list[Class]]) -> Iterator[str]:
    """Yield the private names of libraries that a module uses, as far as its text tells."""
    inside = {
        node: cls.name
        for cls in ast.walk(tree)
        if isinstance(cls, ast.ClassDef)
        for node in ast.walk(cls)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            library, _, below = node.module.partition(".")
            if library in LIBRARIES and below:
                yield from (f"{node.module}:{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(rf"({'|'.join(LIBRARIES)})(\.\w+)+", node.value):
                yield node.value
        elif isinstance(node, ast.Attribute) and re.match(r"_[^_]", node.attr):
            owner = node.value.id if isinstance(node.value, ast.Name) else None
            if owner not in ("self", "cls") or not _is_own(node.attr, inside[node], classes):
                yield f".{node.attr}"


def test_no_other_private_name_of_a_library_is_used() -> None:
    """A module reaches into a library only where the table says so."""
    classes = _classes()
    unlisted = []
    for module, tree in _modules():
        listed = [name.path for name in TABLE if name.used_in == module]
        attributes = {f".{re.split('[.:]', path)[-1]}" for path in listed}
        for use in _uses(tree, classes):
            known = use in listed or use in attributes or use[1:] in PYTHON
            if not known:
                unlisted.append(f"{module}: {use}")
    assert not unlisted


def test_no_row_of_the_table_is_left_over() -> None:
    """Every module that a row names still has the name in its text."""
    for name in TABLE:
        word = re.split("[.:]", name.path)[-1]
        assert word in Path(ROOT / name.used_in).read_text(encoding="utf-8"), name
