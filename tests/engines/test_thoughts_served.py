"""A vLLM server with and without a reasoning parser: the same thoughts, the same answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from asking import ask
from serving import serve
from test_thoughts import FORMS, GRID, check, questions

from harness.backends.openai import OpenAIBackend
from harness.backends.served_thoughts import check_served_switches
from harness.errors import UsageError
from harness.models.server import served
from harness.run.thoughts import split_thought
from harness.schema import Completion
from harness.thoughts import ThoughtEnd
from tests import templates

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
BOUNDED = ["--reasoning-config",
           '{"reasoning_start_str": "<think>", "reasoning_end_str": "</think>"}']  # fmt: skip
SERVERS = {
    "no parser": ("qwen2_5_vl", "thinks", BOUNDED),
    "parser": ("qwen2_5_vl", "thinks", ["--reasoning-parser", "qwen3"]),
    "parser, other family": ("qwen3_vl", "plain", ["--reasoning-parser", "deepseek_r1"]),
}


@pytest.fixture(scope="module", params=SERVERS)
def server(request, small_cpu_cache, tmp_path_factory) -> Iterator[tuple[str, str, str]]:
    """Serve a checkpoint whose template has all four forms; give URL, architecture and kind."""
    import thinkers

    architecture, kind, flags = SERVERS[request.param]
    folder = tmp_path_factory.mktemp("served")
    chain = thinkers.THINKS if kind == "thinks" else thinkers.PLAIN
    template = templates.chosen_by_variable(FORMS)
    checkpoint = thinkers.build(folder / "model", architecture, chain, template)
    with serve(checkpoint.path, folder / "log.txt", flags) as url:
        yield url, architecture, kind


def test_all_forms_are_split_as_by_the_local_engines(server):
    """Whatever the server's parser makes of a reply, its tokens say what the model wrote."""
    url, architecture, kind = server
    backend = OpenAIBackend(served(url))
    for form in FORMS:
        asked = questions(GRID[architecture], template_args={"form": form})
        check(ask(backend, asked), form, kind)
    backend.close()


def test_a_switch_that_changes_nothing_is_refused(server):
    """The server renders the chat, so that a misspelt variable is found before the run."""
    url, *_ = server
    check_served_switches(served(url), {"form": "closed"})
    with pytest.raises(UsageError, match="renders the same prompt"):
        check_served_switches(served(url), {"forms": "closed"})


def test_a_thought_is_bounded_by_the_server(server):
    """``thinking_token_budget``: two tokens of thought, then the forced end and the answer."""
    url, architecture, kind = server
    if kind != "thinks":
        pytest.skip("this checkpoint does not think")
    backend = OpenAIBackend(served(url))
    asked = replace(
        questions(GRID[architecture], template_args={"form": "free"})[0], thinking_budget=2
    )
    answer = ask(backend, [asked])["blind"]
    backend.close()
    assert isinstance(answer, Completion), answer
    found = split_thought(answer, "auto")
    assert (found.text, found.thought_end) == ("B", ThoughtEnd.CLOSED)
