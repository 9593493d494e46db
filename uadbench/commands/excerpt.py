"""Command `excerpt`: the files of a finished study that its report is made of."""

from pathlib import Path

import click

from uadbench.commands._shared import EXPERIMENT, OUTPUT, experiments, study_config


@click.command()
@click.argument("folder", type=EXPERIMENT, shell_complete=experiments)
@study_config
@click.option("--out", type=OUTPUT, required=True, help="Folder for the copies.")
def command(folder: Path, config: str, out: Path) -> None:
    """Copy what report and tables of the study in FOLDER are made of: a few megabytes, without weights.

    `report`, `table`, `claims`, `cost` and `join` read the copy as they read the study. It holds results, figures,
    tables as Markdown, records and losses of the trainings, facts about the data, and the config as config.json, also
    what the study shares with another experiment. Of the scans it holds the example volumes of the report, one subject
    of each task with its label, slices in figures, and healthy slices of Figure 1: of data under an agreement these may
    not be published.
    """
    from uadbench.report.excerpt import write
    from uadbench.report.study import Study

    write(Study.given(folder, config), out)
    click.echo(out)
