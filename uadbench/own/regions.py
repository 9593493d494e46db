"""Names of regions by an atlas in the space of the template: a NIfTI file of numbers, and a table of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas

from uadbench.core.errors import HarnessError
from uadbench.core.files import sha256
from uadbench.core.volume_names import stem
from uadbench.data.preprocessing.reading.volume import BadScan, read_volume

COLUMNS = ("index", "name")  # of the table, as in BIDS
TABLE = "a table, {}, with the columns index and name, separated by tabs"


@dataclass(frozen=True, eq=False)
class Atlas:
    """An atlas. numbers: of regions (I, J, K), 0 outside of all; inverse: mm of the template to voxels (4, 4).

    digest: of both files.
    """

    name: str
    numbers: np.ndarray
    inverse: np.ndarray
    names: Mapping[int, str]
    digest: str = ""

    def region(self, points: np.ndarray) -> str:
        """Name of the region that most of the points (3, n), in mm of the template, lie in; "" outside of all."""
        places = np.rint(self.inverse[:3, :3] @ points + self.inverse[:3, 3:]).astype(int)
        within = ((places >= 0) & (places < np.array(self.numbers.shape)[:, None])).all(axis=0)
        found, counts = np.unique(self.numbers[tuple(places[:, within])], return_counts=True)
        counts[found == 0] = 0
        return self.names[int(found[counts.argmax()])] if counts.any() else ""


def read(path: Path) -> Atlas:
    """The atlas at `path`, X.nii.gz, with its table X.tsv beside it: the `dseg` files of BIDS.

    Raises HarnessError for a file that is no NIfTI, for numbers that are not whole or have no name, and for a missing
    or another table.
    """
    table = path.with_name(f"{stem(path.name) or path.name}.tsv")
    try:
        values, affine = read_volume(path)
    except BadScan as error:
        raise HarnessError(f"--atlas {error}") from error
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or values.min() < 0:
        raise HarnessError(f"--atlas {path}: has values that are no whole numbers from 0; give one of labels")
    numbers, names = values.astype(np.int64), _names(table, path)
    if unnamed := sorted(set(np.unique(numbers).tolist()) - {0} - names.keys()):
        raise HarnessError(f"{table}: has no name for {unnamed[0]}, which {path.name} has; add it")
    return Atlas(path.name, numbers, np.linalg.inv(affine), names, f"{sha256(path)[:8]}{sha256(table)[:8]}")


def _names(table: Path, path: Path) -> dict[int, str]:
    wanted = TABLE.format(table.name)
    try:
        rows = pandas.read_csv(table, sep="\t", dtype={"name": str}, keep_default_na=False)
        return dict(zip(rows["index"].astype(int), rows["name"], strict=True))
    except FileNotFoundError:
        raise HarnessError(f"--atlas {path}: there is no {table}; put {wanted} beside it") from None
    except (KeyError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise HarnessError(f"{table}: cannot be read ({reason}); write {wanted}") from error
