"""Writes pages without scripts, in the style of the report, for what other rooms show."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.files import write_text
from harness.plugins import installed_version
from harness.report.folder import ASSETS
from harness.report.page import make_environment
from harness.text.numbers import format_number

STYLES = ("base.css", "overview.css", "static.css")


class StaticPages:
    """Writes the pages of one folder.

    Args:
        out: The folder.
        package: The package whose ``templates`` are used; they extend ``static.html``.
    """

    def __init__(self, out: Path, package: str) -> None:
        self._out = out
        self._environment = make_environment(package)
        self._environment.filters["number"] = format_number
        assets = files("harness.report") / ASSETS
        for name in STYLES:
            write_text(out / ASSETS / name, (assets / name).read_text(encoding="utf-8"))

    def write(self, name: str, template: str, **values: Any) -> Path:
        """Fill a template and write the page; returns its path.

        Args:
            name: File name, relative to the folder.
            template: Name of the template.
            values: What it shows.
        """
        html = self._environment.get_template(template).render(
            styles=STYLES,
            up="../" * name.count("/"),
            made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=installed_version(),
            **values,
        )
        write_text(self._out / name, html)
        return self._out / name
