"""Digest of a test set: the same for whoever scores the same voxels, labels and subjects, and another otherwise."""

import hashlib
import json
from collections.abc import Iterable, Iterator

import numpy as np

from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.protocols.labels import LabelValues

DIGITS = 12  # hexadecimal, of the SHA-256


def packed(store: Store, modality: str, values: LabelValues) -> str:
    """Digest of a packed test set in one modality, from its index; empty where that lacks the arrays' checksums.

    It depends on the subjects, the images, the labels and what `values` makes of them, the grid, and the settings of
    preprocessing. It does not depend on folders, the path of a template, the name of the data set, and exclusions.
    """
    arrays = store.index.get("arrays", {})
    if modality not in arrays or "mask" not in arrays:
        return ""
    subjects = store.subjects
    content = {
        "arrays": [arrays[modality], arrays["mask"]],
        "subjects": [subjects[row] for row in store.rows(modality, "test")],
        "labels": [values.lesion, values.ignored],
        "affine": store.affine.tolist(),
        "preprocessing": {
            key: value for key, value in store.index.get("preprocessing", {}).items() if key != "template"
        },
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:DIGITS]


class LabelDigest:
    """Digest of the labels that score maps of another program are evaluated against."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def passed(self, subjects: Iterable[ScoredSubject]) -> Iterator[ScoredSubject]:
        """The same subjects, each added as it passes: its labels, 0 where not lesion, and the voxels that count."""
        for subject in subjects:
            truth = subject.truth
            self.hash.update(json.dumps([truth.subject, truth.label.shape]).encode())
            self.hash.update(truth.label.astype(np.uint8).tobytes() + np.packbits(truth.brain).tobytes())
            yield subject

    @property
    def text(self) -> str:
        """The digest of all subjects that have passed."""
        return self.hash.hexdigest()[:DIGITS]
