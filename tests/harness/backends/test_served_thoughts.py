"""Thoughts of served models: what servers send, and what their tokens give back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.backends.openai import OpenAIBackend, ServerConfig
from harness.backends.served_thoughts import check_served_switches
from harness.errors import UsageError
from harness.models.server import served
from harness.run.thoughts import split_thought
from harness.schema import Completion, Failure, Prompt, Request, Sampling
from harness.scoring.reasoning.template import Template
from harness.thoughts import ThoughtEnd
from tests import templates
from tests.stub_server import Stub, answer

END = 3
"""Token that ends a reply of the stub's model; its other tokens are characters."""


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    yield stub
    stub.close()


def render_with(stub: Stub, source: str) -> None:
    """Let the stub render chats with a template and turn tokens into text, as vLLM does."""

    def beside(path, body):
        if path == "/tokenize":
            text = Template(source).render(
                body["messages"],
                add_generation_prompt=body["add_generation_prompt"],
                variables=body.get("chat_template_kwargs"),
            )
            return 200, {"tokens": [ord(letter) for letter in text], "count": len(text)}
        pieces = ("<|im_end|>" if token == END else chr(token) for token in body["tokens"])
        return 200, {"prompt": "".join(pieces)}

    stub.beside = beside


def send(
    message: dict, finish: str = "stop", written: str | None = None, usage: dict | None = None
):
    """Return a reply with a message; `written` is what the model wrote, as tokens."""
    status, body = answer(None, finish)
    choice = body["choices"][0]
    choice["message"] = {"role": "assistant", **message}
    if written is not None:
        choice["token_ids"] = [ord(letter) for letter in written]
        choice["token_ids"] += [END] if finish == "stop" else []
    body["usage"] |= usage or {}
    return lambda text, asked: (status, body)


def ask(stub: Stub, reasoning: str = "auto", **changes: object) -> Completion | Failure:
    backend = OpenAIBackend(served(stub.url), changes.pop("options", None))
    request = Request(
        id="x", prompt=changes.pop("prompt", Prompt(text="Which?")), reasoning=reasoning,
        sampling=Sampling(temperature=0.0, max_tokens=64), **changes,
    )  # fmt: skip
    try:
        ((_, found),) = backend.generate([request])
    finally:
        backend.close()
    return split_thought(found, reasoning) if isinstance(found, Completion) else found


@pytest.mark.parametrize("rule", ["auto", "in-text", "think"])
@pytest.mark.parametrize(
    ("message", "finish", "end"),
    [
        ({"content": None, "reasoning": "It goes"}, "length", ThoughtEnd.NEVER),
        ({"content": "\n", "reasoning": "It goes"}, "length", ThoughtEnd.NEVER),
        ({"content": "", "reasoning_content": "It goes"}, "length", ThoughtEnd.NEVER),
        ({"content": None, "reasoning_details": [{"text": "It goes"}]}, "length", ThoughtEnd.NEVER),
        ({"content": None, "reasoning": "B"}, "stop", ThoughtEnd.KEPT),
    ],
)
def test_reasoning_without_content_is_no_failure(stub, rule, message, finish, end):
    """A thought cut at the limit is truncated; a reply kept whole is told as such."""
    stub.reply = send(message, finish)
    found = ask(stub, rule)
    assert isinstance(found, Completion)
    assert (found.text, found.thought_end) == ("", end)
    assert found.reasoning in ("It goes", "B")


@pytest.mark.parametrize(
    "message",
    [
        {"content": "B", "reasoning": "It goes right."},
        {"content": "B", "reasoning_content": "It goes right."},
        {"content": "B",
         "reasoning_details": [{"type": "reasoning.text", "text": "It goes right."}],
         "reasoning": "a summary"},
        {"content": [{"type": "thinking", "thinking": "It goes right."},
                     {"type": "text", "text": "B"}]},
        {"content": "<think>It goes right.</think>B"},
        {"content": "It goes right.</think>B"},
    ],
)  # fmt: skip
def test_every_field_of_a_thought_is_read(stub, message):
    """Also of servers that render nothing, and marks that a parser left in the content."""
    stub.reply = send(message, usage={"completion_tokens_details": {"reasoning_tokens": 4}})
    found = ask(stub)
    assert (found.text, found.reasoning) == ("B", "It goes right.")
    assert found.reasoning_tokens == 4


@pytest.mark.parametrize(
    ("source", "written", "message"),
    [
        (templates.NO_TAGS, "B", {"content": None, "reasoning": "B"}),
        (templates.FREE, "B", {"content": None, "reasoning": "B"}),
        (templates.CLOSED_BY_DEFAULT, "B", {"content": None, "reasoning": "B"}),
        (templates.OPENS, "A?</think>B", {"content": "B", "reasoning": "A?"}),
        (templates.OPENS, "A?</think>C</think>B", {"content": "CB", "reasoning": "A?"}),
        (templates.FREE, "<think>A?</think>B", {"content": "<think>A?</think>B"}),
        (templates.OPENS, "</think>B", {"content": "B"}),
        (templates.OPENS, "<think>A?</think>B", {"content": "B", "reasoning": "A?"}),
    ],
)
def test_tokens_give_back_what_a_parser_took_apart(stub, source, written, message):
    """A parser that does not fit, swallows a mark or runs with thinking off changes nothing."""
    render_with(stub, source)
    stub.reply = send(message, written=written)
    found = ask(stub)
    assert found.text == "B"
    assert found.thought_end is (ThoughtEnd.CLOSED if "</think>" in written else None)


@pytest.mark.parametrize(
    ("finish", "message"),
    [("length", {"content": "B"}), ("stop", {"content": "B"}), ("stop", {"reasoning": "B"})],
)
def test_a_bare_letter_is_a_thought_where_the_server_opened_one(stub, finish, message):
    """Content or reasoning, the template had written the opening mark."""
    render_with(stub, templates.OPENS)
    stub.reply = send({"content": None, **message}, finish, written="B")
    found = ask(stub)
    assert (found.text, found.reasoning, found.thought_end) == ("", "B", ThoughtEnd.NEVER)


def test_a_switch_decides_for_its_own_requests(stub):
    """``enable_thinking=true`` opens the thought of a template that closes it by default."""
    render_with(stub, templates.CLOSED_BY_DEFAULT)
    stub.reply = send({"content": "B"}, written="B")
    assert ask(stub).text == "B"
    thinking = Prompt(text="Which?", template_args={"enable_thinking": True})
    assert ask(stub, prompt=thinking).text == ""


def test_requests_ask_for_marks_switches_and_bounds(stub):
    """Special tokens stay, the template's variables and the budget are sent."""
    ask(stub, prompt=Prompt(text="x", template_args={"enable_thinking": False}), thinking_budget=9)
    (body,) = stub.bodies
    assert body["skip_special_tokens"] is False
    assert body["include_reasoning"] is True
    assert body["return_token_ids"] is True
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert body["thinking_token_budget"] == 9


def test_in_text_asks_for_nothing_new(stub):
    """Presets send what they have always sent."""
    ask(stub, "in-text")
    (body,) = stub.bodies
    assert not {"skip_special_tokens", "include_reasoning", "thinking_token_budget"} & set(body)


def test_plain_servers_refuse_what_they_cannot_do(stub):
    """A budget needs a vLLM server."""
    found = ask(stub, thinking_budget=9, options=ServerConfig(video_as_images=True))
    assert isinstance(found, Failure)
    assert "thinking_budget needs a vLLM server" in found.message


def test_switches_are_checked_before_the_run(stub):
    """One that changes nothing is refused; a server that renders nothing takes it unchecked."""
    check_served_switches(served(stub.url), {"anything": True})
    render_with(stub, templates.FREE)
    check_served_switches(served(stub.url), {"enable_thinking": False})
    with pytest.raises(UsageError, match="renders the same prompt"):
        check_served_switches(served(stub.url), {"thinking": False})
