"""Time and quality of our affine registration against dipy's as UPD_study ran it, on your own T1-weighted scans.

    python benchmarks/registration.py SCAN.nii.gz …                           with dipy installed beside the harness
    python benchmarks/registration.py --dipy-python DIPY/bin/python SCAN …    with dipy in an environment of its own

Both register the same extracted brains to MNI152 for packed voxels of 1 mm; a scan that still has its skull is
extracted by us first, which is not counted. Ours is all of `locate` for an extracted brain: search, 4 mm, 2 mm, check.
dipy: mutual information of 32 bins over all voxels, iterations 100, 10, 5 at factors 4, 2, 1 with sigmas 3, 1, 1;
centre of mass, translation, rigid, affine. Wall and processor time are of the registration alone, without imports,
reading and resampling. Quality is measured on voxels of 1 mm by the same two functions for both: normalised mutual
information with the template inside its brain (1…2), and the overlap (Dice) of the scan's brain with the template's.
dipy takes minutes for each scan; interrupted, the script sums up what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from uadbench.data.grid import Grid
from uadbench.data.preprocessing.brain import brain
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan, read_scan
from uadbench.data.preprocessing.registration import ants_registration, initialisation, registration, template
from uadbench.data.preprocessing.settings import Preprocessing

WORKER = Path(__file__).with_name("dipy_affine.py")
CHOSEN = Preprocessing(spacing=1.0)
COLUMNS = "| scan | by | wall, s | processor, s | NMI | Dice |"


@dataclass(frozen=True)
class Result:
    """wall, cpu: s; nmi: 1…2; dice: 0…1."""

    wall: float
    cpu: float
    nmi: float
    dice: float

    def row(self, scan: str, by: str) -> str:
        return f"| {scan} | {by} | {self.wall:.1f} | {self.cpu:.1f} | {self.nmi:.4f} | {self.dice:.4f} |"


def extracted(path: Path) -> tuple[Scan, np.ndarray]:
    """The scan with 0 outside of its brain, and the brain (I, J, K) bool."""
    scan = read_scan(path)
    inside = brain.extracted(scan)
    if inside is None:
        place = registration.locate(scan, template.load("mni152"), CHOSEN)
        inside = geometry.sample(place.inside, place.scan.affine, scan.grid) > 0.5
    return Scan(path, np.where(inside, scan.data, 0).astype(np.float32), scan.affine), inside


def cpu() -> float:
    """Processor time (s) of this process, all of its threads, and its children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def ours(scan: Scan) -> tuple[np.ndarray, float, float]:
    """The matrix from template to scan millimetres, wall and processor time (s)."""
    target = template.load("mni152")
    wall, used = time.perf_counter(), cpu()
    matrix = registration.locate(scan, target, CHOSEN).matrix
    return matrix, time.perf_counter() - wall, cpu() - used


def dipys(python: str) -> Callable[[Scan], tuple[np.ndarray, float, float]]:
    """The same by dipy in another Python."""

    def measure(scan: Scan) -> tuple[np.ndarray, float, float]:
        target = template.load("mni152")
        with tempfile.TemporaryDirectory() as folder:
            source, found = Path(folder, "in.npz"), Path(folder, "out.npz")
            np.savez(
                source,
                static=target.image,
                static_affine=target.affine,
                moving=scan.data,
                moving_affine=scan.affine,
            )
            subprocess.run([python, str(WORKER), str(source), str(found)], check=True)
            with np.load(found) as data:
                return data["matrix"], float(data["wall"]), float(data["cpu"])

    return measure


def judged(scan: Scan, inside: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """NMI inside the template's brain and Dice of the brains, on the template's voxels of 1 mm."""
    target = template.load("mni152")
    grid = Grid(target.image.shape, target.affine)
    image = geometry.sample(scan.data, scan.affine, grid, matrix)
    placed = geometry.sample(inside, scan.affine, grid, matrix) > 0.5
    dice = 2 * float((placed & target.mask).sum()) / float(placed.sum() + target.mask.sum())
    return ants_registration.similarity(target.image, image, target.mask), dice


def dipy_version(python: str) -> str | None:
    """What dipy a Python has, None if it has none."""
    code = "import dipy, numpy; print(f'dipy {dipy.__version__} (numpy {numpy.__version__})')"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def summary(results: dict[str, list[Result]]) -> str:
    """One line: how ours compares with dipy's."""
    count = len(results["dipy"])
    mine, other = results["ours"][:count], results["dipy"]
    wall, used = (
        sum(getattr(r, name) for r in mine) / sum(getattr(r, name) for r in other) for name in ("wall", "cpu")
    )
    nmi = [a.nmi - b.nmi for a, b in zip(mine, other, strict=True)]
    dice = [a.dice - b.dice for a, b in zip(mine, other, strict=True)]
    return (
        f"Ours takes {wall:.3f} of dipy's wall time ({1 / wall:.1f} times as fast) and {used:.3f} of its processor time"
        f" ({1 / used:.1f} times); NMI {np.mean(nmi):+.4f} on average ({min(nmi):+.4f} to {max(nmi):+.4f}),"
        f" Dice {np.mean(dice):+.4f} ({min(dice):+.4f} to {max(dice):+.4f}), over {len(mine)} scans."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", nargs="+", type=Path, metavar="SCAN", help="T1-weighted NIfTI file")
    parser.add_argument("--dipy-python", default=sys.executable, metavar="PATH", help="a Python that has dipy")
    options = parser.parse_args()
    ways: dict[str, Callable[[Scan], tuple[np.ndarray, float, float]]] = {"ours": ours}
    found = dipy_version(options.dipy_python)
    if found is not None:
        ways["dipy"] = dipys(options.dipy_python)
    target = template.load("mni152")
    # What every run needs once is no part of a scan's time.
    for spacing in (initialisation.STEP, registration.COARSE, registration.working_spacing(CHOSEN.spacing)):
        target.at(spacing)
    import ants  # noqa: F401

    print(f"antspyx {version('antspyx')}, one thread; {found or 'no dipy'}; numpy {np.__version__}, ", end="")
    print(f"Python {platform.python_version()}, {platform.machine()}, {len(os.sched_getaffinity(0))} cores, ", end="")
    print(f"load {os.getloadavg()[0]:.1f}; stages {', '.join(map(str, registration.AFFINE))} after one at 4 mm\n")
    print(COLUMNS + "\n" + "|---" * 6 + "|", flush=True)
    results: dict[str, list[Result]] = {name: [] for name in ways}
    with contextlib.suppress(KeyboardInterrupt):
        for path in options.scans:
            scan, inside = extracted(path)
            for name, way in ways.items():
                matrix, wall, used = way(scan)
                results[name].append(Result(wall, used, *judged(scan, inside, matrix)))
                print(results[name][-1].row(path.name.removesuffix(".gz").removesuffix(".nii"), name), flush=True)
    if results.get("dipy"):
        print("\n" + summary(results))
    elif "dipy" not in results:
        print("\nno dipy to compare with; name a Python that has it by --dipy-python")


if __name__ == "__main__":
    main()
