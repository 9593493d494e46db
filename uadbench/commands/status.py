"""Command `status`: progress of an experiment, and time left of its trainings."""

from pathlib import Path

import click

from uadbench.commands._shared import PATH, WHOLE, experiments


@click.command()
@click.argument("folders", type=WHOLE, nargs=-1, shell_complete=experiments)
@click.option(
    "--configfile", "configs", type=PATH, multiple=True, help="Config whose plan is compared with; may be given again."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known as JSON, times as UTC.")
def command(folders: tuple[Path, ...], configs: tuple[Path, ...], as_json: bool) -> None:
    """Show the progress of the experiments in FOLDERS, such as results/demo, and every training under way.

    Without FOLDERS shows every experiment below results/. Reads files only: it may run beside the workflow, on another
    machine, or after it. The plan is read from the config here that names the experiment.
    """
    import json
    import time

    from uadbench.core.errors import HarnessError
    from uadbench.status import plan, survey, text

    given = plan.of_configs(*configs) if configs else None
    if not folders:
        folders = (given[0].folder.path,) if given else tuple(survey.experiments())
    if not folders:
        raise HarnessError("results: no experiment yet; start one with snakemake --cores all, or name a folder")
    now, found = time.time(), []
    for folder in folders:
        if given and given[0].name != folder.resolve().name:
            raise HarnessError(f"--configfile: names the experiment {given[0].name}, not {folder}; leave one out")
        planned, files = given or plan.find(folder.resolve().name) or (None, ())
        found.append(survey.scan(folder, planned, files, now))
    if as_json:
        click.echo(json.dumps([text.plain(status) for status in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join(text.render(status, now) for status in found))
