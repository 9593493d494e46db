"""Command `cost`: training times of an experiment."""

from pathlib import Path

import click

from uadbench.commands._shared import EXPERIMENT, experiments


@click.command()
@click.argument("folder", type=EXPERIMENT, shell_complete=experiments)
def command(folder: Path) -> None:
    """Print the duration of every method's trainings below FOLDER, such as results/demo, as a Markdown table.

    Seconds are medians over seeds. A training that was interrupted counts from its last start. Methods with nothing to
    train have none.
    """
    import pandas as pd

    from uadbench.core.errors import HarnessError
    from uadbench.status import survey
    from uadbench.training.facts import UNUSED
    from uadbench.training.record import Complete, record

    runs = [record(run, kind=Complete) for run in survey.runs(folder)]
    if not runs:
        raise HarnessError(f"{folder}: no finished training; name the folder of an experiment, such as results/demo")
    frame = pd.DataFrame(runs)[["method", "modality", "seconds", "device"]]
    frame["trained"] = [about.get("final", {}) is not None for about in runs]
    medians = frame.pivot_table(index="method", columns="modality", values="seconds", aggfunc="median")
    counts, total = frame.groupby("method")["trained"].sum(), frame.groupby("method")["seconds"].sum() / 60
    heads = [f"{modality.upper()}, s" for modality in medians.columns]
    click.echo(f"| method | trainings | {' | '.join(heads)} | together, min |")
    click.echo("|---" + "|--:" * (len(heads) + 2) + "|")
    for method in total.sort_values(ascending=False).index:
        cells = ["–" if pd.isna(value) else f"{value:.1f}" for value in medians.loc[method]]
        click.echo(f"| {method} | {counts[method]} | {' | '.join(cells)} | {total[method]:.1f} |")
    click.echo(f"| all | {counts.sum()} |{' |' * len(heads)} {total.sum():.1f} |\n")
    click.echo(f"Device: {'; '.join(frame['device'][frame['device'] != UNUSED].unique()) or UNUSED}.")
