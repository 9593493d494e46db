"""Verb `evaluate`: metrics of score maps that any program made, as JSON."""

from __future__ import annotations

from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command()
@click.option("--maps", type=PATH, required=True, help="Folder of score maps, one NIfTI file a subject.")
@click.option(
    "--labels", type=PATH, required=True, help="Folder of labels of the same file names; anomalous where > 0."
)
@click.option("--brain", type=PATH, help="Folder of brain masks of the same file names; without it every voxel counts.")
@click.option("--protocol", default="full", help="Evaluation protocol: full, upd or official.")
@click.option("--resamples", default=1000, help="Bootstrap resamples of the subjects; 0 leaves the intervals out.")
@click.option("--seed", default=0, help="Seed of the resamples.")
@click.option("--out", type=PATH, help="Also write the JSON to this file.")
def command(
    maps: Path, labels: Path, brain: Path | None, protocol: str, resamples: int, seed: int, out: Path | None
) -> None:
    """Print AP, best Dice and AUROC of all voxels pooled, with 95 % bootstrap intervals over subjects, as JSON.

    Files are paired by name without .nii or .nii.gz: MAPS/a.nii.gz, LABELS/a.nii and BRAIN/a.nii.gz belong together.
    """
    import json

    from harness.evaluation.maps import evaluate_maps
    from harness.files import write_json

    result = evaluate_maps(maps, labels, brain, protocol, resamples, seed)
    if out is not None:
        write_json(out, result)
    click.echo(json.dumps(result, indent=2))
