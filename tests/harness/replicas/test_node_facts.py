"""Nodes of a cluster are compared with the driver, and every difference names its node."""

from dataclasses import replace

import pytest

from harness.replicas.node_facts import NodeFacts, NodeReport, list_differences

HERE = NodeFacts(
    host="driver",
    python="3.11.9",
    packages={"videor1": "0.2.0", "av": "18.1.0", "torch": "2.13.0"},
    source="aa",
    questions={"vsibench": "12ab"},
    checkpoint={"weights": "w", "config": "c"},
)


def _differences(**changes):
    there = replace(HERE, host="other", **changes)
    return list_differences(HERE, [NodeReport(node="n2", facts=there)])


def test_an_equal_node_has_no_differences():
    """The host's name, its GPUs and the last number of Python's version may differ."""
    assert _differences(python="3.11.2", gpus=("H100",)) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"packages": {**HERE.packages, "av": "14.0.1"}}, "av is 14.0.1, here 18.1.0"),
        ({"packages": {"videor1": "0.2.0", "av": "18.1.0"}}, "torch is not installed, here 2.13.0"),
        ({"packages": {**HERE.packages, "vllm": "0.33.0"}}, "vllm is 0.33.0, here not installed"),
        ({"python": "3.12.1"}, "Python is 3.12.1, here 3.11.9"),
        ({"source": "bb"}, "another one under the same version"),
        ({"questions": {"vsibench": "34cd"}}, "vsibench: other question files than here"),
        ({"questions": {"vsibench": "its questions cannot be read: no /data"}}, "no /data"),
        ({"questions": {}}, "vsibench: not looked at"),
        ({"missing": ("/d/1.mp4",)}, "1 media are missing or not readable: /d/1.mp4"),
        ({"other_size": tuple(f"/{n}" for n in range(5))}, "5 media are of another size than here"),
        ({"checkpoint": {"weights": "v", "config": "c"}}, "another checkpoint than here: other w"),
        ({"checkpoint": {}, "checkpoint_error": "no folder /c"}, "cannot be read: no folder /c"),
    ],
)  # fmt: skip
def test_a_difference_is_one_sentence_that_begins_with_the_node(changes, said):
    """Packages, the project's code, questions, media and checkpoint are compared."""
    [sentence] = _differences(**changes)
    assert sentence.startswith("node n2: ")
    assert said in sentence


def test_more_than_three_media_are_only_counted():
    """The first three are named."""
    [sentence] = _differences(missing=tuple(f"/{n}" for n in range(5)))
    assert sentence.endswith("/0, /1, /2 and 2 more")


def test_a_node_that_did_not_answer_is_a_difference():
    """Its reason is told."""
    reports = [
        NodeReport(node="n1", facts=HERE),
        NodeReport(node="n2", facts=None, problem="it did not answer within 120 s"),
    ]
    assert list_differences(HERE, reports) == ["node n2: it did not answer within 120 s"]
