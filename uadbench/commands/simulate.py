"""Command `simulate`: simulated cohorts in the file layout of CamCAN, ATLAS v2.0 or BraTS 2020."""

import sys
from pathlib import Path

import click

from uadbench.commands._shared import Place


def parse_chunk(text: str) -> tuple[int, int]:
    """Parse "i/n" (1 ≤ i ≤ n) as (i, n)."""
    first, _, second = text.partition("/")
    if not (first.isdigit() and second.isdigit() and 1 <= int(first) <= int(second)):
        raise click.BadParameter(f"{text}: not i/n with 1 ≤ i ≤ n, such as 1/4", param_hint="--chunk")
    return int(first), int(second)


@click.command()
@click.argument("dataset", type=click.Choice(["camcan", "atlas", "brats"]))
@click.option("--out", required=True, type=Place(output=True, file_okay=False), help="Folder to write.")
@click.option("--subjects", default=48, type=click.IntRange(1, 999), help="Subjects in the cohort.")
@click.option("--seed", default=2024, type=click.IntRange(0), help="Same seed, same bytes.")
@click.option("--spacing", default=1.0, type=click.FloatRange(0.5, 8.0), help="Nominal voxel size in mm.")
@click.option(
    "--chunk", default="1/1", help="Make only part i of n of the cohort, as i/n, so that parts run in parallel."
)
def command(dataset: str, out: Path, subjects: int, seed: int, spacing: float, chunk: str) -> None:
    """Simulate a cohort of DATASET (camcan: healthy; atlas: strokes; brats: gliomas) from the MNI152 template.

    Existing subjects made with the same settings are kept; more subjects never change earlier ones, and simulated ones
    beyond --subjects are removed.
    """
    part = parse_chunk(chunk)
    from uadbench.simulation.cohort import Settings, make_cohort

    settings = Settings(dataset, seed, spacing)
    make_cohort(out, settings, subjects, part, "python -m uadbench " + " ".join(sys.argv[1:]))
