"""Command `pack`: registered subjects of a data set as one array per modality."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH, beside, ignored, lesion


@click.command(name="pack")
@click.option("--dataset", required=True, help="Name of the data set.")
@click.option("--sheet", required=True, type=PATH, help="Subject sheet of `index`.")
@click.option("--registered", required=True, type=PATH, help="Folder that `preprocess` wrote.")
@click.option("--out", required=True, type=OUTPUT, help="Folder for the packed arrays.")
@click.option("--max-lost", type=click.FloatRange(0, 1), default=0.1, help="Share of the subjects that may be lost.")
@lesion
@ignored
@beside
@click.option("--reports", "first", multiple=True, type=PATH, help="Report of `preprocess`; more may follow.")
@click.argument("more", nargs=-1, type=PATH)
def command(
    dataset: str,
    sheet: Path,
    registered: Path,
    out: Path,
    max_lost: float,
    lesion: str,
    ignored: str,
    beside: tuple[str, ...],
    **reports: tuple[Path, ...],
) -> None:
    """Pack registered subjects into one float16 array per modality, with their labels and an index.

    A scan that the data set has twice, or that is in the training set and in a test set, is an error, and so is a
    lesion of a subject of the training set, and a lesion or ignored value that no label holds.
    """
    from itertools import chain

    from uadbench.core.study_folder import INDEX
    from uadbench.data.index.sheet import read
    from uadbench.data.label_values import LabelValues, named
    from uadbench.data.packing import pack as packing
    from uadbench.data.packing.store import Store
    from uadbench.data.preprocessing.records.report import read_report

    every = chain(*reports.values())  # after --reports, and the arguments that follow
    outcomes = [outcome for report in every for outcome in read_report(report)]
    folders = [out.parent.parent / name / out.name for name in beside]
    others = [Store.open(folder).index for folder in folders if folder != out and (folder / INDEX).is_file()]
    values = LabelValues.read(lesion, ignored)
    index = packing.pack(dataset, read(sheet), registered, outcomes, out, max_lost, others, values)
    counts = {m: sum(m in subject["modalities"] for subject in index["subjects"]) for m in index["modalities"]}
    click.echo(
        f"{dataset}: packed {', '.join(f'{count} {name}' for name, count in counts.items())}"
        f"{' with masks' if index['has_mask'] else ''}, {len(index['left_out'])} left out"
    )
    if index.get("labels"):
        click.echo(f"{dataset}: the values of its labels are {named(index['labels'])}")
