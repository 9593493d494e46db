"""Command `bench`: rates of drawing batches, training, scoring and evaluation on this device, as JSON."""

import click

from uadbench.commands._shared import device, methods, settings


@click.command()
@click.option("--method", default="disyre", shell_complete=methods, help="A file name of baselines/.")
@settings
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
@click.option("--step-sizes", is_flag=True, help="Also time a volume at each step size of DISYRE's restoration.")
@device
def command(
    method: str, settings: str, spacing: float, subjects: int, steps: int, slices: int, step_sizes: bool, device: str
) -> None:
    """Measure METHOD on noise: batches without network, steps, images, fraction of peak, memory, volumes, voxels."""
    import json

    from uadbench.compute import device as devices
    from uadbench.conformance.benchmark import measure
    from uadbench.methods.settings import of_option

    chosen, where = of_option(settings, method, "t1"), devices.choose(device)
    click.echo(json.dumps(measure(chosen, spacing, subjects, steps, slices, where, step_sizes), indent=2))
