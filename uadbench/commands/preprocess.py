"""Command `preprocess`: registration of a sheet's subjects to the template."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, OUTPUT, PATH


@click.command(name="preprocess")
@click.option("--sheet", required=True, type=PATH, help="Subject sheet of `index`.")
@click.option("--chunk", default="1/1", help="Which part of the sheet: 2/8 is the second of eight.")
@click.option("--out", required=True, type=OUTPUT, help="Folder for the registered subjects.")
@click.option("--report", required=True, type=FILE, help="Report to write (CSV).")
@click.option("--modalities", default="t1,t2", help="What to register, with commas; others follow the T1.")
@click.option("--settings", default="{}", help='Settings as JSON, e.g. {"spacing": 1.0, "normalisation": "p98"}.')
def command(sheet: Path, chunk: str, out: Path, report: Path, modalities: str, settings: str) -> None:
    """Extract the brain, register it to the template, resample and scale: subject by subject, resumable."""
    from tqdm import tqdm

    from uadbench.core.errors import HarnessError, choices
    from uadbench.core.modalities import NAMES
    from uadbench.data.index.sheet import read
    from uadbench.data.preprocessing import preprocess as steps
    from uadbench.data.preprocessing.records import report as reports
    from uadbench.data.preprocessing.settings import parse

    wanted = modalities.split(",")
    for name in wanted:
        if name not in NAMES:
            raise HarnessError(f"--modalities: {name!r} is unknown; {choices(name, NAMES)}")
    chosen = parse(settings)
    subjects = read(sheet)
    rows = steps.chunk(subjects.rows, chunk)
    outcomes: list[reports.Outcome] = []
    with tqdm(total=len(rows), desc=f"preprocess {chunk}", unit="subject", disable=None) as progress:
        for row in rows:
            outcomes += steps.preprocess(subjects, [row], out, chosen, wanted)
            progress.update()
    reports.write_report(report, outcomes)
    for outcome in (outcome for outcome in outcomes if outcome.reason):
        click.echo(f"{outcome.subject} {outcome.status}: {outcome.file}: {outcome.reason}")
    click.echo(f"{sheet}, chunk {chunk}: {len(rows)} subjects, {sum(o.status == 'lost' for o in outcomes)} lost")
