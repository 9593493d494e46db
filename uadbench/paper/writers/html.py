"""HTML writer of tables: a page of its own, sortable by its headings, whose section a report embeds."""

from html import escape

from uadbench.core.page_policy import policy
from uadbench.paper.summary import Summary
from uadbench.paper.table import PRINTED, Chance, Table

DASH = "–"
WIDE = 9  # columns of numbers that a screen has room for, those with intervals counted twice
STYLE = """
.paper-table { font: 14px/1.45 system-ui, sans-serif; color: #1b1f24; overflow-x: auto; }
.paper-table table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-bottom: .8rem; }
.paper-table th, .paper-table td { padding: .25rem .7rem; border-bottom: 1px solid #d5dae0; text-align: right; }
.paper-table td { white-space: nowrap; }
.paper-table th:nth-child(-n+2), .paper-table td:nth-child(-n+2) { text-align: left; }
.paper-table thead tr:last-child th { cursor: pointer; border-bottom: 2px solid #59626c; }
.paper-table thead tr:first-child th { border-bottom: none; text-align: center; }
.paper-table th[aria-sort=ascending]::after { content: " ▲"; }
.paper-table th[aria-sort=descending]::after { content: " ▼"; }
.paper-table .paper { color: #59626c; font-style: italic; } .paper-table tr.chance td { color: #59626c; }
.paper-table .banner { background: #fff3e6; border: 1px solid #b34700; padding: .3rem .7rem; font-weight: 600; }
@media screen and (max-width: 760px) {
  .paper-table :is(table, thead, tbody, tfoot) { display: block; }
  .paper-table :is(tbody, tfoot) tr { display: flex; flex-wrap: wrap; border-bottom: 1px solid #d5dae0; }
  .paper-table :is(td, table, thead tr:first-child th) { border: none; padding: .05rem .5rem .05rem 0; }
  .paper-table thead tr:first-child { display: flex; gap: .8rem; }
  .paper-table thead :is(tr:last-child, tr:first-child th:first-child) { display: none; }
  .paper-table td:nth-child(2) { font-weight: 600; flex: 1 0 60%; }
  .paper-table td[data-head] { flex: 1 0 45%; text-align: left; }
  .paper-table td[data-head]::before { content: attr(data-head) ": "; color: #59626c; }
}
.paper-table ul { color: #59626c; font-size: 12.5px; padding-left: 1.2rem; }
""".strip()
SCRIPT = """
for (const table of document.querySelectorAll(".paper-table table")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(head, column));
    head.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      sort(head, column);
    });
  });
  function sort(head, column) {
    const falling = head.getAttribute("aria-sort") !== "descending";
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)], [m, n] = [parseFloat(x), parseFloat(y)];
      if (isNaN(m) || isNaN(n)) return isNaN(m) && isNaN(n) ? x.localeCompare(y) : isNaN(m) ? 1 : -1;
      return falling ? n - m : m - n;
    };
    [...body.rows].sort(order).forEach(row => body.append(row));
  }
}
""".strip()


def render(table: Table) -> str:
    """The HTML page of a table: our numbers, the paper's in italics to their right."""
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />',
            f"{policy(SCRIPT)}\n<title>{escape(table.name)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
            section(table),
            f"<script>{SCRIPT}</script>\n</body>\n</html>\n",
        ]
    )


def section(table: Table) -> str:
    """The `<section>` of a table, without style and script; of a wide one the tasks stand below one another."""
    parts = table.by_task() if len(table.columns) + len(table.spanned) > WIDE else [table]
    lines = [
        '<section class="paper-table">',
        *([f'<p class="banner">{escape(table.banner)}</p>'] if table.banner else []),
        f"<p>{escape(table.caption)}</p>",
        *map(_table, parts),
        f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in table.notes)}</ul>",
        "</section>",
    ]
    return "\n".join(lines)


def _table(table: Table) -> str:
    """The `<table>` of all columns."""
    rows, heads = [], _heads(table)
    for i, row in enumerate(table.rows):
        cells = [f"<td>{escape(row.section)}</td>", f"<td>{escape(row.label)}</td>"]
        cells += [_cell(*number, head) for number, head in zip(table.numbers(i), heads, strict=True)]
        rows.append(f"<tr>{''.join(cells)}</tr>")
        if below := table.chance_below(i):
            rows.append(_chance(table, below, row.section))
    lines = [
        f"<table>\n<thead>\n{_head(table)}\n</thead>\n<tbody>",
        *rows,
        "</tbody>",
        *([f"<tfoot>\n{_chance(table, last)}\n</tfoot>"] if (last := table.chance_last) else []),
        "</table>",
    ]
    return "\n".join(lines)


def _heads(table: Table) -> list[str]:
    """What names each number where a narrow screen stacks the cells of a row: with its task, if there are several."""
    several = sum(map(bool, table.spans.values())) > 1
    return [
        f"{column.task} " * several + table.heading(column, others)
        for column in table.columns
        for others in column.printed
    ]


def _head(table: Table) -> str:
    metrics = [f"<th>{escape(text)}</th>" for text in table.heads]
    for column in table.columns:
        for others in column.printed:
            attribute = ' class="paper"' if others else ""
            metrics.append(f"<th{attribute}>{escape(table.heading(column, others))}</th>")
    tasks = "".join(f'<th colspan="{width}">{escape(task)}</th>' for task, width in table.spans.items() if width)
    return f'<tr><th colspan="2"></th>{tasks}</tr>\n<tr>{"".join(metrics)}</tr>'


def _cell(number: Summary | None, bold: bool, paper: bool, head: str) -> str:
    kind = ' class="paper"' if paper else ""
    attribute = f'{kind} data-head="{escape(head)}"'
    if number is None:
        return f"<td{attribute}>{DASH}</td>"
    mean, *spread = number.text(PRINTED if paper else None).split(" ", 1)
    text = " ".join([f"<b>{mean}</b>" if bold else mean, *spread])
    return f'<td{attribute} data-value="{number.mean:.6g}">{text}</td>'


def _chance(table: Table, chance: Chance, section: str = "") -> str:
    label, *texts = table.chance_cells(chance)
    cells = [f"<td>{text}</td>" for text in (escape(section), label)]
    for text, head in zip(texts, _heads(table), strict=True):
        cells.append(f'<td data-head="{escape(head)}">{text}</td>' if text else "<td></td>")
    return f'<tr class="chance">{"".join(cells)}</tr>'
