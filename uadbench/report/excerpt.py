"""Excerpt of a finished study: the few files that its report, and tables and claims, are made of."""

import json
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, content, write_json
from uadbench.core.inputs import within
from uadbench.core.study_folder import CONFIG, StudyFolder
from uadbench.report.study import Study
from uadbench.study.config_files import read


def write(study: Study, out: Path) -> None:
    """Copy `Study.files`, tables as Markdown and the config to `out`, at their paths in the folder of the study.

    Shared data and runs go to where a study has its own. A report of `out` is that of the study, but for links to
    quality pages. Nothing is written outside of `out`. Raises HarnessError for a missing or damaged file, the config of
    another study, and a place that holds anything else than a former excerpt of the study.
    """
    folder = study.folder
    roots = [*filter(None, (folder.shared_data, folder.shared_runs)), folder.path]  # own last: it may be `.`
    _free(out, study, [*roots, folder.data, folder.training])
    copies = {}
    for path in [*study.files, *sorted(folder.paper.glob("*.md"))]:
        root = next(root for root in roots if path.is_relative_to(root))
        copies[out / path.relative_to(root)] = content(path)
    for path in [*copies, out / CONFIG]:
        if not within(path, out):
            raise HarnessError(f"--out {out}: {path} leads out of it, by a link; name an empty folder")
    for path, copied in copies.items():
        with atomic(path) as partial:
            partial.write_bytes(copied)
    write_json(out / CONFIG, json.loads(study.plan.config.deciding))


def _free(out: Path, study: Study, sources: list[Path]) -> None:
    """Raise HarnessError for a file, a place in or around the folders `sources`, and a folder of other things."""
    if out.exists() and not out.is_dir():
        raise HarnessError(f"--out {out}: is a file; name a folder")
    for source in sources:
        if within(out, source) or within(source, out):
            raise HarnessError(f"--out {out}: is in {source} of the study, or holds it; name a folder apart")
    former = StudyFolder(out).excerpt and read(out / CONFIG).get("experiment") == study.plan.name
    if out.is_dir() and any(out.iterdir()) and not former:
        raise HarnessError(
            f"--out {out}: holds files, and is no excerpt of the experiment {study.plan.name}; name an empty folder"
        )
