"""Check statically whether a scoring function uses the network.

A function is followed into every function of its own module and of lmms-eval that it mentions. If
one of them mentions an HTTP or model client, the scores come from an LLM judge, even if few
responses are ever sent to it: they depend on a service, wait for it offline, and some become 0.

Tasks whose rules read most responses without the judge are refused, too. Many of them ask it during
aggregation (MMBench), where no item can be left out, and a mean over the other items is not the
task's score. TempCompass, whose rules are complete without a judge, is one of our benchmarks.
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
    """Return the first network client that the functions lead to, None if there is none."""
    waiting = [
        _FunctionToCheck(_unwrap(function)) for function in functions if function is not None
    ]
    seen: set[int] = set()
    while waiting:
        step = waiting.pop()
        if not isinstance(step.function, FunctionType) or id(step.function) in seen:
            continue
        seen.add(id(step.function))
        for value in step.mentioned_values():
            client = _client_of(value)
            if client:
                return client
            waiting += step.followed_from(value)
    return None


@dataclass(frozen=True, slots=True)
class _FunctionToCheck:
    """A function to check, with the class whose method it is."""

    function: Any
    owner: type | None = None

    def mentioned_values(self) -> Iterator[Any]:
        """Yield the objects that the code's names refer to; the name itself if it is not global."""
        for name in self._names():
            value = self.function.__globals__.get(name, name)
            yield getattr(self.owner, name, name) if value is name and self.owner else value

    def followed_from(self, value: Any) -> list[_FunctionToCheck]:
        """Return the functions to follow: the value, or the mentioned methods of its class."""
        value = _unwrap(value)
        owner = value if inspect.isclass(value) else type(value)
        if isinstance(value, FunctionType):
            return [_FunctionToCheck(value, self.owner)] if self._follows(value) else []
        if not self._follows(owner):
            return []
        names = {*self._names(), "__init__", "__call__"}
        return [
            _FunctionToCheck(_unwrap(vars(owner)[name]), owner)
            for name in names & vars(owner).keys()
        ]

    def _names(self) -> Iterator[str]:
        return _names_in(self.function.__code__)

    def _follows(self, target: Any) -> bool:
        """Return whether a target is of the function's own module or of lmms-eval."""
        module = str(target.__module__)
        return module == self.function.__module__ or module.startswith("lmms_eval")


def _unwrap(value: Any) -> Any:
    """Return the function inside partial arguments and decorators."""
    while isinstance(value, functools.partial):
        value = value.func
    return inspect.unwrap(value) if isinstance(value, FunctionType) else value


def _names_in(code: CodeType) -> Iterator[str]:
    """Yield every name in a function's code, including nested functions."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _client_of(value: Any) -> str | None:
    if isinstance(value, str | ModuleType):
        origin: Any = value if isinstance(value, str) else value.__name__
    else:
        origin = getattr(value, "__module__", None) or type(value).__module__
    return origin if isinstance(origin, str) and _is_client(origin) else None


def _is_client(name: str) -> bool:
    return any(name == client or name.startswith(f"{client}.") for client in _CLIENTS)
