"""Titles are plain text, which LaTeX sets or the registry refuses; with pdflatex, the whole alphabet is compiled."""

import shutil
import subprocess

import pytest

from uadbench.core import latex_text
from uadbench.core.errors import HarnessError
from uadbench.methods import registry

SAMPLES = {
    r"$\beta$-VAE": r"\$\textbackslash{}beta\$-VAE",
    "γ-VAE → Ω": r"$\gamma$-VAE $\rightarrow$ $\Omega$",
    "é ő Å ß": r"\'{e} \H{o} \r{A} \ss{}",
    "e\u0301": r"\'{e}",
    "x₂ ≥ 10²": r"x$_2$ $\geq$ 10$^2$",
    "50 % & #_{}": r"50 \% \& \#\_\{\}",
}
ALPHABET = "".join(map(chr, [*range(32, 0x250), *range(0x370, 0x400)])) + "".join(latex_text.REPLACED)


@pytest.mark.parametrize("text", SAMPLES)
def test_escape(text):
    assert latex_text.escape(text) == SAMPLES[text]


@pytest.mark.parametrize("title", ["模型", "VAE 🧠", "two\nlines", "\x07", "ą", 5, ["VAE"]])
def test_titles_that_no_table_prints_are_refused(title):
    with pytest.raises(HarnessError, match=r"^mine\.py: .*title"):
        registry.check_title("mine.py", title)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex; Debian: texlive-latex-recommended")
def test_what_is_not_refused_compiles(tmp_path):
    known = [character for character in ALPHABET if not latex_text.unknown(character)]
    lines = [f"\\textbf{{x {latex_text.escape(c)}}} {latex_text.escape(c)}" for c in known]
    assert len(known) > 450
    page = "\\documentclass{article}\\begin{document}\n" + "\n".join(lines) + "\n\\end{document}"
    (tmp_path / "page.tex").write_text(page, encoding="utf-8")
    options = ["-interaction=nonstopmode", "-halt-on-error", "-draftmode"]
    done = subprocess.run(
        ["pdflatex", *options, "page"], cwd=tmp_path, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stdout[-1000:]
