"""One simulated subject of each data set: its anatomy, its scans in memory, and the ground truth of its lesion."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from uadbench.data.grid import Grid, rotation
from uadbench.simulation import strokes, tumours
from uadbench.simulation.anatomy import NATIVE, REGISTERED, push, random_anatomy, sphere_radius
from uadbench.simulation.head import Mixture, mix, random_shell, render
from uadbench.simulation.physics import Sequence, Tissue, bias_field, rician, vary, with_gadolinium
from uadbench.simulation.scanners import Scanner, choose, varied
from uadbench.simulation.scans import boxed, oriented, quantise

ORIENTATIONS = ("RAS", "LAS", "LPS", "PSR", "ASR", "PIR", "RPS", "LSA")


class SubjectStreams:
    """Random generators of one subject, by purpose: adding a subject or a purpose does not change any other."""

    def __init__(self, seed: int, dataset: str, subject: str) -> None:
        self.seed = seed
        self.key = (zlib.crc32(dataset.encode()), zlib.crc32(subject.encode()))

    def __call__(self, purpose: str) -> np.random.Generator:
        """A fresh generator for `purpose` (the same one on every call)."""
        key = (*self.key, zlib.crc32(purpose.encode()))
        return np.random.default_rng(np.random.SeedSequence(entropy=self.seed, spawn_key=key))


@dataclass
class SimulatedScan:
    """Voxels on a grid, and the NIfTI code of its space."""

    voxels: npt.NDArray[np.generic]
    grid: Grid
    form: int


@dataclass
class SimulatedSubject:
    """Scans by the last part of their file name, and the subject's ground truth."""

    scans: dict[str, SimulatedScan] = field(default_factory=dict)
    truth: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Acquisition:
    """Simulation of a scan from tissue fractions."""

    scanner: Scanner
    sequence: Sequence
    bias: float = 1.0  # spread of the logarithm of the coil profile, relative to the scanner's
    detail: float = 1.0  # weight of the template's T1 detail; negative where a longer T1 makes tissue brighter
    form: int = 1
    stripped: bool = False  # set to zero outside the brain

    def scan(self, rng: np.random.Generator, mixture: Mixture, grid: Grid, tissues: dict[str, Tissue]) -> SimulatedScan:
        """The stored grey values of tissue fractions on a grid; `tissues` are those at 3 T."""
        sequence = varied(rng, self.sequence)
        signals = {tissue: sequence.signal(values) for tissue, values in self.scanner.tissues(tissues).items()}
        white = signals["white"]
        image = render(mixture, signals, self.detail)
        image *= bias_field(rng, mixture.posed, self.bias * self.scanner.coil)
        image = rician(rng, image, white * self.scanner.noise(rng))
        if self.stripped:
            image = image * (mixture.brain > 0.5)
        return SimulatedScan(quantise(image, white, rng.uniform(250, 900)), grid, self.form)


def camcan(streams: SubjectStreams, spacing: float) -> SimulatedSubject:
    """A healthy adult of 18 to 88 years in scanner space: T1w (MPRAGE) and T2w on different grids."""
    rng = streams("subject")
    age = float(rng.uniform(18, 88))
    anatomy = random_anatomy(streams("anatomy"), age, NATIVE)
    shell = random_shell(streams("shell"))
    tissues = vary(streams("tissues"))
    scanner = choose(streams("scanner"), "camcan")
    acquisitions = {"T1w": Acquisition(scanner, scanner.t1), "T2w": Acquisition(scanner, scanner.t2, detail=-0.7)}
    subject = SimulatedSubject(truth=_truth(age, scanner, "none", 0.0))
    for name, acquisition in acquisitions.items():
        place = streams(f"grid {name}")
        zooms = tuple(float(spacing * f) for f in place.uniform((0.94, 0.94, 0.94), (1.08, 1.04, 1.04)))
        centre = np.array([0.0, -12.0, -14.0]) + place.normal(0, 3, 3)
        grid = oriented(str(place.choice(ORIENTATIONS)), (192, 240, 240), zooms, centre)  # type: ignore[arg-type]
        # The head moves a little between the scans, and the slices are tilted.
        tilt = np.eye(4)
        tilt[:3, :3] = rotation(np.deg2rad(place.normal(0, 3, 3)))
        moved = place.normal(0, 0.7, 3) if name == "T2w" else np.zeros(3)
        grid = Grid(grid.shape, tilt @ grid.affine)
        mixture = mix(anatomy, shell, grid.points(moved), spacing)
        subject.scans[name] = acquisition.scan(streams(f"scan {name}"), mixture, grid, tissues)
    return subject


def atlas(streams: SubjectStreams, spacing: float) -> SimulatedSubject:
    """A patient with a chronic stroke: T1w with skull in MNI152NLin2009aSym space, and the mask of the lesion."""
    rng = streams("subject")
    age = float(np.clip(rng.normal(62, 12), 25, 90))
    anatomy = random_anatomy(streams("anatomy"), age, REGISTERED)
    grid = boxed((-98, -134, -72), (1, 1, 1), (197, 233, 189), spacing)
    tissues = vary(streams("tissues"))
    scanner = choose(streams("scanner"), "atlas")
    lesion = strokes.random_stroke(streams("lesion"))
    pull = strokes.shrinkage(lesion, anatomy, streams("shrinkage"))
    mixture = mix(anatomy, random_shell(streams("shell")), grid.points(), spacing, pull)
    mask = strokes.insert(mixture, lesion, streams("shape"), grid.voxel_ml, grid.mean_spacing)
    subject = SimulatedSubject(truth=_truth(age, scanner, lesion.region, mask.sum() * grid.voxel_ml))
    acquisition = Acquisition(scanner, scanner.t1, form=4)
    subject.scans["T1w"] = acquisition.scan(streams("scan T1w"), mixture, grid, tissues)
    subject.scans["label-L_desc-T1lesion_mask"] = SimulatedScan(mask, grid, 4)
    return subject


def brats(streams: SubjectStreams, spacing: float) -> SimulatedSubject:
    """A patient with a glioma: skull-stripped T1, T1 with contrast agent, T2, FLAIR and labels on the SRI24 grid."""
    rng = streams("subject")
    age = float(np.clip(rng.normal(60, 12), 20, 85))
    anatomy = random_anatomy(streams("anatomy"), age, REGISTERED)
    grid = boxed((0, 239, 0), (-1, -1, 1), (240, 240, 155), spacing)
    tissues = vary(streams("tissues"))
    tumour = tumours.random_tumour(streams("lesion"))
    mass_effect = push(anatomy, tumour.centre, sphere_radius(tumour.core), tumour.mass)
    # The shift aligns the middle of the MNI152 brain with that of SRI24.
    mixture = mix(anatomy, None, grid.points((120, -136, -72)), spacing, mass_effect)
    labels = tumours.insert(mixture, tumour, streams("shape"), grid.voxel_ml, grid.mean_spacing)
    scanner = choose(streams("scanner"), "brats")
    subject = SimulatedSubject(truth=_truth(age, scanner, "glioma", (labels > 0).sum() * grid.voxel_ml))
    enhanced = tissues | {"rim": with_gadolinium(tissues["rim"], rng.uniform(0.3, 0.6))}
    plan: list[tuple[str, Sequence, float, dict[str, Tissue]]] = [
        ("t1", scanner.t1, 1.0, tissues),
        ("t1ce", scanner.t1, 1.0, enhanced),
        ("t2", scanner.t2, -0.7, tissues),
        ("flair", scanner.flair, -0.3, tissues),
    ]
    for name, sequence, detail, values in plan:
        # The coil profile varies less over a brain without its scalp, and releases of stripped scans are corrected.
        acquisition = Acquisition(scanner, sequence, 0.55, detail, form=2, stripped=True)
        subject.scans[name] = acquisition.scan(streams(f"scan {name}"), mixture, grid, values)
    subject.scans["seg"] = SimulatedScan(labels, grid, 2)
    return subject


def _truth(age: float, scanner: Scanner, lesion: str, millilitres: float) -> dict[str, object]:
    return {
        "age": round(age, 1),
        "scanner": scanner.name,
        "lesion": lesion,
        "lesion_ml": round(float(millilitres), 3),
    }


MAKERS: dict[str, Callable[[SubjectStreams, float], SimulatedSubject]] = {
    "camcan": camcan,
    "atlas": atlas,
    "brats": brats,
}
