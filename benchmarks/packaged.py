"""The run that comes with the package, measured on real scans; writes measured.json and the end of its card.

    python benchmarks/packaged.py MRI_MINI

MRI_MINI is a folder of real scans in the layouts of CamCAN, ATLAS and BraTS; config/mri-mini.yaml and the README of the
folder say what is in it. Maps and labels are compared on the voxels of the scans, as `uadbench score` writes maps.
Nothing of the run was chosen on these scans. Nothing here is a result on the data sets whose layouts they have.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import uadbench
from uadbench.core.files import atomic
from uadbench.data.index import layout
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing.reading.scan import read_labels, read_scan
from uadbench.evaluation.detection.findings import Calibration
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.own.map_arrays import subject
from uadbench.own.scan_scoring import Scorer
from uadbench.own.score_maps import evaluate
from uadbench.own.trained_method import TrainedMethod
from uadbench.sharing.contents import CARD, HEALTHY
from uadbench.sharing.shipped import FOLDER, MEASURED

HEADING = "## Measured on other real scans"
RATES = ("0.01", HEALTHY)
SIZES = {"0-1ml": "below 1 ml", "1-10ml": "1 to 10 ml", "10-100ml": "10 to 100 ml", "100ml+": "100 ml or more"}
BRATS = ("a low-grade glioma, labels of programs", "multiple sclerosis, labels of three raters")


def scored(method: TrainedMethod, root: Path, files: Files) -> tuple[ScoredSubject, float]:
    """Map, brain and label (all healthy without one) of a T1 on its own voxels, and the volume of a voxel in ml."""
    scan = read_scan(root / files.t1)
    scorer = Scorer(method.method, method.about, method.device)
    tensor, rng, place = scorer.prepared(root / files.t1, None)
    found = np.asarray(place.to_native(scorer.map(tensor, rng)).dataobj)
    brain = np.asarray(place.to_native((tensor > 0).numpy()).dataobj) >= 0.5
    label = read_labels(root / files.mask, scan).data if files.mask else np.zeros(found.shape, np.uint8)
    sides = tuple(scan.grid.spacing.tolist())
    return subject(files.subject, str(files.t1), found, sides, brain, label), scan.grid.voxel_ml


def healthy(method: TrainedMethod, root: Path, found: Iterable[Files], scanner: str) -> dict[str, Any]:
    """Volume at or above each threshold in healthy brains, ml: median and range."""
    volumes: dict[str, list[float]] = {rate: [] for rate in RATES}
    refused = []
    for files in found:
        try:
            item, voxel = scored(method, root, files)
        except uadbench.HarnessError as error:
            print(error)
            refused.append(files.subject)
            continue
        for rate, each in volumes.items():
            each.append(float((item.truth.brain & (item.final >= method.about["thresholds"][rate])).sum()) * voxel)
    spread = {rate: np.quantile(each, (0.5, 0, 1)).round(2).tolist() for rate, each in volumes.items()}
    return {"scanner": scanner, "scans": len(volumes[HEALTHY]), "refused": refused, "ml": spread}


def diseased(method: TrainedMethod, root: Path, found: Iterable[Files], of: str) -> dict[str, Any]:
    """AP, best Dice, and at each threshold lesions found by volume and false positives, of scans with a lesion."""
    thresholds = np.array([method.about["thresholds"][rate] for rate in RATES], np.float32)
    calibration = Calibration(np.array(RATES, float), thresholds, (), np.zeros(0, np.float32))
    subjects = (scored(method, root, files)[0] for files in found)
    summary = evaluate(subjects, "full", calibration).summary()
    detection = {key: row["value"] for key, row in summary["detection"].items()}
    row = {"of": of, "scans": summary["subjects"], "chance": summary["chance_ap"]}
    row |= {"ap": summary["ap"], "dice": summary["dice"]}
    row |= {"false_positive_ml": {rate: round(detection[f"false_positive_ml@{rate}"], 2) for rate in RATES}}
    sizes = {size: round(detection[f"lesions/{size}"]) for size in SIZES if f"lesions/{size}" in detection}
    row["lesions"] = sizes
    row["found"] = {
        rate: {size: round(number * detection[f"sensitivity@{rate}/{size}"]) for size, number in sizes.items()}
        for rate in RATES
    }
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}


def cost(scan: Path) -> dict[str, Any]:
    """Seconds and memory of one `uadbench score` on two threads."""
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": str(Path(uadbench.__file__).parents[1])}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "uadbench", "score", "--image", str(scan), "--device", "cpu", "--out"]
        started = time.monotonic()
        process = subprocess.Popen([*command, f"{folder}/map.nii.gz"], env=environment, stdout=quiet, stderr=quiet)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
    assert status == 0, scan
    cpu = used.ru_utime + used.ru_stime
    return {"wall_s": round(wall, 1), "processor_s": round(cpu, 1), "memory_mb": round(used.ru_maxrss / 1024)}


def section(measured: dict[str, Any]) -> str:
    """The measurements as a section of the card."""
    lines = [HEADING, "", f"Written by `{measured['command']}`, on the scans' voxels. Nothing was chosen on them."]
    lines += ["At two thresholds, which 1 % and 0.1 % of held-out healthy voxels reach: lesions found, by volume, and"]
    lines += ["FP, the mean volume of false positives in a scan.", "", tables(measured)]
    return "\n".join(lines)


def tables(measured: dict[str, Any]) -> str:
    """The measurements of scans with a lesion and of healthy ones in Markdown."""
    columns = ("scans with a lesion", "scans", "chance", "AP", "⌈Dice⌉")
    columns += ("found at 1 %", "FP, ml", "found at 0.1 %", "FP, ml")
    lines = [f"| {' | '.join(columns)} |", "| --- | --: | --: | --: | --: | --- | --: | --- | --: |"]
    for row in measured["lesions"]:
        cells = [row["of"], str(row["scans"]), *(f"{row[key]:.3f}" for key in ("chance", "ap", "dice"))]
        for rate in RATES:
            found = (f"{row['found'][rate][size]} of {n} of {SIZES[size]}" for size, n in row["lesions"].items())
            cells += [", ".join(found), f"{row['false_positive_ml'][rate]:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| healthy scans | scans | ml at 1 %: median (range) | ml at 0.1 % |", "| --- | --: | --: | --: |"]
    for row in measured["healthy"]:
        spread = ("{:.1f} ({:.1f} to {:.1f})".format(*row["ml"][rate]) for rate in RATES)
        scans = f"{row['scans']}, and {len(row['refused'])} refused" if row["refused"] else str(row["scans"])
        lines.append(f"| {' | '.join([row['scanner'], scans, *spread])} |")
    return "\n".join(lines) + "\n"


def main(root: Path) -> None:
    """Measure, write measured.json, and replace the end of the card."""
    method = uadbench.load(FOLDER, device="cpu")
    atlas, brats, camcan = (
        (root / name, layout.load(name).subjects(root / name)) for name in ("atlas", "brats", "camcan")
    )
    other = [files for files in camcan[1] if files.subject < "sub-CC9001"]  # see the README of the folder
    same = [files for files in camcan[1] if files not in other]
    measured: dict[str, Any] = {"command": "python benchmarks/packaged.py MRI_MINI"}
    measured["lesions"] = [
        diseased(method, *atlas, "strokes painted into brains of the study of the training"),
        *(diseased(method, brats[0], [files], of) for files, of in zip(brats[1], BRATS, strict=True)),
    ]
    measured["healthy"] = [
        healthy(method, camcan[0], same, "the scanner of the training"),
        healthy(method, camcan[0], other, "another scanner, whole heads"),
    ]
    with atomic(FOLDER / MEASURED) as partial:
        partial.write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    card = (FOLDER / CARD).read_text(encoding="utf-8").partition(HEADING)[0].rstrip("\n")
    with atomic(FOLDER / CARD) as partial:
        partial.write_text(f"{card}\n\n{section(measured)}", encoding="utf-8")
    print(section(measured))
    for scan in (same[0], other[0]):
        print(scan.subject, cost(camcan[0] / scan.t1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
