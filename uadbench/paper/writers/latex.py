"""LaTeX writer of tables with booktabs rules, for `\\input` in a two-column paper.

pandas' Styler gives a cell one style; here a bold mean stands beside its plain deviation. Type is never scaled: tasks
that do not fit side by side stand below one another, and what does not fit one page goes on in a second float.
"""

from collections.abc import Iterable, Iterator
from math import ceil

from uadbench.core.latex_text import escape
from uadbench.paper.summary import Summary
from uadbench.paper.table import PRINTED, Chance, Table, chance_text

DASH = "--"
WIDTHS = {"page": 505.0, "column": 243.0}  # points, those of ISBI's template, the narrowest of IEEE's
HEIGHT = 520.0  # points, below the text height of LaTeX's own two-column article
BIG, SMALL = 8.0, 7.0  # points of \footnotesize and \scriptsize
GAP = 4.0  # points between two columns
LINE, LINE_OF_NOTES, LINE_OF_CAPTION = 9.5, 8.0, 12.0  # points
RULES, SECTION = 30.0, 6.0  # points: rules of a tabular and the space around it, and the rule above a section


def render(table: Table, width: str = "page") -> str:
    """The LaTeX text: a `table*`, or with `width` "column" a `table`; grey italics are the paper's numbers."""
    kind = {"page": "table*", "column": "table"}[width]
    mark = f"\\textbf{{{escape(table.banner[0].upper() + table.banner[1:])}.}} " if table.banner else ""
    lines = ["% needs \\usepackage{booktabs,xcolor}"]
    for k, parts in enumerate(_floats(table, width)):
        lines += [
            f"\\begin{{{kind}}}[t]",
            "\\centering",
            *(
                ["\\addtocounter{table}{-1}", "\\caption{(continued)}"]
                if k
                else [f"\\caption{{{mark}{escape(table.caption)}}}", f"\\label{{tab:{table.name}}}"]
            ),
            "\\def\\sd#1{\\,{\\scriptsize$\\pm$#1}}% standard deviation over seeds",
            *(["\\def\\ci#1{\\,{\\scriptsize(#1)}}% 95\\,\\% interval over subjects"] if table.spanned else []),
            "\\def\\paper#1{\\textcolor{gray}{\\textit{#1}}}% as printed in the paper",
            "\\footnotesize",
            "\\setlength{\\tabcolsep}{2pt}",
            "\n\n\\smallskip\n".join(parts),
            f"\\end{{{kind}}}",
        ]
    return "\n".join(lines) + "\n"


def _floats(table: Table, width: str) -> Iterator[list[str]]:
    """Tabulars and notes by float: each fits the width, and those of a float the height of a page."""
    points, stacked = WIDTHS[width], width == "column"
    used = ceil(_length(table.caption + table.banner, 10) / points) * LINE_OF_CAPTION
    sections = len({row.section for row in table.rows})
    lines = len(table.rows) + 4 + len(table.section_chance) + stacked * sections
    parts = [(_tabular(part, stacked), lines * LINE + SECTION * sections + RULES) for part in _blocks(table, width)]
    notes = ["\\begin{minipage}{\\linewidth}\\scriptsize\\raggedright", *map(escape, table.notes), "\\end{minipage}"]
    high = ceil(1.1 * _length(" ".join(table.notes), SMALL) / points) * LINE_OF_NOTES
    held: list[str] = []
    for text, height in [*parts, ("\n".join(notes), high)]:
        if held and used + height > HEIGHT:
            yield held
            held, used = [], 2 * LINE_OF_CAPTION
        held.append(text)
        used += height
    yield held


def _blocks(table: Table, width: str) -> list[Table]:
    """Parts of the columns that fit: whole tasks, as many as have room, and columns of a task that is too wide."""
    sizes = [_width(table, j) for j in range(len(table.columns))]
    labels = list(_labels(table))[width == "column" :]
    room = WIDTHS[width] - sum(max(_length(text, BIG) for text in texts) + GAP for texts in labels)

    def fits(columns: Iterable[int]) -> bool:
        return sum(sizes[j] for j in columns) <= room

    parts: list[list[int]] = []
    for task in table.tasks_columns:
        for unit in [task] if fits(task) else [[j] for j in task]:
            # columns of a part of a task have no other task beside them
            if parts and fits([*parts[-1], *unit]) and (len(unit) == len(task) or parts[-1][0] in task):
                parts[-1] += unit
            else:
                parts.append(list(unit))
    return [table.part(columns) for columns in parts]


def _length(text: str, size: float) -> float:
    """Estimated points of a text in Computer Modern, wider than IEEE's Times."""
    return size * sum(0.3 if c in " .,:;()|ijlt'" else 0.78 if c.isupper() or c in "±mw" else 0.56 for c in text)


def _labels(table: Table) -> Iterator[list[str]]:
    """Texts of the two columns of labels."""
    yield [table.heads[0], *(row.section for row in table.rows)]
    yield [table.heads[1], "Chance AP", *(row.label for row in table.rows)]


def _width(table: Table, column: int) -> float:
    """Estimated points of a column and of that of others' numbers beside it."""
    total = 0.0
    for others in table.columns[column].printed:
        numbers = [number for row in table.rows if (number := (row.paper if others else row.ours)[column])]
        texts = [number.text(PRINTED if others else digits(table, column)) for number in numbers]
        sizes = [_length(text.split(" ")[0], BIG) + _length(text.partition(" ")[2], SMALL) for text in texts]
        level = table.chance[column]
        shown = [table.heading(table.columns[column], others), "" if level is None else chance_text(level)]
        total += max(sizes + [_length(text, BIG) for text in shown]) + GAP
    return total


def digits(table: Table, column: int) -> int:
    """Decimals of all our numbers of a column: those of the number that needs most."""
    return max((number.digits for row in table.rows if (number := row.ours[column])), default=PRINTED)


def _tabular(table: Table, stacked: bool) -> str:
    """A tabular; stacked: sections have a line of their own above their rows, not a column, which saves width."""
    spec = "l" * (1 if stacked else 2)
    spec += "".join("lr"[others] for column in table.columns for others in column.printed)
    lines = [
        f"\\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        "\\toprule",
        *_head(table, stacked),
        "\\midrule",
        *_body(table, stacked),
        *(("\\midrule", _chance(table, last, stacked)) if (last := table.chance_last) else ()),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines)


def _head(table: Table, stacked: bool) -> list[str]:
    """Two lines: the tasks, each over its columns with a rule below, and the metrics."""
    names = [" ".join(filter(None, table.heads))] if stacked else table.heads
    metrics = [escape(text) for text in names]
    for column in table.columns:
        for others in column.printed:
            heading = escape(table.heading(column, others))
            metrics.append(f"\\paper{{{heading}}}" if others else heading)
    tasks = [""] * len(names)
    rules = []
    start = len(names) + 1
    for task, width in table.spans.items():
        if not width:
            continue
        tasks.append(f"\\multicolumn{{{width}}}{{c}}{{\\textbf{{{escape(task)}}}}}")
        rules.append(f"\\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [" & ".join(tasks) + " \\\\", " ".join(rules), " & ".join(metrics) + " \\\\"]


def _body(table: Table, stacked: bool) -> list[str]:
    lines: list[str] = []
    section: str | None = None
    decimals = [None if others else digits(table, j) for j, c in enumerate(table.columns) for others in c.printed]
    for i, row in enumerate(table.rows):
        if section is not None and row.section != section:
            lines.append("\\midrule")
        name = "" if row.section == section else f"\\textbf{{{escape(row.section)}}}"
        section = row.section
        if stacked and name:
            lines.append(f"\\multicolumn{{{1 + len(decimals)}}}{{@{{}}l}}{{{name}}} \\\\")
        numbers = [_number(*number, shown) for number, shown in zip(table.numbers(i), decimals, strict=True)]
        lines.append(" & ".join([*([] if stacked else [name]), escape(row.label), *numbers]) + " \\\\")
        if below := table.chance_below(i):
            lines.append(_chance(table, below, stacked))
    return lines


def _chance(table: Table, chance: Chance, stacked: bool) -> str:
    return " & ".join([*([] if stacked else [""]), *table.chance_cells(chance)]) + " \\\\"


def _number(summary: Summary | None, bold: bool, paper: bool, decimals: int | None) -> str:
    text = DASH
    if summary is not None:
        mean, *spread = summary.text(PRINTED if paper else decimals).split(" ", 1)
        text = f"\\textbf{{{mean}}}" if bold else mean
        if spread:
            shown = spread[0].strip("±() ").replace("–", "--")
            text += f"\\{'ci' if summary.spanned else 'sd'}{{{shown}}}"
    return f"\\paper{{{text}}}" if paper else text
