"""Command `plan`: what an experiment will run, and the time, memory and disk that it takes."""

from pathlib import Path

import click

from uadbench.commands._shared import PATH

NOTES = """Hours: of all jobs one after the other. Memory: of the largest job. `snakemake --dry-run` lists the jobs.
Measured: medians of jobs that have ended, wherever they ran; memory their greatest.
Estimated: for {device}, networks of the paper's size and DISYRE's scoring, most take less; memory with half more.
Disk: without simulated raw scans, and runs and scores of a kind that is not there yet. Dash: little, or not known."""


@click.command()
@click.argument("configs", nargs=-1, type=PATH, metavar="[CONFIG...]")
@click.option("--gpu/--cpu", default=None, help="Device of the estimates.", show_default="what is here")
def command(configs: tuple[Path, ...], gpu: bool | None) -> None:
    """Print what the experiment of the files CONFIG will run, by default of config.yaml, and what is there already.

    Numbers are measured where jobs of the same kind have ended, also trainings of other experiments below results/ with
    the same settings, else estimated by the budgets of the workflow. Reads files only, and needs no data.
    """
    import shutil

    from uadbench.core.errors import HarnessError
    from uadbench.status import plan
    from uadbench.status.forecast import Forecast
    from uadbench.study.placement import wants_gpu

    study, files = plan.unchecked(*configs)
    on_gpu = wants_gpu(study.config.device, elsewhere=False) if gpu is None else gpu
    click.echo(f"{study.folder.path}: planned by {' '.join(files)}\n")
    for line in Forecast(study, on_gpu).lines():
        click.echo(line)
    click.echo(f"\n{NOTES.format(device='a slow GPU, else a core' if on_gpu else 'a core')}")
    click.echo(f"Free on this disk: {shutil.disk_usage('.').free / 1e9:.0f} GB.")
    try:
        plan.of_configs(*configs)
    except HarnessError as error:
        click.echo(f"note: the workflow would refuse to start: {error}", err=True)
