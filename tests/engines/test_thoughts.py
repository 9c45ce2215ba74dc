"""Thoughts are told from answers by every engine alike, in four published forms of templates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from asking import ask, clip, request

from harness.cli import main
from harness.run.store import read_records
from harness.run.thoughts import split_thought
from harness.schema import Completion, Prompt, Sampling
from harness.scoring.reasoning.detect import detect
from harness.scoring.reasoning.template import Template, TemplateError
from harness.thoughts import ThoughtEnd
from tests import templates

pytest.importorskip("torch", reason="needs the heavy environment: torch is not installed")
pytest.importorskip("vllm.platforms", reason="needs the heavy environment: no vllm")

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
    pytest.mark.usefixtures("small_cpu_cache"),
]
ARCHITECTURES = ["qwen2_5_vl", "qwen3_vl"]
GRID = {"qwen2_5_vl": 28, "qwen3_vl": 32}
FORMS = {
    "opens": templates.in_one_line(templates.OPENS),
    "closed": templates.in_one_line(templates.CLOSED_BY_DEFAULT),
    "free": templates.in_one_line(templates.FREE),
    "no tags": templates.NO_TAGS,
}
LONG, SHORT = 16, 4
"""Token limits: the whole reply, and a part of its thought."""

# By form: how the reply of a checkpoint that thinks, and of one that writes B, is split.
THOUGHT = ("B", "It ends at C", ThoughtEnd.CLOSED)
BARE = ("B", None, None)
EXPECTED = {
    ("opens", "thinks"): THOUGHT,
    ("closed", "thinks"): BARE,
    ("free", "thinks"): THOUGHT,
    ("no tags", "thinks"): THOUGHT,
    ("opens", "plain"): ("", "B", None),
    ("closed", "plain"): BARE,
    ("free", "plain"): BARE,
    ("no tags", "plain"): BARE,
}


def questions(grid: int, **changes: object) -> list:
    sampling = Sampling(temperature=0.0, max_tokens=LONG)
    asked = [
        request("blind", sampling=sampling, reasoning="auto"),
        request("video", clips=[clip(grid, 1)], sampling=sampling, reasoning="auto"),
        request(
            "named", "Write <think> and </think>, then B.", sampling=sampling, reasoning="auto"
        ),
        request("cut", sampling=replace(sampling, max_tokens=SHORT), reasoning="auto"),
    ]
    return [
        replace(one, prompt=replace(one.prompt, **changes)) if changes else one for one in asked
    ]


def check(answers: dict, form: str, kind: str) -> None:
    """Compare the answers of an engine with what the form and the checkpoint make of them."""
    text, thought, end = EXPECTED[form, kind]
    for name in ("blind", "video", "named"):
        assert isinstance(answers[name], Completion), answers[name]
        found = split_thought(answers[name], "auto")
        assert (found.text, found.reasoning) == (text, thought), (form, kind, name, answers[name])
        if form == "opens" and kind == "plain":
            end = ThoughtEnd.NEVER
        assert found.thought_end is end
        if end is ThoughtEnd.CLOSED and found.reasoning_tokens is not None:
            # It, ends, at, C and the closing mark; the opening one where the model wrote it.
            assert found.reasoning_tokens == (5 if form == "opens" else 6)
    if thought and kind == "thinks":
        cut = split_thought(answers["cut"], "auto")
        assert (cut.text, cut.thought_end) == ("", ThoughtEnd.NEVER)
        assert cut.finish_reason == "length"


def build(folder: Path, architecture: str, kind: str, form: str, **options: bool):
    import thinkers

    chain = thinkers.THINKS if kind == "thinks" else thinkers.PLAIN
    name = f"{architecture}-{kind}-{form.replace(' ', '-')}"
    return thinkers.build(folder / name, architecture, chain, FORMS[form], **options)


@pytest.mark.parametrize("kind", ["thinks", "plain"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_transformers_splits_all_forms(tmp_path, architecture, kind):
    """Each template's own state decides: a bare B is an answer, or an unfinished thought."""
    from harness.backends.thoughts import ThoughtReader
    from harness.backends.transformers import TransformersBackend

    backend = TransformersBackend(build(tmp_path, architecture, kind, "free"))
    for form, source in FORMS.items():
        backend._processor.chat_template = source
        backend._thoughts = ThoughtReader(backend._processor)
        check(ask(backend, questions(GRID[architecture])), form, kind)
    backend.close()


def test_marks_that_are_special_tokens_stay(tmp_path):
    """Decoded without special tokens, thought and answer would be glued together."""
    from harness.backends.transformers import TransformersBackend

    backend = TransformersBackend(build(tmp_path, "qwen2_5_vl", "thinks", "free", special=True))
    check(ask(backend, questions(28)), "free", "thinks")
    (in_text,) = ask(backend, [replace(questions(28)[0], reasoning="in-text")]).values()
    assert in_text.text == "It ends at CB"
    backend.close()


def test_a_switch_of_the_template_reaches_the_engine(tmp_path):
    """``enable_thinking`` opens the thought of a template that closes it by default."""
    from harness.backends.transformers import TransformersBackend

    backend = TransformersBackend(build(tmp_path, "qwen2_5_vl", "thinks", "closed"))
    check(ask(backend, questions(28)), "closed", "thinks")
    check(ask(backend, questions(28, template_args={"enable_thinking": True})), "opens", "thinks")
    backend.close()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_vllm_splits_all_forms_and_bounds_thoughts(tmp_path, architecture):
    """As transformers does; and a thought of 2 tokens is closed by force."""
    from harness.backends.thoughts import ThoughtReader
    from harness.backends.vllm import VLLMBackend, VLLMConfig
    from harness.scoring.reasoning.marks import NAMED

    options = VLLMConfig(
        max_num_seqs=4, waiting=1, prepared=2, max_model_len=1024, bounded_thoughts=NAMED["think"]
    )
    backend = VLLMBackend(build(tmp_path, architecture, "thinks", "free"), options)
    for form, source in FORMS.items():
        backend._processor.chat_template = source
        backend._thoughts = ThoughtReader(backend._processor)
        check(ask(backend, questions(GRID[architecture])), form, "thinks")
    backend._processor.chat_template = FORMS["free"]
    backend._thoughts = ThoughtReader(backend._processor)
    bounded = replace(questions(GRID[architecture])[0], thinking_budget=2)
    found = split_thought(ask(backend, [bounded])["blind"], "auto")
    assert (found.text, found.thought_end) == ("B", ThoughtEnd.CLOSED)
    assert found.reasoning == "It ends"
    backend.close()


def test_one_command_scores_thinkers_as_plain_answers(tmp_path, demo_data):
    """The same answers with and without a thought have the same scores, item by item."""
    values = {}
    for kind in ("thinks", "plain"):
        checkpoint = build(tmp_path, "qwen2_5_vl", kind, "free")
        run = tmp_path / f"run-{kind}"
        code = main([
            "eval", str(checkpoint.path), "--backend", "transformers", "--data", str(demo_data),
            "--protocol", "official", "--tasks", "vsibench,tempcompass:multi-choice",
            "--limit", "6", "--max-frames", "4", "--max-pixels", "18816",
            "--reasoning", "auto", "--scorer",
            "flexible", "--template-arg", "enable_thinking=true", "--out", str(run),
        ])  # fmt: skip
        assert code == 0
        records = read_records(run)
        values[kind] = {one.id: (one.outcome, one.value, one.text) for one in records}
        tokens = {one.reasoning_tokens for one in records}
        assert tokens == ({6} if kind == "thinks" else {0})
    assert values["thinks"] == values["plain"]
    assert {outcome for outcome, *_ in values["plain"].values()} >= {"correct", "wrong"}


def _installed_templates() -> list[Path]:
    import trl
    import vllm

    folders = [
        Path(trl.__file__).parent / "chat_templates",
        Path(vllm.__file__).parent / "transformers_utils" / "chat_templates",
    ]
    return sorted(path for folder in folders for path in folder.glob("*.jinja"))


# Looked at by hand: what each template that the packages ship writes at the end of a prompt.
STATES = {
    "open": "deepseek_r1_distill deepseekv3 nemotron_3_5_lightning nemotron_3_nano nemotron_3_super"
    " nemotron_3_ultra qwen3_5_think qwen3_6 qwen3_8",
    "closed": "qwen3_5_nothink template_minicpmv45",
    "free": "diffusion_gemma gemma4 gemma4_v2 gemma4_v3 gemma4_v4 gemma4_v5 glm4moe gptoss lfm2_2_5"
    " lfm2_2_5_v2 lfm2_2_5_vl muse_glimmer qwen3",
    "no tags": "cohere cohere2 gemma gemma3 idefics3 lfm2 lfm2_v2 llama3 llama3_1 llama3_2"
    " llava_next phi3 phi3_5 qwen2_5 qwen2_5_vl qwen3_instruct_2507 qwen3_vl smolvlm",
}


def test_installed_templates_are_told_apart():
    """The detector's verdicts on the chat templates that TRL and vLLM ship."""
    wanted = {name: state for state, names in STATES.items() for name in names.split()}
    found = {}
    for path in _installed_templates():
        template = Template(path.read_text(encoding="utf-8"))

        def render(messages, prompted, template=template):
            return template.render(messages, add_generation_prompt=prompted)

        try:
            told = detect(render, template.source)
        except TemplateError as error:
            found[path.stem] = f"cannot be rendered: {error}"
            continue
        found[path.stem] = "no tags" if told.marks is None else str(told.prompt_end)
    assert {name: found.get(name) for name in wanted} == wanted


def test_prompts_are_rendered_as_transformers_renders_them(tmp_path):
    """The renderer without transformers writes the same prompt for every form."""
    from harness.backends import chat

    processor = chat.load_processor(build(tmp_path, "qwen2_5_vl", "plain", "free"))
    for source in FORMS.values():
        processor.chat_template = source
        prompt = Prompt(text="Which?", system="Look.")
        ours = Template(source).render(chat.messages(prompt, [clip(28, 1)]))
        assert ours == chat.render(processor, prompt, [clip(28, 1)])
