"""``videor1 annotate``: rationales from a fake engine, kept by reward, resumable."""

import json
from argparse import ArgumentParser

import pytest
from rich.console import Console

import harness
from harness.backends.fake import FakeBackend
from harness.backends.select import ResolvedEngine
from harness.cli.exits import Exit
from harness.cli.flags import read_option_flags
from harness.errors import RunMismatchError, UsageError
from harness.schema import Completion, Failure
from tests.toys import engine_that_waits_for
from tests.trainer.commands import run
from tests.trainer.rows import IMAGE, make_row, write_media, write_rows
from trainer.cli.annotate import AnnotateCommand, annotate_rows
from trainer.config.annotation import AnnotateConfig
from trainer.config.sections import DataSettings, FrameSettings
from trainer.data.annotate import rationale_of
from trainer.data.checks import RowNeeds, check_rows
from trainer.data.rows import read_training_rows

ROWS = [
    make_row(0, process=None),
    make_row(1, process=None, path=IMAGE, data_type="image"),
    make_row(2, process="<think>old</think>", problem_type="regression", options=[],
             problem="How long?", solution="<answer>10</answer>"),
    make_row(3, process=None, problem="What else?"),
    make_row(4, process=None, problem="Say nothing"),
    make_row(5, process=None, problem="Fail"),
]  # fmt: skip


def _model(request):
    """Know B, be 30 % off, be wrong, be silent, break."""
    question = request.prompt.text
    if question.startswith("How long?"):
        return "<think>About\nseven.</think>\n<answer>7</answer>"
    if question.startswith("What else?"):
        return "<think>No idea.</think>\n<answer>A</answer>"
    if question.startswith("Say nothing"):
        return Completion(text="<think>Hm", finish_reason="length")
    if question.startswith("Fail"):
        return Failure(stage="generate", error="BackendError", message="out of memory")
    return f"<think>It barks. {len(request.clips[0].frames)} frames.</think>\n<answer>B</answer>"


@pytest.fixture
def annotate(tmp_path):
    """Annotate the rows above with the model above, counting what it is asked."""
    write_media(tmp_path)
    rows = write_rows(tmp_path / "rows.json", ROWS)
    asked = []

    def model(request):
        asked.append(request)
        return _model(request)

    def go(*flags, out="kept.json", answer=model):
        engine = ResolvedEngine(
            backend="fake", checkpoint="model", identity={"kind": "fake"}, patch_multiple=28,
            build=lambda: FakeBackend(answer),
        )  # fmt: skip
        parser = ArgumentParser()
        AnnotateCommand().configure(parser)
        args = parser.parse_args([
            "--rows", str(rows), "--media-root", str(tmp_path), "--checkpoint", "model",
            "--out", str(tmp_path / out), "--workers", "1", *flags,
        ])  # fmt: skip
        config = read_option_flags(args, AnnotateConfig())
        return annotate_rows(args, config, Console(quiet=True), engine)

    go.asked = asked
    return go


def test_rows_whose_answer_earns_enough_are_kept_with_the_new_rationale(annotate, tmp_path):
    """Two right answers and one of reward 0.7; all other fields stay, the solution too."""
    verdict = annotate("--max-failures", "1")
    assert (verdict.code, verdict.reason) == (Exit.OK, f"3 of 6 rows kept in {tmp_path}/kept.json")
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept == [
        {**ROWS[0], "process": "<think>It barks. 8 frames.</think>"},
        {**ROWS[1], "process": "<think>It barks. 1 frames.</think>"},
        {**ROWS[2], "process": "<think>About\nseven.</think>"},
    ]


def test_the_kept_rows_pass_the_check_of_supervised_training(annotate, tmp_path):
    """They are rows fit for ``videor1 train sft``."""
    annotate("--max-failures", "1", out="kept.jsonl")
    kept = tmp_path / "kept.jsonl"
    data = DataSettings(rows=(kept,), media_roots=(tmp_path,), decode_workers=1)
    report = check_rows(data, FrameSettings(), patch_multiple=28, needs=RowNeeds(rationale=True))
    assert (len(report.rows), report.bad) == (3, ())
    assert len(read_training_rows([kept], [tmp_path])) == 3


def test_the_share_kept_is_printed_per_problem_type(annotate, capsys):
    """Rows, kept, share, too low, without rationale, failed."""
    annotate("--max-failures", "1")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["multiple", "choice", "5", "2", "40.0%", "1", "1", "1"] in lines
    assert ["regression", "1", "1", "100.0%", "0", "0", "0"] in lines


def test_the_threshold_is_a_flag(annotate, tmp_path):
    """Above 0.75 the regression answer of reward 0.7 goes."""
    annotate("--max-failures", "1", "--min-reward", "0.75")
    assert len(json.loads((tmp_path / "kept.json").read_text())) == 2


def test_rows_are_sampled_as_in_the_paper(annotate):
    """Temperature 1, top_p 0.95, 512 tokens, the training prompt, 16 frames at most."""
    annotate()
    sampling = annotate.asked[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (1.0, 0.95, 512)
    assert "<think> and </think>" in annotate.asked[0].prompt.text


def test_the_same_command_asks_only_what_failed(annotate):
    """Five of six answers are kept; the failed one is tried again, and the exit code says so."""
    verdict = annotate()
    assert verdict.code is Exit.INCOMPLETE
    assert "1 of 6 rows failed" in verdict.reason
    assert len(annotate.asked) == 6
    annotate("--max-failures", "1")
    assert len(annotate.asked) == 7


def test_an_interrupted_annotation_goes_on(annotate, tmp_path):
    """What was answered before Ctrl-C is not asked again."""
    count = 0

    def impatient(request):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return _model(request)

    verdict = annotate(answer=impatient)
    assert verdict.code is Exit.INTERRUPTED
    assert not (tmp_path / "kept.json").exists()
    annotate("--max-failures", "1")
    assert len(annotate.asked) == 4
    assert len(json.loads((tmp_path / "kept.json").read_text())) == 3


def test_videos_are_decoded_while_the_engine_starts_and_kept_in_the_frame_cache(tmp_path):
    """The engine's start waits here until the first frames are in the cache."""
    write_media(tmp_path)
    rows = write_rows(tmp_path / "rows.json", ROWS[:1])
    parser = ArgumentParser()
    AnnotateCommand().configure(parser)
    args = parser.parse_args([
        "--rows", str(rows), "--media-root", str(tmp_path), "--checkpoint", "slow", "--workers",
        "1", "--out", str(tmp_path / "out.json"), "--frame-cache", str(tmp_path / "frames"),
        "--decode-timeout", "60",
    ])  # fmt: skip
    config = read_option_flags(args, AnnotateConfig())
    engine = engine_that_waits_for(config.decode.frame_cache)
    verdict = annotate_rows(args, config, Console(quiet=True), engine)
    assert (verdict.code, verdict.reason[:11]) == (Exit.OK, "0 of 1 rows")
    timing = harness.load_run(tmp_path / "out.json.run").timing
    assert (timing.decode.workers, timing.decode.decodes) == (1, 1)


def test_another_sampling_seed_is_another_run(annotate):
    """Two runs' answers are never mixed in one file."""
    annotate()
    with pytest.raises(RunMismatchError, match="seed: 0 != 1"):
        annotate("--seed", "1")


def test_a_file_of_something_else_is_not_written_over(annotate, tmp_path):
    """Least of all the rows themselves."""
    with pytest.raises(UsageError, match=r"rows.json exists and is not of this command"):
        annotate(out="rows.json")
    assert json.loads((tmp_path / "rows.json").read_text()) == ROWS


def test_bad_rows_stop_or_are_left_out(annotate, tmp_path):
    """As in training."""
    write_rows(tmp_path / "rows.json", [*ROWS[:2], make_row(9, solution="<answer>Z</answer>")])
    flags = [
        "--rows", tmp_path / "rows.json", "--media-root", tmp_path, "--checkpoint", "guesser",
        "--backend", "fake", "--out", tmp_path / "out.json", "--workers", "1",
    ]  # fmt: skip
    verdict = run(AnnotateCommand(), *flags)
    assert verdict.code is Exit.USAGE
    assert "1 of 3 rows are bad" in verdict.reason
    assert run(AnnotateCommand(), *flags, "--exclude-bad-rows").reason.startswith(
        "0 of 2 rows kept"
    )


@pytest.mark.parametrize(
    ("text", "rationale"),
    [
        ("<think> so </think><answer>B</answer>", "so"),
        ("well <think>a</think> <think>b</think>", "a"),
        ("<think></think><answer>B</answer>", None),
        ("<think>so", None),
        ("so</think>", None),
        ("", None),
    ],
)
def test_a_rationale_is_what_the_first_think_tags_hold(text, rationale):
    """Empty or unclosed is none."""
    assert rationale_of(text) == rationale
