"""The TempCompass judge: prompts, settings, reading of replies, failures, and its scorer."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from harness.errors import BackendError, UsageError
from harness.run.config import JudgeConfig
from harness.run.protocols import pick_scorer
from harness.schema import Kind, Outcome, Sample
from harness.server.client import Limits
from tasks.judge import ATTEMPTS, LLMJudge
from tasks.tempcompass import TempCompass, llm_judge_scorer
from tasks.tempcompass_judge import (
    TempCompassRubric,
    judge_prompt,
    read_caption_verdict,
    read_verdict,
)
from tests.paths import SHARED

DATA = SHARED / "data" / "tempcompass"
CAPTIONS = "Which caption matches the video better?\nCaption A: He runs.\nCaption B: He jumps."
CHOICE = "What does the boy do?\nA. run\nB. jump"


def sample(task: str, question: str, answer: str, **more: str) -> Sample:
    return Sample(
        id=f"tempcompass/{task}/1/action/0",
        task="tempcompass",
        question=question,
        answer="B",
        kind=Kind.MULTIPLE_CHOICE,
        category=f"{task}/action/fine-grained action",
        cluster="1",
        options=("x", "y"),
        source={"question": question, "answer": answer, **more},
    )


MULTI_CHOICE = sample("multi-choice", CHOICE, "B. jump")
YES_NO = sample("yes_no", "Is the boy {jumping}?", "no")
MATCHING = sample("caption_matching", CAPTIONS, "Caption B: He jumps.")
CAPTIONING = sample(
    "captioning", "Generated Caption:", "A. jump", mc_question=CHOICE, mc_answer="B. jump"
)

Reply = Callable[[dict[str, Any]], tuple[int, str, str]]


@contextmanager
def server(reply: Reply) -> Iterator[str]:
    """Serve chat completions on the loopback; `reply` makes status, content type and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            status, kind, body = reply(json.loads(self.rfile.read(size)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args: Any) -> None:
            """Keep the test output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_port}/v1"
        finally:
            httpd.shutdown()
            thread.join()


@contextmanager
def judge_at(url: str) -> Iterator[LLMJudge]:
    """A judge that asks once."""
    yield LLMJudge(url, "tiny", TempCompassRubric(), limits=Limits(timeout_s=10, max_retries=0))


def completion(text: str | None) -> tuple[int, str, str]:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "tiny"}
    return 200, "application/json", json.dumps(body | {"choices": [choice]})


def saying(*texts: str | None) -> tuple[Reply, list[dict[str, Any]]]:
    """Reply with the given texts one after the other, the last for ever; keep the requests."""
    requests: list[dict[str, Any]] = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        requests.append(request)
        return completion(texts[min(len(requests), len(texts)) - 1])

    return reply, requests


# --- prompts


@pytest.mark.parametrize(
    ("item", "kind", "label"),
    [
        (MULTI_CHOICE, "multi-choice", "Multi-Choice"),
        (YES_NO, "Yes/No", "Yes/No"),
        (MATCHING, "caption matching", "Caption Matching"),
    ],
)
def test_verdict_prompt(item: Sample, kind: str, label: str) -> None:
    """The official prompt, byte for byte; the reply is cleaned first."""
    assert judge_prompt(item, " He {jumps}</s>\n") == (
        f"\nYou will receive a {kind} question, the ground-truth answer and the prediction from a"
        " question answering (QA) model. Your task is to determine whether QA model prediction is"
        " correct, based on the question and ground-truth answer. If the prediction is correct,"
        ' respond "Correct". If the prediction is incorrect, respond "Incorrect".\n'
        f"\n{label} Question:\n{item.source['question']}"
        f"\nGround-Truth Answer: {item.source['answer']}"
        "\nModel Prediction: He {jumps}"
    )


def test_caption_prompt_shows_caption_and_choice() -> None:
    """Our captioning prompt asks for the two labelled lines and hides the gold answer."""
    prompt = judge_prompt(CAPTIONING, "A boy jumps.</s>")
    assert prompt.endswith(f"Video Description: A boy jumps.\nMulti-Choice Question:\n{CHOICE}\n")
    assert "\nReasoning:" in prompt
    assert "\nAnswer:" in prompt
    assert "None of the choices are correct" in prompt


# --- reading of replies


@pytest.mark.parametrize(
    ("verdict", "correct"),
    [
        ("Correct", True),
        ("Incorrect", False),
        ("Correct. Not Incorrect.", True),
        ("It is Correct", True),
        ("Incorrect, Correct is B", False),
        ("It is Correct, not Incorrect", False),
        ("correct", None),
        ("", None),
    ],
)
def test_verdict_reading(verdict: str, correct: bool | None) -> None:
    """The first word decides, then whether ``Incorrect`` occurs; case matters."""
    assert read_verdict(MULTI_CHOICE, verdict) is correct


@pytest.mark.parametrize(
    ("verdict", "correct"),
    [
        ("Reasoning: it says so\nAnswer: B. jump", True),
        ("Answer: A. run", False),
        ("Answer: B. jump, A. run", False),  # two options named
        ("Answer: None of the choices are correct", False),
        ("B. jump", True),  # no answer line: all of it
        ("Answer: A. run\n  Answer: B. jump ", True),  # the last line counts
        ("Answer: B", False),  # no prefix at all
        ("Answer: (B. jump)", False),
        ("", None),
    ],
)
def test_choice_verdict_reading(verdict: str, correct: bool | None) -> None:
    """Exactly one option prefix, and the gold letter first."""
    assert read_verdict(CAPTIONING, verdict) is correct


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the published verdicts are not at {DATA}")
def test_published_caption_ratings_are_reproduced() -> None:
    """All 2004 answers that the official judge picked for Video-LLaVA get their rating."""
    path = DATA / "video-llava" / "captioning.judged.json"
    judged = json.loads(path.read_text(encoding="utf-8"))
    items = [item for aspects in judged.values() for part in aspects.values() for item in part]
    assert len(items) == 2004
    for item in items:
        correct = read_caption_verdict(item["chatgpt-answer"], item["gt-answer"])
        assert item["rating"] == int(bool(correct))


# --- the judge


def test_judge_asks_with_the_official_settings() -> None:
    """One request with system text, prompt and sampling; the verdict is kept as the answer."""
    reply, requests = saying("Incorrect")
    with server(reply) as url, judge_at(url) as judge:
        score = judge(YES_NO, "hm")
    assert (score.value, score.outcome, score.answer) == (0.0, Outcome.WRONG, "judge: Incorrect")
    assert requests == [
        {
            "model": "tiny",
            "messages": [
                {
                    "role": "system",
                    "content": "You are an AI assistant for question answering.",
                },
                {"role": "user", "content": judge_prompt(YES_NO, "hm")},
            ],
            "temperature": 1.0,
            "top_p": 1,
            "presence_penalty": 1,
            "max_tokens": 128,
        }
    ]


def test_judge_makes_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and model are enough; a local server needs no key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    reply, _ = saying("Correct")
    with server(reply) as url:
        assert LLMJudge(url, "tiny", TempCompassRubric())(MATCHING, "hm").outcome is Outcome.CORRECT


def test_unreadable_verdict_is_asked_for_again() -> None:
    """The judge is random, so that another reply may be readable."""
    reply, requests = saying("hm", None, "Correct")
    with server(reply) as url, judge_at(url) as judge:
        assert judge(MULTI_CHOICE, "hm").outcome is Outcome.CORRECT
    assert len(requests) == 3


def test_judge_that_never_decides_is_a_failure() -> None:
    """Unreadable verdicts are no wrong answer of the evaluated model."""
    reply, requests = saying("no idea")
    with (
        server(reply) as url,
        judge_at(url) as judge,
        pytest.raises(BackendError, match=r"multi-choice/1/action/0: .*'no idea'"),
    ):
        judge(MULTI_CHOICE, "hm")
    assert len(requests) == ATTEMPTS


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((500, "application/json", '{"error": {"message": "out of memory"}}'), "did not answer"),
        ((404, "application/json", '{"error": {"message": "no such model"}}'), "no such model"),
        ((200, "text/html", "<html>hello</html>"), "not an OpenAI-compatible server"),
        ((200, "application/json", "{}"), "not an OpenAI-compatible server"),
        ((200, "application/json", "{"), "not an OpenAI-compatible server"),
        ((401, "application/json", '{"error": "no"}'), "the key is refused"),
    ],
)
def test_broken_server_is_a_failure(answer: tuple[int, str, str], message: str) -> None:
    """Every way a server can fail ends in the one error, with judge and address named."""
    with (
        server(lambda request: answer) as url,
        judge_at(url) as judge,
        pytest.raises(BackendError, match=message) as caught,
    ):
        judge(MULTI_CHOICE, "hm")
    assert f"judge tiny at {url}" in str(caught.value)


def test_unreachable_server_is_a_failure() -> None:
    """A refused connection is reported, never rated."""
    with (
        judge_at("http://127.0.0.1:9/v1") as judge,
        pytest.raises(BackendError, match="did not answer: no connection"),
    ):
        judge(MULTI_CHOICE, "hm")


# --- the scorer


def test_the_llm_judge_scorer_asks_only_what_no_rule_reads() -> None:
    """Rules come first; the rest and every caption go to the judge."""
    reply, requests = saying("Correct", "Answer: B. jump")
    with server(reply) as url, judge_at(url) as judge:
        scorer = llm_judge_scorer(judge)
        assert scorer.score(MULTI_CHOICE, "A").outcome is Outcome.WRONG
        assert requests == []
        assert scorer.score(MULTI_CHOICE, "the boy jumps").outcome is Outcome.CORRECT
        assert scorer.score(CAPTIONING, "The boy jumps.").value == 1.0
    assert len(requests) == 2


def test_the_llm_judge_scorer_carries_the_model_in_its_name() -> None:
    """Scores by different judges never look comparable, nor like the rules alone."""
    scorer = TempCompass().with_llm_judge("http://127.0.0.1:9/v1", "Qwen/Qwen3-8B")
    assert scorer.tag == "official+judge:Qwen/Qwen3-8B@1"
    assert scorer.aggregation.name == "micro"
    assert scorer.name not in TempCompass().scorers


def test_a_judge_with_an_empty_key_is_named_before_anything_is_asked(monkeypatch) -> None:
    """The key is taken from the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(UsageError, match="OPENAI_API_KEY is set but empty"):
        pick_scorer(TempCompass(), "official", JudgeConfig(url="http://127.0.0.1:9/v1", model="m"))


def test_a_refused_key_is_met_once() -> None:
    """Each further response fails at once, with the same words."""
    asked: list[object] = []

    def reply(request: dict[str, Any]) -> tuple[int, str, str]:
        asked.append(request)
        return 401, "application/json", "{}"

    with server(reply) as url, judge_at(url) as judge:
        for _ in range(3):
            with pytest.raises(BackendError, match="the key is refused"):
                judge(YES_NO, "hm")
    assert len(asked) == 1
