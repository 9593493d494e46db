"""Links of the site: a link of a document leads to the page of the site, or to the file in the repository."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: files of the repository with a page of the site made from them (pages.py); all others below docs/ keep their path
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "uadbench/schemas/config.schema.json": "config.md",
    "uadbench/cli.py": "command-line.md",
}
#: pages that the site alone has (shown.py), by the sections that speak of them
SHOWN = {
    "docs/reference/demo/README.md#report": "reference/demo/report.html",
    "docs/reference/demo/README.md#score-page": "reference/demo/score.html",
}
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(?<!`)(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
#: for readers of the tests of the documents alone
MARK = re.compile(r"^<!-- not run by the tests.*?-->\n+", re.DOTALL | re.MULTILINE)


def source(page: str) -> str:
    """Path in the repository of the file that a page of the site, such as index.md, is made from."""
    return next((path for path, made in PAGES.items() if made == page), f"docs/{page}")


def rewrite(
    markdown: str,
    page: str,
    repository: str = "",
    branch: str = "main",
    hidden: Callable[[str], bool] = lambda place: False,
) -> str:
    """Markdown of a page with links as the site needs them.

    `page` is its path in the site, such as reference/demo/README.md. A link to a file without a page in the site, as of
    those below docs/ that are `hidden`, leads to `repository`, the URL of its web view; with an empty one its text
    remains. Code blocks keep their text.
    """
    folder = posixpath.dirname(source(page))

    def led(found: re.Match[str]) -> str:
        image, text, target = found.groups()
        path, hash_, anchor = target.partition("#")
        if "://" in target or target.startswith(("mailto:", "#")):
            return found.group()
        path = posixpath.normpath(posixpath.join(folder, path))
        if made := SHOWN.get(f"{path}#{anchor}"):
            return f"{image}[{text}]({posixpath.relpath(made, posixpath.dirname(page) or '.')})"
        place = PAGES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)
        if place and not hidden(place) and (place in PAGES.values() or (ROOT / "docs" / place).is_file()):
            return f"{image}[{text}]({posixpath.relpath(place, posixpath.dirname(page) or '.')}{hash_}{anchor})"
        if not repository:
            return f"`{text}`" if re.fullmatch(r"[\w./-]*[./][\w./-]*", text) else text
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{image}[{text}]({repository.rstrip('/')}/{kind}/{branch}/{path}{hash_}{anchor})"

    parts = FENCE.split(MARK.sub("", markdown))
    return "".join(part if part.startswith("```") else LINK.sub(led, part) for part in parts)


def on_page_markdown(markdown: str, *, page, config, files) -> str:
    hidden = config.exclude_docs.match_file
    return rewrite(markdown, page.file.src_uri, config.repo_url or "", config.extra["branch"], hidden)
