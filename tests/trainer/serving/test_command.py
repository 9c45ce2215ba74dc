"""The command that serves a checkpoint to trainings."""

from __future__ import annotations

from importlib import import_module

import pytest

from harness.backends import chat
from harness.cli.exits import Exit
from harness.models.checkpoint import full_checkpoint
from tests.trainer.commands import run
from trainer.cli.train import TrainCommand
from trainer.serving.command import EXTENSION, ServeConfig, server_command
from trainer.serving.worker import WeightsFromFolder


def test_a_port_that_is_none_is_refused(tmp_path):
    """Before anything is started."""
    result = run(TrainCommand(), "serve", tmp_path, "--port", "70000")
    assert result.code is Exit.USAGE
    assert "port" in result.reason
    assert "70000" in result.reason


def test_the_class_that_workers_get_is_the_one_that_loads_weights():
    """vLLM imports it by its name."""
    module, _, name = EXTENSION.rpartition(".")
    assert getattr(import_module(module), name) is WeightsFromFolder


def test_a_folder_without_weights_leaves_the_model_alone(tmp_path):
    """vLLM would take the model apart before it looks for the files."""
    worker = WeightsFromFolder()
    worker.reload_weights = lambda weights_path: pytest.fail("the model was touched")
    assert str(tmp_path / "none") in worker.load_trained_weights(str(tmp_path / "none"))["error"]


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_vllm_takes_the_flags(untrained):
    """Frames are left as they are, their times are trusted, and what follows -- comes last."""
    parsers = pytest.importorskip("vllm.entrypoints.launchers.cli_args", reason="no vllm")
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    checkpoint = full_checkpoint(str(untrained))
    command = server_command(
        checkpoint,
        ServeConfig(port=8123, max_model_len=2048, tensor_parallel=2),
        chat.load_processor(checkpoint),
        ["--tensor-parallel-size", "4"],
    )
    assert command.environment["VLLM_SERVER_DEV_MODE"] == "1"
    args = parsers.make_arg_parser(FlexibleArgumentParser()).parse_args(command.arguments[3:])
    assert (args.model, args.port, args.max_model_len) == (str(untrained), 8123, 2048)
    assert args.worker_extension_cls == EXTENSION
    assert args.trust_request_mm_kwargs
    assert args.mm_processor_kwargs["videos_kwargs"]["do_resize"] is False
    assert args.tensor_parallel_size == 4
