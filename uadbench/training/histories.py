"""Training histories of many runs as one tidy table, so that figures and tables need no run folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from uadbench.core import csv_files
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json
from uadbench.core.study_folder import HISTORY, RUN

#: raised when a change alters the table of the same runs, so that finished studies write it again
REVISION = 1
#: columns and their keys in run.json
ABOUT = {key: key for key in ("method", "title", "modality", "seed")} | {"trained_on_simulated": "simulated"}
ROW = ("phase", "step", "loss", "validation", "learning_rate", "seconds")  # from history.csv
COLUMNS = (*ABOUT, *ROW)


def gather(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Rows of `history.csv` of every run, each with the metadata `ABOUT`; a run without training yields no rows.

    Raises HarnessError for a folder that holds no finished run, or the same run twice.
    """
    seen: dict[tuple[Any, ...], Path] = {}
    for folder in folders:
        about = _about(folder)
        key = (about["method"], about["modality"], about["seed"])
        if key in seen:
            raise HarnessError(f"{folder}: the same method, modality and seed as {seen[key]}; give one of them")
        seen[key] = folder
        for row in csv_files.read(folder / HISTORY, ROW, "train this run again"):
            yield about | {column: row[column] for column in ROW}


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = read_json(folder / RUN)
    except (FileNotFoundError, NotADirectoryError):
        raise HarnessError(f"{folder}: no run.json; name the folder of a finished training run") from None
    except ValueError as error:
        raise HarnessError(f"{folder / RUN}: not valid JSON ({error}); train this run again") from None
    missing = [key for key in ABOUT.values() if key not in about]
    if missing:
        raise HarnessError(f"{folder / RUN}: no {missing[0]}; train this run again")
    return {column: about[key] for column, key in ABOUT.items()}
