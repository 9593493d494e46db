"""Command `claims`: the paper's statements, and what the results of studies say about each."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, PATH, published


@click.command()
@click.argument("places", nargs=-1, type=PATH, required=True)
@click.option("--out", type=FILE, required=True, help="The page, a file of Markdown.")
@published
def command(places: tuple[Path, ...], out: Path, published_csv: Path | None) -> None:
    """Write the paper's statements one by one, with its numbers and those of studies, as Markdown.

    PLACES are folders of finished studies, their folders `evaluation`, or their files results.csv, each with
    comparisons.csv and, where there are, subsets.csv, profiles.csv, restorations.csv, synthesis.npz, histories.csv and
    speed.json (of `bench --step-sizes`) beside; a study's histories.csv is also found in its folder.
    """
    from uadbench.core.files import atomic
    from uadbench.paper.claims.page import write

    text = write(places, out, published_csv)
    with atomic(out) as partial:
        partial.write_text(text, encoding="utf-8")
    click.echo(out)
