"""Nothing of a board is cut: narrow terminals, pipes, LaTeX pages, HTML; the chart."""

import re

import pytest

from harness.board.leaderboard import build_board, read_board
from harness.board.published import PUBLISHED, read_published
from harness.board.table import Block, Table, TableCell, make_tables
from harness.board.text import print_tables, to_text
from harness.cli import main
from harness.text.console import make_console
from tests.harness.board.board_runs import write_task_runs

TASKS = {"vsibench": [1.0, 0.0] * 9, "mvbench": [1.0] * 17 + [0.0], "tempcompass": [0.0, 1.0] * 9}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Five models of long names, three tasks each."""
    folder = tmp_path_factory.mktemp("runs")
    names = ("a", "model-of-a-name-that-is-long-7b", "c", "d", "e")
    return [write_task_runs(folder / name, name, TASKS) for name in names]


def _on_terminal(tables, width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    console = make_console(width=width)
    with console.capture() as captured:
        print_tables(console, tables)
    return captured.get()


def _tokens(table):
    """Return every word that a table has to show."""
    cells = [cell for row in table.rows for cell in row]
    texts = [*table.header[1:], *(cell.text for cell in cells), *(cell.small for cell in cells)]
    return {word for text in texts for word in text.split() if len(word) < 15}


@pytest.mark.parametrize("width", [200, 120, 100, 80, 72, 60, 50, 40])
def test_a_terminal_shows_every_word_at_every_width(runs, width, monkeypatch):
    """Headings and numbers are folded between words, never within, and no column is left out."""
    tables = make_tables(read_board(runs), by=False)
    page = _on_terminal(tables, width, monkeypatch)
    assert max(map(len, page.splitlines())) <= width
    assert _tokens(tables[0]) - set(page.split()) == set()


def test_a_narrow_table_has_intervals_below_scores_and_a_very_narrow_one_is_a_list(
    runs, monkeypatch
):
    """The layouts, by what stands on the line of a score."""
    tables = make_tables(read_board(runs), by=False)
    score = "94.4 [82.7, 100.0]"
    assert score in _on_terminal(tables, 120, monkeypatch)
    narrow = _on_terminal(tables, 80, monkeypatch)
    assert score not in narrow
    assert "[82.7, 100.0]" in narrow
    assert re.search(r"MVBench +94\.4 \[82\.7, 100\.0\]", _on_terminal(tables, 44, monkeypatch))


def test_a_pipe_gets_the_width_that_the_table_needs(runs, capsys, monkeypatch):
    """Every score is on one line, whatever the size of the terminal was."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert main(["board", *map(str, runs), "--by"]) == 0
    out = capsys.readouterr().out
    assert out.count("94.4 [82.7, 100.0]") == 5
    assert any(line.startswith(" model-of-a-name-that-is-long-7b ") for line in out.splitlines())


def test_a_board_of_fifty_runs_and_nine_columns_fits_every_width(monkeypatch):
    """Columns of a table that nobody has made yet: long headings, long cells, no notes."""
    row = [
        TableCell(text=f"{n}7.5 [92.4, 100.0]", small="(10-12)", strong=n == 1) for n in range(9)
    ]
    table = Table(
        header=("model", *(f"Benchmark number {n} [a scorer]" for n in range(9))),
        blocks=(Block(rows=tuple((TableCell(text=f"model-{n}"), *row) for n in range(50))),),
    )  # fmt: skip
    for width in (40, 80, 132, 250):
        page = _on_terminal([table], width, monkeypatch)
        assert max(map(len, page.splitlines())) <= width
        assert _tokens(table) - set(page.split()) == set()
    assert "17.5 [92.4, 100.0]" in to_text([table])


def test_latex_of_few_and_of_many_rows_fits_its_page(runs, tmp_path, monkeypatch):
    """A wide table is scaled, a very wide one is set in parts, a long one breaks over pages."""
    import shutil

    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    from tests.latex import compile_latex

    many = [write_task_runs(tmp_path / str(n), f"model-{n}_x", TASKS) for n in range(45)]
    published = read_published(PUBLISHED)
    for number, folders in enumerate((runs, many)):
        folder = tmp_path / f"page{number}"
        folder.mkdir()
        tables = make_tables(read_board(folders, published=published), by=False)
        wide = Table(
            title="By category",
            header=("category", *(f"model-{n} 7B" for n in range(30))),
            blocks=(Block(rows=((TableCell(text="c"), *[TableCell(text="10.5 ± 2.1")] * 30),)),),
        )
        from harness.board.latex import to_latex

        text = to_latex([*tables, wide])
        assert "(part 1 of " in text
        assert ("longtable" in text) == (number == 1 or len(tables[0].rows) >= 30)
        (folder / "board.tex").write_text(text)
        compile_latex(folder)


def test_latex_breaks_a_long_table_over_pages(tmp_path):
    """From 30 rows on; a shorter one is scaled to the width of the text."""
    from harness.board.latex import to_latex

    def table(rows):
        row = (TableCell(text="m"), TableCell(text="1.0"))
        return Table(header=("model", "score"), blocks=(Block(rows=(row,) * rows),))

    assert "\\begin{longtable}{lr}" in to_latex([table(30)])
    assert "{booktabs,graphicx,longtable}" in to_latex([table(30)])
    assert "\\resizebox{" in to_latex([table(29)])
    assert "longtable" not in to_latex([table(29)])


def test_a_chart_has_a_point_and_an_interval_per_row_and_task(runs, tmp_path, capsys):
    """As a picture or as SVG, whose texts are texts; other endings are refused."""
    pytest.importorskip("matplotlib")
    picture, drawing = tmp_path / "c.png", tmp_path / "c.svg"
    for path in (picture, drawing):
        assert main(["board", *map(str, runs), "--published", "--chart", str(path)]) == 0
        assert f"written to {path}" in capsys.readouterr().err
    assert picture.read_bytes().startswith(b"\x89PNG")
    svg = drawing.read_text()
    for text in (
        "VSI-Bench",
        "MVBench",
        "TempCompass",
        "average",
        "model-of-a-name-that-is-long-7b",
    ):
        assert f">{text}<" in svg
    assert "Video-R1-7B, 32 frames" in svg
    assert main(["board", str(runs[0]), "--chart", str(tmp_path / "c.bmp")]) == 2
    assert "ends in .png, .svg, .pdf" in capsys.readouterr().err


def test_a_chart_without_matplotlib_names_the_extra(runs, tmp_path, capsys, monkeypatch):
    """One line that says what to install."""
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["board", str(runs[0]), "--chart", str(tmp_path / "c.png")]) == 2
    assert "charts" in capsys.readouterr().err.splitlines()[-1]


def test_the_html_has_a_filter_and_headings_that_can_be_pressed(runs):
    """Also by keyboard; blocks are bodies of their own, so that sorting keeps them apart."""
    from harness.board.html import to_html

    board = build_board([])
    assert board.rows == ()
    page = to_html(make_tables(read_board(runs), by=False))
    assert '<input id="filter" type="search"' in page
    assert '<button type="button">VSI-Bench</button>' in page
    assert "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" in page
