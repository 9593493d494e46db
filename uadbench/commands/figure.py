"""Command `figure`: draw one figure of the paper as PNG and PDF."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import OUTPUT, PATH, figures, methods, published, rows, width


@click.command()
@click.argument("name", shell_complete=figures)
@click.option("--results", "results_csv", type=PATH, help="The tidy table, results.csv.")
@click.option("--examples", type=PATH, help="Folder with METHOD/TASK/seed-N/examples.npz (figure3).")
@click.option("--synthesis", type=PATH, help="The arrays of figure1, synthesis.npz.")
@click.option(
    "--histories", "histories_csv", type=PATH, help="The training histories of all runs, histories.csv (curves)."
)
@click.option("--out", type=OUTPUT, required=True, help="Folder for NAME.png and NAME.pdf.")
@published
@rows
@width
@click.option("--method", default="disyre", shell_complete=methods, help="Method that the figure is about.")
@click.option("--seed", type=int, show_default="the lowest", help="Seed whose examples figure3 shows.")
def command(name: str, out: Path, **sources: Any) -> None:
    """Draw the figure NAME (figure1, curves, …) from the files of an experiment."""
    from uadbench.paper import catalogue, style
    from uadbench.paper.inputs import Sources
    from uadbench.paper.writers import floating

    module, given = catalogue.load("figures", name), Sources(**sources)
    with style.style(given.missing, apart=given.width == "column"):
        figure = module.make(given)
        paths = style.save(figure, out, name)
        if given.width == "column":
            paths.append(floating.write(figure, out, name, module))
    for path in paths:
        click.echo(path)
