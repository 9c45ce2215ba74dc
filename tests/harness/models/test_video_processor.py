"""The video processor's settings are looked for where transformers looks."""

import pytest

from harness.errors import CheckpointError
from harness.models.video_processor import patch_multiple, require_video, video_processor_config
from tests.harness.models.test_checkpoint import write_json

NESTED, VIDEO, IMAGE = (
    "processor_config.json",
    "video_preprocessor_config.json",
    "preprocessor_config.json",
)


def fill(folder, **files):
    for name, content in files.items():
        write_json(folder / {"nested": NESTED, "video": VIDEO, "image": IMAGE}[name], content)
    return folder


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"nested": {"video_processor": {"a": 1}}, "video": {"a": 2}, "image": {"a": 3}}, {"a": 1}),
        ({"nested": {"image_processor": {"a": 1}}, "video": {"a": 2}, "image": {"a": 3}}, {"a": 2}),
        ({"nested": {}, "image": {"a": 3}}, {"a": 3}),
        # An empty entry is an entry: transformers takes the defaults of the class.
        ({"nested": {"video_processor": {}}, "video": {"a": 2}}, {}),
        ({"video": {}, "image": {"a": 3}}, {}),
        ({"nested": {"image_processor": {"a": 1}}}, {}),
        ({}, {}),
    ],
)
def test_the_first_place_that_has_settings_wins(tmp_path, files, expected):
    """As in `get_video_processor_config` of transformers 5.19."""
    assert video_processor_config(fill(tmp_path, **files)) == expected


def test_the_patch_multiple_falls_back_to_images_and_then_to_28(tmp_path):
    """Patch size x merge size."""
    assert patch_multiple(tmp_path) == 28
    fill(tmp_path, nested={"image_processor": {"patch_size": 16, "merge_size": 2}})
    assert patch_multiple(tmp_path) == 32
    fill(tmp_path, video={"patch_size": 12, "merge_size": 2})
    assert patch_multiple(tmp_path) == 24


@pytest.mark.parametrize(
    "files",
    [
        {"nested": {"video_processor": {"patch_size": 14}}},
        {"video": {"patch_size": 14}},
        {"image": {"temporal_patch_size": 2}},
    ],
)
def test_a_video_model_with_a_video_processor_may_be_trained(tmp_path, files):
    """The first releases of Qwen2-VL describe images and videos in one file."""
    write_json(fill(tmp_path, **files) / "config.json", {"video_token_id": 1})
    require_video(tmp_path)


@pytest.mark.parametrize(
    ("config", "files", "message"),
    [
        ({}, {"video": {"patch_size": 14}}, "takes no video"),
        ({"video_token_id": 1}, {}, "no video processor"),
        ({"video_token_id": 1}, {"image": {"patch_size": 14}}, "no video processor"),
    ],
)
def test_a_model_that_takes_no_video_is_refused(tmp_path, config, files, message):
    """It would train without seeing anything."""
    write_json(fill(tmp_path, **files) / "config.json", config)
    with pytest.raises(CheckpointError, match=message):
        require_video(tmp_path)
