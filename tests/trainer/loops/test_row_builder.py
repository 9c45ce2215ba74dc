"""What the check of a row does with a real processor is what training does with the row."""

from dataclasses import replace

import pytest

pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")

from harness.backends.chat import read_processor
from harness.errors import DatasetError
from tests.trainer.small_runs import SMALL, rows, small_data
from trainer.loops.clips import ClipLoader
from trainer.loops.inputs import InputBuilder
from trainer.loops.row_builder import RowBuilder, make_row_builder

pytestmark = [
    pytest.mark.engine,
    pytest.mark.filterwarnings("default"),  # third-party imports warn
]


@pytest.fixture
def setting(untrained, tmp_path):
    """A processor, settings, three video rows and an image row, and their clips."""
    data = small_data(tmp_path)
    asked = rows(tmp_path / "media")
    with ClipLoader(SMALL, replace(data, decode_workers=0), patch_multiple=28) as clips:
        decoded = [clips.start(row.sample.media).result() for row in asked]
    return read_processor(untrained), data, asked, decoded


def builder(processor, data, *, targets=True):
    return RowBuilder(processor, SMALL, data, patch_multiple=28, targets=targets)


def test_sound_rows_pass_with_and_without_their_media(setting):
    """Videos, an image, and a question without media."""
    processor, data, asked, decoded = setting
    build = builder(processor, data)
    for row, clips in zip(asked, decoded, strict=True):
        build(row, clips)
        build(row, None)
    build(replace(asked[0], sample=replace(asked[0].sample, media=())), ())


class Recording:
    """A processor that records the shapes of the videos that it is given."""

    def __init__(self, processor):
        self.shapes = []
        self._processor = processor

    def __getattr__(self, name):
        return getattr(self._processor, name)

    def __call__(self, *, videos, **options):
        self.shapes += [video.shape for video in videos or ()]
        return self._processor(videos=videos, **options)


def test_the_pixels_of_a_shape_are_processed_once(setting):
    """A file of 100,000 rows has few shapes; texts are built for every row."""
    processor, data, asked, decoded = setting
    recording = Recording(processor)
    build = builder(recording, data)
    for row, clips in zip(asked[:3], decoded[:3], strict=True):
        build(row, clips)
    shape = decoded[0][0].frames.shape
    small = (4, 28, 28, 3)
    assert recording.shapes == [small, shape, small, small]  # the first: how many tokens more
    wide = replace(decoded[1][0], frames=decoded[1][0].frames.repeat(2, axis=2))
    build(asked[1], (wide,))
    assert recording.shapes[-1] == wide.frames.shape


def test_the_tokens_of_a_prompt_are_counted_also_where_its_shape_was_built_before(setting):
    """They are those of the prompt with its own clips."""
    processor, data, asked, decoded = setting
    build = builder(processor, data)
    with ClipLoader(SMALL, replace(data, decode_workers=0), patch_multiple=28) as clips:
        inputs = InputBuilder(processor, clips, cache_mib=0)
        expected = [
            len(inputs.build_row(row.sample, media).ids)
            for row, media in zip(asked, decoded, strict=True)
        ]
    assert [build(row, media) for row, media in zip(asked, decoded, strict=True)] == expected
    assert build(asked[0], None) is None


@pytest.mark.parametrize(
    "token", ["<|im_end|>", "<|video_pad|>", "<|image_pad|>", "<|vision_start|>", "<|endoftext|>"]
)
@pytest.mark.parametrize("field", ["question", "options", "solution", "rationale"])
def test_a_special_token_in_any_text_is_found_by_its_id(setting, token, field):
    """Whatever the tokenizer's files call it; the target counts in SFT only."""
    processor, data, asked, decoded = setting
    row, sample = asked[0], asked[0].sample
    text = f"a {token} b"
    if field == "question":
        row = replace(row, sample=replace(sample, question=text))
    elif field == "options":
        row = replace(row, sample=replace(sample, options=(text, *sample.options[1:])))
    else:
        row = replace(row, **{field: text})
    with pytest.raises(DatasetError):
        builder(processor, data)(row, decoded[0])
    if field in ("solution", "rationale"):
        builder(processor, data, targets=False)(row, decoded[0])


def test_a_template_that_refuses_a_text_refuses_the_row(setting):
    """The message names the row and what the template says."""
    processor, data, asked, decoded = setting
    processor.chat_template = (
        "{% if 'Which way 1' in messages | string %}{{ raise_exception('not this one') }}"
        "{% endif %}" + processor.chat_template
    )
    build = builder(processor, data)
    build(asked[0], decoded[0])
    with pytest.raises(DatasetError, match=r"row row-1: .*not this one"):
        build(asked[1], decoded[1])


def test_the_processor_is_loaded_from_the_folder_that_has_it(untrained, tmp_path):
    """Without a tokenizer's files nothing is built, as for a hub id that is not downloaded."""
    data = small_data(tmp_path)
    options = {"patch_multiple": 28, "targets": False}
    assert isinstance(make_row_builder(untrained, SMALL, data, **options), RowBuilder)
    assert not isinstance(make_row_builder(tmp_path, SMALL, data, **options), RowBuilder)
