"""Brain extraction by external programs: HD-BET, SynthStrip, ROBEX."""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from uadbench.core.errors import HarnessError
from uadbench.data.preprocessing.reading.scan import BadScan, Scan

#: name of HD-BET's mask for `-o brain.nii.gz`, which cannot be changed
MASK = "brain_bet.nii.gz"


@dataclass(frozen=True)
class Stripper:
    """A program: its name on the PATH, its arguments, and its source.

    arguments: with the files {scan}, {mask} to write, and {brain} to write, the extracted scan, beside it.
    """

    program: str
    arguments: str
    source: str


STRIPPERS = {
    # Isensee et al. 2019, version 2; without test-time mirroring, which would make eight predictions instead of one.
    "hd-bet": Stripper(
        "hd-bet",
        "-i {scan} -o {brain} --save_bet_mask --no_bet_image -device cpu --disable_tta",
        "pip install hd-bet",
    ),
    # Hoopes et al. 2022, in FreeSurfer 7.3 and later.
    "synthstrip": Stripper(
        "mri_synthstrip",
        "-i {scan} -m {mask}",
        "install FreeSurfer, or its script mri_synthstrip",
    ),
    # Iglesias et al. 2011, version 1.2: scan, extracted scan, mask, and a seed, without which runs differ.
    "robex": Stripper(
        "runROBEX.sh",
        "{scan} {brain} {mask} 1",
        "unpack ROBEX 1.2 from NITRC and put its folder on the PATH",
    ),
}


def check(name: str) -> None:
    """Raise HarnessError if preprocessing names a program that is not installed."""
    if name in STRIPPERS and shutil.which(STRIPPERS[name].program) is None:
        stripper = STRIPPERS[name]
        raise HarnessError(
            f"preprocessing.brain: {name}: no program {stripper.program} on the PATH;"
            f" {stripper.source}, or use `template`"
        )


def extract(name: str, scan: Scan) -> np.ndarray:
    """Brain mask (I, J, K) bool of a scan by the named program.

    Raises BadScan with the program's last line if it fails on the scan, HarnessError if it cannot be started.
    """
    stripper = STRIPPERS[name]
    with tempfile.TemporaryDirectory(prefix="brain-") as folder:
        files = {"scan": Path(folder, "scan.nii.gz"), "brain": Path(folder, "brain.nii.gz"), "mask": Path(folder, MASK)}
        nibabel.save(nibabel.Nifti1Image(scan.data, scan.affine), files["scan"])
        command = [stripper.program, *(part.format(**files) for part in stripper.arguments.split())]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise HarnessError(
                f"preprocessing.brain: {name}: {stripper.program} cannot be started ({error.strerror});"
                f" {stripper.source}"
            ) from error
        if done.returncode or not files["mask"].is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            what = f"failed ({done.returncode})" if done.returncode else "wrote no mask"
            raise _failed(scan, stripper, f"{what}: {said.strip()[:200]}")
        try:
            image: Any = nibabel.load(files["mask"])
            found = np.squeeze(np.asarray(image.dataobj)) > 0
        except Exception as error:
            raise _failed(scan, stripper, f"wrote a mask that cannot be read ({type(error).__name__})") from error
    if found.shape != scan.data.shape or not np.allclose(image.affine, scan.affine, atol=1e-2):
        raise _failed(scan, stripper, f"wrote a mask of other voxels ({found.shape}) than the scan's {scan.data.shape}")
    return found


def _failed(scan: Scan, stripper: Stripper, what: str) -> BadScan:
    return BadScan(scan.path, f"{stripper.program} {what}; try it by hand, or use `brain: template`")
