"""Files of a table, one for each format."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from uadbench.core.files import atomic
from uadbench.paper import catalogue
from uadbench.paper.inputs import Sources
from uadbench.paper.joining import whose
from uadbench.paper.table import Table
from uadbench.paper.writers import html, latex, markdown, tidy

WRITERS = {"csv": tidy.render, "md": markdown.render, "html": html.render, "tex": latex.render}


def make(name: str, sources: Sources) -> Table:
    """The content of the table `name`. Raises HarnessError as `write`."""
    made: Table = catalogue.load("tables", name).make(sources)
    results = made.results
    notes = [results.missing, *whose(results), *made.notes, results.untrained]
    return replace(made, notes=tuple(filter(None, notes)))


def write(name: str, sources: Sources, folder: Path) -> Iterator[Path]:
    """Write the table `name` to `folder`/NAME.csv, .md, .html and .tex; yields the paths.

    Raises HarnessError for an unknown table, and where a source is missing or malformed.
    """
    made = make(name, sources)
    for suffix, render in (WRITERS | {"tex": partial(latex.render, width=sources.width)}).items():
        path = folder / f"{name}.{suffix}"
        with atomic(path) as written:
            written.write_text(render(made), encoding="utf-8")
        yield path
