"""Command `plan`: what an experiment will run, and the time, memory and disk that it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from uadbench.commands._shared import PATH

if TYPE_CHECKING:
    from uadbench.study.experiment import Experiment

NOTES = """Hours: of all jobs one after the other. Memory: of the largest job. `snakemake --dry-run` lists the jobs.
Measured: medians of jobs that have ended, wherever they ran; memory their greatest.
Estimated: for {device}, networks of the paper's size and DISYRE's scoring; memory with half more. Small networks take
a hundredth of that: --rehearse times trainings and scorings. Rehearsed: a few steps and slices of noise, here and now.
Disk: without simulated raw scans, and runs and scores of a kind that is not there yet. Dash: little, or not known."""


@click.command()
@click.argument("configs", nargs=-1, type=PATH, metavar="[CONFIG...]")
@click.option("--gpu/--cpu", default=None, help="Device of the estimates.", show_default="what is here")
@click.option(
    "--rehearse",
    is_flag=True,
    help="Time each method here on noise: a few steps, and a few slices scored. Takes seconds for each, and torch.",
)
def command(configs: tuple[Path, ...], gpu: bool | None, rehearse: bool) -> None:
    """Print what the experiment of the files CONFIG will run, by default of config.yaml, and what is there already.

    Numbers are measured where jobs of the same kind have ended, also trainings of other experiments below results/ with
    the same settings, else estimated by the budgets of the workflow, or with --rehearse measured now on noise. Needs no
    data, and writes nothing.
    """
    import shutil
    from dataclasses import replace

    from uadbench.core.errors import HarnessError
    from uadbench.status import plan
    from uadbench.status.forecast import Forecast
    from uadbench.study.placement import wants_gpu

    study, files = plan.unchecked(*configs)
    on_gpu = wants_gpu(study.config.device, elsewhere=False) if gpu is None else gpu
    click.echo(f"{study.folder.path}: planned by {' '.join(files)}\n")
    forecast = Forecast(study, on_gpu)
    if rehearse and forecast.guessed:
        forecast = replace(forecast, rehearsed=_rehearsed(study, gpu, forecast.guessed))
    for line in forecast.lines():
        click.echo(line)
    click.echo(f"\n{NOTES.format(device='a slow GPU, else a core' if on_gpu else 'a core')}")
    click.echo(f"Free on this disk: {shutil.disk_usage('.').free / 1e9:.0f} GB.")
    try:
        plan.of_configs(*configs)
    except HarnessError as error:
        click.echo(f"note: the workflow would refuse to start: {error}", err=True)
    if study.config.device.startswith("cuda") and not shutil.which("nvidia-smi"):
        click.echo(
            f"note: device: {study.config.device}, but this computer has no nvidia-smi; use auto or cpu", err=True
        )


def _rehearsed(study: Experiment, gpu: bool | None, kinds: set[str]) -> dict[str, float]:
    """Seconds of trainings and scorings of these kinds, measured on the device that the study's jobs will choose."""
    import os
    import time

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as jobs have
    from uadbench.compute import device
    from uadbench.status.rehearsal import Rehearsal

    name = study.config.device if gpu is None else "cuda" if gpu else "cpu"
    chosen = device.choose(name)
    return Rehearsal(study, chosen, time.process_time()).seconds(kinds)
