"""Command `trace`: the chain from a number of results.csv to weights, data, code and settings."""

from pathlib import Path

import click

from uadbench.commands._shared import PATH


@click.command()
@click.argument("results", type=PATH)
@click.option("--row", type=click.IntRange(2), help="Line of the file; its first row is line 2.")
@click.option("--method", help="Instead of a line: the method.")
@click.option("--task", help="The task.")
@click.option("--seed", type=click.IntRange(0), help="The seed.")
@click.option("--metric", default="ap", help="The metric.")
@click.option("--score", default="final", help="The score map.")
@click.option("--protocol", default="full", help="The protocol.")
def command(results: Path, row: int | None, **wanted: str | int | None) -> None:
    """Print where a number of RESULTS, the results.csv of a study, comes from, and compare each file on the way.

    The number is computed again from its file of scores. Weights, packed arrays and the method's file are compared with
    the checksums that scoring noted. Ends with exit status 1 where one of them has changed since.
    """
    from uadbench.core.errors import HarnessError
    from uadbench.core.study_folder import PARTIAL, StudyFolder
    from uadbench.evaluation.summary.tracing import chosen, trace

    if not results.is_file():
        raise HarnessError(f"{results}: no such file; name the results.csv of a study")
    named = {} if row is not None else {key: value for key, value in wanted.items() if value is not None}
    broken = 0
    place = results.resolve().parents[1]
    study = StudyFolder(place.parent if place.name == PARTIAL else place)
    for link in trace(results, chosen(results, row, named), study):
        click.echo(f"{link.what:<11} {link.found}{f'  ✗ {link.wrong}' if link.wrong else ''}")
        broken += bool(link.wrong)
    if broken:
        raise HarnessError(f"{results}: {broken} of the links of the chain are broken; see the lines with ✗")
    click.echo("all links of the chain are as they were when the number was computed")
