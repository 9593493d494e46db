"""Command `report`: one HTML file of a finished study."""

from pathlib import Path

import click

from uadbench.commands._shared import EXPERIMENT, FILE, experiments, study_config
from uadbench.core.study_folder import REPORT


@click.command()
@click.argument("folder", type=EXPERIMENT, shell_complete=experiments)
@study_config
@click.option("--out", type=FILE, show_default=f"FOLDER/{REPORT}", help="The report.")
def command(folder: Path, config: str, out: Path | None) -> None:
    """Write tables, figures, data, runs and a section of methods of the study in FOLDER as one HTML file.

    The file opens from disk, needs no network, and holds everything but the quality pages that it links to. FOLDER may
    also be an excerpt of a study.
    """
    from uadbench.report.page import write
    from uadbench.report.study import Study

    study = Study.given(folder, config)
    path = out or study.folder.report
    write(study, path)
    click.echo(path)
