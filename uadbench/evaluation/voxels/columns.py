"""Columns of results.csv, which has a row for each method, seed, task, score, protocol and metric."""

from collections.abc import Sequence
from typing import Any

from uadbench.evaluation.voxels.source import CODE, SOURCE

SIMULATED = ["trained_on_simulated", "tested_on_simulated"]  # whether the scans of training and of the test set are
#: of a run: revision is that of the method, test_set a digest of the test set, see `test_set`
META = ["experiment", *SIMULATED, "method", "revision", "title", "family", "seed"]
META += ["task", "dataset", "test_set", "modality"]
COUNTS = ["subjects", "left_out", "voxels", "positives"]
NUMBERS = ["value", "low", "high", *COUNTS]
#: of a test set: row of datasets.csv, side of a voxel or three, and the template or another space
LIKENESS = ["release", "voxel_mm", "space"]
#: which earlier files lack: number of patients; names of the subjects left out; digests of the source; filter of the
#: study, empty for maps as published; data that hyper-parameters were chosen on, empty where not stated; effective
#: number of patients (`jackknife.Spread`); likeness
LATER = ["patients", "lost", SOURCE, CODE, "postprocessing", "tuned_on", "n_eff", *LIKENESS]
UNTRAINED = "lost_training"  # a column where preprocessing lost training subjects, with their names
MISSING = "missing"  # a column of an experiment that is not complete, with the titles of methods without results
COLUMNS = [*META, "score", "protocol", "metric", *NUMBERS, *LATER]


def voxel_text(sides: Sequence[float]) -> str:
    """Sides of a voxel in mm as `voxel_mm`: one for a cube, else along D, H and W."""
    texts = [f"{side:.3g}" for side in sides]
    return texts[0] if len(set(texts)) == 1 else " × ".join(texts)


def completed(meta: dict[str, Any]) -> dict[str, Any]:
    """The metadata in the header of a file of scores, with the keys that files of earlier versions lack.

    Their `simulated` says that the scans of training or of the test are: it stands for both. Revision and digest are
    empty.
    """
    former = dict.fromkeys(SIMULATED, meta["simulated"]) if "simulated" in meta else {}
    return {**former, "revision": "", "test_set": "", **meta}
