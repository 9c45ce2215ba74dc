"""lmms-eval's tasks in our command, our engine in its command, and the same numbers from both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("lmms_eval", reason="needs the heavy environment: lmms-eval is not installed")

import lmms_tasks as toy

from harness.cli import main
from harness.run.store import read_records
from harness.task import registry
from tests.clips import write_clip

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FRAMES = ("--max-frames", "4", "--max-pixels", "18816")
WORDS = ("A", "B", "b is what I see", "<think>A</think> B", "", "neither")

pytestmark = [pytest.mark.engine, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    """No test here may look anything up on the hub."""
    home = tmp_path_factory.mktemp("hf")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Path:
    return toy.write_tasks(tmp_path_factory.mktemp("toys"))


def evaluate(tasks: Path, out: Path, *names: str, checkpoint: object = "any", flags=()) -> int:
    selection = ",".join(f"lmms:{name}" for name in names)
    engine = () if checkpoint != "any" else ("--backend", "fake")
    return main([
        "eval", str(checkpoint), "--tasks", selection, "--include-path", str(tasks),
        "--data", str(out.parent / "data"), "--out", str(out), "--protocol", "official",
        *engine, *flags,
    ])  # fmt: skip


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())["tasks"]


def score_stored(tasks: Path, folder: Path, name: str, texts) -> dict:
    """Score stored texts with `videor1 score`; return the task's summary."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.jsonl"
    lines = [json.dumps({"id": f"lmms:{name}/{n}", "text": t}) for n, t in enumerate(texts)]
    file.write_text("\n".join(lines))
    code = main([
        "score", "--task", f"lmms:{name}", "--include-path", str(tasks), "--scorer", "lmms-eval",
        "--data", str(folder / "data"), "--responses", str(file), "--out", str(folder / name),
    ])  # fmt: skip
    assert code == 0
    return summary(folder / name)[f"lmms:{name}"]


def replay(folders: list[Path], folder: Path, texts: dict[str, list[str]]) -> dict:
    """Return what lmms-eval itself reports on stored texts."""
    asked, out = folder / "texts.json", folder / "results.json"
    asked.write_text(json.dumps(texts))
    program = [sys.executable, str(HERE / "lmms_replay.py"), str(asked), str(out)]
    command = [*program, *map(str, folders)]
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return json.loads(out.read_text())


# --- its tasks here


def test_a_task_runs_through_records_resume_and_statistics(tasks, tmp_path, capsys):
    """Six items on three videos, clustered by video; the second run does nothing."""
    assert evaluate(tasks, tmp_path / "run", toy.VIDEO, toy.IMAGE) == 0
    found = summary(tmp_path / "run")
    assert set(found) == {"lmms:toy_video", "lmms:toy_image"}
    video = found["lmms:toy_video"]
    assert (video["n"], video["n_clusters"], video["score"]) == (6, 3, pytest.approx(50.0))
    assert video["ci95"] is not None
    assert (video["extra"]["exact"], video["extra"]["listed"]) == (0.5, 50.0)
    records = read_records(tmp_path / "run")
    assert {len(r.frame_indices[0]) for r in records if r.task == "lmms:toy_image"} == {1}
    assert evaluate(tasks, tmp_path / "run", toy.VIDEO, toy.IMAGE) == 0
    assert read_records(tmp_path / "run") == records
    assert main(["board", str(tmp_path / "run"), "--format", "csv"]) == 0
    assert "lmms:toy_video" in capsys.readouterr().out


PROBE = """
import ssl, sys
from pathlib import Path
import loguru
from harness.task import registry
before = ssl.SSLContext.__reduce__, loguru.logger._core.handlers.copy()
registry.get("lmms:toy_video", Path(sys.argv[1])).load(Path(sys.argv[2]))
assert (ssl.SSLContext.__reduce__, loguru.logger._core.handlers) == before
assert not {"lmms_eval.evaluator", "lmms_eval.models", "lmms_eval.__main__"} & sys.modules.keys()
"""


def test_loading_a_task_leaves_the_process_as_it_was(tasks, tmp_path):
    """What patches `ssl` and takes log handlers away is not imported."""
    command = [sys.executable, "-c", PROBE, str(tasks), str(tmp_path / "lmms")]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_text_and_images_keep_the_order_of_the_messages(tasks, tmp_path):
    """The system turn, the text before the image and the text after it are the task's own."""
    task = registry.get(f"lmms:{toy.IMAGE}", tasks)
    questions = task.load(tmp_path / "lmms")
    sample = questions.samples[3]
    questions.prepare([sample])
    prompt = task.prompt(sample, "official")
    assert prompt.system == "Look closely."
    assert prompt.before == ("Here is a picture: ",)
    assert prompt.text == "Question 3: which way does it go?"
    assert sample.media[0].path.is_file()


def test_only_the_images_that_a_run_asks_about_are_written(tasks, tmp_path):
    """Three pictures, of which ``--limit 1`` needs one; scoring stored texts needs none."""
    assert evaluate(tasks, tmp_path / "run", toy.IMAGE, flags=("--limit", "1")) == 0
    assert len(list((tmp_path / "data").rglob("*.png"))) == 1
    score_stored(tasks, tmp_path / "other", toy.IMAGE, WORDS)
    assert not list((tmp_path / "other").rglob("*.png"))


def test_generation_arguments_are_honoured_as_written(tasks, tmp_path):
    """Limit and greedy decoding reach the protocol; a stop string cuts the text before scoring."""
    task = registry.get(f"lmms:{toy.STOPS}", tasks)
    sample = task.load(tmp_path / "lmms").samples[0]
    sampling = task.protocol("official").sampling
    assert (sampling.temperature, sampling.max_tokens) == (0.0, 12)
    assert task.prompt(sample, "official").text.endswith("\nAnswer with one word.")
    score = task.scorers["lmms-eval"].score
    assert score(sample, "A").value == 1
    assert score(sample, "eA").value == 0  # cut at "e", nothing is left


def test_a_number_that_is_no_mean_of_items_stands_without_an_interval(tasks, tmp_path):
    """First group 1 of 2 right, second 1 of 4: its score 37.5, the items' mean 33.3 beside it."""
    found = score_stored(tasks, tmp_path, toy.GROUPED, ["A", "A", "A", "A", "x", "x"])
    assert found["score"] == pytest.approx(37.5)
    assert found["ci95"] is None
    assert found["extra"]["listed"] == pytest.approx(37.5)
    assert found["extra"]["mean_of_items"] == pytest.approx(100 / 3)


def test_what_cannot_be_aggregated_is_said_and_costs_no_run(tasks, tmp_path, caplog):
    """One item is too little for a mean over both groups: the items' mean stands, and a warning."""
    assert evaluate(tasks, tmp_path / "run", toy.SENT, flags=("--limit", "1")) == 0
    assert "listed cannot be aggregated over these 1 items: KeyError('rest')" in caplog.text
    found = summary(tmp_path / "run")["lmms:toy_sent"]
    assert (found["score"], found["extra"]) == (100.0, {})


def test_a_submission_for_a_server_is_written_beside_the_questions(tasks, tmp_path):
    """It is no number and no figure of the run."""
    found = score_stored(tasks, tmp_path, toy.SENT, WORDS)
    assert found["extra"] == {"listed": 0.5}
    (sent,) = (tmp_path / "data" / "lmms" / toy.SENT).glob("sent.txt")
    assert sent.read_text() == "A,B,b is what I see,B,,neither"


def test_tasks_that_cannot_be_asked_cost_no_other_task(tasks, tmp_path, capsys):
    """A judge, `sys.exit`, missing media, missing data, beam search, another type: all named."""
    refused = (toy.JUDGED, toy.EXITS, toy.LOST, toy.NO_DATA, toy.BEAMS, toy.CHOICES)
    assert evaluate(tasks, tmp_path / "run", toy.VIDEO, *refused) == 4
    told = " ".join(capsys.readouterr().err.split())
    for reason in (
        "judge over the network (requests)", "SystemExit: video path: gone.mp4 does not exist",
        "1 of 1 media files are missing", "no-rows.json", "num_beams=4 cannot be honoured",
        "of the type loglikelihood",
    ):  # fmt: skip
        assert reason in told
    assert summary(tmp_path / "run")["lmms:toy_video"]["n"] == 6
    assert all(f"lmms:{name}" in told.rpartition("without")[2] for name in refused)


def test_groups_and_unknown_names_say_what_to_select(tasks, tmp_path, capsys):
    """Exit 2 with the members of a group, or with similar names."""
    assert evaluate(tasks, tmp_path / "run", toy.GROUP) == 2
    assert "lmms:toy_video,lmms:toy_image" in capsys.readouterr().err
    assert evaluate(tasks, tmp_path / "run", "toy_vidio") == 2
    assert "did you mean toy_video" in capsys.readouterr().err


# --- the same metric values as lmms-eval itself


def local(name: str, path: Path, include: str, rows: list[dict], **more: object) -> None:
    """Write a task that is an upstream one in all but its data, which are local."""
    import lmms_eval
    import yaml

    data = path / f"{name}.json"
    data.write_text(json.dumps(rows))
    config = {
        "task": name,
        "include": str(Path(lmms_eval.__path__[0]) / "tasks" / include),
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        **more,
    }
    (path / f"{name}.yaml").write_text(yaml.safe_dump(config))


DIRECTIONS = ("easy", "medium", "hard")
CANDIDATES = ["He ran.", "He sat.", "He left."]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory, offline) -> Path:
    """Four upstream tasks with local rows, and the media where their code looks for them."""
    path = tmp_path_factory.mktemp("upstream")
    kinds = [*(f"object_rel_direction_{size}" for size in DIRECTIONS), "object_counting"] * 2
    local("local_vsibench", path, "vsibench/_default_template_yaml", [
        {
            "id": n, "dataset": "scannet", "scene_name": f"s{n}", "question_type": kind,
            "question": "?", "options": ["A. left", "B. right"],
            "ground_truth": "4" if kind == "object_counting" else "AB"[n % 2],
        }
        for n, kind in enumerate(kinds)
    ])  # fmt: skip
    local(
        "local_mvbench", path, "mvbench/_default_template_yaml",
        [
            {"video": f"v{n}.mp4", "question": "What?", "candidates": CANDIDATES, "answer": answer}
            for n, answer in enumerate(CANDIDATES * 2)
        ],
        lmms_eval_specific_kwargs={
            "default": {"sub_task": "action_count", "post_prompt": "Only give the best option.\n"}
        },
    )  # fmt: skip
    local("local_videommmu", path, "videommmu/perception.yaml", [
        {
            "id": f"validation_Art_{n}", "question": "Which?", "options": ["red", "blue", "green"],
            "answer": "ABC"[n % 3], "question_type": "multiple-choice" if n < 5 else "open",
        }
        for n in range(6)
    ])  # fmt: skip
    local("local_tempcompass", path, "tempcompass/tempcompass_mc.yaml", [
        {
            "video_id": str(n), "question": "What?\nA. up\nB. down", "answer": answer,
            "dim": "action",
        }
        for n, answer in enumerate(("A. up", "B. down", "B. down", "A. up"))
    ])  # fmt: skip
    folder = offline / "mvbench_video" / "perception" / "videos"
    folder.mkdir(parents=True)
    for number in range(6):
        write_clip(folder / f"v{number}.mp4", frames=8)
    return path


TEXTS = {
    "local_vsibench": ["A", "B.", "b", "3 chairs", "<think>B</think>A", "(B)", "A", "four"],
    "local_mvbench": [
        "A",
        "(B) He sat.",
        "",
        "I'd say B",
        "<think>C</think><answer>B</answer>",
        "c",
    ],
    "local_videommmu": ["A", "**B**", "The answer is C. Although", "It is blue", "", "about c "],
    "local_tempcompass": ["A", "B. down", "A) up", "A. up"],
}
METRICS = {
    "local_vsibench": "vsibench_overall",
    "local_mvbench": "mvbench_accuracy",
    "local_videommmu": "mmmu_acc",
    "local_tempcompass": "avg_accuracy",
}


@pytest.fixture(scope="module")
def theirs(upstream, tasks, tmp_path_factory) -> dict:
    """What lmms-eval itself reports, all tasks in one process."""
    texts = {**TEXTS, toy.VIDEO: list(WORDS), toy.GROUPED: list(WORDS)}
    return replay([upstream, tasks], tmp_path_factory.mktemp("replay"), texts)


@pytest.mark.parametrize("name", [toy.VIDEO, toy.GROUPED])
def test_an_external_task_gets_the_metric_values_of_lmms_eval(tasks, theirs, tmp_path, name):
    """Tags, empty replies and an aggregation by groups included."""
    ours = score_stored(tasks, tmp_path, name, WORDS)["extra"]
    assert {m: theirs[name][f"{m},none"] for m in ours if f"{m},none" in theirs[name]} == {
        m: pytest.approx(ours[m]) for m in ours if not m.startswith("mean_of")
    }


def test_an_upstream_task_gets_the_metric_values_of_lmms_eval(upstream, theirs, tmp_path):
    """MVBench's task, prompts and scoring as installed, on local rows and clips."""
    ours = score_stored(upstream, tmp_path, "local_mvbench", TEXTS["local_mvbench"])
    assert ours["extra"]["mvbench_accuracy"] == theirs["local_mvbench"]["mvbench_accuracy,none"]
    assert ours["score"] == pytest.approx(theirs["local_mvbench"]["mvbench_accuracy,none"])


def test_the_scorer_of_our_own_tasks_gets_the_metric_values_of_lmms_eval(
    upstream, theirs, tmp_path
):
    """The same texts through our VSI-Bench, MVBench, VideoMMMU and TempCompass."""
    layouts = {
        "vsibench": lambda rows: {"test.json": rows},
        "mvbench": lambda rows: {"json/action_count.json": rows},
        "videommmu": lambda rows: {
            "perception_video.json": {"Perception": {}},
            "comprehension_video.json": {"Comprehension": {}},
            "adaptation_video.json": {"Adaptation": {row["id"]: row for row in rows}},
        },
        "tempcompass": lambda rows: {
            "meta_info.json": {
                r["video_id"]: {"eval_dim": {"action": {"type": "fine"}}} for r in rows
            },
            **{f"questions/{task}.json": {} for task in ("yes_no", "captioning")},
            "questions/caption_matching.json": {},
            "questions/multi-choice.json": {r["video_id"]: {"action": [r]} for r in rows},
        },
    }
    for benchmark, layout in layouts.items():
        name = f"local_{benchmark}"
        rows = json.loads((upstream / f"{name}.json").read_text())
        if benchmark == "videommmu":
            rows[-1] |= {"options": [], "answer": "c"}
        for file, content in layout(rows).items():
            path = tmp_path / benchmark / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        task = registry.get(benchmark)
        samples = task.load(tmp_path / benchmark).samples
        texts = tmp_path / f"{benchmark}.jsonl"
        answered = zip(samples, TEXTS[name], strict=True)
        texts.write_text("\n".join(json.dumps({"id": s.id, "text": t}) for s, t in answered))
        code = main([
            "score", "--task", benchmark, "--scorer", "lmms-eval", "--data", str(tmp_path),
            "--responses", str(texts), "--out", str(tmp_path / "runs" / benchmark),
        ])  # fmt: skip
        assert code == 0
        score = summary(tmp_path / "runs" / benchmark)[benchmark]["score"]
        reported = theirs[name][f"{METRICS[name]},none"]
        scale = 100 if benchmark in ("vsibench", "videommmu") else 1
        assert score == pytest.approx(scale * reported, abs=1e-3), benchmark


# --- our engine there


def lmms_eval(tasks: Path, out: Path, model_args: str, *names: str) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("lmms-eval")
    command = [
        str(program), "--model", "videor1", "--model_args", model_args, "--tasks", ",".join(names),
        "--include_path", str(tasks), "--output_path", str(out), "--log_samples",
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("backend", ["transformers", "vllm"])
def test_both_commands_get_the_same_responses(
    tasks, tmp_path, checkpoint_of, small_cpu_cache, backend
):
    """A video task and an image task: `lmms-eval --model videor1` answers as `videor1 eval`."""
    pytest.importorskip(backend, reason=f"needs the heavy environment: {backend} is not installed")
    checkpoint = checkpoint_of("qwen2_5_vl").path
    names = (toy.VIDEO, toy.IMAGE)
    longest = {"max_model_len": "4096"} if backend == "vllm" else {}  # the other one refuses it
    own = [word for name, n in longest.items() for word in (f"--{name.replace('_', '-')}", n)]
    flags = (*FRAMES, "--backend", backend, *own)
    assert evaluate(tasks, tmp_path / "run", *names, checkpoint=checkpoint, flags=flags) == 0
    ours = {record.id: record.text for record in read_records(tmp_path / "run")}
    arguments = (
        f"pretrained={checkpoint},backend={backend},max_frames=4,max_pixels=18816,"
        f"{''.join(f'{name}={n},' for name, n in longest.items())}out={tmp_path / 'kept'}"
    )
    ran = lmms_eval(tasks, tmp_path / "theirs", arguments, *names)
    assert ran.returncode == 0, ran.stderr[-2000:]
    theirs = {
        f"lmms:{name}/{line['doc_id']}": line.get("resps", line["filtered_resps"])
        for name in names
        for file in (tmp_path / "theirs").rglob(f"*_samples_{name}.jsonl")
        for line in map(json.loads, file.read_text().splitlines())
    }
    assert len(theirs) == 12
    assert len(set(theirs.values())) > 1
    assert {name: _text(found) for name, found in theirs.items()} == ours


def _text(found: object) -> object:
    return found[0] if isinstance(found, list) else found


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("pretrained=/none", "/none"),
        ("pretrained=m,backend=fake,variant=inverted", "variant: expected one of ordered"),
    ],
)
def test_a_failure_ends_lmms_eval_with_a_code_of_its_own(tasks, tmp_path, arguments, message):
    """Its own exit code would be 0: an error inside our model ends with 1 and a message."""
    ran = lmms_eval(tasks, tmp_path, arguments, toy.VIDEO)
    assert ran.returncode == 1
    assert f"videor1: {message}" in ran.stderr
