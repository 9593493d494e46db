"""Command `paint`: infarcts painted into scans of a sheet, a test set with known lesions on real anatomy."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH


@click.command()
@click.option("--sheet", "listed", type=PATH, required=True, help="Subject sheet, made by `index`.")
@click.option("--split", default="validation", help="Part of the sheet: validation, train or test.")
@click.option("--each", default=3, type=click.IntRange(1), help="Painted scans of each subject, with one infarct each.")
@click.option("--seed", default=1, type=click.IntRange(0), help="Same seed, same bytes.")
@click.option("--out", type=OUTPUT, required=True, help="New folder to write.")
def command(listed: Path, split: str, each: int, seed: int, out: Path) -> None:
    """Paint chronic infarcts into the T1-weighted scans of healthy subjects held out from training.

    Hyper-parameters can be chosen on them without a patient. `painted.csv` in the folder lists scans and masks as
    `layout: sheet` reads them. The lesions are simulated: no number measured on them is a result on patients.
    """
    from uadbench.data.index import sheet
    from uadbench.simulation.painting import paint_all

    paint_all(sheet.read(listed), split, out, each, seed)
    click.echo(out / "painted.csv")
