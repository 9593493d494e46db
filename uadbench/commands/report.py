"""Command `report`: one HTML file of a finished study."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, PATH, experiments
from uadbench.core.study_folder import REPORT


@click.command()
@click.argument("folder", type=PATH, shell_complete=experiments)
@click.option("--config", required=True, help="The study's config as JSON, or the path of a config file.")
@click.option("--out", type=OUTPUT, show_default=f"FOLDER/{REPORT}", help="The report.")
def command(folder: Path, config: str, out: Path | None) -> None:
    """Write tables, figures, data, runs and a section of methods of the study in FOLDER as one HTML file.

    The file opens from disk, needs no network, and holds everything but the quality pages that it links to.
    """
    from uadbench.core.errors import HarnessError
    from uadbench.core.validation import from_json
    from uadbench.report.page import write
    from uadbench.report.study import Study
    from uadbench.study.config_files import read

    remedy = "give the path of a config file, or its content"
    chosen = from_json(config, "--config", remedy) if config.lstrip().startswith("{") else read(config)
    try:
        study = Study.of(folder, chosen)
    except HarnessError as error:
        raise HarnessError(f"--config: {error}; an overlay alone is no config of a study") from None
    path = out or study.folder.report
    write(study, path)
    click.echo(path)
