"""A chat template tells how its model thinks, and what it can be told."""

import pytest

from harness.errors import UsageError
from harness.scoring.reasoning.detect import detect, end_of
from harness.scoring.reasoning.marks import NAMED
from harness.scoring.reasoning.switches import check_switches
from harness.scoring.reasoning.template import Template, TemplateError
from harness.thoughts import Marks, PromptEnd
from tests.templates import CLOSED_BY_DEFAULT, FREE, NO_TAGS, OPENS

THINK = NAMED["think"]
HEAD = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def read(source, **variables):
    template = Template(source)

    def render(messages, prompt):
        return template.render(messages, add_generation_prompt=prompt, variables=variables)

    return detect(render, source)


@pytest.mark.parametrize(
    ("source", "variables", "marks", "end"),
    [
        (OPENS, {}, THINK, PromptEnd.OPEN),
        (CLOSED_BY_DEFAULT, {}, THINK, PromptEnd.CLOSED),
        (CLOSED_BY_DEFAULT, {"enable_thinking": True}, THINK, PromptEnd.OPEN),
        (FREE, {}, THINK, PromptEnd.FREE),
        (FREE, {"enable_thinking": False}, THINK, PromptEnd.CLOSED),
        (NO_TAGS, {}, None, PromptEnd.FREE),
    ],
)
def test_the_four_published_forms_are_told_apart(source, variables, marks, end):
    """The pair of marks and the state of the prompt follow from what the template renders."""
    found = read(source, **variables)
    assert (found.marks, found.prompt_end) == (marks, end)


@pytest.mark.parametrize(
    ("prompt", "marks", "end"),
    [
        ("<seed:bos>assistant\n<seed:think>", NAMED["seed"], PromptEnd.OPEN),
        ("<|assistant|>\nHere are my reasoning steps:\n[BEGIN FINAL RESPONSE]", NAMED["apriel"],
         PromptEnd.CLOSED),
        ("<|turn>model\n<|channel>thought\n<channel|>", NAMED["gemma4"], PromptEnd.CLOSED),
        ("<|CHATBOT|><|START_THINKING|>", NAMED["cohere"], PromptEnd.OPEN),
        ("assistant: ", None, PromptEnd.FREE),
        ("<|im_start|>assistant\n", None, PromptEnd.FREE),
    ],
)  # fmt: skip
def test_marks_that_only_the_generation_prompt_shows_are_found(prompt, marks, end):
    """Templates without earlier thoughts still write the mark that opens one."""
    quoted = prompt.replace("\n", "\\n")
    found = read(HEAD + "{% if add_generation_prompt %}{{ '" + quoted + "' }}{% endif %}")
    assert (found.marks, found.prompt_end) == (marks, end)


def test_unknown_marks_are_read_from_an_earlier_thought():
    """A family that nobody has listed shows its marks around the thought of an earlier turn."""
    source = (
        "{% for m in messages %}<u>{% if m.reasoning_content %}<muse>{{ m.reasoning_content }}"
        "</muse>{% endif %}{{ m.content }}</u>{% endfor %}"
        "{% if add_generation_prompt %}<u><muse>{% endif %}"
    )
    found = read(source)
    assert (found.marks, found.prompt_end) == (Marks("<muse>", "</muse>"), PromptEnd.OPEN)


def test_marks_of_turns_are_no_marks_of_thoughts():
    """What surrounds every message does not surround thoughts."""
    source = HEAD.replace("m.content", "m.reasoning_content or m.content")
    assert read(source).marks is None


def test_a_template_that_always_writes_the_prompt_is_read():
    """Some templates ignore ``add_generation_prompt``."""
    assert read(HEAD + "<|im_start|>assistant\n<think>\n").prompt_end is PromptEnd.OPEN


def test_a_question_that_names_both_marks_opens_no_thought():
    """Only what the generation prompt adds is searched, so R1 prompts do not confuse."""
    asked = "<|im_start|>assistant\n"
    assert end_of(asked, THINK) is PromptEnd.FREE
    assert read(FREE.replace("You are", "Write <think> and </think>. You are")).prompt_end is (
        PromptEnd.FREE
    )


@pytest.mark.parametrize("source", ["{% if %}", "{{ raise_exception('no') }}", "{{ x.y.z }}"])
def test_a_template_that_renders_nothing_is_an_error(source):
    """The error says what the template says."""
    with pytest.raises(TemplateError):
        read(source)


@pytest.mark.parametrize(
    "given",
    [{"enable_thinking": True}, {"enable_thinking": False}],
)
@pytest.mark.parametrize("source", [CLOSED_BY_DEFAULT, FREE])
def test_a_switch_of_the_template_is_taken_at_both_values(source, given):
    """Also at its default, at which it changes nothing by itself."""
    check_switches(Template(source), given, "tiny")


@pytest.mark.parametrize(
    ("source", "given"),
    [
        (NO_TAGS, {"enable_thinking": False}),
        (OPENS, {"enable_thinking": False}),
        (FREE, {"enable_thinkin": False}),
        (FREE, {"thinking": True}),
        (FREE, {"enable_thinking": "no"}),
        (FREE, {"enable_thinking": 0}),
        (FREE, {"enable_thinking": False, "reasoning_effort": "low"}),
    ],
)
def test_a_switch_that_changes_nothing_is_refused(source, given):
    """Misspelt, of another family, or of a type that the template does not compare with."""
    with pytest.raises(UsageError, match=r"renders the same prompt.*it knows"):
        check_switches(Template(source), given, "tiny")


def test_the_refusal_lists_what_the_template_knows():
    """The right name is in the message."""
    with pytest.raises(UsageError, match="it knows: enable_thinking"):
        check_switches(Template(FREE), {"thinking": True}, "tiny")


def test_a_value_that_the_template_refuses_is_told_with_its_words():
    """Qwen3.8 takes three efforts and raises for any other."""
    source = HEAD + (
        "{% if reasoning_effort is defined and reasoning_effort not in ['low', 'medium'] %}"
        "{{ raise_exception('only low and medium') }}{% endif %}{{ reasoning_effort }}"
    )
    check_switches(Template(source), {"reasoning_effort": "low"}, "tiny")
    with pytest.raises(UsageError, match="only low and medium"):
        check_switches(Template(source), {"reasoning_effort": "high"}, "tiny")
