"""Command `bench`: rates of drawing batches, training, scoring and evaluation on this device, as JSON."""

from __future__ import annotations

import click

SECTION = "methods"
ORDER = 4


@click.command()
@click.option("--method", default="disyre", help="A file name of baselines/.")
@click.option("--settings", default="{}", help='JSON: {"params": {…}}; missing hyper-parameters have their defaults.')
@click.option(
    "--spacing",
    default=1.0,
    type=click.FloatRange(0, min_open=True),
    help="Voxel size in mm; decides the size of the volumes.",
)
@click.option("--subjects", default=4, type=click.IntRange(1), help="Volumes of noise to train on.")
@click.option(
    "--steps", default=20, type=click.IntRange(1), help="Steps that are timed, after a fifth as many unmeasured ones."
)
@click.option(
    "--slices", default=4, type=click.IntRange(1), help="Slices that are scored; volumes are calculated from them."
)
@click.option("--device", default="auto", envvar="UADBENCH_DEVICE", show_envvar=True, help="Device: cpu, cuda:1, mps.")
def command(method: str, settings: str, spacing: float, subjects: int, steps: int, slices: int, device: str) -> None:
    """Measure METHOD on noise: batches without network, steps, images, fraction of peak, memory, volumes, voxels."""
    import json

    from uadbench import device as devices
    from uadbench.benchmark import measure
    from uadbench.validation import params_in

    overrides = params_in(settings)
    click.echo(
        json.dumps(measure(method, overrides, spacing, subjects, steps, slices, devices.choose(device)), indent=2)
    )
