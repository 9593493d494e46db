"""Command `histories`: training histories of many runs as one tidy table."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, TRAINED, runs, titles


@click.command()
@click.argument("runs", nargs=-1, type=TRAINED, required=True, shell_complete=runs)
@click.option("--out", type=FILE, required=True, help="The table, histories.csv.")
@titles
def command(runs: tuple[Path, ...], out: Path, titles: str) -> None:
    """Write the loss and validation loss of RUNS, folders of finished trainings, as one CSV with a row per record."""
    from uadbench.core import csv_files
    from uadbench.core.validation import from_json
    from uadbench.training.histories import COLUMNS, gather

    named = from_json(titles, "--titles")
    rows = [{**row, "title": named.get(row["method"], row["title"])} for row in gather(runs)]
    csv_files.write(out, COLUMNS, rows)
    click.echo(out)
