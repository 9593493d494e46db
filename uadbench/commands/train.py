"""Command `train`: training of one method on one modality with one seed."""

from __future__ import annotations

from pathlib import Path

import click

from uadbench.modalities import NAMES

SECTION = "steps"
ORDER = 6

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--method", required=True, help="A file name of baselines/.")
@click.option("--modality", type=click.Choice(NAMES), required=True, help="MRI modality.")
@click.option("--seed", type=click.IntRange(0), required=True, help="Seed of weights and batches.")
@click.option("--data", type=PATH, required=True, help="Packed healthy cohort, a folder made by `pack`.")
@click.option("--settings", default="{}", help='JSON: {"params": {…}}; missing hyper-parameters have their defaults.')
@click.option("--required", type=PATH, help="Run of the method that this one builds on.")
@click.option("--device", default="auto", envvar="UADBENCH_DEVICE", show_envvar=True, help="Device: cpu, cuda:1, mps.")
@click.option("--out", type=PATH, required=True, help="Folder of the run.")
def command(
    method: str,
    modality: str,
    seed: int,
    data: Path,
    settings: str,
    required: Path | None,
    device: str,
    out: Path,
) -> None:
    """Train METHOD and write its run: weights, history, and run.json with the metadata needed to use it.

    The same command resumes a killed training from its last saved state.
    """
    from uadbench import device as devices
    from uadbench.training.job import train_run
    from uadbench.validation import params_in

    chosen = devices.choose(device)
    train_run(method, params_in(settings), modality, seed, data, out, chosen, required)
    click.echo(out)
