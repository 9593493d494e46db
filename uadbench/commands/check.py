"""Command `check`: integrity check of the files of a finished study."""

from pathlib import Path

import click

from uadbench.commands._shared import PATH, experiments


@click.command()
@click.argument("folders", type=PATH, nargs=-1, required=True, shell_complete=experiments)
@click.option(
    "--remove", "removing", is_flag=True, help="Remove damaged results, so that the next run makes them again."
)
def command(folders: tuple[Path, ...], removing: bool) -> None:
    """Compare the files of the experiments in FOLDERS, such as results/demo, with the checksums in their records.

    Checks registered volumes, packed arrays and weights; reads files of counts to their end. Prints a line for each
    missing or damaged file, and then ends with exit status 1. With --remove also deletes the records that mark these
    outputs as complete: the same `snakemake` command then makes them, and all that depends on them, again. Not for a
    study that is running. Where a folder is a link to one that studies share, these records lie there, and go for all.
    """
    from uadbench.core import folder_lock
    from uadbench.core.errors import HarnessError
    from uadbench.status import integrity

    damages: list[integrity.Damage] = []
    for folder in folders:
        if not folder.is_dir():
            raise HarnessError(f"{folder}: no such folder; name that of an experiment, such as results/demo")
        folder_lock.hold(folder)
        for damage in integrity.check(folder):
            click.echo(f"{damage.path}: {damage.reason}")
            damages.append(damage)
    if removing:
        for path in integrity.remove(damages):
            click.echo(f"removed {path}")
    if damages:
        remedy = "run snakemake again" if removing else "give --remove, then run snakemake again"
        raise HarnessError(f"{len(damages)} files are missing or damaged; {remedy}")
    click.echo("all files are as they were written")
