"""Where the time of an update goes: clocks by hand, and what trainings log."""

import json

import pytest

from trainer.cost.gpu_peaks import find_peak
from trainer.loops.phase_clock import PhaseClock
from trainer.runs.phase_times import mean_times, read_phase_times


class Now:
    """A clock that is set by hand."""

    def __init__(self):
        self.at = 0.0

    def __call__(self):
        return self.at


def test_every_second_belongs_to_one_phase():
    """3 s of data within a rollout of 10 are no rollout; what is in no phase is told, too."""
    now = Now()
    clock = PhaseClock(now)
    now.at = 1
    with clock.phase("rollout"):
        now.at = 3
        with clock.phase("data"):
            now.at = 6
        now.at = 11
    now.at = 15
    assert clock.finish_update() == {"other": 1 + 4, "rollout": 2 + 5, "data": 3}
    now.at = 16
    assert clock.finish_update() == {"other": 1}


def test_a_phase_that_raises_ends():
    """The clock goes on with the phase around it."""
    now = Now()
    clock = PhaseClock(now)

    def fail():
        with clock.phase("reward"):
            now.at = 2
            raise ZeroDivisionError

    with clock.phase("data"):
        with pytest.raises(ZeroDivisionError):
            fail()
        now.at = 3
    assert clock.finish_update() == {"reward": 2, "data": 1, "other": 0}


def _line(step, **seconds):
    times = {f"time/{name}": value for name, value in seconds.items()}
    return {"step": step, "time/update": sum(seconds.values()), **times}


def test_means_weigh_a_line_by_its_updates():
    """A line of four updates of 2 s and one of one update of 7 s are 3 s per update."""
    lines = [
        {**_line(4, rollout=1.5, policy=0.5), "tokens_per_second": 100.0},
        {"step": 4, "train_runtime": 9.0},
        {**_line(5, rollout=3.0, policy=4.0), "tokens_per_second": 50.0},
    ]
    times = mean_times(lines)
    assert (times.updates, times.update) == (5, 3.0)
    assert times.seconds == {"rollout": 1.8, "policy": 1.2}
    assert times.tokens_per_second == 90
    assert str(times) == (
        "3 s per update: rollout 1.8 s (60%), policy 1.2 s (40%); 90 tokens/s; MFU not known for"
        " this device"
    )


def test_a_run_without_times_has_none(tmp_path):
    """One of an earlier version, and one that has not logged yet."""
    assert read_phase_times(tmp_path) is None
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"step": 1, "loss": 2.0}) + "\n")
    assert read_phase_times(tmp_path) is None


def test_the_share_of_the_peak_is_told_where_it_is_known():
    """With the mean over the updates."""
    lines = [{**_line(n, policy=1.0), "mfu": share} for n, share in ((1, 0.2), (2, 0.4))]
    assert str(mean_times(lines)).endswith("; MFU 30.0%")


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_a_training_logs_its_phases(untrained, tmp_path):
    """All of them, adding up to the update; tokens per second are those of the log."""
    pytest.importorskip("trl", reason="needs the heavy environment: trl is not installed")
    from tests.trainer import small_runs
    from trainer.algorithms import grpo

    recipe = small_runs.grpo_recipe(untrained, tmp_path, max_steps=2)
    small_runs.train_small(grpo, recipe, tmp_path / "run", rows=small_runs.rows(tmp_path / "media"))
    first, second, *_ = map(json.loads, (tmp_path / "run/metrics.jsonl").read_text().splitlines())
    names = {name.removeprefix("time/") for name in first if name.startswith("time/")}
    assert names >= {"rollout", "reward", "policy", "backward", "optimizer", "data", "other"}
    for line in (first, second):
        parts = {name: value for name, value in line.items() if name.startswith("time/")}
        whole = parts.pop("time/update")
        assert sum(parts.values()) == pytest.approx(whole)
        assert whole >= line["step_time"]
    tokens = second["num_tokens"] - first["num_tokens"]
    assert second["tokens_per_second"] == pytest.approx(tokens / second["time/update"])
    assert "mfu" not in first  # a CPU's peak is not known
    sent = b"".join(path.read_bytes() for path in tmp_path.rglob("events.out.tfevents*"))
    assert b"time/rollout" in sent  # trackers get what is logged
    assert b"tokens_per_second" in sent


@pytest.mark.engine
@pytest.mark.filterwarnings("default")
def test_operations_are_counted_as_by_hand():
    """Two weights, three tokens of which one is padding: 2 per weight forward, 4 backward."""
    torch = pytest.importorskip("torch", reason="needs the heavy environment")
    from trainer.loops.work import WorkCounter

    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed_tokens = torch.nn.Embedding(9, 1)
            self.a, self.b = (torch.nn.Linear(1, 1, bias=False) for _ in range(2))

        def forward(self, inputs_embeds, attention_mask=None):
            return self.b(self.a(inputs_embeds))

    model = torch.nn.Module()
    model.language_model, model.visual = Layers(), Layers()
    model.visual.requires_grad_(False)
    work = WorkCounter(model)
    states, mask = torch.ones(1, 3, 1), torch.tensor([[0, 1, 1]])
    model.language_model(inputs_embeds=states, attention_mask=mask)
    assert work.take() == 2 * (2 + 4) * 2
    with torch.no_grad():
        model.language_model(inputs_embeds=states)
    assert work.take() == 2 * 2 * 3
    model.visual(states)  # frozen, below everything that is trained
    assert work.take() == 2 * 2 * 3
    half = torch.nn.Module()
    half.language_model = Layers()
    half.language_model.b.requires_grad_(False)
    work = WorkCounter(half)
    half.language_model(inputs_embeds=states)  # half of the weights get a gradient
    assert work.take() == (2 * 2 + 2 * 2 + 2 * 1) * 3


@pytest.mark.parametrize(
    ("device", "tera"),
    [
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA A10G", None),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("NVIDIA A1000", None),
        ("cpu", None),
    ],
)
def test_peaks_are_found_by_the_name_that_torch_gives(device, tera):
    """A name that only begins like a known one is not known."""
    assert find_peak(device) == (None if tera is None else tera * 1e12)
