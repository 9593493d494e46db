"""Command `check`: integrity check of the files of a finished study."""

from pathlib import Path

import click

from uadbench.commands._shared import WHOLE, experiments


@click.command()
@click.argument("folders", type=WHOLE, nargs=-1, required=True, shell_complete=experiments)
@click.option(
    "--remove", "removing", is_flag=True, help="Remove damaged results, so that the next run makes them again."
)
def command(folders: tuple[Path, ...], removing: bool) -> None:
    """Compare the files of the experiments in FOLDERS, such as results/demo, with their checksums.

    Checks every file but logs, benchmarks and TensorBoard's. One without a checksum, as in a study of an earlier
    version, is read for its form alone, and counted. Prints a line for each missing or damaged file, and then ends with
    exit status 1. With --remove also deletes these files, or the records that mark them as complete: the same
    `snakemake` command, given the files that are named then, makes them again, and without them all that depends on
    them. Not for a study that is running, nor for an excerpt of one. Where a folder is a link to one that studies
    share, these records lie there, and go for all.
    """
    from uadbench.core import folder_lock
    from uadbench.core.errors import HarnessError
    from uadbench.core.study_folder import LOCK
    from uadbench.status import integrity

    damages: list[integrity.Damage] = []
    for folder in folders:
        if removing or (folder / LOCK).exists():  # where nothing ran yet, a check leaves no file behind
            folder_lock.hold(folder, shared=not removing)
        check = integrity.Check(folder)
        for damage in check.damages():
            click.echo(f"{damage.path}: {damage.reason}")
            damages.append(damage)
        if check.unchecked:
            first = check.unchecked[0].relative_to(folder)
            click.echo(
                f"{folder}: {len(check.unchecked)} files have no checksum, the first {first}: only their form was read"
            )
    removed = integrity.remove(damages) if removing else []
    for path in removed:
        click.echo(f"removed {path}")
    if damages:
        targets = " ".join(path.as_posix() for path in removed if integrity.is_target(path))
        remedy = f"run snakemake again, first with: {targets}" if targets else "run snakemake again"
        if not removing:
            remedy = "give --remove, then run snakemake again"
        raise HarnessError(f"{len(damages)} files are missing or damaged; {remedy}")
    click.echo("all files with a checksum are as they were written")
