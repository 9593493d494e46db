"""Command `join`: results of several experiments in the same tables."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH


@click.command()
@click.argument("places", nargs=-1, type=PATH, required=True)
@click.option(
    "--out",
    type=OUTPUT,
    required=True,
    help="Folder for results.csv, comparisons.csv, subgroup_means.csv and the tables.",
)
@click.option(
    "--prefer-first", is_flag=True, help="Where experiments disagree on a method, keep the numbers of the first."
)
def command(places: tuple[Path, ...], out: Path, prefer_first: bool) -> None:
    """Join the results of experiments, also of other groups, into the tables of a study.

    PLACES are folders of finished studies, their folders `evaluation`, or their files results.csv, with comparisons.csv
    and subgroup_means.csv beside. Methods of the same name are told apart by their experiment. Refused are other test
    sets of a task, another revision of a method, other numbers of the same method, seed and task, and experiments
    without a common protocol.
    """
    from uadbench.core.study_folder import RESULTS
    from uadbench.paper import catalogue
    from uadbench.paper.inputs import Sources
    from uadbench.paper.joining import join
    from uadbench.paper.published import unmarked
    from uadbench.paper.results import write_rows
    from uadbench.paper.writing import write

    tables, notices = join(places, prefer_first)
    for notice in notices:
        click.echo(f"note: {notice}", err=True)
    for name, rows in tables.items():
        write_rows(out / name, rows)
        click.echo(out / name)
    results = tables[RESULTS]
    protocols = list(results.loc[results["metric"] == "ap", "protocol"].unique())
    sources = Sources(out / RESULTS, protocol=protocols[0])
    for name in catalogue.names("tables", map(unmarked, results["method"].unique()), protocols):
        for path in write(name, sources, out):
            click.echo(path)
