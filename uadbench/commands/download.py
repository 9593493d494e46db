"""Command `download`: open data sets, from their publisher or a mirror, each file checked."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, open_sets
from uadbench.core.modalities import NAMES


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=open_sets)
@click.option(
    "--to", type=click.Path(file_okay=False, path_type=Path), default="data/open", help="Folder for a folder NAME each."
)
@click.option(
    "--subjects",
    type=click.IntRange(1),
    show_default="all",
    help="So many, whole with their masks: always the same, in the order of the SHA-256 of NAME:SUBJECT, with and "
    "without a mask in the proportion of the data set. A larger number adds to a smaller one.",
)
@click.option(
    "--modality",
    "modalities",
    type=click.Choice(NAMES),
    multiple=True,
    show_default="all",
    help="Scans of this modality alone, with masks (repeatable).",
)
@click.option("--dry-run", is_flag=True, help="Say what would come, and fetch nothing.")
@click.option(
    "--list",
    "form",
    type=click.Choice(["tsv", "aria2c", "wget", "curl"]),
    help="Print addresses, paths and checksums, for one of these programs or as a table, and fetch nothing.",
)
@click.option(
    "--mirror",
    envvar="UADBENCH_MIRROR",
    show_envvar=True,
    help="A copy that holds a folder NAME each: https://…, http://… or file:///….",
)
@click.option("--at-once", type=click.IntRange(1, 32), default=8, help="Number of files that come at once.")
@click.option("--record", type=FILE, help="JSON to write of what is there in the end; for one NAME.")
def command(
    names: tuple[str, ...],
    to: Path,
    subjects: int | None,
    modalities: tuple[str, ...],
    dry_run: bool,
    form: str | None,
    mirror: str | None,
    at_once: int,
    record: Path | None,
) -> None:
    """Download open data sets, and check every file by its published checksum; without NAME list them.

    Says first what comes, its size, licence and citation, and the free disk. An interrupted download goes on where it
    stopped, and files that are right stay untouched. Proxies are those of the environment (HTTPS_PROXY, NO_PROXY). Of a
    data set that wants an agreement, or comes as an archive, it prints the steps to take.
    """
    from uadbench.core.errors import HarnessError, choices
    from uadbench.core.files import write_json
    from uadbench.data.download import addresses, download, orders, tables
    from uadbench.data.index import release

    by_hand = release.by_hand()
    if not names:
        for data in map(tables.load, tables.names()):
            amount = orders.amount(sum(file.bytes for file in data.files))
            click.echo(f"{data.name} ({data.short}): {data.title}; {amount}, {data.licence}")
        for name, about in by_hand.items():
            click.echo(f"{name}: {about.title}; by hand, {about.licence}")
        return
    for name in names:
        if name not in (known := [*tables.every(), *by_hand]):
            raise HarnessError(f"{name}: no such data set; {choices(name, known)}")
    for about in (by_hand[name] for name in names if name in by_hand):
        click.echo("\n".join(about.lines()), err=form is not None)
    sets = dict.fromkeys(tables.load(name).name for name in names if name not in by_hand)
    wanted = [orders.Order.of(name, to, subjects, modalities) for name in sets]
    if record and len(wanted) != 1:
        raise HarnessError("--record: is of one data set; name one that can be downloaded")
    if form:
        for line in addresses.FORMATS[form](addresses.entries(wanted, mirror)):
            click.echo(line)
        return
    for order in wanted:
        click.echo("\n".join(order.lines()))
    if wanted:
        click.echo(orders.check_room(wanted, to))
    for order in [] if dry_run else wanted:
        fetched = download.fetch(order, mirror, at_once)
        click.echo(
            f"{order.data.name}: all {len(order.files)} files in {order.folder} are right, {fetched} of them new"
        )
        if record:
            write_json(record, order.record())
