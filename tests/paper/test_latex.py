"""Tables in a two-column document of an IEEE page's width: they compile, and nothing is wider than the page."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paper.conftest import write_results
from tests.paper.test_detection import with_detection
from tests.paper.test_protocols_table import three_protocols
from uadbench.paper import catalogue
from uadbench.paper.inputs import Sources
from uadbench.paper.writers import latex

PAGE = r"""\documentclass[twocolumn,10pt]{article}
\usepackage{booktabs,xcolor,graphicx}
\setlength{\textwidth}{516pt}
\setlength{\oddsidemargin}{-32pt}
\begin{document}
\input{table}
\end{document}
"""

pytestmark = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="no pdflatex; Debian: texlive-latex-recommended"
)


def compiled(folder: Path, text: str) -> str:
    """The log of the document with a table."""
    (folder / "table.tex").write_text(text, encoding="utf-8")
    (folder / "page.tex").write_text(PAGE)
    options = ["-interaction=nonstopmode", "-halt-on-error"]
    done = subprocess.run(["pdflatex", *options, "page"], cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.parametrize("simulated", [True, False])
@pytest.mark.parametrize("name", catalogue.names("tables"))
def test_tables_compile_and_fit(name, simulated, tmp_path):
    edit = three_protocols if name == "protocols" else with_detection
    path = write_results(tmp_path / "results.csv", simulated=simulated, edit=edit)
    log = compiled(tmp_path, latex.render(catalogue.load("tables", name).make(Sources(path))))
    assert not re.findall(r"Overfull \\hbox.*", log)
    assert "undefined" not in log.lower()


def test_what_does_not_fit_is_found(tmp_path):
    wide = r"\begin{tabular}{l}" + "too wide " * 40 + r"\end{tabular}"
    assert "Overfull" in compiled(tmp_path, rf"\begin{{table*}}\mbox{{{wide}}}\end{{table*}}")
