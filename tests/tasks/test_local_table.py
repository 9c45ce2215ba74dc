"""A table of questions is a benchmark: its columns, its answers, its faults."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.errors import UsageError
from harness.schema import Kind, MediaKind, Outcome
from harness.task import registry

ROW = {"id": 1, "video": "a.mp4", "question": "Which way?", "answer": "left"}
CHOICE = {**ROW, "options": ["left", "right"]}


def _write(folder, rows, settings="", name="traffic.jsonl"):
    path = folder / name
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    if settings:
        path.with_suffix(".toml").write_text(settings, encoding="utf-8")
    return path


def _load(path):
    task = registry.find(str(path))
    return task, task.load(registry.data_folder(task, path.parent / "nowhere")).samples


def _sample(folder, row, settings=""):
    return _load(_write(folder, [row], settings))[1][0]


def test_a_row_becomes_a_question(tmp_path):
    """The name of the file is that of the benchmark and of its ids; videos are beside it."""
    task, [sample] = _load(_write(tmp_path, [CHOICE]))
    assert (task.name, sample.id, sample.task) == ("traffic", "traffic/1", "traffic")
    assert (sample.options, sample.answer) == (("left", "right"), "A")
    assert (sample.media[0].path, sample.cluster) == (tmp_path / "a.mp4", "a.mp4")


@pytest.mark.parametrize(
    ("answer", "options", "settings"),
    [
        ("B", ["left", "right"], ""),
        ("b", ["left", "right"], ""),
        ("(B)", ["left", "right"], ""),
        ("B.", ["left", "right"], ""),
        ("right", ["left", "right"], ""),
        (" Right ", ["left", "right"], ""),
        ("B. right", ["A. left", "B. right"], ""),
        ("right", ["A. left", "B. right"], ""),
        ("<answer>B</answer>", ["left", "right"], ""),
        (1, ["left", "right"], 'answers = "index-from-0"'),
        (2, ["left", "right"], 'answers = "index-from-1"'),
        ("2", ["left", "right"], 'answers = "index-from-1"'),
        (3, [2, 3], ""),
        ("A", ["B", "A"], 'answers = "text"'),
        ("B", ["B", "A"], 'answers = "letter"'),
        ("right", '["left", "right"]', ""),
        ("right", "left | right", ""),
    ],
)
def test_the_right_option_is_named_by_letter_text_or_index(tmp_path, answer, options, settings):
    """All of these name the second option."""
    sample = _sample(tmp_path, {**ROW, "options": options, "answer": answer}, settings)
    assert sample.answer == "B"


@pytest.mark.parametrize(
    ("answer", "settings", "kind", "gold"),
    [
        (3, "", Kind.NUMERICAL, "3"),
        ("1,200", "", Kind.NUMERICAL, "1,200"),
        (2.5, 'kind = "number-within"', Kind.REGRESSION, "2.5"),
        ([0.5, 1.5], "", Kind.SPAN, "0.5 to 1.5"),
        ("0.5 - 1.5", "", Kind.SPAN, "0.5 to 1.5"),
        ("no entry", "", Kind.FREE_FORM, "no entry"),
        ("3 to 5 people", "", Kind.FREE_FORM, "3 to 5 people"),
        ("12", 'kind = "text"', Kind.FREE_FORM, "12"),
    ],
)
def test_the_kind_follows_from_the_answer_or_is_said(tmp_path, answer, settings, kind, gold):
    """Numbers, spans and texts are told apart; the settings decide otherwise."""
    sample = _sample(tmp_path, {**ROW, "answer": answer}, settings)
    assert (sample.kind, sample.answer) == (kind, gold)


def test_csv_json_and_parquet_hold_the_same_questions(tmp_path):
    """Options stand in columns A, B, C, of which the last may be empty."""
    rows = [{**ROW, "A": "left", "B": "right", "C": None}, {**ROW, "id": 2, "A": "x", "B": "left"}]
    (tmp_path / "json.json").write_text(json.dumps(rows))
    text = 'id;video;question;answer;A;B;C\n1;a.mp4;"Which\nway?";left;left;right;\n'
    (tmp_path / "csv.csv").write_text(text + "2;a.mp4;Which way?;left;x;left;\n")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "parquet.parquet")
    for name in ("json.json", "csv.csv", "parquet.parquet"):
        samples = _load(tmp_path / name)[1]
        assert [sample.answer for sample in samples] == ["A", "B"], name
        assert [sample.options for sample in samples] == [("left", "right"), ("x", "left")], name


def test_rows_of_a_training_are_a_benchmark_too(tmp_path):
    """The columns of Video-R1's files are known by their names."""
    row = {
        "problem_id": 7, "problem": "How many?", "problem_type": "regression", "options": [],
        "solution": "<answer>4</answer>", "path": "./clips/a.mp4",
    }  # fmt: skip
    sample = _sample(tmp_path, row)
    assert (sample.id, sample.kind, sample.answer) == ("traffic/7", Kind.REGRESSION, "4")
    assert sample.media[0].path == tmp_path / "clips" / "a.mp4"


def test_settings_name_columns_media_and_categories(tmp_path):
    """Whatever a table calls its columns, the file beside it says which is which."""
    settings = """
        name = "crossing"
        media = "videos"
        [columns]
        id = "nr"
        question = "ask"
        options = ["first", "second"]
        answer = "right"
        category = ["weather", "time"]
        video = ["front", "rear"]
        start = "from"
        end = "until"
    """
    row = {
        "nr": "x", "ask": "Which way?", "first": "left", "second": "right", "right": "second",
        "weather": "rain", "time": "night", "front": "f.mp4", "rear": "r.jpg", "from": 1,
        "until": 2.5,
    }  # fmt: skip
    row["right"] = "B"
    sample = _sample(tmp_path, row, settings)
    assert (sample.id, sample.answer, sample.category) == ("crossing/x", "B", "rain/night")
    front, rear = sample.media
    assert (front.path, front.start_s, front.end_s) == (tmp_path / "videos" / "f.mp4", 1.0, 2.5)
    assert rear.kind is MediaKind.IMAGE


def test_without_categories_the_kinds_are_the_categories(tmp_path):
    """Scores are then told apart by the kind of answer."""
    _, samples = _load(_write(tmp_path, [CHOICE, {**ROW, "id": 2, "answer": 3}]))
    assert [sample.category for sample in samples] == ["multiple-choice", "number"]


@pytest.mark.parametrize(
    ("rows", "settings", "told"),
    [
        ([{**ROW, "answer": None}], "", "line 1: field 'answer': expected a string or a number"),
        ([{**CHOICE, "answer": "C"}], "", "options (left | right), got 'C'"),
        ([{**CHOICE, "answer": 1}], "", 'answers = "index-from-0" or "index-from-1"'),
        ([{**CHOICE, "answer": 2}], 'answers = "index-from-0"', "the index, from 0, of one"),
        ([{**CHOICE, "options": ["B", "A"], "answer": "A"}], "", "this is A and B; set answers"),
        ([{**CHOICE, "options": ["left"]}], "", "field 'options': expected at least two options"),
        ([{**CHOICE, "options": "left"}], "", "a JSON list such as"),
        ([{**ROW, "answer": " "}], "", "expected an answer, not an empty text"),
        ([{**ROW, "answer": "x"}], 'kind = "number"', "expected a number, got 'x'"),
        ([{**ROW, "answer": 0}], 'kind = "number-within"', "expected a number above 0, got 0"),
        ([{**ROW, "answer": [2, 1]}], "", "expected a start and a later end in seconds"),
        ([{**ROW, "video": ""}], "", "the path of a video or picture"),
        ([{**ROW, "video": "../a.mp4"}], "", "'video': expected a path within"),
        ([{**ROW, "video": "/etc/a.mp4"}], "", "traffic.toml names another), got '/etc/a.mp4'"),
        ([{**ROW, "start": 3, "end": 2}], "", "expected seconds after the start, 3"),
        ([{**ROW, "start": "soon"}], "", "a number of seconds >= 0, got 'soon'"),
        ([{**ROW, "kind": "essay"}], "", "one of multiple-choice, number, number-within, span"),
        ([ROW, ROW], "", "line 2: the id 'traffic/1' is that of line 1"),
        ([{"id": 1, "video": "a.mp4", "question": "?"}], "", "no column for answer (answer, gold"),
        ([ROW], '[columns]\nquestion = "qustion"', "no column 'qustion'; did you mean question?"),
        ([ROW], 'titel = "x"', "unknown key 'titel'"),
        ([ROW], 'kind = "essay"', "kind: expected one of multiple-choice"),
        ([ROW], "[columns]\nvideo = []", "video: expected the name of a column, got ()"),
        ([ROW], '[columns]\nid = ""', "id: expected the name of a column, got ''"),
        ([{**ROW, "id": " "}], "", "field 'id': expected a text that is not empty, got ' '"),
        ([{**ROW, "question": ""}], "", "field 'question': expected a text that is not empty"),
        ([ROW], "max_frames = 0", "max_frames: expected a number from 1"),
        ([ROW], 'prompt = "Go"', "prompt: expected a text that holds {question}"),
        ([ROW], 'name = "a b"', "the benchmark's name"),
        ([], "", "has no rows"),
    ],
)
def test_a_fault_is_one_line_that_says_where_and_what_was_expected(tmp_path, rows, settings, told):
    """File, line, field, expected and got."""
    path = _write(tmp_path, rows, settings)
    with pytest.raises(UsageError) as caught:
        _load(path)
    assert told in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.jsonl", '{"id": 1}\n{"id": 2\n', "a.jsonl, line 2: not valid JSON"),
        ("a.jsonl", "[1]\n", "a.jsonl, line 1: expected an object"),
        ("a.json", '{"id": 1}', "expected a list of objects"),
        ("a.csv", "id,id\n1,2\n", "line 1: expected a name for every column, each once"),
        ("a.csv", "id,video\n1,2\n3\n", "line 3: expected 2 cells as in the first line, got 1"),
        ("a.csv", 'id,video\n1,"2\n', "not readable as CSV"),
        ("a.parquet", "PAR0", "not a readable Parquet file"),
        ("a.csv", "", "a.csv: has no rows, expected at least one question"),
    ],
)
def test_a_file_that_is_no_table_is_told_with_its_line(tmp_path, name, content, told):
    """Whatever a spreadsheet or an editor has left."""
    (tmp_path / name).write_text(content)
    with pytest.raises(UsageError) as caught:
        _load(tmp_path / name)
    assert told in str(caught.value)


def test_each_kind_of_fault_is_told_once_with_how_often_it_is_there(tmp_path):
    """Ten rows without an answer are one line, and another fault is another line."""
    rows = [{**ROW, "id": at, "answer": None} for at in range(10)]
    rows += [{**ROW, "id": 11, "video": 3}, {**ROW, "id": 12}]
    with pytest.raises(UsageError) as caught:
        _load(_write(tmp_path, rows))
    first, second = str(caught.value).splitlines()
    assert "line 1: field 'answer'" in first
    assert first.endswith("(also line 2, line 3, line 4, ...: 10 rows in all)")
    assert "line 11: field 'video': expected a string, got 3" in second


@pytest.mark.parametrize("name", ["vsibench", "paper", "lmms"])
def test_the_name_of_something_installed_is_refused(tmp_path, name):
    """Results of a file never stand under the name of a published benchmark."""
    with pytest.raises(UsageError, match="belongs to an installed"):
        registry.find(str(_write(tmp_path, [ROW], name=f"{name}.jsonl")))


@pytest.mark.parametrize(
    ("reply", "value"),
    [("No Entry.", 1.0), ("<answer>no  entry</answer>", 1.0), ("entry", 0.0), ("", 0.0)],
)
def test_free_text_is_compared_without_case_and_outer_punctuation(tmp_path, reply, value):
    """The rule of our own is used under both protocols; the paper's gives every text 0."""
    task, [sample] = _load(_write(tmp_path, [{**ROW, "answer": "no entry"}]))
    assert task.protocol("video-r1").scorer == "official+answer@1"
    assert task.scorers["official+answer"].score(sample, reply).value == value


def test_free_text_by_rouge_has_a_value_between(tmp_path):
    """ROUGE-L of two of three words in order: precision 2/3, recall 2/2, F1 0.8."""
    settings = 'text = "rouge"'
    task, [sample] = _load(_write(tmp_path, [{**ROW, "answer": "no entry"}], settings))
    score = task.scorers["official"].score(sample, "no dogs entry")
    assert score.value == pytest.approx(0.8)
    assert score.outcome is Outcome.PARTIAL


def test_the_official_prompt_is_that_of_the_settings(tmp_path):
    """Braces in a question stay as they are."""
    settings = 'prompt = "Q: {question}\\n{options}\\nA:"'
    task, [sample] = _load(_write(tmp_path, [{**CHOICE, "question": "{options}?"}], settings))
    assert task.prompt(sample, "official").text == "Q: {options}?\nA. left\nB. right\nA:"


def test_cells_that_pandas_leaves_empty_are_no_ids(tmp_path):
    """A NaN is an empty cell, not the text nan."""
    cells = {"id": [1.0, float("nan")], "video": ["a", "a"], "question": ["q", "q"]}
    table = pa.table({**cells, "answer": [1.0, 2.0]})
    pq.write_table(table, tmp_path / "traffic.parquet")
    with pytest.raises(UsageError, match="row 1: field 'id': expected a string or a number"):
        _load(tmp_path / "traffic.parquet")


def test_what_is_no_file_is_told_as_what_it_is(tmp_path):
    """A folder, and a name with one letter wrong."""
    (tmp_path / "folder.jsonl").mkdir()
    _write(tmp_path, [ROW])
    with pytest.raises(UsageError, match="is a folder, expected a file"):
        registry.find(str(tmp_path / "folder.jsonl"))
    with pytest.raises(UsageError, match=r"no such file; did you mean .*traffic.jsonl\?"):
        registry.find(str(tmp_path / "trafic.jsonl"))
