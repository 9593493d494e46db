"""`index`: scan the folder of a data set into a checked subject sheet."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="index")
@click.option("--dataset", required=True, help="name of the data set, for messages")
@click.option("--layout", required=True, help="how its files are named: camcan, atlas, brats, …")
@click.option("--root", required=True, type=click.Path(path_type=Path), help="folder that holds the data set")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="subject sheet to write (CSV)")
@click.option("--role", type=click.Choice(["healthy", "test"]), default="healthy", help="train and validate, or test")
@click.option("--validation", type=int, default=0, help="number of healthy subjects held out")
@click.option("--split-seed", type=int, default=0, help="seed of that choice")
@click.option("--exclude", multiple=True, metavar="SUBJECT", help="leave this subject out (repeatable)")
def command(
    dataset: str,
    layout: str,
    root: Path,
    out: Path,
    role: str,
    validation: int,
    split_seed: int,
    exclude: tuple[str, ...],
) -> None:
    """Scan a folder into a checked subject sheet: subject, split, and the paths of T1, T2 and mask."""
    from harness.data import layout as layouts
    from harness.data import sheet

    kind = layouts.load(layout)
    found = sheet.index(kind, root, role=role, validation=validation, seed=split_seed, exclude=exclude)
    written = sheet.write(out, root, found)
    parts = {part: sum(row.split == part for row in written.rows) for part in ("train", "validation", "test")}
    files = {name: sum(bool(getattr(row, name)) for row in written.rows) for name in ("t1", "t2", "mask")}
    click.echo(
        f"{dataset}: {len(written.rows)} subjects ({', '.join(f'{n} {part}' for part, n in parts.items() if n)}), "
        f"{', '.join(f'{n} with {name}' for name, n in files.items() if n)}"
    )
