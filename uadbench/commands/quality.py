"""Command `quality`: table and HTML page of preprocessing quality, subject by subject."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH, ignored, lesion


@click.command(name="quality")
@click.option("--dataset", required=True, help="Name of the data set.")
@click.option("--sheet", required=True, type=PATH, help="Subject sheet of `index`.")
@click.option("--registered", required=True, type=PATH, help="Folder that `preprocess` wrote.")
@click.option("--out", required=True, type=OUTPUT, help="Folder for quality.csv and quality.html.")
@click.option("--threads", type=click.IntRange(1), default=1, help="Subjects measured at the same time.")
@click.option("--excluded", multiple=True, metavar="SUBJECT", help="Subject that the config excludes (repeatable).")
@lesion
@ignored
@click.option("--reports", "first", multiple=True, type=PATH, help="Report of `preprocess`; more may follow.")
@click.argument("more", nargs=-1, type=PATH)
def command(
    dataset: str,
    sheet: Path,
    registered: Path,
    out: Path,
    threads: int,
    excluded: tuple[str, ...],
    lesion: str,
    ignored: str,
    first: tuple[Path, ...],
    more: tuple[Path, ...],
) -> None:
    """Measure every subject, flag outliers, and write a page with images before and after. Excludes no subject.

    The page names label values that are neither lesion nor ignored; a value of these options that no label holds is an
    error.
    """
    from dataclasses import replace

    from uadbench.core.study_folder import QUALITY_PAGE, QUALITY_TABLE
    from uadbench.data.index.sheet import read
    from uadbench.data.label_values import LabelValues
    from uadbench.data.preprocessing.records.report import read_report
    from uadbench.data.quality import cohort, page

    outcomes = [outcome for report in [*first, *more] for outcome in read_report(report)]
    found = cohort.build(dataset, read(sheet), registered, outcomes, threads, excluded)
    found = replace(found, labelled=LabelValues.read(lesion, ignored))
    left_over = found.labelled.left_over(found.label_voxels, dataset)
    cohort.write(found, out / QUALITY_TABLE)
    page.write(found, out / QUALITY_PAGE)
    click.echo(f"{dataset}: {', '.join(f'{count} {word}' for word, count in page.about(found).items())}")
    if left_over:
        click.echo(left_over)
    for subject in found.subjects:
        for flag in subject.flags:
            click.echo(f"{subject.name}: {flag.reason}")
