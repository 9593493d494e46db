"""Parity with public code: write docs/parity.md from the stored numbers, or record these anew from a checkout.

python benchmarks/parity.py
python benchmarks/parity.py --upd UPD_study    # imports its models, and torchgeometry; only numbers are stored
python benchmarks/parity.py --disyre disyre    # the checkout of DISYRE's public code
python benchmarks/parity.py --kascenas DenoisingAE
python benchmarks/parity.py --anoddpm AnoDDPM
python benchmarks/parity.py --packages site-packages    # efficientnet-lite-pytorch, torchvision: pip install --no-deps
python benchmarks/parity.py --diffusers    # the U-Net at its default size
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import (  # noqa: E402
    parity_disyre,
    parity_kascenas,
    parity_packages,
    parity_steps,
    parity_steps_others,
    parity_steps_upd,
    parity_upd,
)
from benchmarks.parity_preprocessing import HEAD  # noqa: E402
from tests.methods.anomalies.test_noise import stored_points  # noqa: E402
from tests.parity.cases import DISYRE, KASCENAS, LITE, RECORDS, UPD, thinned  # noqa: E402
from tests.parity.defaults import DIFFUSERS, EVERY, REPLACED, TORCHVISION  # noqa: E402
from tests.parity.steps import ANODDPM, STEPS, TRAININGS, difference  # noqa: E402

NOTES = """
UPD_study feeds each grey slice as three channels, so that the sum of the first kernels learns three times as fast. The
variants `-upd` do so as well (`grey_channels: 3`) and equal UPD_study as it is; the defaults have one channel.

f-AnoGAN's critic and generator get the same codes in a step here, as in UPD_study; our generator draws codes of its
own, as Schlegl's. DISYRE's corruptions and PII's squares are given: only losses and optimisers are compared. The public
warm-up of DISYRE begins at a rate of 0, ours one step later; here both have none. AnoDDPM's own network is not that of
diffusers, which takes its place in the public loss.

Without a public loop, or with one in another framework: DISYRE by the paper and MOOD22, whose steps are compared with
the formulas of the papers (`tests/parity/test_steps_by_hand.py`). FPI shares PII's network, loss and optimiser, DISYRE
v2 DISYRE's, AnoDDPM DDPM's; the defaults of VAE, RD, AMCons and f-AnoGAN share those of their variants, but for values
in [sources of the defaults](default-sources.md). r-VAE trains nothing, its restoration is above; PaDiM and PatchCore
train nothing by gradients.

## Defaults that tests of methods replace

Tests train small networks. Where the defaults that these replace are tested:

| methods | parameters | where |
|---|---|---|
""".strip()


def output(name: str, network: nn.Module) -> np.ndarray:
    """What is compared of a network's output."""
    with torch.no_grad():
        found = network(EVERY[name].inputs())
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
    for name, case in EVERY.items():
        record = np.load(RECORDS / f"{name}.npy")
        with torch.no_grad():
            ours = thinned(case.network()(case.inputs()))
        difference = abs(ours - record).max() / abs(record).max()
        lines.append(f"| {case.method} | {case.what} | {case.source} | {rounded(difference)} |")
    return "\n".join([*lines, simplex_row(), *steps(), *preprocessing()]) + "\n"


def steps() -> list[str]:
    """The section on training steps."""
    lines = [
        "",
        "## Training steps",
        "",
        "The training step of the public code, taken out of its own script with its optimiser, beside ours: the same",
        "initial weights, batches, latent codes, noise and dropout, on small networks in float64. Compared are the",
        "loss of every update, and of every tensor the length of its change and a projection of it. *As it is*: with",
        "slices in three equal channels.",
        "",
        "| method | compared | public code | losses | weights |",
        "|---|---|---|--:|--:|",
    ]
    for name, training in TRAININGS.items():
        with np.load(STEPS / f"{name}.npz") as record:
            apart = [rounded(number) for number in difference(training.run(), dict(record))]
        lines.append(f"| {training.title} | {training.what} | {training.source} | {' | '.join(apart)} |")
    return [*lines, "", NOTES, *(f"| {' | '.join(row)} |" for row in REPLACED)]


def rounded(difference: float) -> str:
    return "0" if difference == 0 else f"{difference:.0e}"


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
    return f"| AnoDDPM | OpenSimplex noise at 80 points, ours in float32 | {ANODDPM} | {abs(ours - values).max():.0e} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upd", type=Path, help="a checkout of UPD_study")
    parser.add_argument("--disyre", type=Path, help="a checkout of DISYRE's public code")
    parser.add_argument("--kascenas", type=Path, help="a checkout of DenoisingAE")
    parser.add_argument("--anoddpm", type=Path, help="a checkout of AnoDDPM")
    parser.add_argument("--packages", type=Path, help="a folder that holds efficientnet_lite_pytorch and torchvision")
    parser.add_argument("--diffusers", action="store_true", help="record diffusers' U-Net")
    known = [*EVERY, *TRAININGS]
    parser.add_argument("--only", choices=known, nargs="+", default=known, help="what to record; default: all")
    given = parser.parse_args()
    networks = {
        UPD: given.upd and (lambda name: parity_upd.theirs(name, given.upd / "models")),
        DISYRE: given.disyre and (lambda name: parity_disyre.theirs(name, given.disyre)),
        KASCENAS: given.kascenas and (lambda name: parity_kascenas.theirs(given.kascenas)),
        LITE: given.packages and (lambda name: parity_packages.lite(name, given.packages)),
        TORCHVISION: given.packages and (lambda name: parity_packages.torchvision(name, given.packages)),
        DIFFUSERS: given.diffusers and parity_packages.unet,
    }
    trainings = {
        UPD: given.upd and (lambda name: parity_steps_upd.PUBLIC[name](given.upd / "models")),
        DISYRE: given.disyre and (lambda name: parity_steps_others.disyre(given.disyre)),
        KASCENAS: given.kascenas and (lambda name: parity_steps_others.kascenas(given.kascenas)),
        ANODDPM: given.anoddpm and (lambda name: parity_steps_others.anoddpm(given.anoddpm)),
    }
    STEPS.mkdir(parents=True, exist_ok=True)
    for case_name in given.only:
        if case_name in EVERY and (public := networks[EVERY[case_name].source]):
            np.save(RECORDS / f"{case_name}.npy", output(case_name, public(case_name)))
        if case_name in TRAININGS and (public := trainings[TRAININGS[case_name].source]):
            record = parity_steps.record(TRAININGS[case_name], partial(public, case_name))
            np.savez(STEPS / f"{case_name}.npz", **record)
    (ROOT / "docs" / "parity.md").write_text(page(), encoding="utf-8")
