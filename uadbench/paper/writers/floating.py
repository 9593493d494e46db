"""LaTeX float of a figure, for `\\input`: the picture, its caption and its label."""

import re
from pathlib import Path
from types import ModuleType

from matplotlib.figure import Figure

from uadbench.core.files import atomic
from uadbench.core.latex_text import escape
from uadbench.paper import style


def write(figure: Figure, folder: Path, name: str, module: ModuleType) -> Path:
    """Write NAME-float.tex beside NAME.pdf: a `figure`, or a `figure*` of a figure that is wider than a column.

    The caption is the first line of the figure's module and the notes of the figure.
    """
    kind = "figure" if figure.get_size_inches()[0] <= style.COLUMN else "figure*"
    title = re.sub(r"^Figure( \d+)?:? ", "", (module.__doc__ or name).splitlines()[0])
    caption = " ".join([title[0].upper() + title[1:], *str(figure.get_label()).splitlines()])
    lines = [
        "% needs \\usepackage{graphicx}, and \\graphicspath where the picture is in another folder",
        f"\\begin{{{kind}}}[t]",
        "\\centering",
        f"\\includegraphics[width=\\linewidth]{{{name}.pdf}}",
        f"\\caption{{{escape(caption)}}}",
        f"\\label{{fig:{name}}}",
        f"\\end{{{kind}}}",
    ]
    path = folder / f"{name}-float.tex"  # a table may have the same name
    with atomic(path) as written:
        written.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
