"""Command `parameters`: hyper-parameters of every method."""

import click


@click.command()
@click.option("--schema", is_flag=True, help="Print the JSON schema of a config, for editors.")
def command(schema: bool) -> None:
    """Print the reference of all hyper-parameters, docs/parameters.md; nothing is imported."""
    from uadbench.study import reference as parameters

    click.echo(parameters.schema() if schema else parameters.markdown(), nl=False)
