"""Protocol files change a preset field by field, and a run's protocol can be written as one."""

import dataclasses
import json
import shutil

import pytest

from harness.cli import main
from harness.errors import UsageError
from harness.run.config import EvalConfig
from harness.run.protocol_files import find_protocol
from harness.run.protocol_toml import protocol_toml
from harness.run.protocols import protocol_notes, resolve_protocol
from harness.schema import FramePolicy, FrameRule, Sampling, Variant
from harness.task import registry
from harness.task.protocol import PRESETS, Protocol
from tests.paths import FIXTURES

TASKS = ("videommmu", "vsibench", "mvbench", "tempcompass")


def _resolve(name, task="vsibench", **flags):
    return resolve_protocol(registry.get(task), find_protocol(str(name)), EvalConfig(**flags))[0]


def _write(folder, text, name="p.toml"):
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("task", TASKS)
def test_a_file_that_changes_nothing_is_the_preset(tmp_path, preset, task):
    """The hash is the preset's."""
    file = _write(tmp_path, f'extends = "{preset}"\n')
    assert _resolve(file, task) == registry.get(task).protocol(preset)


EVERYTHING = """
extends = "video-r1"
template = "official"
scorer = "official+answer"
system = "Look at every frame."
reasoning = "auto"
thinking_budget = 4096
repeats = 4
option_rotation = 2
[frames]
rule = "linspace-truncated"
fps = 1
min_frames = 8
max_frames = 64
min_pixels = 3136
max_pixels = 50176
whole = true
order = "shuffled"
seed = 3
[sampling]
temperature = 0.6
top_p = 0.95
top_k = 20
min_p = 0.05
presence_penalty = 1.5
frequency_penalty = 0.5
repetition_penalty = 1.05
max_tokens = 32768
seed = 7
stop = ["\\n\\nQuestion:"]
[template_args]
enable_thinking = true
"""


def test_every_field_can_be_changed(tmp_path):
    """All fields of frames and sampling, and what a protocol has beside them."""
    assert _resolve(_write(tmp_path, EVERYTHING)) == Protocol(
        suite="video-r1",
        task="vsibench@1",
        template="official",
        frames=FramePolicy(
            rule=FrameRule.LINSPACE, fps=1.0, min_frames=8, max_frames=64, min_pixels=3136,
            max_pixels=50176, whole=True, order=Variant.SHUFFLED, seed=3,
        ),
        sampling=Sampling(
            temperature=0.6, top_p=0.95, top_k=20, min_p=0.05, presence_penalty=1.5,
            frequency_penalty=0.5, repetition_penalty=1.05, max_tokens=32768, seed=7,
            stop=("\n\nQuestion:",),
        ),
        scorer="official+answer@1",
        system="Look at every frame.",
        reasoning="auto",
        template_args={"enable_thinking": True},
        thinking_budget=4096,
        repeats=4,
        option_rotation=2,
    )  # fmt: skip


def _leaves(table, prefix=()):
    for name, value in table.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*prefix, name))
        else:
            yield (*prefix, name)


def test_the_file_above_sets_every_field_there_is():
    """A field that is added to a protocol is added to the test, and so to files."""
    protocol = registry.get("vsibench").protocol("video-r1")
    fields = {".".join(path) for path in _leaves(dataclasses.asdict(protocol))}
    for name in fields - {"suite", "task"}:
        assert name.rpartition(".")[2] in EVERYTHING, name


def test_a_field_of_one_task_wins_over_the_same_field_of_all(tmp_path):
    """Other tasks have the field that stands above."""
    file = _write(
        tmp_path,
        'extends = "official"\nsampling.max_tokens = 500\n'
        '[tasks.vsibench]\nscorer = "video-r1"\nsampling.max_tokens = 64\n',
    )
    assert _resolve(file).sampling.max_tokens == 64
    assert _resolve(file).scorer == "video-r1@1"
    assert _resolve(file, "mvbench").sampling.max_tokens == 500
    assert _resolve(file, "mvbench").scorer == "official@2"


def test_a_file_extends_a_file_and_flags_change_it_last(tmp_path):
    """Preset, then the file below, then the file above, then flags."""
    _write(tmp_path, 'extends = "official"\n[sampling]\nmax_tokens = 9\ntop_k = 5\n', "base.toml")
    file = _write(tmp_path, 'extends = "base.toml"\n[sampling]\nmax_tokens = 10\n')
    assert (_resolve(file).sampling.max_tokens, _resolve(file).sampling.top_k) == (10, 5)
    assert _resolve(file, max_tokens=11, seed=4).sampling == Sampling(
        temperature=0.0, max_tokens=11, top_k=5, seed=4
    )


def test_what_no_flag_says_stays_as_the_file_has_it(tmp_path):
    """Seed and variant have defaults in the presets only."""
    text = 'extends = "official"\nframes = {order = "reversed", seed = 5}\nsampling.seed = 6\n'
    kept = _resolve(_write(tmp_path, text))
    assert (kept.frames.order, kept.frames.seed, kept.sampling.seed) == ("reversed", 5, 6)
    changed = _resolve(_write(tmp_path, text), variant=Variant.SHUFFLED, seed=1)
    assert (changed.frames.order, changed.frames.seed, changed.sampling.seed) == ("shuffled", 1, 1)


def test_template_variables_of_file_and_flags_are_joined(tmp_path):
    """A flag replaces the variable that it names."""
    file = _write(tmp_path, 'extends = "official"\n[template_args]\na = 1\nb = "x"\n')
    assert _resolve(file, template_arg={"b": True}).template_args == {"a": 1, "b": True}


def test_a_bound_that_was_not_named_follows_the_one_that_was(tmp_path):
    """A cap below the preset's least number lowers it, a least number above the cap raises it."""
    low = _resolve(_write(tmp_path, 'extends = "video-r1"\nframes.max_frames = 2\n'))
    assert (low.frames.min_frames, low.frames.max_frames) == (2, 2)
    high = _resolve(_write(tmp_path, 'extends = "video-r1"\nframes.min_frames = 40\n'))
    assert (high.frames.min_frames, high.frames.max_frames) == (40, 40)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("repeats = 2", "key 'extends' is missing; expected video-r1, official, or FILE.toml"),
        ('extends = "oficial"', "extends: expected video-r1, official, or FILE.toml"),
        ('extends = "p.toml"', "extends: expected video-r1, official, or FILE.toml"),
        ('extends = "official"\nsamplin = {}', "unknown key 'samplin'; valid keys: extends"),
        (
            'extends = "official"\n[sampling]\ntemprature = 1',
            "stop. Did you mean 'temperature'?",
        ),
        (
            'extends = "official"\n[tasks.mvbench.frames]\nfsp = 1',
            "seed. Did you mean 'fps'?",
        ),
        ('extends = "official"\n[tasks.vsibnch]\nrepeats = 1', "did you mean 'vsibench'"),
        ('extends = "official"\nsuite = "mine"', "unknown key 'suite'"),
        ('extends = "official"\n[sampling]\ntemperature = "hot"', "expected a number, got 'hot'"),
        ('extends = "official"\n[sampling]\ntemperature = -1', "temperature: expected a number"),
        ('extends = "official"\nscorer = "official@9"', "expected official@9 for vsibench, got"),
        ('extends = "official"\nscorer = "mine"', "has no scorer 'mine'; it has: "),
        ('extends = "official"\nframes.rule = "all"', "frames.rule: expected one of 'video-r1'"),
        ('extends = "official"\nframes = {min_frames = 9, max_frames = 3}', "at most max_frames"),
        ('extends = "official"\ntasks = 3', "tasks: expected a table, got 3"),
        ('extends = "official"\n[template_args]\na = [1]', "template_args.a: expected a text"),
        ('extends = "official"\n[template_args]\na = inf', "template_args"),
        ('extends = "official"\nsampling.stop = "x"', "sampling.stop: expected a list, got 'x'"),
        ('extends = "official"\nsampling.stop = [""]', "stop: expected texts that are not empty"),
        ('extends = "official"\nframes = 3', "frames: expected a table, got 3"),
        ('extends = "official"\ntasks = {vsibench = 3}', "tasks.vsibench: expected a table"),
        ('extends = ["official"]', "extends: expected video-r1, official, or FILE.toml"),
        ('extends = "official"\nrepeats = 2.5', "repeats: expected a whole number, got 2.5"),
        ('extends = "official"\nrepeats = true', "repeats: expected a whole number, got True"),
        ('extends = "official"\nsampling.top_p = 0', "top_p: expected a number from"),
        ('extends = "official"\nrepeats = 0', "repeats: expected a number from 1"),
        (
            'extends = "official"\nreasoning = " "',
            "reasoning: expected auto, in-text, one of think",
        ),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, text, message):
    """File, key, expected, got, and the nearest name; every task's table is read."""
    with pytest.raises(UsageError, match=r"p\.toml.*") as error:
        _resolve(_write(tmp_path, text))
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["offical", "nowhere", "", "p.json"])
def test_an_unknown_protocol_is_refused(name):
    """The message lists what there is."""
    with pytest.raises(UsageError, match=r"unknown protocol .* video-r1, official, a file"):
        find_protocol(name)


def test_a_missing_file_is_named(tmp_path):
    """A name with ``.toml`` is a file."""
    with pytest.raises(UsageError, match=r"mine\.toml: not a readable TOML file"):
        find_protocol(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_the_way_through_a_file(tmp_path, preset):
    """Every task's hash is the same, though the file says every field itself."""
    protocols = {task: registry.get(task).protocol(preset) for task in TASKS}
    file = _write(tmp_path, protocol_toml(protocols, "presets"))
    assert {task: _resolve(file, task).hash for task in TASKS} == {
        task: protocol.hash for task, protocol in protocols.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        'plain "quotes" and \\ backslashes',
        "two\nlines\tand a tab\r\n",
        "控 ü 🙂 \x7f \x01 \u2028 end",
        "# no comment = [1]",
        "'''",
        "",
        " ",
    ],
)
def test_any_text_survives_the_way_through_a_file(tmp_path, text):
    """System prompts, stops and template variables are texts of users."""
    preset = registry.get("vsibench").protocol("official")
    sampling = dataclasses.replace(preset.sampling, stop=(f"{text}!",))
    protocol = dataclasses.replace(
        preset, system=text, sampling=sampling, template_args={"a.b c": text, "n": 1, "f": 0.5}
    )
    file = tmp_path / "p.toml"
    file.write_bytes(protocol_toml({"vsibench": protocol}, "x").encode())
    assert _resolve(file) == protocol


def test_repeats_of_greedy_answers_are_refused():
    """Temperature 0 and top_k 1 say the same at every repeat; the reason is given."""
    for flags in ({}, {"temperature": 0.7, "top_k": 1}):
        with pytest.raises(UsageError, match="would all give the same answer"):
            _resolve("official", repeats=3, **flags)
    assert _resolve("official", repeats=3, temperature=0.7).repeats == 3


def test_what_changes_hardly_anything_is_said():
    """Repeats of a preset that is nearly greedy, and a frame rate where the rule has none."""
    preset = registry.get("vsibench").protocol("video-r1")
    [first, second] = protocol_notes(_resolve("video-r1", repeats=2), preset)
    assert "temperature 0.01 is nearly greedy" in first
    assert "top_p 0.001 is nearly greedy" in second
    official = registry.get("vsibench").protocol("official")
    [note] = protocol_notes(_resolve("official", fps=1.0), official)
    assert "fps 1 changes no frame" in note
    assert protocol_notes(_resolve("video-r1", fps=1.0), preset) == []


def test_an_answer_needs_a_token(tmp_path):
    """Stored texts have a protocol without; nothing can be asked with it."""
    with pytest.raises(UsageError, match=r"vsibench: sampling\.max_tokens: expected at least 1"):
        _resolve(_write(tmp_path, 'extends = "official"\nsampling.max_tokens = 0\n'))


def test_a_system_prompt_may_be_in_a_file(tmp_path):
    """``@FILE``, as a shell user expects."""
    (tmp_path / "s.txt").write_text("Be brief.\nBe right.\n")
    assert _resolve("official", system=f"@{tmp_path}/s.txt").system == "Be brief.\nBe right."
    with pytest.raises(UsageError, match=r"none\.txt"):
        _resolve("official", system=f"@{tmp_path}/none.txt")


@pytest.fixture(scope="module")
def made(demo_data, tmp_path_factory):
    """The demo's four benchmark folders."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


FLAGS = [
    "--system", "Look.", "--max-tokens", "77", "--temperature", "0.5", "--top-k", "9",
    "--max-frames", "4", "--max-pixels", "3136", "--reasoning", "think", "--fps", "1",
]  # fmt: skip


def test_a_run_goes_through_a_file_to_the_same_hash(made, tmp_path, capsys):
    """``run.json`` -> file -> run: hashes, and so resume, are equal; the run itself works, too."""
    asked = ["eval", "guesser", "--backend", "fake", "--data", str(made), "--limit", "2"]
    run, file, again = tmp_path / "run", tmp_path / "p.toml", tmp_path / "again"
    assert main([*asked, "--out", str(run), "--protocol", "official", *FLAGS]) == 0
    assert main(["protocol", str(run), "-o", str(file)]) == 0
    assert main([*asked, "--out", str(again), "--protocol", str(file)]) == 0
    first, second = (json.loads((one / "run.json").read_text()) for one in (run, again))
    assert second["protocol"] == first["protocol"]
    assert second["protocol_hash"] == first["protocol_hash"]
    before = (run / "records-0.jsonl").read_bytes()
    assert main([*asked, "--out", str(run), "--protocol", str(file)]) == 0  # a no-op
    assert main([*asked, "--out", str(run), "--protocol", str(run)]) == 0
    assert (run / "records-0.jsonl").read_bytes() == before
    capsys.readouterr()
    assert main(["protocol", str(file)]) == 0
    assert f"hashes: videommmu {first['protocol']['videommmu']['hash']}" in capsys.readouterr().out


def test_the_protocol_of_a_run_of_schema_1_can_be_written(tmp_path, capsys):
    """What schema 2 added is at its default; MVBench's official rule has another version now."""
    run = shutil.copytree(FIXTURES / "run_schema_1", tmp_path / "run")
    assert main(["protocol", str(run), "-o", str(tmp_path / "p.toml")]) == 0
    stored = json.loads((run / "run.json").read_text())["protocol"]
    assert _resolve(tmp_path / "p.toml").hash == stored["vsibench"]["hash"]


def test_a_run_without_a_task_lends_it_no_protocol(made, tmp_path, capsys):
    """Rather than the preset without a word."""
    run = tmp_path / "run"
    asked = ["eval", "guesser", "--backend", "fake", "--data", str(made), "--limit", "2"]
    assert main([*asked, "--out", str(run), "--tasks", "vsibench"]) == 0
    other = ["--tasks", "mvbench", "--protocol", str(run), "--out", str(tmp_path / "other")]
    assert main([*asked, *other]) == 2
    assert "did not ask mvbench, only vsibench" in " ".join(capsys.readouterr().err.split())


def test_an_unknown_template_stops_the_run_before_it_starts(made, tmp_path, capsys):
    """And not every single item."""
    file = _write(tmp_path, 'extends = "official"\ntemplate = "mine"\n')
    words = ["eval", "guesser", "--backend", "fake", "--data", str(made), "--protocol", str(file)]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "unknown template 'mine'" in capsys.readouterr().err
