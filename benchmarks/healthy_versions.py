"""Restorations of simulated scans against the healthy versions of these: the same brains, simulated without the lesion.

python benchmarks/healthy_versions.py results/demo

Simulates the example subjects of a finished study again with the seeds of their manifests, each tissue where the lesion
has moved it, but without the lesion, and prepares them as the study does. Prints for each task and method with
restorations, of the slices of Figure 3, the mean absolute difference of grey values in the lesion, from the healthy
version: of the scan, and of its restoration; the geometric mean over subjects of their ratio, with seeds averaged; and
the ratio of the same slices by the other side of the brain, as in restorations.csv.
"""

import argparse
import csv
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from uadbench.core.archive import SLICES
from uadbench.core.study_folder import EXAMPLES, MANIFEST, StudyFolder, array_file
from uadbench.data.packing.store import Store
from uadbench.data.preprocessing.registration.transform import prepare_scan
from uadbench.data.preprocessing.settings import settings
from uadbench.evaluation.summary.restorations import differences
from uadbench.simulation import strokes, tumours
from uadbench.simulation.scans import write
from uadbench.simulation.subjects import MAKERS, SimulatedSubject, SubjectStreams

SCANS = {"atlas": {"t1": "T1w"}, "brats": {"t1": "t1", "t2": "t2"}}  # names of scans by layout and modality


def no_lesion(mixture: Any, *_: Any) -> np.ndarray:
    """In place of `strokes.insert` and `tumours.insert`: empty labels."""
    return np.zeros(mixture.brain.shape, np.uint8)


def healthy_version(layout: str, seed: int, spacing: float, subject: str) -> SimulatedSubject:
    """The scans of a simulated subject without its lesion."""
    with mock.patch.object(strokes, "insert", no_lesion), mock.patch.object(tumours, "insert", no_lesion):
        return MAKERS[layout](SubjectStreams(seed, layout, subject), spacing)


def prepared(folder: StudyFolder, store: Store, subject: str, modality: str) -> np.ndarray:
    """The slice of a subject's healthy version (H, W) that its examples show, that with the largest area of lesion."""
    dataset = store.index["dataset"]
    with (folder.raw(dataset) / MANIFEST).open(encoding="utf-8", newline="") as stream:
        (row,) = (row for row in csv.DictReader(stream) if row["subject"] == subject)
    layout = row["dataset"]
    made = healthy_version(layout, int(row["seed"]), float(row["spacing"]), subject)
    with tempfile.TemporaryDirectory() as place:
        paths = {name: Path(place) / f"{scan}.nii.gz" for name, scan in SCANS[layout].items()}
        for name, path in paths.items():
            scan = made.scans[SCANS[layout][name]]
            write(path, scan.voxels, scan.grid, scan.form)
        volume, _ = prepare_scan(paths[modality], settings(store.index["preprocessing"]), modality, paths["t1"])
    labels = np.load(store.folder / array_file("mask"), mmap_mode="r")[store.subjects.index(subject)]
    return np.asarray(volume)[int((labels > 0).sum((1, 2)).argmax())]


def main() -> None:
    """Print a line for each task and method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    folder = StudyFolder(parser.parse_args().study)
    healthy: dict[tuple[str, str], np.ndarray] = {}
    found = defaultdict[tuple[str, str], dict[str, list[tuple[float, ...]]]](lambda: defaultdict(list))
    for path in sorted(folder.evaluation.glob(f"*/*/seed-*/{EXAMPLES}")):
        with SLICES.opened(path) as (header, stored):
            meta = header["meta"]
            if "restoration" not in stored:
                continue
            slices = [stored[name] for name in ("image", "restoration", "label", "subject")]
        store = Store.open(folder.packed(meta["dataset"]))
        for image, restored, label, name in zip(*slices, strict=True):
            key = (meta["task"], str(name))
            if key not in healthy:
                healthy[key] = prepared(folder, store, str(name), meta["modality"])
            truth, lesion = healthy[key], (label > 0) & (image > 0) & (healthy[key] > 0)
            own = [float(np.abs(one - truth)[lesion].mean()) for one in (image, restored)]
            found[meta["task"], meta["method"]][str(name)].append((*own, *differences(image, restored, label)[:2]))
    print("| task | method | scan | restoration | ratio | by the other side |\n|---|---|--:|--:|--:|--:|")
    for (task, method), subjects in sorted(found.items()):
        means = np.array([np.mean(seeds, axis=0) for seeds in subjects.values()])
        ratios = [np.exp(np.nanmean(np.log(means[:, k + 1] / means[:, k]))) for k in (0, 2)]
        scan, restored = means[:, :2].mean(axis=0)
        print(f"| {task} | {method} | {scan:.3f} | {restored:.3f} | {ratios[0]:.2f} | {ratios[1]:.2f} |")


if __name__ == "__main__":
    main()
