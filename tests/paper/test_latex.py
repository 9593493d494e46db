"""Tables in a two-column document of ISBI's measures: they compile, and nothing is wider or higher than its place."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import call
from tests.paper.conftest import write_examples, write_results, write_synthesis
from tests.paper.test_detection import with_detection
from tests.paper.test_protocols_table import three_protocols
from uadbench.core.latex_text import escape
from uadbench.paper import catalogue
from uadbench.paper.inputs import Sources
from uadbench.paper.writers import latex

PAGE = r"""\documentclass[twocolumn,10pt]{article}
\usepackage{booktabs,xcolor,graphicx}
\setlength{\textwidth}{506pt}
\setlength{\columnsep}{17pt}
\setlength{\oddsidemargin}{-32pt}
\begin{document}
\input{table}
\end{document}
"""

pytestmark = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex; Debian: texlive-latex-recommended"
)


def compiled(folder: Path, text: str, page: str = PAGE) -> str:
    """The log of the document with a table."""
    (folder / "table.tex").write_text(text, encoding="utf-8")
    (folder / "page.tex").write_text(page)
    options = ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run(["pdflatex", *options, "page"], cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize("width", latex.WIDTHS)
@pytest.mark.parametrize("simulated", [True, False])
def test_tables_compile_and_fit(simulated, width, tmp_path):
    """All in one document, whose log names the table before what is wrong with it."""
    files = {
        edit: Sources(write_results(tmp_path / f"{edit.__name__}.csv", simulated=simulated, edit=edit))
        for edit in (with_detection, three_protocols)
    }
    names = catalogue.names("tables")
    texts = []
    for name in names:
        made = catalogue.load("tables", name).make(files[three_protocols if name == "protocols" else with_detection])
        texts.append(rf"\typeout{{Of {name}.}}{latex.render(made, width)}\clearpage")
    log = dict(part.split(".", 1) for part in compiled(tmp_path, "\n".join(texts)).split("\nOf ")[1:])
    wrong = re.compile(r"Overfull \\hbox.*|Float too large.*|.*undefined.*", re.IGNORECASE)
    assert {name: found for name in names if (found := wrong.findall(log[name]))} == {}


def test_what_does_not_fit_is_found(tmp_path):
    wide = r"\begin{tabular}{l}" + "too wide " * 40 + r"\end{tabular}"
    assert "Overfull" in compiled(tmp_path, rf"\begin{{table*}}\mbox{{{wide}}}\end{{table*}}")


def cells(tex: str) -> list[list[str]]:
    """The cells of all lines of all tabulars."""
    return [line.removesuffix(r" \\").split(" & ") for line in tex.splitlines() if line.endswith(r" \\")]


@pytest.mark.parametrize("width", latex.WIDTHS)
def test_no_number_is_lost_where_tasks_stand_below_one_another(width, tmp_path):
    made = catalogue.load("tables", "table2").make(
        Sources(write_results(tmp_path / "results.csv", simulated=False, edit=with_detection))
    )
    tex = latex.render(made, width)
    assert "resizebox" not in tex
    assert tex.count(r"\begin{tabular}") > 1
    for i, row in enumerate(made.rows):
        labels = 1 if width == "column" else 2
        lines = [line for line in cells(tex) if line[:labels][-1] == escape(row.label)]
        printed = [cell for line in lines for cell in line[labels:]]
        means = [re.search(r"\d+\.\d+|--", cell)[0] for cell in printed]
        assert len(means) == len(list(made.numbers(i)))
        for text, (number, _, _) in zip(means, made.numbers(i), strict=True):
            assert (text == "--") == (number is None)
            assert number is None or abs(float(text) - number.mean) <= 0.005 + 1e-9


def test_a_column_has_one_number_of_decimals(tmp_path):
    made = catalogue.load("tables", "table2").make(Sources(write_results(tmp_path / "results.csv")))
    lines = [line[2:] for line in cells(latex.render(made)) if line[1] in {row.label for row in made.rows}]
    decimals = [{len(re.search(r"\.(\d+)", cell)[1]) for cell in column} for column in zip(*lines, strict=True)]
    assert decimals == [{3}, *[{2}] * 5]  # Random is at the chance of ATLAS, 0.011


def test_a_table_higher_than_a_page_goes_on_under_its_number(tmp_path):
    made = catalogue.load("tables", "table2").make(
        Sources(write_results(tmp_path / "results.csv", simulated=False, edit=with_detection))
    )
    tex = latex.render(made, "column")
    count = tex.count(r"\begin{table}")
    assert count > 1
    assert tex.count(r"\addtocounter{table}{-1}") == tex.count(r"\caption{(continued)}") == count - 1
    assert tex.count(r"\label{") == tex.count(r"\begin{minipage}") == 1


def test_the_command_writes_a_table_of_one_column(tmp_path):
    path = write_results(tmp_path / "results.csv")
    for width, kind in (("page", "table*"), ("column", "table")):
        call("table", "table1", "--results", path, "--out", tmp_path / width, "--width", width)
        tex = (tmp_path / width / "table1.tex").read_text(encoding="utf-8")
        assert tex.count(rf"\begin{{{kind}}}[t]") == 1
        assert tex.count(r"\begin{tabular}") == 1


ARTICLE = r"""\documentclass[twocolumn,10pt]{article}
\usepackage{booktabs,xcolor,graphicx}
\setlength{\textwidth}{506pt}
\setlength{\columnsep}{17pt}
\setlength{\textheight}{643pt}
\setlength{\topmargin}{-40pt}
\setlength{\oddsidemargin}{-18pt}
\newcount\sentence
\begin{document}
FLOATS
\loop A sentence of an article stands here, \ref{tab:table2}. \advance\sentence by1 \ifnum\sentence<TEXT\repeat
\end{document}
"""


def test_an_article_of_four_pages_holds_both_tables_and_three_figures(tmp_path):
    """Two pages and a half of text with the floats of the paper, of one column but for Figure 3."""
    results = write_results(tmp_path / "results.csv")
    examples, synthesis = write_examples(tmp_path / "examples"), write_synthesis(tmp_path / "synthesis.npz")
    shared = ["--results", results, "--out", tmp_path, "--width", "column"]
    for name in ("table1", "table2"):
        call("table", name, *shared)
    for name in ("figure1", "figure2", "figure3"):
        call("figure", name, *shared, "--examples", examples, "--synthesis", synthesis)
    names = ["figure1-float", "table1", "figure2-float", "table2", "figure3-float"]
    kinds = [re.search(r"begin{((figure|table)\*?)}", (tmp_path / f"{name}.tex").read_text())[1] for name in names]
    assert kinds == ["figure", "table", "figure", "table", "figure*"]
    text = ARTICLE.replace("FLOATS", "\n".join(rf"\input{{{name}}}" for name in names)).replace("TEXT", "300")
    for _ in range(2):
        log = compiled(tmp_path, "", text)
    assert not re.findall(r"Overfull \\hbox.*|Float too large.*|.*undefined.*", log)
    assert re.search(r"Output written on page.pdf \((\d+) pages", log)[1] == "4"
