"""The parts of the lmms-eval bridge that need no lmms-eval: messages, arguments, judges, names."""

import functools
import subprocess
import sys
from importlib.metadata import PackageNotFoundError

import pytest
from PIL import Image

from harness.cli import main
from harness.errors import UnavailableTaskError
from harness.schema import Media, MediaKind, Prompt, Sampling
from harness.task import registry
from tasks.lmms.generation import cut, sampling_of, stops_of
from tasks.lmms.messages import read_messages, write_images
from tasks.lmms.network_check import network_client
from tasks.lmms.own_scoring import score_of_total
from tests.paths import ROOT


def user(*parts: object) -> dict[str, object]:
    return {"role": "user", "content": list(parts)}


def text(written: str) -> dict[str, object]:
    return {"type": "text", "text": written}


def test_media_first_and_text_last_is_our_ordinary_prompt(tmp_path):
    """A video and a question: nothing stands before the video."""
    asked = read_messages([user({"type": "video", "url": "a/v.mp4"}, text("What?"))], tmp_path)
    assert asked.prompt == Prompt(text="What?")
    (medium,) = asked.media
    assert (str(medium.path), medium.kind) == ("a/v.mp4", MediaKind.VIDEO)


def test_interleaved_text_keeps_its_places(tmp_path):
    """Text before each image and after the last one; an image in memory is one file, written once.

    Reading alone writes nothing: it is done for all documents, `write_images` for those asked.
    """
    image = Image.new("RGB", (4, 4), "red")
    shown = {"type": "image", "url": image}
    parts = (text("One: "), shown, text(" two: "), shown, text("Which"), text("?"))
    asked = read_messages([user(*parts)], tmp_path / "images")
    assert asked.prompt == Prompt(text="Which?", before=("One: ", " two: "))
    assert asked.media[0] == asked.media[1]
    assert not (tmp_path / "images").exists()
    write_images([user(*parts)], tmp_path / "images")
    assert list((tmp_path / "images").iterdir()) == [asked.media[0].path]


def test_a_span_of_a_video_and_a_system_turn_are_kept(tmp_path):
    """Start and end in seconds; the system text is the prompt's."""
    part = {"type": "video", "url": {"path": "v.mp4", "video_start": 1.5, "video_end": 3.0}}
    system = {"role": "system", "content": "Be brief."}
    asked = read_messages([system, user(part, text("What?"))], tmp_path)
    assert asked.prompt.system == "Be brief."
    assert asked.media == (Media(path=asked.media[0].path, start_s=1.5, end_s=3.0),)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([user(text("a")), {"role": "assistant", "content": "b"}], "turns user, assistant"),
        ([user({"type": "audio", "url": "a.wav"})], "'audio'"),
        ([user({"type": "image", "url": "https://example.org/a.png"})], "not files"),
        ([user({"type": "video", "url": [1, 2]})], "its video is a list"),
    ],
)
def test_what_cannot_be_shown_as_written_is_refused(messages, reason, tmp_path):
    """Nothing is left out of a prompt in silence."""
    with pytest.raises(UnavailableTaskError, match=reason):
        read_messages(messages, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"until": ["\n\n"], "do_sample": False}, Sampling(temperature=0.0, max_tokens=4096)),
        ({"max_new_tokens": 16, "temperature": 0}, Sampling(temperature=0.0, max_tokens=16)),
        (
            {"max_new_tokens": 8, "temperature": 0.7, "top_p": 0.9},
            Sampling(temperature=0.7, top_p=0.9, max_tokens=8),
        ),
        (
            {"temperature": 0.7, "do_sample": False, "num_beams": 1, "top_k": 50},
            Sampling(temperature=0.0, max_tokens=4096),
        ),
    ],
)
def test_generation_arguments_become_sampling(arguments, expected):
    """Greedy where sampling is off, whatever the temperature says; lmms-eval's own limit."""
    assert sampling_of(arguments) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_beams": 4},
        {"n": 2},
        {"repetition_penalty": -1},
        {"min_p": 2, "temperature": 1},
        {"presence_penalty": 3},
        {"top_k": "many", "temperature": 1},
    ],
)
def test_arguments_that_would_change_the_text_are_refused(arguments):
    """What the engines cannot do is not left out."""
    with pytest.raises(UnavailableTaskError, match="cannot be honoured"):
        sampling_of(arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"top_k": 50, "temperature": 1}, {"temperature": 1.0, "top_k": 50}),
        ({"top_k": -1, "temperature": 1}, {"temperature": 1.0}),
        ({"min_p": 0.1, "temperature": 1}, {"temperature": 1.0, "min_p": 0.1}),
        ({"top_k": 50, "min_p": 0.1}, {}),
        ({"repetition_penalty": 1.2}, {"repetition_penalty": 1.2}),
        (
            {"presence_penalty": 1, "frequency_penalty": 0.5, "do_sample": False},
            {"presence_penalty": 1.0, "frequency_penalty": 0.5},
        ),
        ({"repetition_penalty": None, "top_k": None, "temperature": 1}, {"temperature": 1.0}),
    ],
)
def test_limits_and_penalties_are_those_of_the_task(arguments, expected):
    """Limits of what is sampled from change nothing without sampling; penalties do."""
    plain = {"temperature": 0.0, "max_tokens": 4096}
    assert sampling_of(arguments) == Sampling(**plain | expected)


def test_texts_are_cut_at_the_tasks_own_stops():
    """The blank line that lmms-eval adds to every task is none of them."""
    assert stops_of({"until": ["\n\n"]}) == ()
    assert stops_of({"until": "ASSISTANT:"}) == ("ASSISTANT:",)
    assert cut("a. b; c", (";", ".")) == "a"
    assert cut("abc", (";",)) == "abc"


class _Judge:
    def rate(self):
        import requests

        return requests.post("https://example.org")

    def compare(self):
        return 1


JUDGE = _Judge()


def _asks(doc, results):
    return JUDGE.rate()


def _compares(doc, results):
    return JUDGE.compare()


def _nested(doc, results):
    def inner():
        return _asks(doc, results)

    return inner()


@pytest.mark.parametrize("function", [_asks, _nested, functools.partial(_asks, {})])
def test_a_judge_is_found_behind_methods_closures_and_partials(function):
    """What the scoring function mentions is followed."""
    assert network_client([None, function]) == "requests"


def test_local_rules_are_no_judge():
    """A method of the same object that asks nobody is not blamed for its neighbour."""
    assert network_client([_compares, len]) is None


@pytest.mark.parametrize(
    ("total", "mean", "expected"),
    [
        (0.25, 0.25, 0.25),
        (25.0, 0.25, 0.25),
        (0.8, 0.008, 0.008),  # percent: eight of a thousand
        (0.8, 0.75, 0.8),  # a share that is not the mean
        (1700.0, 0.5, None),  # points of a benchmark with a scale of its own
        ("see the server", 0.5, None),
        (float("nan"), 0.5, None),
    ],
)
def test_a_tasks_own_number_is_brought_to_our_scale(total, mean, expected):
    """Shares and percentages are told apart by the items' mean."""
    assert score_of_total(total, mean) == (None if expected is None else pytest.approx(expected))


def test_names_of_the_bridge_are_names_as_a_whole():
    """``lmms:NAME`` is no config of a task ``lmms``; our own selections stay as they are."""
    assert registry.name_of("lmms:mmmu_val") == "lmms:mmmu_val"
    assert registry.config_of("lmms:mmmu_val") == ""
    assert registry.name_of("vsibench:route_planning") == "vsibench"
    assert registry.config_of("vsibench:route_planning") == "route_planning"


def test_the_list_of_tasks_names_the_bridge(capsys):
    """``videor1 tasks`` says what ``lmms:NAME`` is, whether or not the package is installed."""
    assert main(["tasks"]) == 0
    assert "lmms:NAME  any generate-type task of lmms-eval" in capsys.readouterr().out


def test_without_the_package_a_name_is_one_line_and_exit_2(tmp_path, capsys, monkeypatch):
    """The line says what to install."""

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("tasks.lmms.package.version", absent)
    data = ["--data", str(tmp_path / "none"), "--backend", "fake", "--out", str(tmp_path / "run")]
    assert main(["eval", "x", "--tasks", "lmms:videomme", *data]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("exit 2 (usage): lmms-eval is not installed; install it with: pip")


def test_another_release_is_refused(capsys, monkeypatch, tmp_path):
    """Its scores differ by release."""
    monkeypatch.setattr("tasks.lmms.package.version", lambda name: "0.7.2")
    assert main(["eval", "x", "--tasks", "lmms:videomme", "--backend", "fake"]) == 2
    assert "lmms-eval 0.7.2 is installed and scores differ by release" in capsys.readouterr().err


def test_benchmarks_do_not_import_the_bridge():
    """Importing every benchmark loads nothing of ``tasks.lmms``: the bridge points at them."""
    code = (
        "import sys, tasks.videommmu, tasks.vsibench, tasks.mvbench, tasks.tempcompass\n"
        "print([name for name in sys.modules if name.startswith('tasks.lmms')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["videommmu", "vsibench", "mvbench", "tempcompass"])
def test_the_bridge_adds_its_scorer_to_benchmarks_by_name(name):
    """The added scorer keeps the benchmark's own official aggregation."""
    scorers = registry.get(name).scorers
    assert scorers["lmms-eval"].tag == "lmms-eval@1"
    assert scorers["lmms-eval"].aggregation is scorers["official"].aggregation


def test_a_benchmark_that_lmms_eval_lacks_gets_no_scorer_from_it():
    """MotionWorld has its own four scorers only."""
    assert sorted(registry.get("motionworld").scorers) == [
        "flexible", "official", "official+answer", "video-r1",
    ]  # fmt: skip
