"""What vLLM gets of the engine settings, and which arguments are refused before it starts."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

pytest.importorskip("vllm", reason="needs the heavy environment: vllm is not installed")

from harness.backends import chat
from harness.backends.engine_config import EngineConfig
from harness.backends.select import _vllm_config, resolve_engine
from harness.backends.vllm_arguments import check_quantization, parse_arguments
from harness.backends.vllm_engine import engine_arguments
from harness.errors import UsageError

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("kv_cache_dtype", "fp8", "fp8"),
        ("--kv-cache-dtype", "fp8_e4m3", "fp8_e4m3"),
        ("max-num-batched-tokens", "4096", 4096),
        ("max_num_batched_tokens", 4096, 4096),
        ("enforce_eager", "true", True),
        ("enforce_eager", "False", False),
        ("enforce_eager", False, False),
        ("cpu_offload_gb", "1.5", 1.5),
        ("hf_overrides", '{"rope_theta": 5}', {"rope_theta": 5}),
        ("hf_overrides", {"rope_theta": 5}, {"rope_theta": 5}),
        ("cudagraph_capture_sizes", "1,2, 4", [1, 2, 4]),
        ("cudagraph_capture_sizes", [1, 2], [1, 2]),
        ("download_dir", "a=b c", "a=b c"),
    ],
)
def test_values_have_the_types_of_their_fields(name, text, value):
    """Texts of flags and values of TOML files alike."""
    [found] = parse_arguments({name: text}).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kv_cache_dtyp", "fp8", "no engine argument of this name; did you mean kv_cache_dtype?"),
        ("qqqq", "1", "no engine argument of this name$"),
        ("kv_cache_dtype", "fp9", "kv_cache_dtype: invalid choice: 'fp9'"),
        ("max_num_batched_tokens", "many", "max_num_batched_tokens: .*'?many"),
        ("enforce_eager", "perhaps", "enforce_eager: expected true or false, got 'perhaps'"),
        ("hf_overrides", "{bad", "hf_overrides: expected a JSON object, got '.bad'"),
        ("cudagraph_capture_sizes", "1,x", "cudagraph_capture_sizes: .*'x'"),
        ("model", "other", "the checkpoint is the command's first argument"),
        ("tokenizer", "other", "the checkpoint's own files decide it"),
        ("limit-mm-per-prompt", '{"video": 1}', "the frames of the protocol"),
        ("mm_processor_kwargs", "{}", "the frames of the protocol"),
        ("tensor_parallel_size", "2", "it has a flag of its own, --tensor-parallel"),
        ("dtype", "float16", "it has a flag of its own, --dtype"),
        ("data_parallel_size", "2", "an evaluation drives one engine"),
        ("seed", "3", "the protocol says how text is generated"),
        ("enable_lora", "true", "name an adapter folder"),
        ("disable_log_stats", "true", "the timing of the run"),
        ("reasoning-parser", "qwen3", "--reasoning and --thinking-budget decide it"),
        ("language_model_only", "true", "only text generation about videos"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_with_the_reason(name, value, message):
    """The nearest name, what vLLM says of the value, or why it is not the user's to set."""
    with pytest.raises(UsageError, match=f"^--engine-arg .*{message}"):
        parse_arguments({name: value})


def test_an_argument_is_given_once():
    """Two spellings are one argument."""
    with pytest.raises(UsageError, match="it is given twice"):
        parse_arguments({"enforce-eager": "true", "enforce_eager": "false"})


def test_an_unknown_quantization_is_answered_with_the_nearest():
    """vLLM's own list is asked."""
    check_quantization("fp8")
    with pytest.raises(UsageError, match=r"fp88: .*; did you mean fp8\?; it has: .*awq"):
        check_quantization("fp88")


def test_every_setting_reaches_vllm(checkpoint_of):
    """By the names of its own arguments; further ones replace what is set here."""
    checkpoint = checkpoint_of("qwen2_5_vl")
    config = EngineConfig(
        dtype="bfloat16",
        quantization="fp8",
        tensor_parallel=2,
        gpu_memory_utilization=0.5,
        max_num_seqs=8,
        max_model_len=1024,
    )
    further = parse_arguments({"kv_cache_dtype": "fp8", "enable_prefix_caching": "false"})
    arguments = engine_arguments(
        checkpoint, _vllm_config(config, further, None, ()), chat.load_processor(checkpoint)
    )
    expected = {
        "dtype": "bfloat16",
        "quantization": "fp8",
        "tensor_parallel_size": 2,
        "gpu_memory_utilization": 0.5,
        "max_num_seqs": 8,
        "max_model_len": 1024,
        "kv_cache_dtype": "fp8",
        "enable_prefix_caching": False,
    }
    assert {name: arguments[name] for name in expected} == expected


def test_arguments_of_memory_are_recorded_and_not_compared(checkpoint_of):
    """Equal values are equal however they are written."""
    path = str(checkpoint_of("qwen2_5_vl").path)

    def resolved(**arguments):
        return resolve_engine(path, EngineConfig(backend="vllm", engine_arg=arguments))

    engine = resolved(**{"kv-cache-dtype": "fp8", "max_num_batched_tokens": "2k"})
    assert engine.settings["engine_arg"] == {
        "kv_cache_dtype": "fp8",
        "max_num_batched_tokens": 2000,
    }
    assert engine.numeric == {"engine_arg": {"kv_cache_dtype": "fp8"}}
    assert resolved(kv_cache_dtype="fp8").numeric == engine.numeric
    assert resolved(max_num_batched_tokens=4096).numeric == {}


@pytest.mark.slow
def test_a_model_is_split_over_two_ranks(checkpoint_of, demo_data, tmp_path):
    """``--tensor-parallel 2`` runs two workers, on a CPU one per core, with the same answers.

    Greedy ones: vLLM 0.32 cannot take back the seeds of a prompt that it reads in parts on a CPU.
    """
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    cores = sorted(os.sched_getaffinity(0))[:2]
    texts = []
    for ranks in (1, 2):
        out = tmp_path / f"tp{ranks}"
        run = subprocess.run(
            [
                sys.executable, "-m", "harness", "eval", str(checkpoint_of("qwen2_5_vl").path),
                "--backend", "vllm", "--tasks", "vsibench", "--data", str(demo_data),
                "--protocol", "official", "--limit", "4", "--max-frames", "4",
                "--max-pixels", "18816",
                "--max-model-len", "2048", "--workers", "1", "--out", str(out),
                "--engine-arg", "enable_prefix_caching=false",
                *(["--tensor-parallel", "2"] if ranks == 2 else []),
            ],
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}
            | ({"VLLM_CPU_OMP_THREADS_BIND": "|".join(map(str, cores))} if ranks == 2 else {}),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr[-2000:]
        records = (out / "records-0.jsonl").read_text()
        texts.append(sorted(re.findall(r'"id": "[^"]*"|"text": "[^"]*"', records)))
    assert texts[0] == texts[1]
