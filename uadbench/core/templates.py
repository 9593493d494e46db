"""HTML templates (Jinja): one strict environment for every page."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


def template(path: Path, **filters: Callable[[str], str]) -> Template:
    """The template in a file. Values in HTML are escaped, and a missing one is an error. filters: by their names."""
    environment = Environment(
        loader=FileSystemLoader(path.parent),
        autoescape=".html" in path.name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(path.name)
