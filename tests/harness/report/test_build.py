"""What a report's folder holds: data as text, pictures of frames, and what is said of gaps."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.special import stdtr

from harness.cli import main
from harness.errors import DatasetError, UsageError
from harness.report.build import build_report
from harness.report.config import FrameChoice, ReportConfig
from harness.report.scripts import write_script
from harness.run.record_lines import RecordFiles, walk_records
from harness.run.samples_file import StoredMedia
from harness.schema import MediaKind, Outcome
from tests.clips import HEIGHT, WIDTH, number, picture, write_clip, write_folder
from tests.harness.report.examples import (
    HOSTILE,
    PER_VIDEO,
    SHOWN,
    SHUFFLED,
    VIDEOS,
    first_records,
    manifest_of,
    record_of,
    sample_of,
    second_records,
    write_clips,
    write_pair,
    write_run,
)
from tests.paths import ROOT

ONE = ReportConfig(workers=1)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with the clips of all questions."""
    return write_clips(tmp_path_factory.mktemp("clips") / "data")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, clips: Path) -> Path:
    """The report of two runs."""
    folder = tmp_path_factory.mktemp("pair")
    return build_report(write_pair(folder, clips), folder / "out", ONE).page.parent


def read_script(path: Path) -> Any:
    """Return the value that a data script hands to the page."""
    match = re.fullmatch(r'videor1\.receive\("[a-z]+",\d+,(.*)\);\n', path.read_text(), re.DOTALL)
    assert match
    return json.loads(match[1])


def details(report: Path) -> dict[str, Any]:
    """Return the items of a report by id."""
    blocks = sorted((report / "data").glob("items-*.js"))
    return {item["id"]: item for block in blocks for item in read_script(block)}


def frames_of(report: Path, clip: dict[str, Any]) -> list[int]:
    """Read the numbers in the pictures of a clip, in the order shown."""
    grid = np.asarray(Image.open(report / "frames" / clip["sprite"]).convert("RGB"))
    width, height = clip["cell"]
    found = []
    for cell in clip["cells"]:
        top, left = cell // clip["columns"] * height, cell % clip["columns"] * width
        found.append(number(grid[top : top + height, left : left + width]))
    return found


def test_every_item_has_the_frames_that_each_run_saw_in_the_order_shown(pair: Path):
    """The pixels of the clips carry the numbers of their frames."""
    for item in details(pair).values():
        ordered, shuffled = item["frames"]
        assert frames_of(pair, ordered["clips"][0]) == list(SHOWN)
        assert frames_of(pair, shuffled["clips"][0]) == list(SHUFFLED)


def test_a_video_is_decoded_and_drawn_once_for_all_questions_and_runs(pair: Path):
    """Four videos, twelve questions, two runs: four pictures."""
    assert len(list((pair / "frames").iterdir())) == VIDEOS


def test_runs_that_saw_other_frames_of_a_video_share_its_picture(tmp_path: Path, clips: Path):
    """One run saw frames 0 and 39, the other 0, 13, 26, 39: the picture has four cells."""
    few = [
        replace(one, frame_indices=((0, 39),), timestamps=((0.0, 3.9),)) for one in first_records()
    ]
    runs = [
        write_run(tmp_path / "few", manifest_of(clips, model="few"), few),
        write_run(tmp_path / "all", manifest_of(clips), first_records()),
    ]
    report = build_report(runs, tmp_path / "out", ONE).page.parent
    first = details(report)["vsibench/0"]["frames"]
    assert [frames_of(report, view["clips"][0]) for view in first] == [[0, 39], list(SHOWN)]
    assert len(list((report / "frames").iterdir())) == VIDEOS


def test_a_missing_video_is_said_in_words_and_the_others_are_shown(tmp_path: Path, clips: Path):
    """The report is built, and both page and command name the flag that helps."""
    data = shutil.copytree(clips, tmp_path / "data")
    (data / "clips" / "video_1.mp4").unlink()
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    built = build_report([run], tmp_path / "out", ONE)
    items = details(built.page.parent)
    clip = items[f"vsibench/{PER_VIDEO}"]["frames"][0]["clips"][0]
    assert (
        clip["problem"]
        == f"{data}/clips/video_1.mp4 is not there; name the data root with --data DIR"
    )
    assert "sprite" not in clip
    assert built.overview.framed == VIDEOS - 1
    assert "1 without: the file is not there" in built.page.read_text()


def test_frames_are_found_again_where_the_data_root_has_moved(tmp_path: Path, clips: Path):
    """``--data`` takes the place of the folder in run.json."""
    run = write_run(tmp_path / "run", manifest_of(tmp_path / "gone"), first_records())
    lost = build_report([run], tmp_path / "lost", ONE)
    assert lost.overview.framed == 0
    found = build_report([run], tmp_path / "found", replace(ONE, data=clips))
    assert found.overview.framed == VIDEOS


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (20, "it has 20 frames, there is no frame 39"),
        (0, "cannot be decoded now"),
    ],
)
def test_a_video_that_is_another_one_now_is_not_shown(
    tmp_path: Path, clips: Path, frames: int, said: str
):
    """It has fewer frames, or is damaged."""
    data = shutil.copytree(clips, tmp_path / "data")
    path = data / "clips" / "video_0.mp4"
    if frames:
        write_clip(path, frames)
    else:
        path.write_bytes(b"no video")
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    report = build_report([run], tmp_path / "out", ONE).page.parent
    assert said in details(report)["vsibench/0"]["frames"][0]["clips"][0]["problem"]


def test_a_video_whose_frames_come_at_other_times_now_is_not_shown(tmp_path: Path, clips: Path):
    """The recorded times are compared with those of the file."""
    data = shutil.copytree(clips, tmp_path / "data")
    slower = [index if index < 20 else index + 5 for index in range(40)]
    write_clip(data / "clips" / "video_0.mp4", pts=slower)
    run = write_run(tmp_path / "run", manifest_of(data), first_records())
    report = build_report([run], tmp_path / "out", ONE).page.parent
    problem = details(report)["vsibench/0"]["frames"][0]["clips"][0]["problem"]
    assert problem == (
        "the file has changed since the run: frame 26 came 2.600 s behind frame 0, now it comes"
        " 3.100 s behind it"
    )


def test_frames_none_and_wrong_leave_out_what_they_name(tmp_path: Path, clips: Path):
    """Wrong are 0, 4, 8 and the failed 11, one in each video; made right, only video 0 is left."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    none = build_report([run], tmp_path / "none", replace(ONE, frames=FrameChoice.NONE))
    assert none.overview.framed == 0
    assert not (none.page.parent / "frames").exists()
    right = [
        replace(second_records()[n], outcome=Outcome.WRONG if n == 1 else Outcome.CORRECT)
        for n in range(VIDEOS * PER_VIDEO)
    ]
    run = write_run(tmp_path / "right", manifest_of(clips), right)
    some = build_report([run], tmp_path / "wrong", replace(ONE, frames=FrameChoice.WRONG))
    assert some.overview.framed == 1
    assert "sprite" in details(some.page.parent)["vsibench/2"]["frames"][0]["clips"][0]


def test_pictures_beyond_the_budget_are_left_out_and_counted(tmp_path: Path, clips: Path):
    """A budget of 0 MB has room for none."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    built = build_report([run], tmp_path / "out", replace(ONE, frames_budget=0))
    assert built.overview.framed == 0
    assert built.overview.frame_problems == (
        ("the pictures of the report reached --frames-budget 0", VIDEOS),
    )


def test_a_run_without_its_questions_is_shown_with_what_it_has(tmp_path: Path, clips: Path):
    """Runs of before have no samples.jsonl: answers and scores are there, and a note."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    (run / "samples.jsonl").unlink()
    built = build_report([run], tmp_path / "out", ONE)
    item = details(built.page.parent)["vsibench/4"]
    assert item["question"] is None
    assert item["answers"][0][0]["answer"] == "D"
    assert "it was made before questions were kept" in built.page.read_text()


def test_no_text_can_end_a_script_or_become_markup(pair: Path):
    """Data scripts hold no letter that HTML or old JavaScript takes for its own."""
    for path in (pair / "data").iterdir():
        assert not set("<>&\u2028\u2029\x1b\x00\u202e") & set(path.read_text().removesuffix("\n"))


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", [*HOSTILE, "\ud83d half", "a" * 5000 + "<b>"])
def test_a_page_has_no_element_that_a_text_has_made(tmp_path: Path, text: str):
    """Model, file, item id, category, video and message are shown as text; nothing runs inline."""
    manifest = manifest_of(None, model=text) | {"named": text, "backend": text}
    records = [
        replace(one, id=f"{one.id} {text}", cluster=f"{one.cluster}{text}", gold=text, answer=text,
                category=f"{text.replace('/', '')}x")
        for one in first_records()
    ]  # fmt: skip
    run = write_run(tmp_path / "run", manifest, records, samples=[sample_of(0)])
    other = write_run(tmp_path / "other", manifest, list(reversed(records)))
    page = build_report([run, other], tmp_path / "out", ONE).page
    tags = _Tags()
    tags.feed(page.read_text(encoding="utf-8"))
    allowed = {
        "a", "article", "body", "button", "caption", "circle", "code", "dd", "details", "dialog",
        "div", "dl", "dt", "footer", "form", "h1", "h2", "h3", "head", "header", "html", "i",
        "input", "kbd", "label", "li", "line", "link", "main", "meta", "nav", "noscript", "ol", "p",
        "rect", "script", "section", "select", "span", "strong", "summary", "sup", "svg", "table",
        "tbody", "td", "th", "thead", "title", "tr", "ul",
    }  # fmt: skip
    assert {tag for tag, _ in tags.found} <= allowed
    for tag, attributes in tags.found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        if tag == "script":
            assert (attributes.get("src") or "").startswith("assets/")


def test_a_line_of_a_megabyte_is_cut_on_the_page_and_whole_in_the_item(tmp_path: Path):
    """Model, message and answer; the page stays small."""
    text = "<x>" * 350_000
    first, *others = first_records()
    records = [replace(first, answer=text, text=text), *others]
    run = write_run(tmp_path / "run", manifest_of(None, model=text), records)
    page = build_report([run], tmp_path / "out", ONE).page
    assert page.stat().st_size < 200_000
    assert "… (1,050,000 characters)" in page.read_text()
    assert details(page.parent)["vsibench/0"]["answers"][0][0]["text"] == text


def test_the_page_loads_nothing_but_its_own_files(pair: Path):
    """The content security policy says so, and no address leads elsewhere."""
    text = (pair / "index.html").read_text()
    assert "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'" in text
    for path in [pair / "index.html", *(pair / "assets").iterdir()]:
        addresses = re.findall(r"https?://[^\s\"'`]+", path.read_text())
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, path  # a name, not a place


def test_scores_and_differences_are_those_of_the_records(tmp_path: Path, clips: Path):
    """Worked by hand, on the 11 items that both answered; the scorer takes the plain mean.

    The first run is right on 1 2 3 5 6 7 9 10, the second on 0 2 4 6 8 10: 8/11 and 6/11. By video
    (0 1 2 | 3 4 5 | 6 7 8 | 9 10) the differences sum to 0, -1, 0 and -1, which minus their share
    3, 3, 3 and 2 of the mean -2/11 are 6/11, -5/11, 6/11 and -7/11, each over 11 items; the
    standard error is sqrt(4/3 * (36 + 25 + 36 + 49)) / 121.
    """
    runs = write_pair(tmp_path, clips)
    overview = build_report(runs, tmp_path / "out", replace(ONE, frames=FrameChoice.NONE)).overview
    [section] = overview.tasks
    [first, second] = section.runs
    assert first is not None
    assert second is not None
    assert first.whole.score == pytest.approx(100 * 8 / 11)
    assert (first.outcomes["correct"], first.outcomes["wrong"], first.outcomes["failed"]) == (
        8,
        3,
        1,
    )
    [comparison] = overview.comparisons
    [task] = comparison.tasks
    assert task.whole.figure.score == pytest.approx(-100 * 2 / 11)
    assert task.whole.figure.n == 11
    assert task.whole.p is not None
    shares = np.array([3, 3, 3, 2]) / 11
    degrees = 1 / np.sqrt(np.sum(shares**3)) - 1
    error = np.sqrt(4 / 3 * (36 + 25 + 36 + 49)) / 121
    assert task.whole.p == pytest.approx(2 * stdtr(degrees, -2 / 11 / error))
    table = task.whole.table
    assert (table.both, table.first, table.second, table.none) == (3, 5, 3, 0)
    assert task.left_out == ("1 items failed in one of them",)
    losses = [(flip.cluster, flip.lost, flip.gained) for flip in comparison.flips]
    assert losses == [("scene_1", 2, 1), ("scene_3", 1, 0), ("scene_0", 1, 1), ("scene_2", 1, 1)]


def test_fields_of_the_protocol_that_differ_are_named(pair: Path):
    """The runs differ in the order of frames, and so in the hash."""
    text = (pair / "index.html").read_text()
    assert "<code>frames.order</code>" in text
    assert "2 fields differ" in text


def test_another_order_of_options_is_mapped_to_the_options_shown(tmp_path: Path, clips: Path):
    """An answer A to rotated options is the option that stands elsewhere for the first run."""
    moved = [
        replace(sample, options=(*sample.options[-1:], *sample.options[:-1]), gold="BC"[place % 2])
        for n in range(VIDEOS * PER_VIDEO)
        for sample, place in [(sample_of(n), n % PER_VIDEO)]
    ]
    runs = [
        write_run(tmp_path / "plain", manifest_of(clips, model="plain"), first_records()),
        write_run(tmp_path / "moved", manifest_of(clips, model="moved"), second_records(), moved),
    ]
    config = replace(ONE, frames=FrameChoice.NONE)
    item = details(build_report(runs, tmp_path / "out", config).page.parent)["vsibench/0"]
    plain, other = item["answers"]
    assert (plain[0]["answer"], plain[0]["chosen"]) == ("D", 3)
    assert (other[0]["answer"], other[0]["chosen"]) == ("A", 3)
    assert item["gold_option"] == 0
    assert item["own"][0] is None
    assert item["own"][1]["gold"] == "B"
    assert item["own"][1]["options"][0] == "none"


def test_a_folder_of_runs_stands_for_the_runs_in_it(tmp_path: Path, clips: Path):
    """As `probe` and `watch` write it; checkpoints are named by their step and drawn over it."""
    for step in (10, 0, 200):
        write_run(
            tmp_path / "watch" / f"step-{step:06d}", manifest_of(clips, model=str(step)),
            first_records(),
        )  # fmt: skip
    config = replace(ONE, frames=FrameChoice.NONE)
    built = build_report([tmp_path / "watch"], tmp_path / "out", config)
    labels = [run.source.label for run in built.overview.runs]
    assert labels == ["step 0", "step 10", "step 200"]
    assert "Over training" in built.page.read_text()


def test_a_run_of_schema_1_can_be_shown(tmp_path: Path):
    """It has neither questions nor a data root."""
    built = build_report([ROOT / "tests" / "fixtures" / "run_schema_1"], tmp_path / "out", ONE)
    assert built.overview.items == 96
    assert built.overview.framed == 0


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path, clips: Path):
    """Only what is a report is replaced."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    for name in ("thesis.tex", "data", "index.html"):
        out = tmp_path / f"has {name}"
        (out / name).mkdir(parents=True)
        with pytest.raises(UsageError, match="exists and is not a report"):
            build_report([run], out, ONE)
        assert [path.name for path in out.iterdir()] == [name]
    config = replace(ONE, frames=FrameChoice.NONE)
    (tmp_path / "new").mkdir()
    for _ in range(2):
        assert build_report([run], tmp_path / "new", config).overview.items == 12


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frame_size": ()}, "the record does not hold the sizes and times of its frames"),
        ({"timestamps": ()}, "the record does not hold the sizes and times of its frames"),
        ({"frame_size": ((0, 96),)}, "the record holds no size of a frame: 0 x 96 pixels"),
        ({"frame_size": ((10**9, 96),)}, "the record holds no size of a frame: 1000000000 x 96"),
        ({"frame_indices": ((),)}, "the record names no frame of it"),
        ({"frame_indices": ((-1, 13, 26, 39),)}, "it has 40 frames, there is no frame -1"),
        ({"frame_indices": ((0, 13, 26, 10**12),)}, "there is no frame 1000000000000"),
        ({"frame_indices": (SHOWN, SHOWN)}, "the question names other media than the record"),
        ({"frame_indices": ((0, 13),)}, None),
        ({"frame_indices": ((13, 13, 0, 0),), "timestamps": ((0.0, 0.0, 1.3, 1.3),)}, None),
    ],
)
def test_a_record_with_odd_frames_costs_its_own_item_only(
    tmp_path: Path, clips: Path, changes: dict[str, Any], said: str | None
):
    """The item says why it has no frames; a frame shown twice is shown twice."""
    first, *others = first_records()[:4]
    run = write_run(tmp_path / "run", manifest_of(clips), [replace(first, **changes), *others])
    items = details(build_report([run], tmp_path / "out", ONE).page.parent)
    clip = items["vsibench/0"]["frames"][0]["clips"][0]
    if said is None:
        assert "problem" not in clip
        assert len(clip["cells"]) == len(clip["indices"])
    else:
        assert said in clip["problem"]
    assert "sprite" in items["vsibench/3"]["frames"][0]["clips"][0]


def test_images_and_folders_of_frames_are_shown_like_videos(tmp_path: Path):
    """One question shows a folder of numbered images and a picture."""
    data = tmp_path / "data"
    data.mkdir()
    write_folder(data / "folder")
    Image.fromarray(picture(77)).save(data / "one.png")
    asked = replace(
        sample_of(0),
        media=(
            StoredMedia(path="folder", kind=MediaKind.FRAMES, fps=2.0),
            StoredMedia(path="one.png", kind=MediaKind.IMAGE),
        ),
    )
    record = replace(
        first_records()[0],
        frame_indices=((2, 8), (0,)),
        timestamps=((0.0, 3.0), (0.0,)),
        frame_size=((WIDTH, HEIGHT), (WIDTH, HEIGHT)),
    )
    run = write_run(tmp_path / "run", manifest_of(data), [record], [asked])
    report = build_report([run], tmp_path / "out", ONE).page.parent
    folder, image = details(report)["vsibench/0"]["frames"][0]["clips"]
    assert frames_of(report, folder) == [3, 9]  # numbered from one
    assert frames_of(report, image) == [77]


def test_other_scorers_are_shown_where_they_disagree(tmp_path: Path, clips: Path):
    """A score file of `videor1 rescore` calls item 4 right, the record wrong."""
    run = write_run(tmp_path / "run", manifest_of(clips), first_records())
    lines = [
        {
            "id": record.id, "repeat": 0, "task": "vsibench", "outcome": "correct", "value": 1.0,
            "answer": "B", "scorer": "flexible@1", "rule": "letter", "failure": None,
        }
        for record in first_records()[4:7]
    ]  # fmt: skip
    (run / "scores-flexible.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = replace(ONE, frames=FrameChoice.NONE)
    report = build_report([run], tmp_path / "out", config).page.parent
    assert details(report)["vsibench/4"]["answers"][0][0]["others"] == [
        ["flexible", 1.0, "correct", "B", "letter"]
    ]
    index = read_script(report / "data" / "index-0.js")
    assert [index["id"][at] for at in index["runs"][0]["disagree"]] == ["vsibench/4"]


def test_repeats_of_an_item_are_shown_and_count_as_their_mean(tmp_path: Path, clips: Path):
    """Right once in two: the item is worth a half."""
    right, wrong = record_of(0, "A"), replace(record_of(0, "D"), repeat=1)
    manifest = manifest_of(clips)
    manifest["protocol"]["vsibench"]["repeats"] = 2
    run = write_run(tmp_path / "run", manifest, [right, wrong])
    config = replace(ONE, frames=FrameChoice.NONE)
    report = build_report([run], tmp_path / "out", config).page.parent
    answers = details(report)["vsibench/0"]["answers"][0]
    assert [(one["repeat"], one["answer"]) for one in answers] == [(0, "A"), (1, "D")]
    assert read_script(report / "data" / "index-0.js")["runs"][0]["value"][0] == 0.5


def test_a_scorer_that_is_not_installed_is_said(tmp_path: Path, clips: Path):
    """The score is that of summary.json, the difference a plain mean."""
    runs = []
    for name in ("one", "two"):
        manifest = manifest_of(clips, model=name)
        manifest["protocol"]["vsibench"]["scorer"] = "homemade@1"
        runs.append(write_run(tmp_path / name, manifest, first_records()))
    config = replace(ONE, frames=FrameChoice.NONE)
    text = build_report(runs, tmp_path / "out", config).page.read_text()
    assert "scorer homemade@1 is not installed here" in text
    assert "the difference is the plain mean over items" in text


@pytest.mark.parametrize("words", [["nowhere"], ["run", "run"]])
def test_what_is_no_run_or_named_twice_is_refused(
    tmp_path: Path, clips: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    """Exit code 2 with the folder's name."""
    write_run(tmp_path / "run", manifest_of(clips), first_records())
    folders = [str(tmp_path / word) for word in words]
    assert main(["report", *folders, "-o", str(tmp_path / "out")]) == 2
    assert folders[0] in capsys.readouterr().err


def test_the_command_says_what_it_made_and_what_is_lacking(
    tmp_path: Path, clips: Path, capsys: pytest.CaptureFixture[str]
):
    """The last line names the page to open."""
    run = write_run(tmp_path / "run", manifest_of(tmp_path / "gone"), first_records())
    out = tmp_path / "out"
    assert main(["report", str(run), "-o", str(out), "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert "4 videos have no frames: the file is not there; name the data root" in said.out
    assert said.err.splitlines()[-1] == (
        f"exit 0 (ok): 1 run, 12 items, frames of 0 videos (0.0 MB): open {out}/index.html"
    )
    assert main(["report", str(run), "-o", str(out), "--data", str(clips), "--workers", "1"]) == 0


def test_a_record_is_read_again_from_its_place(tmp_path: Path):
    """Also where a failed one was written before it, and only whole lines count."""
    failed = first_records()[-1]
    answered = replace(second_records()[-1], text="found")
    run = write_run(tmp_path / "run", manifest_of(None), [failed, *first_records()[:2], answered])
    places = {record.key: line for line, record in walk_records(run)}
    with RecordFiles() as files:
        assert files.read(places[answered.key]).text == "found"
        assert files.read(places["vsibench/1", 0]) == first_records()[1]
    (run / "records-0.jsonl").write_text("x" * 3000)
    with RecordFiles() as files, pytest.raises(DatasetError):
        files.read(places["vsibench/1", 0])


def test_a_script_hands_over_an_equal_value(tmp_path: Path):
    """Escapes change no letter."""
    value = {"text": [*HOSTILE, "\ud800 lone"], "number": 1.5, "none": None}
    write_script(tmp_path, "items", value, 3)
    found = read_script(tmp_path / "items-3.js")
    assert found["text"][:-1] == list(HOSTILE)
    assert found["number"] == 1.5
