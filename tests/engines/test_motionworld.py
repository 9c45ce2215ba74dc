"""The initial model of MotionWorld: small, with the right answer format and a short prompt."""

from pathlib import Path

import pytest

from harness.backends.transformers import TransformersBackend
from harness.models.checkpoint import resolve
from harness.schema import Completion, Kind, Media, Prompt, Request, Sampling
from harness.scoring.prompts import (
    unlettered,
    video_r1,
)
from harness.video.decode import decode
from tasks.motionworld.aspects import ASPECTS
from tasks.motionworld.checkpoint import ModelSize, build, make_tokenizer
from tasks.motionworld.drawing import COLOURS, SHAPES, draw, write_clip
from tasks.motionworld.splits import Split, clips
from tasks.motionworld.task import FRAMES

pytestmark = pytest.mark.engine

OPTIONS = {
    *COLOURS, *SHAPES, "left", "right", "up", "down", "top", "bottom", "both", "larger", "smaller",
    "faster", "slower", "steady", "closer", "away", "clockwise", "counterclockwise",
}  # fmt: skip


def test_the_prompt_is_the_papers_and_short() -> None:
    """Every option is one token and the instruction is one, and the text survives unchanged."""
    tokenizer = make_tokenizer()
    assert all(len(tokenizer(f" {word}").input_ids) == 1 for word in OPTIONS)
    text = video_r1("Which way does the red circle move?", Kind.MULTIPLE_CHOICE, ["up", "down"])
    ids = tokenizer(text).input_ids
    assert len(ids) < 30
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_what_follows_the_question_is_one_token() -> None:
    """Options and instruction of an aspect, wherever its questions come from."""
    tokenizer = make_tokenizer()
    for item in clips(Split(name="test", pairs=1, stills=0), seed=7):
        options = unlettered(item.row["options"])
        kind = Kind(item.row["problem_type"])
        bare, whole = (
            tokenizer(text).input_ids
            for text in (item.row["problem"], video_r1(item.row["problem"], kind, options))
        )
        assert whole[: len(bare)] == bare, item.name
        assert len(whole) == len(bare) + 1, item.name


def test_any_other_text_can_still_be_asked() -> None:
    """Words outside the dataset are spelt in several tokens, none is unknown."""
    tokenizer = make_tokenizer()
    text = "Which chair stands nearest to the Überraschung?\n"
    assert tokenizer.decode(tokenizer(text).input_ids, clean_up_tokenization_spaces=False) == text


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of seed 0."""
    return build(tmp_path_factory.mktemp("built") / "checkpoint")


def test_the_checkpoint_answers_about_a_clip(folder: Path, tmp_path: Path) -> None:
    """The engine loads it, sees 4 visual tokens per clip, and it takes less than 8 MB."""
    assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) < 8e6
    item = next(clips(Split(name="sft", pairs=1, stills=0), 0))
    assert item.row["aspect"] in ASPECTS
    write_clip(tmp_path / "clip.mp4", draw(item.scene))
    clip = decode(Media(path=tmp_path / "clip.mp4"), FRAMES, patch_multiple=56)
    options = unlettered(item.row["options"])
    prompt = Prompt(text=video_r1(item.row["problem"], Kind.MULTIPLE_CHOICE, options))
    sampling = Sampling(temperature=0.0, max_tokens=24)
    backend = TransformersBackend(resolve(str(folder)))
    asked = [
        Request(id=str(n), prompt=prompt, sampling=sampling, clips=(clip,)[n:]) for n in (0, 1)
    ]
    answers = [answer for _, answer in backend.generate(asked)]
    assert all(isinstance(answer, Completion) for answer in answers)
    assert all("</think>\n<answer>" in answer.text for answer in answers)
    seeing, blind = (answer.prompt_tokens for answer in answers)
    assert seeing - blind == 4 + 2


def test_the_same_seed_makes_the_same_model(folder: Path, tmp_path: Path) -> None:
    """Two builds are equal byte for byte."""
    again = build(tmp_path / "again")
    for name in ("model.safetensors", "tokenizer.json"):
        assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_another_seed_has_other_weights(tmp_path: Path) -> None:
    """Shown on a smaller model."""
    size = ModelSize(
        width=32,
        layers=1,
        heads=2,
        key_value_heads=1,
        vision_width=8,
        vision_layers=1,
        vision_heads=2,
    )
    one, other = (
        (build(tmp_path / str(seed), seed, size) / "model.safetensors").read_bytes()
        for seed in (0, 1)
    )
    assert len(one) == len(other)
    assert one != other
