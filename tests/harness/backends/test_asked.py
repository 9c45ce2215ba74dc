"""What a protocol asks of template and engine is checked before anything starts."""

import pytest

from harness.backends.asked import Asked, budget_marks, check_template, refuse_budget
from harness.cli import main
from harness.errors import UsageError
from harness.models.checkpoint import Checkpoint
from harness.scoring.reasoning.marks import NAMED
from tests import templates


def asked(**changes):
    fields = {
        "task": "t", "template_args": {}, "reasoning": "auto", "thinking_budget": None,
        "max_tokens": 100,
    }  # fmt: skip
    return [Asked(**{**fields, **changes})]


@pytest.fixture
def checkpoint(tmp_path):
    def make(source):
        (tmp_path / "chat_template.jinja").write_text(source, encoding="utf-8")
        return Checkpoint(spec="c", name="c", path=tmp_path, adapter=None, identity={})

    return make


def test_a_switch_of_the_checkpoints_template_is_taken(checkpoint):
    """And one that it does not have is refused with its file and the right name."""
    found = checkpoint(templates.FREE)
    check_template(asked(template_args={"enable_thinking": False}), found)
    with pytest.raises(UsageError, match=r"chat_template\.jinja.*it knows: enable_thinking"):
        check_template(asked(template_args={"enable_think": False}), found)


def test_a_budget_takes_the_marks_of_the_template(checkpoint):
    """Or those that the protocol names; without either it is refused."""
    assert budget_marks(asked(thinking_budget=9), checkpoint(templates.OPENS)) == NAMED["think"]
    assert budget_marks(asked(), checkpoint(templates.NO_TAGS)) is None
    named = asked(thinking_budget=9, reasoning="seed")
    assert budget_marks(named, checkpoint(templates.NO_TAGS)) == NAMED["seed"]
    with pytest.raises(UsageError, match="has no marks of thoughts"):
        budget_marks(asked(thinking_budget=9), checkpoint(templates.NO_TAGS))


def test_a_budget_leaves_tokens_for_the_answer(checkpoint):
    """A thought as long as the limit would leave none."""
    with pytest.raises(UsageError, match="leaves no token for the answer"):
        budget_marks(asked(thinking_budget=100), checkpoint(templates.OPENS))


def test_an_engine_without_budgets_says_so():
    """transformers has none; the message names the engines that do."""
    refuse_budget(asked(), "transformers")
    with pytest.raises(UsageError, match="transformers engine has none; take --backend vllm"):
        refuse_budget(asked(thinking_budget=1), "transformers")


@pytest.mark.parametrize(
    "flags", [["--template-arg", "enable_thinking=true"], ["--thinking-budget", "5"]]
)
def test_the_command_refuses_what_its_engine_does_not_have(demo_data, tmp_path, capsys, flags):
    """Exit 2 with the flag's name, before data is asked for."""
    words = ["eval", "x", "--backend", "fake", "--tasks", "vsibench", "--data",
             str(demo_data), "--out", str(tmp_path / "run"), *flags]  # fmt: skip
    assert main(words) == 2
    assert flags[0] in capsys.readouterr().err
