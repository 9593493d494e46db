"""Parity with public code: write docs/parity.md from the stored outputs, or record these anew from a checkout.

python benchmarks/parity.py
python benchmarks/parity.py --upd UPD_study    # imports its models, and torchgeometry; only numbers are stored
python benchmarks/parity.py --disyre disyre    # the checkout of DISYRE's public code
python benchmarks/parity.py --kascenas DenoisingAE
python benchmarks/parity.py --lite site-packages    # with efficientnet-lite-pytorch, installed without dependencies
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import parity_disyre, parity_kascenas, parity_lite, parity_upd  # noqa: E402
from benchmarks.parity_preprocessing import HEAD  # noqa: E402
from tests.methods.anomalies.test_noise import stored_points  # noqa: E402
from tests.parity.cases import CASES, DISYRE, KASCENAS, LITE, RECORDS, UPD, thinned  # noqa: E402


def output(name: str, network: nn.Module) -> np.ndarray:
    """What is compared of a network's output."""
    with torch.no_grad():
        found = network(CASES[name].inputs())
    found = found[0] if isinstance(found, tuple) else found
    return thinned(found)


def page() -> str:
    """docs/parity.md."""
    lines = [
        "# Parity with public code",
        "",
        "Networks and anomaly maps beside the public code: the same weights and inputs, made from a seed, go through",
        "both. Their outputs were recorded once; a test compares ours with them. The difference is the largest one in",
        "float64, divided by the largest output.",
        "",
        "<!-- not run by the tests here: tests/parity/test_parity.py makes the same comparisons -->",
        "```bash",
        "python benchmarks/parity.py",
        "```",
        "",
        "writes this page from `tests/parity/records`.",
        "",
        "| method | compared | public code | difference |",
        "|---|---|---|--:|",
    ]
    for name, case in CASES.items():
        record = np.load(RECORDS / f"{name}.npy")
        with torch.no_grad():
            ours = thinned(case.network()(case.inputs()))
        difference = abs(ours - record).max() / abs(record).max()
        lines.append(
            f"| {case.method} | {case.what} | {case.source} | {difference:.0e} |".replace("| 0e+00 |", "| 0 |")
        )
    return "\n".join([*lines, simplex_row(), *preprocessing()]) + "\n"


def preprocessing() -> list[str]:
    """The section on the preprocessing of UPD_study, from the record of parity_preprocessing.py."""
    rows = json.loads((RECORDS / "preprocessing.json").read_text(encoding="utf-8"))
    return [
        "",
        "## Preprocessing",
        "",
        "Scans and labels under `preprocessing: {protocol: upd}` beside UPD_study's own functions (scikit-image), with",
        "our brain and registration for both. *One step* is `edges: plain`, without the way by the template's voxels.",
        "Brain in voxels; grey values in [0, 1]. The field is the template's shorter side: of MNI152, and as wide as",
        "SRI24's.",
        "",
        "<!-- not run by the tests here: tests/parity/test_preprocessing.py makes the same comparison -->",
        "```bash",
        "python benchmarks/parity_preprocessing.py UPD_study ATLAS=t1.nii,mask.nii BraTS=t1.nii,seg.nii CamCAN=t1.nii",
        "```",
        "",
        f"| {' | '.join(HEAD)} |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def simplex_row() -> str:
    """The line of AnoDDPM's noise, whose values at 80 points are stored with its test."""
    ours, values = stored_points()
    source = "AnoDDPM (Julian-Wyatt/AnoDDPM, 3052f04)"
    return f"| AnoDDPM | OpenSimplex noise at 80 points, ours in float32 | {source} | {abs(ours - values).max():.0e} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upd", type=Path, help="a checkout of UPD_study")
    parser.add_argument("--disyre", type=Path, help="a checkout of DISYRE's public code")
    parser.add_argument("--kascenas", type=Path, help="a checkout of DenoisingAE")
    parser.add_argument("--lite", type=Path, help="a folder that holds the package efficientnet_lite_pytorch")
    parser.add_argument("--only", choices=CASES, nargs="+", default=list(CASES), help="what to record; default: all")
    given = parser.parse_args()
    RECORDS.mkdir(exist_ok=True)
    for case_name in given.only:
        source = CASES[case_name].source
        if given.upd and source == UPD:
            public = parity_upd.theirs(case_name, given.upd / "models")
        elif given.disyre and source == DISYRE:
            public = parity_disyre.theirs(case_name, given.disyre)
        elif given.kascenas and source == KASCENAS:
            public = parity_kascenas.theirs(given.kascenas)
        elif given.lite and source == LITE:
            public = parity_lite.theirs(case_name, given.lite)
        else:
            continue
        np.save(RECORDS / f"{case_name}.npy", output(case_name, public))
    (ROOT / "docs" / "parity.md").write_text(page(), encoding="utf-8")
