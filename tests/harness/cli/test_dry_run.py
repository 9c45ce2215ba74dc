"""The dry run: protocol with its differences, a prompt as the model reads it, tokens; no engine."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from harness.backends.light_chat import render_prompt, special_tokens
from harness.cli import main
from harness.errors import CheckpointError
from harness.run.token_estimate import count_text_tokens, estimate_frame_tokens, frames_per_token
from harness.schema import Clip, Media, MediaKind, Prompt
from tests.paths import ROOT

TRAINED = ROOT / "tasks/motionworld/trained"


@pytest.fixture(scope="module")
def data(demo_data, tmp_path_factory):
    """The demo's four benchmark folders."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo_data, folder)
    return folder


@pytest.fixture
def dry(data, capsys, monkeypatch):
    """Run ``eval --dry-run`` at 80 columns; return exit code and the printed text."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*flags, checkpoint=TRAINED):
        code = main(["eval", str(checkpoint), "--data", str(data), "--dry-run", *flags])
        return code, capsys.readouterr()

    return run


def _line(text, field):
    return [line.split() for line in text.splitlines() if line.split()[:1] == [field]]


@pytest.mark.skipif(find_spec("torch") is not None, reason="needs an environment without engine")
def test_it_works_without_an_engine_and_says_so(dry):
    """On a machine with neither vLLM nor transformers everything but the start can be seen."""
    code, printed = dry("--tasks", "vsibench")
    assert code == 0
    text = " ".join(printed.out.split())
    assert "nothing can be run here: no engine is installed" in text
    assert "<|im_start|>user" in text
    code, printed = dry("--tasks", "vsibench", "--backend", "transformers")
    assert code == 0
    assert "backend transformers" in printed.out


def test_what_differs_from_the_preset_stands_beside_it(dry, tmp_path):
    """One line per value; the tasks are named where not all of them have it."""
    file = tmp_path / "p.toml"
    file.write_text(
        'extends = "official"\nsampling.max_tokens = 500\n[tasks.mvbench]\nscorer = "video-r1"\n'
    )
    flags = ("--tasks", "vsibench,mvbench", "--protocol", str(file), "--temperature", "0.5")
    code, printed = dry(*flags, "--backend", "fake")
    assert code == 0
    assert _line(printed.out, "sampling.temperature") == [["sampling.temperature", "0.5", "0.0"]]
    assert _line(printed.out, "sampling.max_tokens") == [
        ["sampling.max_tokens", "500", "16", "vsibench"],
        ["sampling.max_tokens", "500", "100", "mvbench"],
    ]
    assert _line(printed.out, "scorer") == [
        ["scorer", "official@1", "vsibench"],
        ["scorer", "video-r1@1", "official@2", "mvbench"],
    ]
    assert _line(printed.out, "sampling.top_p") == [["sampling.top_p", "1.0"]]
    assert _line(printed.out, "reasoning") == [["reasoning", "in-text"]]
    assert len(_line(printed.out, "hash")) == 2
    assert max(map(len, printed.out.splitlines())) <= 80


def test_the_prompt_is_the_one_that_the_model_reads(dry):
    """With the checkpoint's chat template, the system prompt and a place for the video."""
    code, printed = dry("--tasks", "vsibench", "--system", "Watch [b]closely[/b].")
    assert code == 0
    inside = [line.strip("│ ") for line in printed.out.splitlines() if line.startswith("│")]
    assert inside[:3] == [
        "<|im_start|>system", "Watch [b]closely[/b].<|im_end|>", "<|im_start|>user",
    ]  # fmt: skip
    assert "<|video_pad|>" in inside[3]
    assert "<|im_start|>assistant" in inside
    _, blind = dry("--tasks", "vsibench", "--variant", "blind")
    assert "<|video_pad|>" not in blind.out
    assert "no media to decode" in blind.out


def test_items_videos_repeats_and_tokens_are_listed(dry):
    """Frames are decoded from two videos of the task; what is an estimate is marked."""
    flags = ("--max-pixels", "12544", "--max-frames", "4", "--repeats", "3", "--limit", "8")
    code, printed = dry("--tasks", "vsibench", *flags)
    assert code == 0
    [line] = _line(printed.out, "vsibench")
    # Frames of 112 x 56 pixels are 2 x 1 tokens of 56 x 56 pixels, for each of 2 pairs of frames.
    assert line[1:3] == ["8", "3"]
    assert line[4:7] == ["4", "≈", "4"]
    assert line[-1] == "1,024"
    assert "tokens per item, estimated" in printed.out
    assert "24 answers are ready" in printed.err
    assert "nearly greedy" in " ".join(printed.out.split())


def test_a_template_that_refuses_the_prompt_ends_it(dry, tmp_path):
    """The run would fail at every item."""
    folder = Path(shutil.copytree(TRAINED, tmp_path / "ck"))
    for path in folder.iterdir():
        path.chmod(0o644)
    template = "{{ raise_exception('no system') if messages[0].role == 'system' }}{{ messages }}"
    (folder / "chat_template.jinja").write_text(template)
    assert dry("--tasks", "vsibench", checkpoint=folder)[0] == 0
    code, printed = dry("--tasks", "vsibench", "--system", "Hi", checkpoint=folder)
    assert code == 2
    assert "renders no prompt: TemplateError: no system" in " ".join(printed.err.split())


def test_special_tokens_and_variables_reach_the_template(tmp_path):
    """In the forms in which transformers stores tokens; a prefill stands at the end."""
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": {"content": "<s>"}, "eos_token": "</s>", "pad_token": None})
    )
    (tmp_path / "chat_template.jinja").write_text(
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{% for c in m.content %}"
        "{{ c.text or c.type }}{% endfor %}{% endfor %}{{ '<think>' if enable_thinking }}"
    )
    assert special_tokens(tmp_path) == {"bos_token": "<s>", "eos_token": "</s>"}
    prompt = Prompt(
        text="Which?", system="Hi", prefill="(", before=("First:",),
        template_args={"enable_thinking": True},
    )  # fmt: skip
    media = (Media(path=Path("a.png"), kind=MediaKind.IMAGE), Media(path=Path("b.mp4")))
    assert render_prompt(tmp_path, prompt, media) == (
        "<s>[system]Hi[user]First:imagevideoWhich?<think>("
    )
    (tmp_path / "chat_template.jinja").unlink()
    with pytest.raises(CheckpointError, match="no chat template"):
        render_prompt(tmp_path, prompt, media)


def _clip(frames, height, width, kind=MediaKind.VIDEO):
    return Clip(
        key="k", kind=kind, frames=np.zeros((frames, height, width, 3), np.uint8), indices=(),
        timestamps=(), fps=1.0, total_frames=frames, duration_s=1.0,
    )  # fmt: skip


def test_frame_tokens_by_hand(tmp_path):
    """28 x 28 pixels and two frames are a token; an image is one frame."""
    video, odd = _clip(16, 252, 448), _clip(3, 28, 28)
    assert estimate_frame_tokens([[video]], 28, None).tokens == 8 * 9 * 16
    assert estimate_frame_tokens([[odd]], 28, None).tokens == 2
    assert estimate_frame_tokens([[_clip(1, 56, 56, MediaKind.IMAGE)]], 28, None).tokens == 4
    both = estimate_frame_tokens([[video], [odd, odd]], 28, None)
    assert (both.tokens, both.frames, both.clips) == ((1152 + 4) / 2, (16 + 6) / 2, 2)
    assert estimate_frame_tokens([], 28, None) is None
    (tmp_path / "video_preprocessor_config.json").write_text('{"temporal_patch_size": 4}')
    assert frames_per_token(tmp_path) == 4
    assert estimate_frame_tokens([[video]], 28, tmp_path).tokens == 4 * 9 * 16


def test_text_tokens_are_an_estimate_without_a_tokenizer(tmp_path):
    """And are marked as one."""
    assert count_text_tokens("x" * 9, tmp_path) == (3, False)
    assert count_text_tokens("", None) == (0, False)
