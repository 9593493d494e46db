"""Command `index`: scan of a data set's folder into a validated subject sheet."""

from pathlib import Path
from typing import Any

import click

from uadbench.commands._shared import FILE, PATH, beside, layouts
from uadbench.core.modalities import NAMES


@click.command(name="index")
@click.option("--dataset", required=True, help="Name of the data set, for messages.")
@click.option("--layout", required=True, shell_complete=layouts, help="How files are named, such as bids or ixi.")
@click.option("--root", required=True, type=PATH, help="Folder that holds the data set; for layout `sheet` the CSV.")
@click.option("--out", required=True, type=FILE, help="Subject sheet to write (CSV).")
@click.option("--release", show_default="as the layout", help="Row of uadbench/resources/datasets.csv to compare with.")
@click.option("--role", type=click.Choice(["healthy", "test"]), default="healthy", help="Train and validate, or test.")
@click.option("--validation", type=click.IntRange(0), default=0, help="Number of healthy subjects held out.")
@click.option("--split-seed", "seed", type=click.IntRange(0), default=0, help="Seed of that choice.")
@click.option(
    "--split", "listed", type=PATH, help="List of the subjects held out or left out, instead of a number and a seed."
)
@click.option("--subset", default="all", help="Part of a test set: all, or upd for its first 90 % by name.")
@click.option("--unmasked", default="lost", help="Test subjects without a mask: lost, leave_out or healthy.")
@click.option("--entity", multiple=True, metavar="KEY=VALUE", help="BIDS entity of the scans to take (repeatable).")
@click.option("--chosen", metavar="NAME:N", help="Take only the subjects of `download NAME --subjects N`.")
@click.option(
    "--masks", metavar="PATTERN", help="Paths of lesion masks with names of their own, such as '*_seg.nii.gz'."
)
@click.option("--contrast", help="How the contrast of a BIDS scan is known: sidecar (and entities), or suffix.")
@click.option("--where", multiple=True, metavar="COLUMN=VALUE", help="Take subjects by participants.tsv (repeatable).")
@click.option("--exclude", multiple=True, metavar="SUBJECT", help="Leave out this subject or patient (repeatable).")
@beside
def command(
    dataset: str,
    layout: str,
    root: Path,
    out: Path,
    release: str | None,
    entity: tuple[str, ...],
    masks: str | None,
    contrast: str | None,
    where: tuple[str, ...],
    beside: tuple[str, ...],
    chosen: str | None,
    **choice: Any,
) -> None:
    """Scan a folder into a validated subject sheet, and report files missing compared with the release.

    A scan that the data set has twice, and a scan or patient in the training set and in a test set, is an error.
    """
    from uadbench.core import patients
    from uadbench.core.errors import HarnessError, choices
    from uadbench.core.study_folder import SIMULATED
    from uadbench.data.download import selection as downloads
    from uadbench.data.index import layout as layouts
    from uadbench.data.index import release as releases
    from uadbench.data.index import repeats, sheet
    from uadbench.data.index import where as selection
    from uadbench.data.index.contrast import EVIDENCE

    unmasked = choice["unmasked"]
    for option, value, known in (("unmasked", unmasked, sheet.UNMASKED), ("contrast", contrast, EVIDENCE)):
        if value not in (*known, None):
            raise HarnessError(f"--{option}: {value!r} is unknown; {choices(value, known)}")
    kind = layouts.load(layout, layouts.entities(entity), masks, contrast)
    wanted = selection.conditions(where)
    simulated = (root / SIMULATED).exists()
    described = releases.find(release) if release else None if simulated else releases.releases().get(layout)
    only = downloads.parse(chosen) if chosen else None
    whole, people = sheet.of_patients(sheet.find(kind, root), only), kind.participants(root)
    found = sheet.index(kind, root, **choice, wanted=wanted, found=whole)
    written = sheet.write(out, root, found, unmasked, people)
    # After writing: of two sheets written at the same time the later one sees the other.
    sheets = {name: out.parent.parent / name / out.name for name in beside}
    others = {name: sheet.read(path) for name, path in sheets.items() if path.is_file() and path != out}
    repeats.check(dataset, written, others)
    parts = {part: sum(row.split == part for row in written.rows) for part in ("train", "validation", "test")}
    counts = {name: sum(bool(getattr(row, name)) for row in written.rows) for name in (*NAMES, "mask")}
    number = len({row.patient or row.subject for row in written.rows})
    told = f"{number} subjects" if number == len(written.rows) else patients.counted(len(written.rows), number)
    click.echo(
        f"{dataset}: {told} ({', '.join(f'{n} {part}' for part, n in parts.items() if n)}), "
        f"{', '.join(f'{n} with {name}' for name, n in counts.items() if n)}"
    )
    if doubt := patients.hint(
        [row.subject for row in written.rows], written.patients, "name them in a column `patient`"
    ):
        click.echo(f"{dataset}: {doubt}")
    if wanted:
        click.echo(f"{dataset}: these are, of {len(whole)} subjects, those with {selection.described(wanted)}")
    named = selection.select({files.subject: files.patient for files in whole}, people, wanted) if wanted else ()
    there = [files for files in whole if not wanted or files.subject in named]
    if choice["role"] == "test" and unmasked != "lost":
        without = sum(not files.mask for files in there)
        what = "are left out" if unmasked == "leave_out" else "count as healthy"
        if without:
            click.echo(f"{dataset}: {without} subjects of the release have no mask and {what}")
    for scan in sorted({scan for subject, _ in found for scan in subject.several}):
        names = [subject.subject for subject, _ in found if scan in subject.several]
        click.echo(
            f"{dataset}: {len(names)} subjects have several {scan}, for example {names[0]}; see {out} for the chosen"
        )
    notes = [(note, files.subject) for files in there for note in files.notes]
    for text in dict.fromkeys(note.text for note, _ in notes):
        named_in = [(name, note.detail) for note, name in notes if note.text == text]
        (first, detail), number = named_in[0], len(named_in)
        click.echo(f"{dataset}: {number} subjects {text}, for example {first}{f' ({detail})' * bool(detail)}")
    if labels := kind.labels(root):
        click.echo(f"{dataset}: its files name the labels {', '.join(f'{n} {name}' for n, name in labels.items())}")
    described, healthy = None if only else described, choice["role"] == "healthy"
    for line in releases.compare(whole, kind, described, healthy, there):
        click.echo(f"{dataset}: {line}")
    for row in written.rows:
        if row.problem:
            click.echo(f"{dataset}: {row.subject} cannot be used: {row.problem}")
