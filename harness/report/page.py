"""Fills the template of the report's page and copies its style and scripts."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness.files import write_text
from harness.plugins import installed_version
from harness.report.overview import Overview
from harness.report.scripts import shown
from harness.schema import Outcome
from harness.text.shown import for_html

SCRIPTS = (
    "core.js", "state.js", "filter.js", "list.js", "frames.js", "answers.js", "item.js", "table.js",
    "keys.js",
    "main.js",
)  # fmt: skip
"""In the order in which they are run."""
STYLES = ("base.css", "overview.css", "items.css")


_LONGEST = 1000
"""Characters of a text on the page; items show whole texts."""


def write_page(folder: Path, overview: Overview) -> None:
    """Write ``index.html`` and the folder ``assets``."""
    assets = files("harness.report") / "assets"
    for name in (*STYLES, *SCRIPTS):
        write_text(folder / "assets" / name, (assets / name).read_text(encoding="utf-8"))
    write_text(folder / "index.html", render(overview))


def render(overview: Overview) -> str:
    """Return the HTML of the first page; every text in it is escaped."""
    template = make_environment().get_template("report.html")
    return template.render(
        report=overview,
        outcomes=[outcome.value for outcome in Outcome],
        styles=STYLES,
        scripts=SCRIPTS,
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        version=installed_version(),
    )


def make_environment(*packages: str) -> Environment:
    """Return the template environment: texts are escaped, an unknown name is an error.

    Args:
        packages: Packages whose ``templates`` are found besides the report's.
    """
    loaders = [PackageLoader(name, "templates") for name in (*packages, "harness.report")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escape,
    )
    environment.globals["link"] = _link_to_items
    environment.filters["score"] = _format_score
    environment.filters["points"] = _format_points
    environment.filters["interval"] = _format_interval
    environment.filters["p"] = _format_p
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    return environment


def _escape(value: object) -> object:
    """Escape a text for HTML, make hidden characters visible, cut a long one; markup stays."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return Markup(for_html(_cut(value)))
    return value


def _cut(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text):,} characters)"


def _link_to_items(**state: object) -> str:
    """Return a link to the list of items with filters set; texts too long for it are left out."""
    texts = {name: str(value) for name, value in state.items() if value != ""}
    given = {name: shown(text) for name, text in texts.items() if len(text) <= _LONGEST}
    return f"#items?{urlencode(given)}"


def _format_score(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _format_points(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f}".replace("-", "−")


def _format_interval(ends: tuple[float, float] | None, signed: bool = False) -> str:
    if ends is None:
        return "–"
    form = _format_points if signed else _format_score
    return f"{form(ends[0])} to {form(ends[1])}"


def _format_p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
