"""Excerpt of a finished study: the few files that its report, and tables and claims, are made of."""

import json
import os
from pathlib import Path

from uadbench.core.files import atomic, content, write_json
from uadbench.report.study import Study

CONFIG = "config.json"  # in an excerpt, the config of its study


def write(study: Study, out: Path) -> None:
    """Copy `Study.files`, tables as Markdown and the config to `out`, at their paths in the folder of the study.

    A report of `out` is that of the study, but for links to quality pages. Raises HarnessError for a missing or damaged
    file.
    """
    for path in [*study.files, *sorted(study.folder.paper.glob("*.md"))]:
        with atomic(out / os.path.relpath(path, study.path)) as partial:
            partial.write_bytes(content(path))
    write_json(out / CONFIG, json.loads(study.plan.config.deciding))
