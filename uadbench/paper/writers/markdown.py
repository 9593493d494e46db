"""Markdown writer of tables, for a terminal, a repository or a report."""

import re

from uadbench.paper.summary import Summary
from uadbench.paper.table import PRINTED, Table

DASH = "–"


def render(table: Table) -> str:
    """The Markdown text: our numbers, the paper's in italics in the column to their right."""
    head = [escape(text) for text in table.heads]
    for column in table.columns:
        for others in column.printed:
            heading = table.heading(column, others)
            head.append(f"*{escape(heading)}*" if others else f"{escape(column.task)} {heading}")
    lines = []
    section = None
    for i, row in enumerate(table.rows):
        name = "" if row.section == section else f"**{escape(row.section)}**"
        section = row.section
        lines.append([name, escape(row.label), *(_number(*number) for number in table.numbers(i))])
        if below := table.chance_below(i):
            lines.append(["", *table.chance_cells(below)])
    if last := table.chance_last:
        lines.append(["", *table.chance_cells(last)])
    parts = []
    if table.banner:
        parts.append(f"> **Note: {escape(table.banner)}.**")
    parts.append(f"**{title(table.name)}.** {escape(table.caption)}")
    parts.append(_align(head, lines))
    parts.append("\n".join(f"- {escape(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """Text, in one line, that Markdown shows as it is: no markup, link, cell or HTML.

    Entities for HTML: not every Markdown knows a backslash before `<`.
    """
    text = re.sub(r"&(?=#?\w+;)", "&amp;", " ".join(text.split())).replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|*_`~\[\]])", r"\\\1", text)


def code(text: str) -> str:
    """Text in one line as a span of code in a cell, whatever backticks and bars it has."""
    text = " ".join(text.split()).replace("|", "\\|")
    marks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " * (text[:1] == "`" or text[-1:] == "`" or not text)
    return f"{marks}{space}{text}{space}{marks}"


def title(name: str) -> str:
    """A table or figure as it is called: "Table 2" of table2."""
    return re.sub(r"(\d+)$", r" \1", name).capitalize()


def _number(summary: Summary | None, bold: bool, paper: bool) -> str:
    if summary is None:
        return DASH
    if paper:
        return f"*{summary.text(PRINTED)}*"
    mean, *spread = summary.text().split(" ", 1)
    return " ".join([f"**{mean}**" if bold else mean, *spread])


def _align(head: list[str], lines: list[list[str]]) -> str:
    widths = [max(3, *(len(line[k]) for line in [head, *lines])) for k in range(len(head))]

    def line(cells: list[str]) -> str:
        padded = [c.ljust(w) if k < 2 else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 2) if k < 2 else "-" * (w + 1) + ":" for k, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, lines)])
