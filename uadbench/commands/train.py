"""Command `train`: training of one method on one modality with one seed."""

from pathlib import Path

import click

from uadbench.commands._shared import OUTPUT, cohort, device, methods, modality, required, settings


@click.command()
@click.option("--method", required=True, shell_complete=methods, help="A file name of baselines/.")
@modality
@click.option("--seed", type=click.IntRange(0), required=True, help="Seed of weights and batches.")
@cohort
@settings
@required
@device
@click.option("--out", type=OUTPUT, required=True, help="Folder of the run.")
def command(
    method: str, modality: str, seed: int, data: Path, settings: str, required: Path | None, device: str, out: Path
) -> None:
    """Train METHOD and write its run: weights, history, and run.json with the metadata needed to use it.

    A method with nothing to train gets its record alone.

    The same command resumes a killed training from its last saved state.
    """
    from uadbench.methods import registry
    from uadbench.methods.settings import of_option

    if not registry.describe(registry.base(method)).trains:
        from uadbench.training.untrained import write_run

        write_run(of_option(settings, method, modality), seed, data, out)
        click.echo(out)
        return
    from uadbench.compute import device as devices
    from uadbench.training.job import train_run

    chosen = devices.choose(device)
    registry.load(method)  # its settings are then those of the file's own class
    train_run(of_option(settings, method, modality), seed, data, out, chosen, required)
    click.echo(out)
