"""Does a scoring function reach the network? Found out by reading what it calls, before a run.

A function is followed into every function of its own and of lmms-eval's modules that it names. It
is judged by a model when that leads to an HTTP or model client, whether or not a reply would ever
be handed to it: such scores depend on a service, wait for it offline, and some are silently 0.

Tasks whose rules read most replies without their judge are refused all the same. Many ask it while
they aggregate (MMBench), where no item could be left out, and a mean over the other items is not
the task's number. TempCompass, whose rules do stand alone, is a task of ours.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

_CLIENTS = (
    "requests", "openai", "httpx", "aiohttp", "anthropic", "dashscope", "google.genai",
    "google.generativeai", "lmms_eval.llm_judge",
)  # fmt: skip


def network_client(functions: Iterable[Callable[..., Any] | None]) -> str | None:
    """Return the client that any of the functions leads to, None where all are local."""
    waiting = [_Step(_plain(function)) for function in functions if function is not None]
    seen: set[int] = set()
    while waiting:
        step = waiting.pop()
        if not isinstance(step.function, FunctionType) or id(step.function) in seen:
            continue
        seen.add(id(step.function))
        for value in step.mentioned():
            client = _client(value)
            if client:
                return client
            waiting += step.into(value)
    return None


@dataclass(frozen=True, slots=True)
class _Step:
    """A function on the way, with the class whose method it is."""

    function: Any
    owner: type | None = None

    def mentioned(self) -> Iterator[Any]:
        """Yield what the names in the code stand for; a name itself where it is imported inside."""
        for name in self._names():
            value = self.function.__globals__.get(name, name)
            yield getattr(self.owner, name, name) if value is name and self.owner else value

    def into(self, value: Any) -> list[_Step]:
        """Return the functions to follow: the value, or the methods of it that are mentioned."""
        value = _plain(value)
        owner = value if inspect.isclass(value) else type(value)
        if isinstance(value, FunctionType):
            return [_Step(value, self.owner)] if self._follows(value) else []
        if not self._follows(owner):
            return []
        names = {*self._names(), "__init__", "__call__"}
        return [_Step(_plain(vars(owner)[name]), owner) for name in names & vars(owner).keys()]

    def _names(self) -> Iterator[str]:
        return _names(self.function.__code__)

    def _follows(self, target: Any) -> bool:
        """Follow into the function's own module and into lmms-eval, not into libraries."""
        module = str(target.__module__)
        return module == self.function.__module__ or module.startswith("lmms_eval")


def _plain(value: Any) -> Any:
    """Take partial arguments and decorators off."""
    while isinstance(value, functools.partial):
        value = value.func
    return inspect.unwrap(value) if isinstance(value, FunctionType) else value


def _names(code: CodeType) -> Iterator[str]:
    """Yield every name that a function's code mentions, nested functions included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _client(value: Any) -> str | None:
    if isinstance(value, str | ModuleType):
        origin: Any = value if isinstance(value, str) else value.__name__
    else:
        origin = getattr(value, "__module__", None) or type(value).__module__
    return origin if isinstance(origin, str) and _is_client(origin) else None


def _is_client(name: str) -> bool:
    return any(name == client or name.startswith(f"{client}.") for client in _CLIENTS)
