"""Turn whatever a command raises into an exit code and one line.

Errors raised on purpose carry their own message. A full disk, a missing permission or a full
GPU memory is for the user to solve. All else is a fault of the program: its traceback goes to a
file, because exit code 1, which Python gives it, means a regression here.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from harness.cli.exits import CommandResult, Exit
from harness.errors import HarnessError, SeveralFaultsError, UsageError
from harness.server.endpoint import hide_password
from harness.text.shown import one_line

DEBUG = "VIDEOR1_DEBUG"
"""Environment variable; set to anything, the traceback is printed as well."""

_FIXABLE = frozenset({
    errno.EACCES, errno.EBUSY, errno.ECONNREFUSED, errno.ECONNRESET, errno.EDQUOT, errno.EEXIST,
    errno.EFBIG, errno.EHOSTUNREACH, errno.EIO, errno.EISDIR, errno.ELOOP, errno.EMFILE,
    errno.ENAMETOOLONG, errno.ENETUNREACH, errno.ENFILE, errno.ENOENT, errno.ENOLCK, errno.ENOSPC,
    errno.ENOTDIR, errno.ENOTEMPTY, errno.EPERM, errno.EROFS, errno.ESTALE, errno.ETIMEDOUT,
})  # fmt: skip
"""Errors of the operating system that are solved outside of this program."""
_MISNAMED = frozenset({errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR})
"""Errors of a path that cannot be what it was named for; nothing has to be solved but the name."""
_DISK_TEXTS = ("No space left on device", "File too large", "Disk quota exceeded")
"""How libraries written in Rust and C++ report a full disk; they raise no OSError."""
_MEMORY_TEXTS = ("CUDA out of memory", "can't allocate memory", "HIP out of memory")
"""How torch's allocators report that memory is full."""
_RETRY = "solve that and run the same command again"


def result_of(error: BaseException) -> CommandResult:
    """Return the exit code and the reason for an exception that no command caught."""
    if isinstance(error, SeveralFaultsError):
        _print_lines(error.faults if len(error.faults) > 1 else ())
        return CommandResult(Exit.USAGE, error.summary)
    if isinstance(error, UsageError):
        return CommandResult(Exit.USAGE, str(error))
    if isinstance(error, HarnessError):
        return CommandResult(Exit.INCOMPLETE, str(error))
    if isinstance(error, KeyboardInterrupt):
        return CommandResult(Exit.INTERRUPTED, "interrupted; run the same command again to resume")
    if isinstance(error, OSError) and error.errno in _MISNAMED:
        _print_if_debugging(error)
        return CommandResult(Exit.USAGE, f"{_describe_os_error(error)}; name another path")
    reason = _find_outside_cause(error)
    if reason is not None:
        _print_if_debugging(error)
        return CommandResult(Exit.INCOMPLETE, f"{reason}; {_RETRY}")
    return CommandResult(Exit.FAULT, _report_fault(error))


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stderr.write(f"{one_line(line)}\n")


def _find_outside_cause(error: BaseException) -> str | None:
    """Return what the machine lacks (disk, permission, memory), None where it is something else."""
    for one in _with_causes(error):
        if isinstance(one, OSError) and one.errno in _FIXABLE:
            return _describe_os_error(one)
        if isinstance(one, MemoryError):
            return None
        text = str(one)
        if _is_torch_out_of_memory(one) or any(known in text for known in _MEMORY_TEXTS):
            return f"out of memory: {_first_line(text)}"
        if any(known in text for known in _DISK_TEXTS):
            return _first_line(text)
    return None


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it was raised from."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


def _describe_os_error(error: OSError) -> str:
    reason = error.strerror or str(error)
    paths = [str(path) for path in (error.filename, error.filename2) if path is not None]
    return f"{' -> '.join(paths)}: {reason}" if paths else reason


def _is_torch_out_of_memory(error: BaseException) -> bool:
    """Return whether torch ran out of GPU memory, without importing torch."""
    kind = getattr(sys.modules.get("torch"), "OutOfMemoryError", None)
    return isinstance(kind, type) and isinstance(error, kind)


def _report_fault(error: BaseException) -> str:
    """Write the traceback to a file; return the sentence that names the error and the file."""
    _print_if_debugging(error)
    summary = f"unexpected {_describe(error)}"
    try:
        path = _write_traceback(error)
    except OSError as failure:
        return (
            f"{summary}; the traceback could not be written ({_describe_os_error(failure)}):"
            f" set {DEBUG}=1 to print it"
        )
    return f"{summary}; please report it with the traceback in {path}"


def _write_traceback(error: BaseException) -> Path:
    with NamedTemporaryFile(
        "w", prefix="videor1-traceback-", suffix=".txt", delete=False, encoding="utf-8",
        errors="backslashreplace",
    ) as file:  # fmt: skip
        file.write(f"command: {hide_password(' '.join(sys.argv))}\npython: {sys.version}\n\n")
        file.writelines(traceback.format_exception(error))
    return Path(file.name)


def _print_if_debugging(error: BaseException) -> None:
    if os.environ.get(DEBUG):
        traceback.print_exception(error)


def _describe(error: BaseException) -> str:
    text = _first_line(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _first_line(text: str) -> str:
    """Return the first line of a message, cut at 300 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 300 else f"{line[:300]}..."
