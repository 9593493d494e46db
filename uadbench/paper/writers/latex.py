"""LaTeX writer of tables with booktabs rules, for `\\input` in a two-column paper.

pandas' Styler gives a cell one style; here a bold mean stands beside its plain deviation.
"""

from uadbench.core.latex_text import escape
from uadbench.paper.summary import Summary
from uadbench.paper.table import PRINTED, Chance, Table

DASH = "--"
FITTING = 12  # columns that fit a two-column page, of numbers with intervals a third; wider tables are scaled down


def render(table: Table) -> str:
    """The LaTeX text: a `table*` whose grey italic columns are the paper's numbers."""
    mark = f"\\textbf{{{escape(table.banner[0].upper() + table.banner[1:])}.}} " if table.banner else ""
    spec = "ll" + "".join("lr"[others] for column in table.columns for others in column.printed)
    wide = len(spec) - 2 + 2 * len(table.spanned) > FITTING
    lines = [
        f"% needs \\usepackage{{booktabs,xcolor{',graphicx' if wide else ''}}}",
        "\\begin{table*}[t]",
        "\\centering",
        f"\\caption{{{mark}{escape(table.caption)}}}",
        f"\\label{{tab:{table.name}}}",
        "\\def\\sd#1{\\,{\\scriptsize$\\pm$#1}}% standard deviation over seeds",
        *(["\\def\\ci#1{\\,{\\scriptsize(#1)}}% 95\\,\\% interval over subjects"] if table.spanned else []),
        "\\def\\paper#1{\\textcolor{gray}{\\textit{#1}}}% as printed in the paper",
        "\\footnotesize",
        "\\setlength{\\tabcolsep}{2pt}",
        *(["\\resizebox{\\textwidth}{!}{%"] if wide else []),
        f"\\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        "\\toprule",
        *_head(table),
        "\\midrule",
        *_body(table),
        *(("\\midrule", _chance(table, last)) if (last := table.chance_last) else ()),
        "\\bottomrule",
        "\\end{tabular}" + "}" * wide,
        "",
        "\\smallskip",
        "\\begin{minipage}{\\textwidth}\\scriptsize\\raggedright",
        *(f"{escape(note)}" for note in table.notes),
        "\\end{minipage}",
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _head(table: Table) -> list[str]:
    """Two lines: the tasks, each over its columns with a rule below, and the metrics."""
    metrics = [escape(text) for text in table.heads]
    for column in table.columns:
        for others in column.printed:
            heading = escape(table.heading(column, others))
            metrics.append(f"\\paper{{{heading}}}" if others else heading)
    tasks = ["", ""]
    rules = []
    start = 3
    for task, width in table.spans.items():
        tasks.append(f"\\multicolumn{{{width}}}{{c}}{{\\textbf{{{escape(task)}}}}}")
        rules.append(f"\\cmidrule(lr){{{start}-{start + width - 1}}}")
        start += width
    return [" & ".join(tasks) + " \\\\", " ".join(rules), " & ".join(metrics) + " \\\\"]


def _body(table: Table) -> list[str]:
    lines: list[str] = []
    section: str | None = None
    for i, row in enumerate(table.rows):
        if section is not None and row.section != section:
            lines.append("\\midrule")
        name = "" if row.section == section else f"\\textbf{{{escape(row.section)}}}"
        section = row.section
        numbers = [_number(*number) for number in table.numbers(i)]
        lines.append(" & ".join([name, escape(row.label), *numbers]) + " \\\\")
        if below := table.chance_below(i):
            lines.append(_chance(table, below))
    return lines


def _chance(table: Table, chance: Chance) -> str:
    return " & ".join(["", *table.chance_cells(chance)]) + " \\\\"


def _number(summary: Summary | None, bold: bool, paper: bool) -> str:
    text = DASH
    if summary is not None:
        mean, *spread = summary.text(PRINTED if paper else None).split(" ", 1)
        text = f"\\textbf{{{mean}}}" if bold else mean
        if spread:
            shown = spread[0].strip("±() ").replace("–", "--")
            text += f"\\{'ci' if summary.spanned else 'sd'}{{{shown}}}"
    return f"\\paper{{{text}}}" if paper else text
