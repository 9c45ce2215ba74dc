"""Training rows in the paper's format: what is read, and which rows are no good."""

from pathlib import Path

import pytest

from harness.errors import DatasetError
from harness.schema import Kind, Media, MediaKind
from tests.trainer.rows import IMAGE, VIDEO, make_row, read_row, write_media, write_rows
from trainer.data.faults import BadRow, Fault
from trainer.data.options import unlabelled
from trainer.data.rows import (
    parse_rows,
    read_training_rows,
    strip_think_tags,
)


def test_a_row_becomes_a_sample_with_its_target(tmp_path):
    """Option letters are positions, the gold answer is what the answer tags hold."""
    write_media(tmp_path)
    row = read_row(tmp_path, number=7)
    sample = row.sample
    assert (sample.id, sample.task, sample.kind) == ("rows/7", "train", Kind.MULTIPLE_CHOICE)
    assert (sample.question, sample.options, sample.answer) == (
        "What moves?", ("a cat", "a dog"), "B",
    )  # fmt: skip
    assert (sample.category, sample.cluster) == ("multiple choice", VIDEO)
    assert sample.media == (Media(path=tmp_path / "clips/a.mp4", kind=MediaKind.VIDEO),)
    assert (row.solution, row.rationale) == ("<answer>B</answer>", "<think>It barks.</think>")


def test_lists_and_lines_images_and_videos_may_be_mixed(tmp_path):
    """The paper's files are lists; JSON Lines hold the same rows."""
    a = write_rows(tmp_path / "a.json", [make_row(0), make_row(1, path=IMAGE, data_type="image")])
    b = write_rows(tmp_path / "b.jsonl", [make_row(0)])
    rows = read_training_rows([a, b], [tmp_path])
    assert [row.sample.id for row in rows] == ["a/0", "a/1", "b/0"]
    assert [row.sample.media[0].kind for row in rows] == ["video", "image", "video"]


def test_a_row_without_an_id_is_named_by_its_place(tmp_path):
    """Ids only have to tell rows apart."""
    assert read_row(tmp_path, problem_id=None).sample.id == "rows/row-0"


def test_a_row_may_be_text_alone(tmp_path):
    """Then there is no medium, and the row is its own cluster."""
    row = read_row(tmp_path, path=None, data_type=None)
    assert (row.sample.media, row.sample.cluster) == ((), "rows/0")


def test_media_are_looked_for_in_each_root_in_order(tmp_path):
    """The first root that has the file wins; a path may begin with a root's own name."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    write_media(second)
    path = write_rows(tmp_path / "r.json", [make_row(), make_row(1, path="./second/clips/a.mp4")])
    rows = read_training_rows([path], [first, second])
    assert {row.sample.media[0].path for row in rows} == {second / "clips/a.mp4"}


def test_missing_media_keep_the_place_where_they_were_expected(tmp_path):
    """Reading does not fail for them; the check names the path."""
    row = read_row(tmp_path)
    assert row.sample.media[0].path == tmp_path / "clips/a.mp4"


def test_options_without_letters_are_taken_as_they_are(tmp_path):
    """The prompt puts the letters there."""
    assert read_row(tmp_path, options=["up", "down"]).sample.options == ("up", "down")


@pytest.mark.parametrize(
    ("kind", "solution", "gold"),
    [
        ("numerical", "<answer> 1,200 </answer>", "1,200"),
        ("regression", "<answer>2.5</answer>", "2.5"),
        ("OCR", "<answer>EXIT 4</answer>", "EXIT 4"),
        ("free-form", "<answer>A cat\nsleeps.</answer>", "A cat\nsleeps."),
    ],
)
def test_every_problem_type_is_read(tmp_path, kind, solution, gold):
    """The five types of the paper."""
    row = read_row(tmp_path, problem_type=kind, solution=solution, options=[])
    assert (row.sample.kind, row.sample.answer) == (kind, gold)


def test_temporal_grounding_may_be_called_span(tmp_path):
    """The name that other data sets have for it."""
    row = read_row(
        tmp_path, problem_type="span", options=None, solution="<answer>2.5 to 8</answer>"
    )
    assert (row.sample.kind, row.sample.category) == (Kind.SPAN, "temporal grounding")


@pytest.mark.parametrize(
    ("changes", "fault", "message"),
    [
        ({"problem": None}, Fault.FIELD, "'problem': expected a string"),
        ({"problem_type": "essay"}, Fault.FIELD, "'problem_type': expected one of multiple"),
        ({"data_type": "audio"}, Fault.FIELD, "'data_type': expected 'video' or 'image'"),
        ({"path": None}, Fault.FIELD, "'path': expected a file, as data_type is 'video'"),
        ({"path": ""}, Fault.FIELD, "'path': expected a file"),
        (
            {"path": None, "data_type": None, "image": "a.png"},
            Fault.FIELD,
            "'image': expected noth",
        ),
        ({"path": [VIDEO, VIDEO]}, Fault.FIELD, "'path': expected one file"),
        ({"images": ["a.png", "b.png"]}, Fault.FIELD, "'path': expected nothing beside 'images'"),
        ({"path": "/etc/passwd"}, Fault.FIELD, "'path': expected a relative path, or one below"),
        ({"problem": "half \ud83d"}, Fault.TEXT, "problem: character 5 is half of a UTF-16 pair"),
        ({"options": ["A. \ude00", "B. b"]}, Fault.TEXT, "options: character 3"),
        ({"process": "\ud83d"}, Fault.TEXT, "process: "),
        ({"solution": "<answer>\ud83d</answer>"}, Fault.TEXT, "solution: "),
        ({"path": "\ud83d.mp4"}, Fault.TEXT, "path: "),
        ({"options": ["(B) a", "(A) b"]}, Fault.OPTIONS, "expected the letters A, B, got (B), (A)"),
        ({"options": ["(A) a", "b"]}, Fault.OPTIONS, "expected the letters A, B, got (A), b"),
        ({"path": "../../etc/passwd"}, Fault.FIELD, "leaves the data root"),
        ({"process": 3}, Fault.FIELD, "'process': expected a string"),
        ({"options": ["A. a", "C. b"]}, Fault.OPTIONS, "expected the letters A, B, got A., C."),
        ({"options": ["B. a", "A. b"]}, Fault.OPTIONS, "expected the letters A, B, got B., A."),
        ({"options": []}, Fault.OPTIONS, "expected 2 to 26 options, got 0"),
        ({"solution": "<answer>C</answer>"}, Fault.ANSWER, "one of the letters A, B, got 'C'"),
        ({"solution": "<answer>b</answer>"}, Fault.ANSWER, "one of the letters A, B, got 'b'"),
        ({"solution": "B"}, Fault.ANSWER, "'<answer>...</answer>', got 'B'"),
        ({"solution": "<answer> </answer>"}, Fault.ANSWER, "'<answer>...</answer>'"),
        ({"problem_type": "numerical"}, Fault.ANSWER, "expected a bare number, got 'B'"),
        (
            {"problem_type": "regression", "solution": "<answer>3 m</answer>"},
            Fault.ANSWER,
            "expected a bare number, got '3 m'",
        ),
    ],
)
def test_a_row_that_cannot_be_trained_on_says_why(tmp_path, changes, fault, message):
    """Reading strictly stops there; parsing goes on and reports it with its place."""
    path = write_rows(tmp_path / "r.json", [make_row(0), make_row(1, **changes)])
    good, bad = parse_rows([path], [Path(tmp_path)])
    assert not isinstance(good, BadRow)
    assert isinstance(bad, BadRow)
    assert (bad.fault, bad.where) == (fault, f"{path}, row 1")
    assert message in bad.message
    with pytest.raises(DatasetError, match="row 1: "):
        read_training_rows([path], [tmp_path])


def test_a_file_that_is_no_json_stops_with_its_line(tmp_path):
    """There are no rows to exclude in it."""
    path = tmp_path / "r.jsonl"
    path.write_text("{}\n{", encoding="utf-8")
    with pytest.raises(DatasetError, match="line 2"):
        read_training_rows([path], [tmp_path])


@pytest.mark.parametrize("text", ["<think>\nso\n</think>", "so", " <think>so</think>\n"])
def test_a_rationale_counts_without_its_tags(text):
    """The paper's rows carry them; written by hand they may not."""
    assert strip_think_tags(text) == "so"


@pytest.mark.parametrize(
    "form",
    ["{0}. {1}", "({0}) {1}", "{0}) {1}", "{0}: {1}", "{0}.{1}", "[{0}] {1}", "{0} - {1}",
     "{0} {1}", "Option {0}: {1}", "**{0}.** {1}", "{0}\uff0e{1}"],
)  # fmt: skip
@pytest.mark.parametrize("labels", ["ABC", "abc", "123"])
def test_labels_of_any_form_are_removed(form, labels):
    """The prompt adds its own letters; numbers before a space, a point and a text are none."""
    if labels == "123" and form in ("{0}.{1}", "{0} {1}"):
        return
    texts = ("a cat", "the dog", "no one")
    options = [form.format(label, text) for label, text in zip(labels, texts, strict=True)]
    assert unlabelled(options) == texts


@pytest.mark.parametrize(
    "options",
    [
        ("left", "right"), ("1.5", "2.5"), ("1:30", "2:30"), ("1", "2"), ("A.M.", "P.M."),
        ("A cat", "A dog"), ("C major", "D minor"), ("A-flat", "B-flat"), ("3) x", "y"), ("A", "B"),
        ("1 m", "2 m"), ("", ""), ("a", "b"),
    ],
)  # fmt: skip
def test_options_that_only_look_like_labels_stay(options):
    """Nothing is left of them, or they are not the first letters in order."""
    assert unlabelled(options) == options


def test_files_of_one_name_in_two_folders_have_ids_of_their_own(tmp_path):
    """As much of the path is in the id as tells the files apart."""
    files = [
        write_rows(tmp_path / place, [make_row(0)])
        for place in ("a/rows.json", "b/rows.json", "b/other.json", "b/rows.jsonl")
    ]
    rows = read_training_rows(files[:3], [tmp_path])
    assert [row.sample.id for row in rows] == ["a/rows/0", "b/rows/0", "other/0"]
    ids = [row.sample.id for row in read_training_rows(files[1:], [tmp_path])]
    assert len(set(ids)) == 3
    with pytest.raises(DatasetError, match=r"names .* twice"):
        read_training_rows([files[0], tmp_path / "b/../a/rows.json"], [tmp_path])


def test_an_absolute_path_below_a_root_is_taken(tmp_path):
    """Whichever root that is."""
    (tmp_path / "other").mkdir()
    path = write_rows(tmp_path / "r.json", [make_row(path=str(tmp_path / "x/a.mp4"))])
    (row,) = read_training_rows([path], [tmp_path / "other", tmp_path])
    assert row.sample.media[0].path == tmp_path / "x/a.mp4"
