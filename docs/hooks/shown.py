"""Finished pages that the site shows, rendered from docs/reference/demo: the report, and the page of a scored scan.

`python docs/hooks/shown.py PAGE` stores there what is needed of a page that `uadbench score --html` wrote.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mkdocs.structure.files import File

from uadbench.core.files import write_json
from uadbench.core.study_folder import CONFIG, REPORT
from uadbench.report.page import write as write_report
from uadbench.report.study import Study
from uadbench.viewer import page

DOCS = Path(__file__).resolve().parents[1]
DEMO = DOCS / "reference" / "demo"
STORED = DEMO / "score.json"
BACK = '<p><a href="index.html">Back to the site</a></p>'


def rendered() -> Iterator[tuple[str, str]]:
    """Path in the site and content of both pages."""
    with TemporaryDirectory() as folder:
        report, scored = Path(folder, REPORT), Path(folder, STORED.with_suffix(".html").name)
        write_report(Study.given(DEMO, str(DEMO / CONFIG)), report)
        page.write(page.read(json.loads(STORED.read_text(encoding="utf-8"))), scored)
        for path in (report, scored):
            yield (DEMO / path.name).relative_to(DOCS).as_posix(), path.read_text(encoding="utf-8")


def on_files(files, *, config):
    for path, content in rendered():
        files.append(File.generated(config, path, content=content.replace("<main>", f"<main>\n{BACK}", 1)))
    return files


if __name__ == "__main__":
    write_json(STORED, page.contents(Path(sys.argv[1]).read_text(encoding="utf-8")))
