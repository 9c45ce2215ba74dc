"""Compiles what is written as LaTeX, and says whether it fits its page."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

_PAGE = r"""\documentclass{article}
\usepackage{PACKAGES}
\begin{document}
\input{board}
\end{document}
"""


def compile_latex(folder: Path, *, wide_names: bool = False) -> None:
    """Compile ``board.tex`` in a folder, with the packages that its first line names.

    Nothing may stick out of the page by more than a point, unless `wide_names` allows words in
    notes that cannot be broken.
    """
    text = (folder / "board.tex").read_text(encoding="utf-8")
    packages = re.search(r"needs \\usepackage\{(.*)\}", text)
    assert packages, text[:200]
    (folder / "page.tex").write_text(_PAGE.replace("PACKAGES", packages[1]), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    log = (folder / "page.log").read_text(encoding="utf-8", errors="replace")
    wide = [float(width) for width in re.findall(r"Overfull .hbox \((\d+\.?\d*)pt", log)]
    tall = re.findall(r"Overfull .vbox \((\d+\.?\d*)pt", log)
    assert wide_names or [width for width in wide if width > 1] == [], log[-3000:]
    assert tall == []
