"""Command `synthesis`: example synthetic anomalies and their gradual corruption, for Figure 1."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, cohort, modality


@click.command()
@cohort
@modality
@click.option("--settings", default="{}", help="JSON of the hyper-parameters of DISYRE's anomalies.")
@click.option("--examples", default=4, type=click.IntRange(1), help="How many anomalies.")
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of slices and anomalies.")
@click.option("--out", type=FILE, required=True, help="The arrays of Figure 1, a file .npz.")
def command(data: Path, modality: str, settings: str, examples: int, seed: int, out: Path) -> None:
    """Draw synthetic anomalies as the training of DISYRE does, and corrupt images with them at several t."""
    from dataclasses import fields

    from uadbench.core.validation import build
    from uadbench.data.packing.store import Store
    from uadbench.evaluation.inference.illustration import illustrate
    from uadbench.methods.params import AnomalyParams, UNetParams
    from uadbench.methods.settings import parse

    # Not those of networks, which another method may share without having synthetic anomalies.
    known = {field.name for field in fields(AnomalyParams)} - {field.name for field in fields(UNetParams)}
    chosen = parse(settings)
    given = chosen if isinstance(chosen, dict) else chosen.values
    values = {key: value for key, value in given.items() if key in known}
    illustrate(Store.open(data), modality, build(AnomalyParams, values, "params"), examples, seed, out)
    click.echo(out)
