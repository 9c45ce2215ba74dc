"""Command line flags: generated from settings classes, and a few that several commands share."""

from __future__ import annotations

import json
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UsageError
from harness.run.config import DEFAULT_DATA, FailureBudget, JudgeConfig
from harness.run.options import Option, differing_options, options_of, with_options
from harness.scoring.reasoning.marks import IN_TEXT, parse_rule
from harness.task.suites import expand_suites

Settings = TypeVar("Settings")


def add_option_flags(
    parser: ArgumentParser,
    settings: type,
    *,
    only: Collection[str] | None = None,
    title: str = "evaluation",
) -> None:
    """Declare one flag per option of a settings class, in one argument group per settings group.

    Args:
        parser: Where the flags are declared.
        settings: The settings class.
        only: Names of the options that the command has; None: all.
        title: Heading of the options that belong to no group.
    """
    titles = {"": title, "decode": "decoding"}
    groups: dict[str, Any] = {}
    for option in options_of(settings):
        if only is not None and option.name not in only:
            continue
        heading = option.title or titles.get(option.group, option.group)
        if heading not in groups:
            groups[heading] = parser.add_argument_group(heading)
        _add_flag(groups[heading], option)


def read_option_flags(args: Namespace, settings: Settings) -> Settings:
    """Return the settings with the flags of the command line applied; others stay as they are.

    Raises:
        UsageError: A value out of bounds, named with its option.
    """
    known = {option.name for option in options_of(type(settings))}
    given = {name: value for name, value in vars(args).items() if name in known}
    return with_options(settings, given)


def flags_of(settings: object) -> list[str]:
    """Return the flags that make a command use these settings; defaults are left out."""
    words = []
    for name, value in differing_options(settings).items():
        flag = _flag_name(name)
        if value is True:
            words.append(flag)
        elif isinstance(value, tuple):
            words += [flag, ",".join(map(str, value))]
        elif isinstance(value, Mapping):
            for key, inner in value.items():
                words += [flag, f"{key}={json.dumps(inner)}"]
        elif value is not None:
            words += [flag, str(value)]
    return words


def add_data_flag(parser: ArgumentParser) -> None:
    """Declare ``--data``, the folder that holds one folder per benchmark."""
    parser.add_argument(
        "--data",
        type=Path,
        default=DEFAULT_DATA,
        metavar="DIR",
        help=f"folder that holds one folder per benchmark (default: {DEFAULT_DATA})",
    )


def add_judge_flags(parser: ArgumentParser) -> None:
    """Declare ``--judge-url`` and ``--judge-model``; without them no network is used."""
    parser.add_argument(
        "--judge-url",
        metavar="URL",
        help="OpenAI-compatible server that rates what official rules cannot read (TempCompass)",
    )
    parser.add_argument("--judge-model", metavar="NAME", help="model name at --judge-url")


def judge_config(args: Namespace) -> JudgeConfig | None:
    """Return the judge that the two flags name, None without them."""
    if (args.judge_url is None) != (args.judge_model is None):
        raise UsageError("--judge-url and --judge-model go together")
    return JudgeConfig(url=args.judge_url, model=args.judge_model) if args.judge_url else None


def add_reasoning_flag(parser: ArgumentParser) -> None:
    """Declare ``--reasoning``, the rule by which thoughts are split off stored texts."""
    parser.add_argument(
        "--reasoning",
        type=reasoning_rule,
        default=IN_TEXT,
        metavar="auto|in-text|TAG",
        help="how thoughts are split off texts that hold them: by all known marks, not at all, or"
        f" by a pair of marks such as think (default: {IN_TEXT})",
    )


def reasoning_rule(text: str) -> str:
    """Read the name of a rule for thoughts, or a pair of marks."""
    try:
        parse_rule(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def add_failures_flag(parser: ArgumentParser, *, of: str = "items") -> None:
    """Declare ``--max-failures``."""
    parser.add_argument(
        "--max-failures",
        type=failure_budget,
        default=FailureBudget(),
        metavar="N|P%",
        help=f"failed {of} accepted (default: 0)",
    )


def failure_budget(text: str) -> FailureBudget:
    """Read ``12`` or ``1.5%``."""
    try:
        return FailureBudget.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def task_list(text: str) -> tuple[str, ...]:
    """Read ``a,b:config,c`` as task selections, with the tasks of suites in their place."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise ArgumentTypeError(f"expected names separated by commas, got {text!r}")
    return expand_suites(names)


def count(text: str) -> int:
    """Read a whole number from 1 to a million."""
    if not text.isdecimal() or len(text) > 7 or not 1 <= int(text) <= 10**6:
        raise ArgumentTypeError(f"expected a whole number from 1 to 1000000, got {text!r:.40}")
    return int(text)


def _add_flag(group: Any, option: Option) -> None:
    flag, text = _flag_name(option.name), _help_text(option)
    if option.kind is bool:
        group.add_argument(flag, action="store_true", default=SUPPRESS, help=text)
        return
    group.add_argument(
        flag,
        action="append" if option.kind is dict else "store",
        type=str if option.choices else _parser_of(option),
        choices=option.choices,
        default=SUPPRESS,
        metavar=option.metavar or ("NAME=VALUE" if option.kind is dict else None),
        help=text,
    )


def _parser_of(option: Option) -> Any:
    def parse(text: str) -> Any:
        try:
            return option.parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parse


def _help_text(option: Option) -> str:
    """Return the field's docstring as a help text, with the default where it says none."""
    first, _, rest = option.help.rstrip(".").partition(" ")
    text = f"{first.lower() if first.istitle() else first} {rest}"
    text = text.replace("%", "%%")
    if option.default in (None, False, {}) or "(default" in text:
        return text
    shown = ",".join(option.default) if isinstance(option.default, tuple) else option.default
    return f"{text} (default: {shown})"


def _flag_name(name: str) -> str:
    return "--" + name.replace("_", "-")
