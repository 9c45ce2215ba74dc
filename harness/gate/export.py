"""Writes a gate's result for programs: JSON with everything, JUnit XML with one case per task."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from harness.errors import UsageError
from harness.gate.changes import CategoryChange, TaskChange
from harness.gate.policy import Policy, Tier
from harness.gate.result import Comparison, GateLine, GateResult, Verdict
from harness.text.shown import for_json, for_xml


def as_json(gate: GateResult, reason: str) -> str:
    """Write the result as JSON; scores, differences and margins are points."""
    content = {
        "verdict": gate.verdict,
        "reason": reason,
        "same_checkpoint": gate.same_checkpoint,
        "policy": asdict(gate.policy),
        "tasks": {line.name: _line_fields(line) for line in gate.lines},
        "common": [asdict(one) for one in gate.common],
        "left_out": gate.left_out,
        "changes": {change.task: _change_fields(change) for change in gate.changes},
        "flips": [asdict(flip) | {"pull": 100 * flip.pull} for flip in gate.flips],
        "notes": gate.notes,
    }
    return for_json(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def as_junit(gate: GateResult) -> str:
    """Write the result as JUnit XML.

    An incomplete task is an error, a required task that does not pass is a failure. An advisory one
    that does not pass, and an inconclusive one where that is allowed, is skipped, so that none of
    them is shown as passed.
    """
    suite = ElementTree.Element("testsuite", name="videor1 gate", tests=str(len(gate.lines)))
    tags = [_add_case(suite, line, gate.policy) for line in gate.lines]
    for attribute, tag in (("errors", "error"), ("failures", "failure"), ("skipped", "skipped")):
        suite.set(attribute, str(tags.count(tag)))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def write_text(path: Path, text: str, *, append: bool = False) -> None:
    """Write a report; with `append`, behind what the file already holds."""
    try:
        with path.open("a" if append else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written: {error.strerror}; name another file"
        ) from None


def _change_fields(change: TaskChange) -> dict[str, Any]:
    return {
        "items": change.n,
        "fell": change.fell,
        "rose": change.rose,
        "categories": {one.name: _category_fields(one) for one in change.categories},
    }


def _category_fields(one: CategoryChange) -> dict[str, Any]:
    return {
        "items": one.n,
        "baseline": 100 * one.base,
        "run": 100 * one.candidate,
        "difference": 100 * one.change,
        "ci95": None if one.ci95 is None else [100 * bound for bound in one.ci95],
        "fell": one.fell,
        "rose": one.rose,
    }


def _line_fields(line: GateLine) -> dict[str, Any]:
    return {
        "verdict": line.verdict,
        "tier": line.tier,
        "margin": line.margin,
        "items": line.n,
        "gaps": line.gaps,
        **({} if line.comparison is None else _statistics_fields(line, line.comparison)),
    }


def _statistics_fields(line: GateLine, found: Comparison) -> dict[str, Any]:
    difference = found.difference
    return {
        "baseline": 100 * found.base,
        "run": 100 * found.candidate,
        "difference": 100 * difference.mean,
        "se": None if difference.se is None else 100 * difference.se,
        "bounds": None if found.bounds is None else [100 * bound for bound in found.bounds],
        "clusters": difference.n_clusters,
        "p_regression": line.p_regression,
        "p_sign_flip": found.flip_p,
        "discordance": found.discordance,
        "design_effect": found.design_effect,
        "minimum_detectable_effect": None if found.mde is None else 100 * found.mde,
        "items_needed": line.needed,
    }


def _add_case(suite: ElementTree.Element, line: GateLine, policy: Policy) -> str | None:
    """Add a task's case; return the tag of its result, None for a pass."""
    case = ElementTree.SubElement(
        suite, "testcase", classname="videor1.gate", name=for_xml(line.name)
    )
    tag = _result_tag(line, policy)
    if tag is not None:
        message = for_xml(f"{line.verdict}: {_summarise_line(line)}")
        ElementTree.SubElement(case, tag, type=line.verdict.value, message=message)
    return tag


def _result_tag(line: GateLine, policy: Policy) -> str | None:
    if line.verdict is Verdict.PASS:
        return None
    if line.verdict is Verdict.INCOMPLETE:
        return "error"
    if line.verdict is Verdict.INCONCLUSIVE and policy.allow_inconclusive:
        return "skipped"
    return "failure" if line.tier is Tier.REQUIRED else "skipped"


def _summarise_line(line: GateLine) -> str:
    if line.comparison is None:
        return "; ".join(line.gaps)
    found, needed = line.comparison, line.needed
    parts = [f"change {100 * found.difference.mean:+.2f} points, margin {line.margin:g}"]
    if found.bounds is not None:
        parts.append(f"bounds {100 * found.bounds[0]:+.2f} to {100 * found.bounds[1]:+.2f}")
    if needed is not None and line.verdict is Verdict.INCONCLUSIVE:
        parts.append(f"{needed} items needed, got {line.n}")
    return ", ".join(parts)
