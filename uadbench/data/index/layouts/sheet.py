"""Scans of any naming: a CSV that lists the files of each subject. The root of such a data set is the CSV itself."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import content, expanded
from uadbench.core.modalities import NAMES
from uadbench.data.index import layout, participants

COLUMNS = ("subject", *layout.KINDS, "patient", *participants.COLUMNS)
OTHERS = ", ".join(COLUMNS[len(NAMES) + 1 :])


class Layout(layout.Layout):
    """Columns `subject` and one or more of `t1`, `t2`, `flair`, `t1c`; optionally `mask`, `drawn_on`, `brain`,
    `patient`, `age`, `sex`, `site` and `scanner`; empty for missing files.

    Paths are absolute, or relative to the folder of the CSV. `drawn_on` is the scan on whose voxels the mask was
    delineated, if none of the other scans has the mask's grid; `brain` is a brain mask on the grid of the T1, or of
    the first scan. Scans of one `patient` are a subject each; where it is empty the name of the subject says it.
    """

    expected = f"a CSV with the columns subject, one of {', '.join(NAMES)} and, where there is such, {OTHERS}"
    reads_file = True
    refuses_missing = True  # files; else they are problems of their subjects

    def participants(self, root: Path) -> participants.Participants:
        return participants.table((dict(record) for _, record in self._records(root)), "subject")

    def subjects(self, root: Path) -> list[layout.Files]:
        found: dict[str, layout.Files] = {}
        for line, record in self._records(root):
            files = self._files(root, line, record)
            if files.subject in found:
                files = replace(files, problem=f"stands twice in {root.name}, again on line {line}; name each one once")
            found[files.subject] = files
        return list(found.values())

    def _records(self, root: Path) -> list[tuple[int, dict[str | None, Any]]]:
        """The lines with their numbers. Raises HarnessError for a file that is no such CSV."""
        try:
            text = io.StringIO(content(root).decode("utf-8-sig"), newline="")
            reader = csv.DictReader(text, skipinitialspace=True)
            names = list(reader.fieldnames or [])
            # Spreadsheets add rows of commas, and pandas an index in a first column without a name.
            records = [(reader.line_num, row) for row in reader if row.keys() > {*names} or any(row.values())]
            names = names[1:] if names[:1] == [""] else names
        except (UnicodeDecodeError, csv.Error) as error:
            raise HarnessError(f"{root}: is no CSV in UTF-8 ({error}); save it as such") from None
        unknown = [name for name in names if name not in COLUMNS]
        if unknown or "subject" not in names or not set(NAMES) & set(names):
            if csv_files.is_joined(names):
                raise HarnessError(f"{root}: has the one column {names[0]!r}; {csv_files.COMMAS}")
            raise HarnessError(
                f"{root}: columns are {', '.join(map(repr, names)) or 'missing'}; there must be subject "
                f"and a scan ({', '.join(NAMES)}), there may be {OTHERS}, and no others"
            )
        return records

    def _files(self, root: Path, line: int, record: dict[str | None, Any]) -> layout.Files:
        """Files of one line. Raises HarnessError for too many cells, a missing name, or a missing file, which else
        is a problem."""
        if None in record:
            raise HarnessError(f"{root}, line {line}: more cells than columns; quote a path that has a comma")
        cells = {name: (record.get(name) or "").strip() for name in COLUMNS}
        if not cells["subject"]:
            raise HarnessError(f"{root}, line {line}: no subject; give each a name of its own")
        paths: dict[str, Any] = {}
        problem = ""
        for name in layout.KINDS:
            if cells[name]:
                paths[name] = Path(expanded(cells[name]))
                if not (root.parent / paths[name]).is_file():
                    problem = f"line {line}, {name}: no file {root.parent / paths[name]}"
                    if self.refuses_missing:
                        raise HarnessError(f"{root}, {problem}")
        return layout.Files(cells["subject"], **paths, problem=problem, stated_patient=cells["patient"])
