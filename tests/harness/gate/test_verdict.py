"""Gates: verdicts, exit codes, and everything that must not pass."""

import json
import random
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from harness.cli import main
from harness.gate.baseline import (
    freeze,
    read_baseline,
    write_baseline,
)
from harness.gate.pairing import pair
from harness.gate.policy import (
    Policy,
    Rule,
    Tier,
)
from harness.gate.verdict import (
    Verdict,
    judge_run,
)
from harness.schema import Failure, Outcome
from tests.runs import make_manifest, make_records, write_run

RNG = random.Random(3)
GOOD = [float(RNG.random() < 0.7) for _ in range(600)]
WORSE = [value * (RNG.random() < 0.7) for value in GOOD]
NOISY = [1.0 - value if RNG.random() < (0.12 if value else 0.28) else value for value in GOOD]
"""As many right answers as `GOOD` but for luck, not the same ones."""
BOTH = {"vsibench": GOOD, "mvbench": GOOD}


@pytest.fixture
def gate(tmp_path):
    """Gate values against a baseline through the command line; returns the exit code."""

    def run(base, candidate, *flags, policy=None, damage=None, **manifest):
        path = tmp_path / "baseline.parquet"
        write_baseline(path, _baseline(base, policy))
        records = make_records(candidate)
        asked = make_manifest(candidate, **{"model": "other", **manifest})
        folder = write_run(tmp_path / "run", asked, (damage or list)(records))
        return main(["gate", str(path), str(folder), *flags])

    return run


def _baseline(values, policy=None):
    records = [replace(r, scorer=_scorer(r.task)) for r in make_records(values)]
    return freeze(make_manifest(values), records, policy)


def _scorer(task):
    return "official@1" if task == "vsibench" else "video-r1@1"


def _judged(base, candidate, policy, model="other"):
    return judge_run(
        _baseline(base), make_manifest(candidate, model=model), make_records(candidate), policy
    )


def test_an_equal_run_passes(gate, capsys):
    """600 equal items in 300 videos pass a margin of 2 points with exit 0."""
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD}) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("exit 0 (ok): no worse than the margin allows")


def test_the_verdict_comes_first_then_what_fell_then_the_statistics(gate, capsys):
    """A reader sees whether it is worse, then where, then how sure that is."""
    gate({"vsibench": GOOD}, {"vsibench": WORSE})
    out = capsys.readouterr().out
    assert out.startswith("REGRESSION: worse than the margin allows: vsibench")
    places = ("Result", "vsibench: ", "Statistics", "MDE", "p flip")
    assert sorted(places, key=out.index) == list(places)


def test_a_clear_drop_is_a_regression(gate, capsys):
    """Losing three of ten right answers exits 1 and names the task."""
    assert gate({"vsibench": GOOD}, {"vsibench": WORSE}) == 1
    assert "exit 1 (regression): worse than the margin allows: vsibench" in capsys.readouterr().err


def test_what_the_data_cannot_tell_is_inconclusive(gate, capsys):
    """A fifth of the answers changed at random: 600 items cannot show a margin of one point."""
    assert gate({"vsibench": GOOD}, {"vsibench": NOISY}, "--margin", "1") == 3
    assert "vsibench needs about" in capsys.readouterr().err


def test_the_same_data_pass_a_margin_they_can_show(gate):
    """The same answers against 25 points pass: the margin was what was too small."""
    assert gate({"vsibench": GOOD}, {"vsibench": NOISY}, "--margin", "25") == 0


def test_margin_zero_never_passes_an_equal_run(gate, capsys):
    """No number of items shows that two equal models do not differ at all."""
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD}, "--margin", "0") == 3
    assert "which only a better model can pass" in capsys.readouterr().err


def test_one_video_decides_nothing(gate, capsys):
    """Without a second video there is no error, so there is no verdict."""
    assert gate({"vsibench": [1.0, 1.0]}, {"vsibench": [0.0, 0.0]}) == 3
    assert "a single video" in capsys.readouterr().err


def _without_last(records):
    return records[:-1]


def _with_failure(records):
    failure = Failure(stage="media", error="MediaError", message="broken")
    return [
        *records[:-1],
        replace(records[-1], outcome=Outcome.FAILED, value=None, failure=failure),
    ]


def _with_one_more(records):
    return [*records, replace(records[-1], id="vsibench/new")]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            _without_last,
            "1 of the baseline's items have no record in the run (first: vsibench/599)",
        ),
        (_with_failure, "1 items failed in the run (first: vsibench/599)"),
        (_with_one_more, "1 items of the run are not in the baseline (first: vsibench/new)"),
    ],
)
def test_items_without_a_partner_never_pass(gate, capsys, damage, words):
    """One missing, failed or unknown item exits 4, however good the others are."""
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD}, damage=damage) == 4
    assert words in capsys.readouterr().err


def test_a_task_without_records_never_passes(gate, capsys):
    """A run that left out a task of the baseline exits 4."""
    assert gate(BOTH, {"vsibench": GOOD}) == 4
    assert "mvbench: 600 of the baseline's items have no record" in capsys.readouterr().err


def test_an_incomplete_advisory_task_blocks_too(gate, tmp_path):
    """The tier says whose verdict counts, not whose items."""
    (tmp_path / "p.toml").write_text('[tasks.vsibench]\ntier = "advisory"')
    assert gate(BOTH, BOTH, "--policy", str(tmp_path / "p.toml"), damage=lambda rs: rs[1:]) == 4


def test_a_regression_elsewhere_stands_whatever_is_missing(gate, capsys):
    """A judged task has regressed even if another one cannot be judged; both are named."""
    run = {"vsibench": WORSE, "mvbench": GOOD}
    assert gate(BOTH, run, damage=_without_last) == 1
    assert "vsibench; not judged because of missing items: mvbench" in capsys.readouterr().err


def test_another_protocol_is_refused_with_the_field(gate, capsys):
    """32 frames are not compared with 16."""
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD}, frames=32) == 2
    assert "vsibench protocol frames.max: 16 != 32" in capsys.readouterr().err


def test_other_data_are_refused_with_the_field(gate, capsys):
    """A run over fewer questions is another data set."""
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD[:100]}) == 2
    assert "vsibench data items: 600 != 100" in capsys.readouterr().err


def test_other_question_files_are_refused(tmp_path, capsys):
    """The content of the question files counts, not their number."""
    manifest = make_manifest({"vsibench": GOOD})
    manifest["data"]["vsibench"]["sha256"] = "beef"
    run = write_run(tmp_path / "run", manifest, make_records({"vsibench": GOOD}))
    write_baseline(tmp_path / "b.parquet", _baseline({"vsibench": GOOD}))
    assert main(["gate", str(tmp_path / "b.parquet"), str(run)]) == 2
    assert "vsibench data sha256: 'f00d' != 'beef'" in capsys.readouterr().err


@pytest.mark.parametrize(("line", "code"), [(-1, 4), (300, 2)])
def test_a_torn_record_file(tmp_path, capsys, line, code):
    """A torn last line is a missing item, a broken one in the middle is damage."""
    manifest, records = make_manifest({"vsibench": GOOD}), make_records({"vsibench": GOOD})
    run = write_run(tmp_path / "run", manifest, records)
    write_baseline(tmp_path / "b.parquet", _baseline({"vsibench": GOOD}))
    path = run / "records-0.jsonl"
    lines = path.read_text().splitlines()
    lines[line] = lines[line][:40]
    path.write_text("\n".join(lines) + ("" if line == -1 else "\n"))
    assert main(["gate", str(tmp_path / "b.parquet"), str(run)]) == code
    said = {4: "1 of the baseline's items have no record", 2: "line 301: not valid JSON"}[code]
    assert said in capsys.readouterr().err


def test_an_empty_baseline_is_refused(tmp_path, capsys):
    """Nothing was worse than nothing: exit 2, not 0."""
    write_baseline(tmp_path / "b.parquet", replace(_baseline({"vsibench": GOOD}), items=()))
    run = write_run(
        tmp_path / "run", make_manifest({"vsibench": GOOD}), make_records({"vsibench": GOOD})
    )
    assert main(["gate", str(tmp_path / "b.parquet"), str(run)]) == 2
    assert "the baseline has no items" in capsys.readouterr().err


def test_dropped_items_count_as_nothing():
    """A model cannot gain by not answering: value None is 0 on both sides, and is mentioned."""
    base = {"vsibench": [1.0, 1.0, 0.0, 0.0]}
    run = {"vsibench": [1.0, None, None, 0.0]}
    result = _judged(base, run, Policy())
    assert result.lines[0].comparison.difference.mean == -0.25
    assert result.notes == ("vsibench: 2 items that the scorer leaves out count as 0 here",)


def test_differences_follow_the_tree_of_means():
    """Three items of one type and one of another: -1/3 and 0 make a macro change of -1/6."""
    kinds = ["route_planning"] * 3 + ["object_counting"]
    base, run = (
        [replace(r, category=kind) for r, kind in zip(made, kinds, strict=True)]
        for made in (
            make_records({"vsibench": [1.0, 1.0, 1.0, 1.0]}),
            make_records({"vsibench": [1.0, 1.0, 0.0, 1.0]}),
        )
    )
    manifest = make_manifest({"vsibench": [1.0] * 4})
    result = judge_run(freeze(manifest, base, None), manifest, run, Policy())
    found = result.lines[0].comparison
    assert found.difference.mean == pytest.approx(-1 / 6, abs=1e-12)
    assert (found.base, found.discordance) == (1.0, 0.25)


def test_several_regressions_are_corrected_by_holm():
    """The adjusted p of each required task is what decides, an advisory task keeps its own."""
    run = {"vsibench": WORSE, "mvbench": NOISY}
    both = _judged(BOTH, run, Policy(margin=0))
    assert [line.name for line in both.lines] == ["mvbench", "vsibench", "overall"]
    alone = _judged(BOTH, run, Policy(margin=0, tasks={"mvbench": Rule(tier=Tier.ADVISORY)}))
    assert [line.name for line in alone.lines] == ["mvbench", "vsibench"]
    assert both.lines[1].p_regression == pytest.approx(2 * alone.lines[1].p_regression)
    assert alone.verdict is Verdict.REGRESSION


def test_the_overall_change_is_the_mean_over_tasks(gate, tmp_path):
    """It is advisory unless a margin is asked for, and then it decides like a task."""
    run = {"vsibench": GOOD, "mvbench": WORSE}
    result = _judged(BOTH, run, Policy(margin=40))
    tasks, overall = result.lines[:2], result.lines[2]
    assert overall.tier is Tier.ADVISORY
    mean = sum(line.comparison.difference.mean for line in tasks) / 2
    assert overall.comparison.difference.mean == pytest.approx(mean, abs=1e-12)
    assert result.verdict is Verdict.PASS
    assert gate(BOTH, run, "--margin", "40", "--overall-margin", "1") == 1


def test_an_advisory_task_does_not_decide(gate, tmp_path, capsys):
    """Its regression is shown and the exit code is that of the required tasks."""
    (tmp_path / "p.toml").write_text('[tasks.mvbench]\ntier = "advisory"')
    run = {"vsibench": GOOD, "mvbench": WORSE}
    assert gate(BOTH, run, "--policy", str(tmp_path / "p.toml")) == 0
    out = capsys.readouterr().out
    assert "REGRESSION" in out
    assert "(advisory)" in out


def test_tasks_that_the_baseline_lacks_are_mentioned():
    """They are not judged, and not silently."""
    result = _judged({"vsibench": GOOD}, BOTH, Policy())
    assert result.notes == ("not judged, not in the baseline: mvbench",)


def test_the_same_checkpoint_is_called_a_a(gate, capsys):
    """Whatever differs between two runs of one checkpoint is noise, and is called that."""
    gate({"vsibench": GOOD}, {"vsibench": NOISY}, model="model")
    assert "A/A" in capsys.readouterr().out


def test_a_locked_margin_applies_without_flags(gate):
    """The noisy run fails the default margin and passes the locked one of 25 points."""
    assert gate({"vsibench": GOOD}, {"vsibench": NOISY}, policy=Policy(margin=25)) == 0


def test_a_loosened_margin_is_refused_with_both(gate, capsys):
    """The message names the margin asked for and the locked one, and how to go on."""
    flags = ["--margin", "25"]
    assert gate({"vsibench": GOOD}, {"vsibench": NOISY}, *flags, policy=Policy(margin=1)) == 2
    printed = capsys.readouterr().err
    assert "vsibench margin: 25, locked 1" in printed
    assert "--unlock" in printed


def test_unlock_accepts_a_loosened_margin(gate):
    """Said aloud, it is accepted."""
    flags = ["--margin", "25", "--unlock"]
    assert gate({"vsibench": GOOD}, {"vsibench": NOISY}, *flags, policy=Policy(margin=1)) == 0


def test_margins_come_from_one_place(gate, tmp_path, capsys):
    """A policy file and a margin flag together are refused."""
    (tmp_path / "p.toml").write_text("margin = 1")
    flags = ["--policy", str(tmp_path / "p.toml"), "--margin", "2"]
    assert gate({"vsibench": GOOD}, {"vsibench": GOOD}, *flags) == 2
    assert "leave out --margin" in capsys.readouterr().err


def test_json_holds_what_was_printed(gate, tmp_path):
    """Figures are points; the reason is the last line's."""
    out = tmp_path / "gate.json"
    gate({"vsibench": GOOD}, {"vsibench": WORSE}, "--json", str(out))
    content = json.loads(out.read_text())
    assert content["verdict"] == "REGRESSION"
    line = content["tasks"]["vsibench"]
    assert line["difference"] == pytest.approx(100 * (sum(WORSE) - sum(GOOD)) / 600)
    assert line["bounds"][0] < line["difference"] < line["bounds"][1] < -line["margin"]
    assert line["minimum_detectable_effect"] > 0
    fell = sum(after < before for before, after in zip(GOOD, WORSE, strict=True))
    assert len(content["flips"]) == content["changes"]["vsibench"]["fell"] == fell > 100


def test_junit_has_one_case_per_task(gate, tmp_path):
    """A regression is a failure, a pass has no child, the overall line is a case too."""
    out = tmp_path / "gate.xml"
    gate(BOTH, {"vsibench": GOOD, "mvbench": WORSE}, "--junit", str(out))
    suite = ElementTree.fromstring(out.read_text())
    cases = {case.get("name"): [child.tag for child in case] for case in suite}
    assert cases == {"mvbench": ["failure"], "vsibench": [], "overall": ["skipped"]}
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "0")


def test_junit_calls_missing_items_an_error(gate, tmp_path):
    """Incomplete is neither a pass nor a failure, and the file is written all the same."""
    out = tmp_path / "gate.xml"
    gate({"vsibench": GOOD}, {"vsibench": GOOD}, "--junit", str(out), damage=_without_last)
    error = ElementTree.fromstring(out.read_text()).find("testcase/error")
    assert error.get("type") == "INCOMPLETE"
    assert "have no record" in error.get("message")


def test_markdown_is_appended_and_cannot_be_broken_by_an_answer(gate, tmp_path):
    """A step summary keeps what others wrote; pipes and tags in answers stay text."""

    def hostile(records):
        return [replace(r, answer="a|b <img src=x>\n# hi") for r in records]

    out = tmp_path / "summary.md"
    out.write_text("before\n")
    gate({"vsibench": GOOD}, {"vsibench": WORSE}, "--summary", str(out), damage=hostile)
    text = out.read_text()
    assert text.startswith("before\n## videor1 gate: REGRESSION")
    assert "a\\|b &lt;img src=x&gt; \\# hi" in text
    assert "<img" not in text
    tables = [token for token in _parse_markdown(text) if token.type == "table_open"]
    assert len(tables) == 3


def _parse_markdown(text):
    """Parse as GitHub does: CommonMark with tables."""
    return MarkdownIt("commonmark").enable("table").parse(text)


def test_the_worst_flips_weigh_most():
    """Items are ranked by how far they pull the score down: few items of a type weigh more."""
    kinds = ["route_planning"] * 3 + ["object_counting"]
    made = make_records({"vsibench": [1.0] * 4})
    base = [replace(r, category=kind) for r, kind in zip(made, kinds, strict=True)]
    run = [replace(r, value=0.0, answer="Z") for r in base]
    result = judge_run(
        freeze(make_manifest({"vsibench": [1.0] * 4}), base, None),
        make_manifest({"vsibench": [1.0] * 4}),
        run,
        Policy(),
    )
    [change] = result.changes
    assert [video.name for video in change.videos] == ["vsibench 1", "vsibench 0"]
    assert [flip.id for flip in result.flips] == [f"vsibench/{n}" for n in (3, 2, 0, 1)]
    assert [flip.pull for flip in result.flips] == pytest.approx([-1 / 2, -1 / 6, -1 / 6, -1 / 6])
    assert (result.flips[0].base, result.flips[0].candidate) == ("A", "Z")


def test_pairs_are_made_on_ids_alone():
    """The order in which a run finished does not matter."""
    records = make_records({"vsibench": [1.0, 0.0, 1.0]})
    pairing = pair(_baseline({"vsibench": [0.0, 0.0, 1.0]}), records[::-1])[0]
    assert (pairing.base, pairing.candidate) == ([0.0, 0.0, 1.0], [1.0, 0.0, 1.0])


def test_refusals_are_counted_in_a_note():
    """They are worth 0 on both sides; a model does not gain by them."""
    refused = [
        replace(r, outcome=Outcome.REFUSED) if n < 3 else r
        for n, r in enumerate(make_records({"vsibench": [0.0] * 20 + GOOD}))
    ]
    values = {"vsibench": [0.0] * 20 + GOOD}
    gate = judge_run(_baseline(values), make_manifest(values, model="other"), refused, Policy())
    assert "vsibench: refused, worth 0: 3 items in the run, 0 in the baseline" in gate.notes


def test_engine_settings_that_differ_are_named(tmp_path):
    """Another number format is a fair question to a gate; the same weights are no A/A then."""
    values = {"vsibench": GOOD}
    half = {**make_manifest(values), "numeric": {"dtype": "float16"}}
    path = tmp_path / "half.parquet"
    write_baseline(path, freeze(half, make_records(values), None))
    base = read_baseline(path)
    gate = judge_run(base, make_manifest(values), make_records(values), Policy())
    assert "engine settings differ (baseline != run): dtype: 'float16' != None" in gate.notes
    assert not gate.same_checkpoint
    same = judge_run(base, half, make_records(values), Policy())
    assert same.same_checkpoint
    assert same.notes == ()


def test_a_part_of_a_benchmark_is_said_to_be_one():
    """The verdict holds for these questions only."""
    values = {"vsibench": GOOD}
    part = {**make_manifest(values), "questions": {"vsibench": 5130}}
    gate = judge_run(_baseline(values), part, make_records(values), Policy())
    assert f"vsibench: only {len(GOOD)} of 5,130 questions are compared" in gate.notes
