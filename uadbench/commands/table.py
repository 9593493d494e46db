"""Command `table`: write one table of the paper as CSV, Markdown and LaTeX."""

from __future__ import annotations

from pathlib import Path

import click

SECTION = "steps"
ORDER = 10


@click.command()
@click.argument("name")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="The tidy table, results.csv.")
@click.option("--histories", type=click.Path(path_type=Path), help="histories.csv, for notes on training.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for NAME.csv, .md, .html and .tex.")
@click.option(
    "--published", type=click.Path(path_type=Path), help="Published numbers.  [default: uadbench/resources/paper.csv]"
)
@click.option("--protocol", default="full", help="Evaluation protocol whose rows are used.")
@click.option("--method", default="disyre", help="Method that Table 1 is about.")
def command(
    name: str,
    results: Path,
    histories: Path | None,
    out: Path,
    published: Path | None,
    protocol: str,
    method: str,
) -> None:
    """Write the table NAME (table1, table2, …) from the results of an experiment, beside the paper's numbers."""
    from uadbench.paper import published as paper
    from uadbench.paper.inputs import Sources
    from uadbench.paper.writing import write

    sources = Sources(
        results,
        published_csv=published or paper.PATH,
        protocol=protocol,
        method=method,
        histories_csv=histories,
    )
    for path in write(name, sources, out):
        click.echo(path)
