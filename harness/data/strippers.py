"""Brain extraction by programs that a laboratory may have installed: HD-BET, SynthStrip, ROBEX."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.scan import BadScan, Scan
from harness.errors import HarnessError


@dataclass(frozen=True)
class Stripper:
    """A program: its name on the PATH, its arguments for a scan and an output, and where to get it.

    The output is a mask or an extracted brain; its voxels other than 0 are the brain.
    """

    program: str
    arguments: Callable[[Path, Path], list[str]]
    source: str


STRIPPERS = {
    # Isensee et al. 2019, version 2: writes the extracted brain.
    "hd-bet": Stripper(
        "hd-bet",
        lambda scan, out: ["-i", str(scan), "-o", str(out), "-device", "cpu", "--disable_tta"],
        "pip install hd-bet",
    ),
    # Hoopes et al. 2022, in FreeSurfer 7.3 and later: -m writes the mask.
    "synthstrip": Stripper(
        "mri_synthstrip",
        lambda scan, out: ["-i", str(scan), "-m", str(out)],
        "install FreeSurfer, or its script mri_synthstrip",
    ),
    # Iglesias et al. 2011, version 1.2: writes the extracted brain.
    "robex": Stripper(
        "runROBEX.sh",
        lambda scan, out: [str(scan), str(out)],
        "unpack ROBEX 1.2 from NITRC and put its folder on the PATH",
    ),
}


def check(name: str) -> None:
    """Raise HarnessError if preprocessing names a program that is not installed."""
    if name in STRIPPERS and shutil.which(STRIPPERS[name].program) is None:
        stripper = STRIPPERS[name]
        raise HarnessError(
            f"preprocessing.brain: {name}: no program {stripper.program} on the PATH; {stripper.source}, or use `template`"
        )


def extract(name: str, scan: Scan) -> np.ndarray:
    """The brain (I, J, K) bool that the named program finds in a scan. Raises BadScan with its last line if it fails."""
    import nibabel

    stripper = STRIPPERS[name]
    with tempfile.TemporaryDirectory(prefix="brain-") as folder:
        source, target = Path(folder, "scan.nii.gz"), Path(folder, "brain.nii.gz")
        nibabel.save(nibabel.Nifti1Image(scan.data, scan.affine), source)
        done = subprocess.run(
            [stripper.program, *stripper.arguments(source, target)], capture_output=True, text=True, check=False
        )
        if done.returncode or not target.is_file():
            said = (done.stderr or done.stdout).strip().splitlines() or ["it wrote nothing"]
            raise BadScan(scan.path, f"{stripper.program} failed ({done.returncode}): {said[-1][:200]}")
        image: Any = nibabel.load(target)
        found = np.squeeze(np.asarray(image.dataobj)) != 0
    if found.shape != scan.data.shape:
        raise BadScan(scan.path, f"{stripper.program} wrote {found.shape} voxels for a scan of {scan.data.shape}")
    return found
