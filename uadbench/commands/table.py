"""Command `table`: write one table of the paper as CSV, Markdown and LaTeX."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import OUTPUT, PATH, methods, published, rows, tables, width


@click.command()
@click.argument("name", shell_complete=tables)
@click.option("--results", "results_csv", type=PATH, required=True, help="The tidy table, results.csv.")
@click.option("--histories", "histories_csv", type=PATH, help="The histories of all runs, for notes on training.")
@click.option("--out", type=OUTPUT, required=True, help="Folder for NAME.csv, .md, .html and .tex.")
@published
@rows
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="NAME",
    help="A benchmark that table2 quotes beside our rows, a file of uadbench/resources/reported (repeatable).",
)
@click.option("--method", default="disyre", shell_complete=methods, help="Method that Table 1 is about.")
@width
def command(name: str, out: Path, **sources: Any) -> None:
    """Write the table NAME (table1, table2, …) from the results of an experiment, beside the paper's numbers."""
    from uadbench.paper.inputs import Sources
    from uadbench.paper.writing import write

    for path in write(name, Sources(**sources), out):
        click.echo(path)
