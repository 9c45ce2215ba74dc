"""The card of a training run has its start, recipe, data, versions, course and scores."""

import json

import pytest

from trainer.watch.evaluations import EvalPoint, TaskScore, write_point
from trainer.watch.model_card import CARD, note_versions, renew_card, write_card


@pytest.fixture
def run(tmp_path):
    """A run of two updates that was watched, with another run's watch beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    manifest = {
        "algorithm": "tgrpo",
        "recipe": {"model": {"checkpoint": "Qwen/Qwen2.5-VL-3B-Instruct"}, "optim": {"seed": 7}},
        "data": {"rows|1.jsonl": "abc123"},
    }
    (folder / "train.json").write_text(json.dumps(manifest))
    bad = [
        {"where": "a", "fault": "f", "message": "m"},
        {"where": "a", "fault": "g", "message": "n"},
    ]
    (folder / "rows.json").write_text(json.dumps({"rows": ["x", "y"], "bad": bad}))
    lines = [
        {"step": n, "loss": 1.0, "grad_norm": 1.0, "time/update": 2.0, "time/rollout": 2.0}
        for n in (1, 2)
    ]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    for name, watched in (("watch-mine", folder), ("watch-other", tmp_path / "other")):
        watch = tmp_path / name
        watch.mkdir()
        (watch / "watch.json").write_text(json.dumps({"run": str(watched)}))
        score = TaskScore(score=41.23, ci95=(38.0, 44.5), n=128)
        point = EvalPoint(
            step=2, checkpoint=name, weights="w", scores={"vsibench": score}, verdict="PASS"
        )
        write_point(watch, point)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/watch.json").write_text("{}")
    return folder


def _card(run):
    return (run / CARD).read_text()


def test_the_card_has_recipe_data_versions_course_and_scores(run):
    """Scores with their intervals, of this run's watch alone."""
    note_versions(run)
    write_card(run, algorithm="tgrpo", start="elsewhere")
    text = _card(run)
    assert text.startswith("---\nlibrary_name: transformers\nbase_model: Qwen/Qwen2.5-VL-3B-I")
    assert "| 2 | 41.2 (38.0 to 44.5) | PASS |" in text
    assert text.count("## Scores") == 1
    assert '"seed": 7' in text
    assert "| rows\\|1.jsonl | abc123 |" in text
    assert "2 rows were trained on, 1 were left out" in text
    assert "- 2 updates" in text
    assert "2 s per update: rollout 2 s (100%)" in text
    assert "numpy " in text.split("## Versions")[1]


def test_a_card_is_written_again_when_a_checkpoint_was_evaluated(run, tmp_path):
    """The next score stands in it."""
    write_card(run, algorithm="tgrpo", start="")
    score = TaskScore(score=50.0, ci95=None, n=1)
    write_point(
        tmp_path / "watch-mine",
        EvalPoint(step=4, checkpoint="c", weights="v", scores={"mvbench": score}),
    )
    renew_card(run)
    assert "| 4 | – | 50.0 |" in _card(run)


def test_a_run_without_a_card_gets_none(run):
    """`videor1 watch` writes into another program's folder nothing that was not there."""
    renew_card(run)
    assert not (run / CARD).exists()


def test_a_folder_base_is_no_hub_id(run):
    """The hub would look for it."""
    (run / "train.json").unlink()
    write_card(run, algorithm="sft", start=str(run))
    text = _card(run)
    assert "base_model" not in text
    assert "None" not in text
