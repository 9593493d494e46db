"""A site without requests to other hosts: addresses that the theme's script could load from are removed."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

SEARCH = "assets/iframe-worker.js"
#: the theme loads diagrams and an old browser's polyfill from here; the site's diagrams are pictures (diagrams.py)
HOSTED = re.compile(r"https://unpkg\.com/[^\"'`]*")
MAP = re.compile(r"\n(?://|/\*)# sourceMappingURL=\S+(?: \*/)?")


def on_post_page(output: str, *, page, config) -> str:
    """The page, with the path of the script for search as seen from it."""
    seen = posixpath.relpath(SEARCH, posixpath.dirname(page.url) or ".")
    return without_facts(output).replace(f'src="{SEARCH}"', f'src="{seen}"')


def on_post_template(output: str, *, template_name, config) -> str:
    return without_facts(output)


def without_facts(output: str) -> str:
    """HTML without the mark by which the theme's script requests the stars of a repository from its host."""
    return output.replace('data-md-component="source"', "")


def on_post_build(*, config) -> None:
    """Remove the addresses of hosted scripts, and what is most of the theme: source maps, search in other languages."""
    assets = Path(config.site_dir) / "assets"
    for path in assets.rglob("*.map"):
        path.unlink()
    shutil.rmtree(assets / "javascripts" / "lunr")
    for path in [*assets.rglob("*.min.js"), *assets.rglob("*.min.css")]:
        before = path.read_text(encoding="utf-8")
        after = MAP.sub("", HOSTED.sub("about:blank", before))
        if after != before:
            path.write_text(after, encoding="utf-8")
