"""Command `table`: write one table of the paper as CSV, Markdown and LaTeX."""

from __future__ import annotations

from pathlib import Path

import click

SECTION = "steps"
ORDER = 10


@click.command()
@click.argument("name")
@click.option("--results", type=click.Path(path_type=Path), required=True, help="The tidy table, results.csv.")
@click.option("--histories", type=click.Path(path_type=Path), help="The histories of all runs, for warnings of table2.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for NAME.csv, .md, .html and .tex.")
@click.option(
    "--published",
    type=click.Path(path_type=Path),
    show_default="uadbench/resources/paper.csv",
    help="Published numbers.",
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
    from uadbench.files import atomic
    from uadbench.paper import catalogue
    from uadbench.paper import published as paper
    from uadbench.paper.inputs import Sources
    from uadbench.paper.writers import html, latex, markdown, tidy

    module = catalogue.load("tables", name)
    sources = Sources(
        results,
        published_csv=published or paper.PATH,
        protocol=protocol,
        method=method,
        histories_csv=histories,
    )
    made = module.make(sources)
    for suffix, writer in (("csv", tidy), ("md", markdown), ("html", html), ("tex", latex)):
        with atomic(out / f"{name}.{suffix}") as partial:
            partial.write_text(writer.render(made), encoding="utf-8")
        click.echo(out / f"{name}.{suffix}")
