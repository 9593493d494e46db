"""Command `list`: available methods."""

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--markdown", is_flag=True, help="Print the table of docs/methods.md.")
def command(as_json: bool, markdown: bool) -> None:
    """List every baseline with its family, revision and paper; nothing is imported."""
    import json
    from dataclasses import asdict

    from uadbench.methods import registry

    found = [registry.describe(name) for name in registry.every()]
    if as_json:
        click.echo(json.dumps([asdict(about) for about in found], indent=2))
        return
    if markdown:
        click.echo("| method | name in the config | family | revision | published | variants |\n" + "|---" * 6 + "|")
        for about in (about for about in found if "-" not in about.name):
            variants = ", ".join(f"`{about.name}-{variant}`" for variant in about.variants) or "–"
            facts = (about.title, f"`{about.name}`", about.family, str(about.revision), about.paper, variants)
            click.echo(f"| {' | '.join(facts)} |")
        return
    width = max(len(about.name) for about in found)
    for about in found:
        needs = f" (builds on {about.requires})" if about.requires else ""
        click.echo(f"{about.name:{width}}  {about.family:7}  r{about.revision}  {about.title}: {about.paper}{needs}")
