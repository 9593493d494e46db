"""Command `excerpt`: the files of a finished study that its report is made of."""

from pathlib import Path

import click

from uadbench.commands._shared import EXPERIMENT, OUTPUT, experiments, study_config


@click.command()
@click.argument("folder", type=EXPERIMENT, shell_complete=experiments)
@study_config
@click.option("--out", type=OUTPUT, required=True, help="Folder for the copies.")
def command(folder: Path, config: str, out: Path) -> None:
    """Copy what report and tables of the study in FOLDER are made of: a few megabytes, without scans and weights.

    `report`, `table`, `claims`, `cost` and `join` read the copy as they read the study. It holds results, figures,
    tables as Markdown, records and losses of the trainings, facts about the data, the example volumes of the report,
    and the config as config.json. What the study shares with another experiment goes into a folder beside the copy.
    """
    from uadbench.report.excerpt import write
    from uadbench.report.study import Study

    write(Study.given(folder, config), out)
    click.echo(out)
