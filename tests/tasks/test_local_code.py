"""A class in a Python file is a benchmark; what is wrong with the file is told with its line."""

import re

import pytest

from harness.errors import UsageError
from harness.task import registry
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
[CLASS, *_] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
[ROWS, *_] = re.findall(r"^```json\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def _load(folder, code=CLASS, rows=ROWS):
    (folder / "traffic.py").write_text(code)
    (data := folder / "data" / "traffic").mkdir(parents=True, exist_ok=True)
    (data / "questions.jsonl").write_text(rows)
    task = registry.find(str(folder / "traffic.py"))
    return task, task.load(registry.data_folder(task, folder / "data"))


def test_the_class_of_the_documentation_needs_no_package(tmp_path):
    """Its data lie where an installed one's would, and its file belongs to the run's content."""
    task, questions = _load(tmp_path)
    assert [sample.id for sample in questions.samples] == ["traffic/1", "traffic/2"]
    assert questions.files[-1] == tmp_path / "traffic.py"
    assert task.prompt(questions.samples[0], "official").text.endswith("Letter:")
    assert task.scorers["official"].score(questions.samples[0], "b").value == 1.0


def test_a_base_class_in_the_file_is_no_second_benchmark(tmp_path):
    """Only what nothing else derives from counts."""
    code = CLASS.replace("class Traffic(Benchmark)", "class Base(Benchmark)")
    task, _ = _load(tmp_path, f"{code}\n\nclass Traffic(Base):\n    title = 'Derived'\n")
    assert task.title == "Derived"


def _without(pattern):
    return re.sub(pattern, "", CLASS, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("class Traffic(:\n", "traffic.py, line 1: SyntaxError: "),
        ("import nothing_of_that_name\n", "line 1: ModuleNotFoundError: No module named"),
        ("import nothing_of_that_name\n", "what it imports has to be installed"),
        ("x = 1\n\ny = x / 0\n", "traffic.py, line 3: ZeroDivisionError: division by zero"),
        ("def f():\n    return [][1]\n\nf()\n", "traffic.py, line 2: IndexError"),
        ("import sys\nsys.exit(1)\n", "traffic.py, line 2: SystemExit"),
        ("raise MemoryError\n", "traffic.py, line 1: MemoryError"),
        ("\0", "traffic.py"),
        ("", "expected one class derived from tasks.Benchmark, got no class"),
        ("class Traffic:\n    pass\n", "got the class Traffic"),
        (f"{CLASS}\n\nclass Other(Benchmark):\n    pass\n", "expected one benchmark, got 2"),
        (_without(r"    def official_rule.*?return first_letter\n"), "lacks official_rule()"),
        (_without(r"    def load.*?files=\(file,\)\)\n"), "class Traffic lacks load()"),
        (CLASS.replace('    title = "Traffic"\n', ""), "class Traffic lacks title"),
        (CLASS.replace("version = 1", 'version = "1"'), "version: expected int, got '1'"),
        (CLASS.replace('"traffic"', '"traf fic"'), "expected letters, digits and ._+-"),
        (CLASS.replace('"traffic"', '"vsibench"'), "belongs to an installed benchmark"),
        (CLASS.replace("task=self.name", 'task="other"'), "in every sample, got 'other'"),
        (CLASS.replace("return Questions(", "return list("), "TypeError"),
        (CLASS.replace("return Questions(samples=tuple(samples), files=(file,))", "return samples"),
         "load of Traffic: expected harness.Questions"),
        (CLASS.replace("return Prompt(text=", "return str("),
         "official prompt of Traffic: expected harness.Prompt"),
        (CLASS.replace("id=f\"traffic/{row.scalar('id')}\"", "id=int(row.scalar('id'))"),
         "expected a text as id, got 1"),
        (CLASS.replace('options=row.texts("options")', 'options=["a", "b"]'), "tuple of texts"),
        (CLASS.replace("kind=Kind.MULTIPLE_CHOICE", "kind='choice'"), "a harness.Kind, got"),
        (CLASS.replace("media=(", "media=[").replace("row.where)),)", "row.where))]"), "as media"),
        (CLASS.replace("path=inside(data", "path=str(data").replace(", row.where)", ")"), "str"),
        (CLASS.replace("return first_letter", "return 1 / 0"), "ZeroDivisionError"),
        (CLASS.replace("version = 1", "version = 1\n    official_aggregation = 'macro'"),
         "aggregation of Traffic: expected harness.Aggregation, got 'macro'"),
        (f"{CLASS}\nfrom harness import Aggregation\n"
         "Traffic.official_aggregation = Aggregation(name='m', levels=lambda c: {}[c])\n",
         "KeyError: 'rain'"),
        (f"{CLASS}\nTraffic.extra = lambda self, run: 1 / 0\n", "ZeroDivisionError"),
        (f"{CLASS}\nTraffic.__init__ = lambda self, x: None\n", "TypeError"),
        (CLASS.replace("text.strip()[:1]", "text.strip()[0]"), "in the file"),
        (CLASS.replace("return binary_score(letter", "return float(letter"), "TypeError"),
        (CLASS.replace("row.text(\"weather\")", "row.fields['sun']"), "KeyError: 'sun'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_file_is_one_line(tmp_path, code, told):
    """The file and, where it has one, the line; nothing is a fault of ours."""
    assert code != CLASS
    told = told.replace("in the file", "IndexError: string index out of range")
    with pytest.raises(UsageError) as caught:
        _load(tmp_path, code)
    assert told in str(caught.value)
    assert "traffic.py" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_malformed_row_is_told_as_for_any_benchmark(tmp_path):
    """The class's own checks speak for themselves."""
    with pytest.raises(UsageError, match=r"questions.jsonl, row 0: field 'question': expected"):
        _load(tmp_path, rows='{"id": 1}\n')


def test_the_data_folder_that_is_missing_is_named(tmp_path):
    """With the benchmark that needs it."""
    (tmp_path / "traffic.py").write_text(CLASS)
    task = registry.find(str(tmp_path / "traffic.py"))
    with pytest.raises(UsageError, match="no such folder; the benchmark 'traffic' of"):
        task.load(tmp_path / "data" / "traffic")
