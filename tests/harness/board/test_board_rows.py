"""One row per checkpoint and protocol: what is joined, what stands apart, the average."""

import hashlib
import json
import math
from dataclasses import replace

import pytest

from harness.board.entries import read_entries
from harness.board.figures import Column, Figure
from harness.board.leaderboard import build_board, read_board
from harness.board.names import parse_names, with_names
from harness.board.published import PUBLISHED, read_published, select_published
from harness.board.table import make_tables
from harness.cli import main
from harness.errors import UsageError
from harness.stats import clustered_estimate
from tests.harness.board.board_runs import write_task_runs

VSI, MVB, TEMP = [1.0, 0.0, 0.5, 1.0], [1.0, 1.0, 0.0], [0.0, 1.0]


def _labels(board):
    return [row.label for row in board.rows]


def _joined(tmp_path, one, other):
    """Return how many rows two runs of the same model make, given as arguments."""
    runs = [
        write_task_runs(tmp_path / name, **{"model": "m", **fields})
        for name, fields in (("one", one), ("other", other))
    ]
    return len(read_board(runs).rows)


def test_runs_of_one_checkpoint_that_hold_different_tasks_are_one_row(tmp_path):
    """Four jobs, one benchmark each: one row with every score, its hash that of one run of all."""
    runs = [
        write_task_runs(tmp_path / name, "m", {name: values})
        for name, values in (("vsibench", VSI), ("mvbench", MVB), ("tempcompass", TEMP))
    ]
    board = read_board(runs)
    [row] = board.rows
    assert {name: cell.score for name, cell in row.cells.items()} == pytest.approx(
        {"vsibench": 62.5, "mvbench": 200 / 3, "tempcompass": 50.0}
    )
    assert row.runs == tuple(map(str, runs))
    hashes = sorted(cell.protocol for cell in row.cells.values())
    assert row.protocol == hashlib.sha256(",".join(hashes).encode()).hexdigest()[:12]
    notes = " ".join(make_tables(board, by=False)[0].notes)
    assert f"m: one checkpoint under one protocol, from {runs[0]}" in notes


def test_presets_whose_frames_differ_per_task_are_one_protocol(tmp_path):
    """``official`` shows each benchmark its own frames; MVBench of ``video-r1`` whole videos."""
    for suite in ("official", "video-r1"):
        both = {"suite": suite}
        tasks = ({"tasks": {"vsibench": VSI}}, {"tasks": {"mvbench": MVB}})
        assert _joined(tmp_path / suite, *({**both, **one} for one in tasks)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"changes": {"max_frames": 32}}, {"changes": {"order": "shuffled"}}, {"suite": "official"},
        {"checkpoint": {"weights": "another"}}, {"backend": "transformers"},
        {"numeric": {"dtype": "float16"}}, {"tasks": {"mvbench": MVB, "vsibench": VSI}},
    ],
    ids=["frames", "order", "suite", "checkpoint", "engine", "numbers", "same-task"],
)  # fmt: skip
def test_what_may_not_be_mixed_is_not_joined(tmp_path, change):
    """Another protocol, checkpoint, engine or number format, or a task that is there already."""
    one, other = {"tasks": {"vsibench": VSI}}, {"tasks": {"mvbench": MVB}}
    assert _joined(tmp_path / "same", one, other) == 1
    assert _joined(tmp_path / "changed", one, {**other, **change}) == 2


def test_the_same_change_of_a_preset_is_the_same_protocol(tmp_path):
    """``--max-frames 32`` on both jobs."""
    changes = {"changes": {"max_frames": 32}}
    one, other = {"tasks": {"vsibench": VSI}}, {"tasks": {"mvbench": MVB}}
    assert _joined(tmp_path, {**one, **changes}, {**other, **changes}) == 1


def test_servers_of_one_checkpoint_are_one_whatever_their_address(tmp_path):
    """One job asked server A, the other A and B; a server that does not say what it serves counts
    by its address."""
    one, other = {"tasks": {"vsibench": VSI}}, {"tasks": {"mvbench": MVB}}

    def served(root, *addresses):
        sides = zip((one, other), addresses, strict=True)
        return [
            {**side, "checkpoint": {"server": at, "model": "m", "root": root}} for side, at in sides
        ]

    assert _joined(tmp_path / "named", *served("/ckpt", "a:8000", "several")) == 1
    assert _joined(tmp_path / "unnamed", *served(None, "a:8000", "b:8000")) == 2


def test_a_later_run_joins_the_row_that_it_fits(tmp_path):
    """Two frame settings, each in two jobs, named in any order."""
    runs = [
        write_task_runs(
            tmp_path / f"{task}-{frames}", "m", {task: values}, changes={"max_frames": frames}
        )
        for frames in (16, 32)
        for task, values in (("vsibench", VSI), ("mvbench", MVB))
    ]  # fmt: skip
    for order in (runs, runs[::-1], [runs[0], runs[3], runs[1], runs[2]]):
        rows = read_board(order).rows
        assert sorted((row.frames, len(row.runs)) for row in rows) == [("16", 2), ("32", 2)]


def test_one_model_at_three_frame_counts_is_three_rows_each_ranked_in_its_block(tmp_path):
    """The paper's Table 1: models and frame counts down, benchmarks across."""
    values = {"good": [1.0] * 20, "poor": [0.0] * 10 + [1.0] * 10}
    runs = [
        write_task_runs(
            tmp_path / f"{model}-{frames}", model, {"mvbench": items},
            changes={"max_frames": frames},
        )
        for frames in (16, 32, 64)
        for model, items in values.items()
    ]  # fmt: skip
    board = read_board(runs)
    rows = [(row.label, row.frames, row.block) for row in board.ranked]
    assert rows == [
        ("good", "16", 1), ("poor", "16", 1), ("good", "32", 2), ("poor", "32", 2),
        ("good", "64", 3), ("poor", "64", 3),
    ]  # fmt: skip
    assert all(row.cells["mvbench"].best for row in board.ranked if row.label == "good")
    assert board.differences[3] == ("mvbench: frames.max_frames: 64 != 16",)
    header, *_ = [table.header for table in make_tables(board, by=False)]
    assert header[:3] == ("model", "frames", "MVBench")


def test_the_average_is_the_mean_of_the_tasks_with_a_clustered_interval(tmp_path):
    """Of 62.5 and 66.7: each task weighs one half, and its items share that half."""
    board = read_board([write_task_runs(tmp_path / "r", "m", {"vsibench": VSI, "mvbench": MVB})])
    average = board.rows[0].average
    assert average.score == pytest.approx((62.5 + 200 / 3) / 2)
    # By hand: every video moves the mean by its item's distance from its task's mean times its
    # weight; the error has the factor C / (C - 1), t the degrees of freedom of unequal shares.
    weights = [1 / 8] * 4 + [1 / 6] * 3
    means = [0.625] * 4 + [2 / 3] * 3
    moved = [w * (v - m) for w, v, m in zip(weights, VSI + MVB, means, strict=True)]
    error = math.sqrt(7 / 6 * sum(one * one for one in moved))
    effective = 1 / math.sqrt(sum(w**3 for w in weights))
    from scipy.stats import t

    half = 100 * error * t.ppf(0.975, effective - 1)
    assert average.score - average.ci95[0] == pytest.approx(half)
    note = next(note for note in make_tables(board, by=False)[0].notes if "average" in note)
    assert "unweighted mean of VSI-Bench, MVBench" in note


def test_a_video_that_two_tasks_share_is_one_cluster(tmp_path):
    """Its questions are not independent, whichever benchmark asks them."""
    run = write_task_runs(tmp_path / "r", "m", {"vsibench": VSI, "mvbench": VSI})
    path = run / "records-0.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["cluster"] = line["cluster"].split()[-1]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    average = read_board([run]).rows[0].average
    alone = clustered_estimate(VSI, ["0", "1", "2", "3"])
    assert average.ci95 == pytest.approx([100 * end for end in alone.ci95])


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ([{"vsibench": VSI, "mvbench": MVB}, {"vsibench": VSI}], ("vsibench", "mvbench")),
        ([{"vsibench": VSI}, {"mvbench": MVB}], ()),
        (
            [{"vsibench": VSI, "mvbench": MVB, "tempcompass": TEMP}, {"vsibench": VSI}],
            ("vsibench", "mvbench", "tempcompass"),
        ),
        ([{"vsibench": VSI}], ()),
    ],
)
def test_an_average_is_of_tasks_that_are_named_and_a_row_that_lacks_one_has_none(
    tmp_path, tasks, expected
):
    """A mean over other tasks would be another number."""
    runs = [
        write_task_runs(tmp_path / str(number), f"model {number}", one)
        for number, one in enumerate(tasks)
    ]
    board = read_board(runs)
    assert board.average_tasks == expected
    complete = [set(expected) <= set(row.cells) for row in board.rows]
    assert [row.average is not None for row in board.rows] == [
        bool(expected) and one for one in complete
    ]


def test_averages_are_ranked_as_tasks_are(tmp_path):
    """Rank ranges from the differences on the same videos; the certainly best one is marked."""
    runs = [
        write_task_runs(tmp_path / name, name, {"vsibench": [right] * 20, "mvbench": [right] * 20})
        for name, right in (("good", 1.0), ("poor", 0.0))
    ]
    good, poor = read_board(runs).ranked
    assert (str(good.average.rank), good.average.best) == ("1", True)
    assert (str(poor.average.rank), poor.average.best) == ("2", False)


def test_rows_have_the_names_that_the_user_gives(tmp_path):
    """By folder, by the folder's name, or by the model's; a joined row has it as a whole."""
    runs = [
        write_task_runs(tmp_path / name, "m", {name: values})
        for name, values in (("vsibench", VSI), ("mvbench", MVB))
    ]
    for run in (str(runs[0]), f"{runs[0]}/", "vsibench"):
        entries = with_names(read_entries(runs), parse_names([f"{run}=Ours", "mvbench=Ours"]))
        assert _labels(build_board(entries)) == ["Ours"]
    entries = with_names(read_entries(runs), {"m": "A = B"})
    assert _labels(build_board(entries)) == ["A = B"]
    with pytest.raises(UsageError, match="no such run on this board; it has vsibench, mvbench"):
        with_names(read_entries(runs), {"other": "x"})
    for text in ("Ours", "=Ours", "m=", "m= "):
        with pytest.raises(UsageError, match="expected RUN=LABEL"):
            parse_names([text])


def test_published_rows_are_selected_by_model_and_frames():
    """By name, by a part of names where none is equal, by a pattern; the rest is named."""
    scores = read_published(PUBLISHED)

    def models(*wanted):
        found = select_published(scores, wanted)
        return list(dict.fromkeys((score.model, score.frames) for score in found))

    assert models("video-r1-7b@32") == [("Video-R1-7B", "32")]
    assert models("VIDEO R1 7b@32", "qwen2.5_vl_7b@16") == [
        ("Video-R1-7B", "32"), ("Qwen2.5-VL-7B", "16"),
    ]  # fmt: skip
    assert {frames for _, frames in models("Video-R1-7B")} >= {"16", "32", "64"}
    assert len({model for model, _ in models("r1")}) > 3
    assert {model for model, _ in models("*-sft")} == {"Qwen2.5-VL-7B-SFT"}
    for wrong in ("no-such-model", "Video-R1-7B@17", "@16", "results/runs/mine"):
        with pytest.raises(UsageError, match=r"no published score of .*; there are "):
            models(wrong)


def test_published_rows_stand_in_the_same_table_with_their_source(tmp_path, capsys):
    """Under the measured ones, without interval and rank; their column of columns is the source."""
    run = write_task_runs(tmp_path / "r", "m", {"vsibench": VSI, "mvbench": MVB})
    flags = ["--published", "Video-R1-7B@32", "--format", "md"]
    assert main(["board", str(run), *flags]) == 0
    page = capsys.readouterr().out
    assert r"| **published, not measured** |  |" in page
    assert r"| Video-R1-7B | 32 | 35.8 | 63.9 | 49.8 | \[1\] |" in page
    assert r"- \[1\] Video-R1 paper, arXiv 2503.21776" in page


def test_a_chosen_row_without_a_score_on_the_board_is_named(tmp_path, capsys):
    """It would be missed in silence; among all rows nobody waits for one."""
    run = write_task_runs(tmp_path / "r", "m", {"tempcompass": TEMP})
    assert main(["board", str(run), "--published", "Human"]) == 0
    assert "published Human has no score on this board; it has " in capsys.readouterr().err
    assert main(["board", str(run), "--published"]) == 0
    assert "has no score" not in capsys.readouterr().err


def test_folders_of_other_commands_are_left_out_with_a_note(tmp_path, capsys):
    """``board results/runs/*`` after a training, a watch, a probe; a file; an empty folder."""
    write_task_runs(tmp_path / "a", "a", {"mvbench": MVB})
    write_task_runs(tmp_path / "group" / "b", "b", {"mvbench": MVB})
    for name in ("train", "watch", "probe", "miniature"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    assert main(["board", *map(str, sorted(tmp_path.iterdir())), "--format", "csv"]) == 0
    shown = capsys.readouterr()
    assert {line.split(",")[1] for line in shown.out.splitlines()[1:]} == {"a", "b"}
    for name, why in (
        ("train", "a training"), ("watch", "a watch"), ("probe", "a probe"),
        ("miniature", "a miniature"), ("empty", "it holds no run"), ("notes.txt", "it is a file"),
    ):  # fmt: skip
        assert f"{tmp_path / name} is left out: " in shown.err
        assert why in shown.err
    assert main(["board", str(tmp_path / "train")]) == 2
    assert main(["board", str(tmp_path / "a"), str(tmp_path / "gone")]) == 2
    assert "gone: no such run directory" in capsys.readouterr().err


def test_a_folder_of_runs_stands_for_the_runs_in_it(tmp_path, capsys):
    """``board results/runs``; deeper ones, such as those of a watch, are not looked for."""
    write_task_runs(tmp_path / "a", "a", {"mvbench": MVB})
    write_task_runs(tmp_path / "deep" / "b", "b", {"mvbench": MVB})
    assert main(["board", str(tmp_path), "--format", "csv"]) == 0
    assert {line.split(",")[1] for line in capsys.readouterr().out.splitlines()[1:]} == {"a"}


def test_a_further_column_is_shown_in_every_format(tmp_path):
    """A title, a note, and a figure per row; a row without one has a dash."""
    runs = [
        write_task_runs(tmp_path / name, name, {"mvbench": MVB}) for name in ("with", "without")
    ]
    figures = {"with": Figure(score=12.5, ci95=(10.0, 15.0), link="page.html#x")}
    column = Column(
        name="gain", title="temporal gain", note="gain: what it is",
        figure=lambda entry: figures.get(entry.model),
    )  # fmt: skip
    board = read_board(runs, columns=[column])
    [table] = make_tables(board, by=False)
    at = table.header.index("temporal gain")
    assert [row[at].text for row in table.rows] == ["12.5 ± 2.5", "-"]
    assert table.rows[0][at].link == "page.html#x"
    assert "gain: what it is" in table.notes
    frame = board.to_frame()
    assert frame["gain score"].tolist()[0] == 12.5
    from harness.board.data import to_csv, to_json

    assert "ranked,with,ordered," in to_csv(board, by=False)
    assert ",gain," in to_csv(board, by=False)
    assert json.loads(to_json(board, by=False))["columns"][0]["name"] == "gain"


def test_a_row_of_a_task_that_no_other_has_stands_in_the_first_block(tmp_path):
    """It was made under the same protocol; there is nothing to compare it with."""
    runs = [
        write_task_runs(tmp_path / "a", "a", {"mvbench": MVB}),
        write_task_runs(tmp_path / "b", "b", {"vsibench": VSI}),
    ]
    board = read_board(runs)
    assert [row.block for row in board.rows] == [1, 1]
    assert all(cell.small == "" for row in make_tables(board, by=False)[0].rows for cell in row)


def test_joining_reads_a_run_of_before(tmp_path):
    """A manifest without engine, name or questions is a row like any other."""
    old = write_task_runs(tmp_path / "old", "m", {"mvbench": MVB})
    manifest = json.loads((old / "run.json").read_text())
    del manifest["backend"], manifest["limit"]
    manifest |= {"schema": 1, "checkpoint": {}}
    (old / "run.json").write_text(json.dumps(manifest))
    new = write_task_runs(tmp_path / "new", "m", {"vsibench": VSI}, checkpoint={})
    assert len(read_board([old, new]).rows) == 2
    entry = read_entries([old])[0]
    assert replace(entry, label="x").folders == (old,)
