"""HTML templates (Jinja): one strict environment for every page."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def template(path: Path) -> Template:
    """The template in a file. Values in HTML are escaped, and a missing one is an error."""
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=".html" in path.name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(path.name)
