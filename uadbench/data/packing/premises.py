"""Premises of a study that packed data sets show: nobody is trained on and tested on, and training sets are healthy."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from uadbench.core.errors import HarnessError, listed
from uadbench.data.index.repeats import Cohort, refuse
from uadbench.data.packing.store import Store

Index = Mapping[str, Any]  # content of index.json
HEALTHY = ("train", "validation")


def check_repeats(index: Index, others: Iterable[Index] = (), healthy: bool | None = None) -> None:
    """Refuse scans with the voxels of another one of the data set, or of one in the other role, training or test.

    healthy: the role in which the data set is used, that of others being the other; by default those of their subjects.
    Simulated subjects differ by construction. Data sets packed by earlier versions say nothing of their voxels.
    """
    if not index["simulated"]:
        other_role = None if healthy is None else not healthy
        refuse(_cohort(index, healthy), [_cohort(other, other_role) for other in others if not other["simulated"]])


def check_healthy(store: Store) -> None:
    """Refuse training and validation subjects with a scan of another one, or with a lesion."""
    check_repeats(store.index, healthy=True)
    labels = store.labels()
    rows = [row for row, subject in enumerate(store.index["subjects"]) if subject["split"] in HEALTHY]
    ill = [] if labels is None else [store.subjects[row] for row in rows if np.any(labels[row])]
    refuse_lesions(store.dataset, ill)


def refuse_lesions(dataset: str, ill: list[str]) -> None:
    """Raise HarnessError for subjects of a training set with a lesion, by their names."""
    if ill:
        raise HarnessError(
            f"{dataset}: the training set has lesions, in the mask of {len(ill)} subject{'s' * (len(ill) > 1)}: "
            f"{listed(ill)}; methods train on healthy subjects alone: `exclude` those with a lesion"
        )


def _cohort(index: Index, healthy: bool | None) -> Cohort:
    role = {subject["subject"]: subject["split"] in HEALTHY for subject in index["subjects"]}
    found = {subject["subject"]: subject.get("voxels", []) for subject in index["subjects"]}
    marks = {name: marks for name, marks in found.items() if healthy in (None, role[name])}
    return Cohort(index["dataset"], any(role.values()) if healthy is None else healthy, marks)
