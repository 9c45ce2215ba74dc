"""What `data check` counts: a task that shares a folder and was never downloaded is no gap."""

import shutil
from pathlib import Path

import pytest

from harness.cli import main
from tasks.demo.layouts import write_all


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """The demo's VideoMMMU, which has lectures and no question-only videos."""
    folder = tmp_path_factory.mktemp("data")
    write_all(folder / "all")
    shutil.move(folder / "all" / "videommmu", folder / "data" / "videommmu")
    return folder / "data"


def test_a_task_whose_media_nobody_downloaded_is_left_out_with_a_note(written, capsys):
    """VideoMMMU is complete; the questions without lecture share its folder."""
    assert main(["data", "check", "--data", str(written)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "videommmu-question-only is left out: none of its 32 media are here" in shown
    assert "`videor1 data fetch videommmu-question-only` brings them" in shown


def test_a_task_that_is_named_is_checked_all_the_same(written, capsys):
    """Who asks for it wants to know."""
    words = ["data", "check", "--data", str(written), "--tasks", "videommmu-question-only"]
    assert main(words) == 4
    assert "videommmu-question-only 32" in capsys.readouterr().err


def test_a_task_of_which_only_a_part_is_there_is_incomplete(written, tmp_path, capsys):
    """One of its media shows that it was downloaded."""
    data = tmp_path / "data"
    shutil.copytree(written, data)
    lecture = next((data / "videommmu").rglob("*.mp4"))
    target = data / "videommmu" / "question_only"
    target.mkdir()
    main(["data", "check", "--data", str(data), "--tasks", "videommmu-question-only"])
    listed = [line.strip() for line in capsys.readouterr().out.splitlines() if "_image.mp4" in line]
    name = Path(listed[0]).name
    shutil.copy(lecture, target / name)
    assert main(["data", "check", "--data", str(data)]) == 4
    assert "videommmu-question-only 31" in capsys.readouterr().err


def test_a_folder_without_any_media_is_incomplete(written, tmp_path, capsys):
    """Where no task of a folder has its media, something is missing."""
    data = tmp_path / "data"
    shutil.copytree(written, data)
    for video in (data / "videommmu").rglob("*.mp4"):
        video.unlink()
    assert main(["data", "check", "--data", str(data)]) == 4
    assert "videommmu 32" in capsys.readouterr().err
