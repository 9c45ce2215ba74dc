"""README and docs: every command parses, every link and named file exists."""

import ast
import re
import tomllib

import pytest

from harness.cli import commands
from harness.errors import HarnessError
from harness.run.config import EvalConfig
from harness.run.options import options_of
from tests.docs.pages import PAGES, SHELL, blocks, prose, simple_commands, videor1_commands
from tests.paths import ROOT

NAMES = [page.name for page in PAGES]
PLACES = ("harness", "tasks", "trainer", "tests", "docs", ".ci", ".github")


def _parse(words):
    """Parse the words of a command line with the command's own parser."""
    name, *rest = words
    if name in ("--help", "-h", "--version"):
        return
    command = commands.entry_points()[name].load()()
    parser = commands.Parser(prog=f"videor1 {name}", allow_abbrev=False)
    command.configure(parser)
    parser.parse_args(rest)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_and_flag_exists(page, capsys):
    """Each ``videor1 ...`` in a shell block is one that the command's parser takes."""
    for block in blocks(page, *SHELL):
        for words in videor1_commands(block):
            if words and words[0].isupper():
                continue  # ``videor1 COMMAND --help``
            try:
                _parse(words)
            except commands.HelpPrinted:
                pass
            except HarnessError as error:
                pytest.fail(f"{page.name}: videor1 {' '.join(words)}: {error}")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_model_argument_for_lmms_eval_exists(page):
    """The keys of ``--model_args`` are flags of ``videor1 eval``."""
    known = {option.name for option in options_of(EvalConfig)} | {"pretrained"}
    for block in blocks(page, *SHELL):
        for words in simple_commands(block):
            if words[0] == "lmms-eval" and "--model_args" in words:
                given = words[words.index("--model_args") + 1].split(",")
                assert {one.partition("=")[0] for one in given} <= known, words


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page):
    """Relative links name a file of the repository, and a heading of it where they name one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}, which does not exist"
        if heading:
            assert heading in _headings(file), f"{page.name} links to {target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_named_file_and_module_exists(page):
    """`harness/run/plan.py` and `harness.run.plan` in a page are files of this repository."""
    if page.name == "sources.md":
        return  # names files of other repositories
    for name in re.findall(r"`([\w./-]+)`", prose(page)):
        top = re.split(r"[./]", name.removeprefix("."))[0]
        if "/" in name and name.split("/")[0] in PLACES:
            assert (ROOT / name).exists(), f"{page.name} names {name}, which does not exist"
        elif top in ("harness", "tasks", "trainer") and re.fullmatch(r"\w+(\.(?!py$)\w+)+", name):
            assert _is_python_name(name), f"{page.name} names {name}, which does not exist"


def _headings(file):
    """Return the anchors that GitHub gives to the headings of a page."""
    titles = re.findall(r"^#+ (.*)$", prose(file), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _is_python_name(name):
    """Return whether a dotted name is a module of ours, or a name in one."""
    path, rest = ROOT, name.split(".")
    while rest and (path / rest[0]).is_dir():
        path = path / rest.pop(0)
    if rest and (path / f"{rest[0]}.py").is_file():
        path = path / f"{rest.pop(0)}.py"
    source = path / "__init__.py" if path.is_dir() else path
    return not rest or re.search(rf"\b{rest[0]}\b", source.read_text(encoding="utf-8")) is not None


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_python_and_toml_are_well_formed(page):
    """Every block in these languages can be read."""
    for block in blocks(page, "python"):
        ast.parse(block.text, page.name)
    for block in blocks(page, "toml"):
        tomllib.loads(block.text)


def test_the_readme_is_short():
    """What a user needs for a job is in the pages that the README lists."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


def test_the_readme_names_every_page():
    """No page can only be found by accident."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f"]({page.relative_to(ROOT)})" in readme, f"the README does not list {page.name}"


def test_commands_are_found_in_every_shell_page():
    """The tests above find commands, so that they do not pass for lack of any."""
    found = {
        page.name: sum(1 for block in blocks(page, *SHELL) for _ in videor1_commands(block))
        for page in PAGES
    }
    assert found["README.md"] >= 5
    assert found["evaluate.md"] >= 15
