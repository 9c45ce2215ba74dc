"""``videor1 train serve``: serve a checkpoint to trainings that sample with ``vllm-server``."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace, _SubParsersAction

from harness.cli.exits import CommandResult, Exit
from harness.cli.flags import add_option_flags, read_option_flags
from trainer.serving.command import ServeConfig

_HELP = "serve a checkpoint with vLLM, to sample completions for a training on other GPUs"


def add_serve_action(actions: _SubParsersAction[ArgumentParser]) -> None:
    """Declare the action ``serve``."""
    serve = actions.add_parser("serve", help=_HELP, description=_HELP, allow_abbrev=False)
    serve.add_argument("checkpoint", metavar="CHECKPOINT", help="what training starts from")
    serve.add_argument(
        "vllm", nargs="*", metavar="-- FLAG", help="further flags of `vllm serve`, after --"
    )
    add_option_flags(serve, ServeConfig)
    serve.add_argument(
        "--dry-run", action="store_true", help="print the vLLM command and start nothing"
    )
    serve.set_defaults(action=_serve)


def _serve(args: Namespace) -> CommandResult:
    """Become vLLM's server; returns only with ``--dry-run``."""
    from harness.backends import chat
    from harness.models.checkpoint import full_checkpoint
    from harness.text.console import make_console
    from trainer.serving.command import server_command

    config = read_option_flags(args, ServeConfig())
    checkpoint = full_checkpoint(args.checkpoint)
    command = server_command(checkpoint, config, chat.load_processor(checkpoint), args.vllm)
    address = f"http://{config.host}:{config.port}"
    if args.dry_run:
        print(command)  # noqa: T201 - a line for a shell, which no console may wrap
        return CommandResult(Exit.OK, f"nothing was started; it would serve at {address}")
    make_console(stderr=True).print(f"serving {args.checkpoint} at {address}; Ctrl-C ends it")
    os.execve(command.arguments[0], command.arguments, {**command.environment, **os.environ})
