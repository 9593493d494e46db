"""Heads and brains of known place, made from the template, and small files for the tests of the data."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from uadbench.data.grid import Grid
from uadbench.data.index import layout, sheet
from uadbench.data.index.layout import Files
from uadbench.data.preprocessing import preprocess
from uadbench.data.preprocessing.brain import brain
from uadbench.data.preprocessing.reading import geometry
from uadbench.data.preprocessing.reading.scan import Scan, read_scan
from uadbench.data.preprocessing.registration import registration, template
from uadbench.data.preprocessing.settings import Preprocessing

SETTINGS = '{"spacing": 4, "normalisation": "p99_5_brain"}'
FAST = Preprocessing(spacing=4.0, normalisation="p99_5_brain")


def posed(pitch: float, yaw: float, shift: tuple[float, float, float], size: float) -> np.ndarray:
    """A matrix from template to scan millimetres."""
    a, c = np.deg2rad((pitch, yaw))
    turn = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]) @ turn
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * size, shift
    return matrix


def scanned(image: np.ndarray, affine: np.ndarray, matrix: np.ndarray, grid: Grid) -> np.ndarray:
    """Template-space values as a scan on `grid` shows them."""
    return geometry.sample(image, affine, grid, np.linalg.inv(matrix))


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance (mm) between where two matrices bring the brain of the template."""
    voxels = np.argwhere(mni().at(8.0).mask)
    points = mni().at(8.0).grid.affine @ np.vstack([voxels.T, np.ones(len(voxels))])
    return float(np.linalg.norm(((found - truth) @ points)[:3], axis=0).mean())


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def mni() -> template.Template:
    return template.load("mni152")


NATIVE = geometry.upright(np.array([-95.0, -115.0, -110.0]), np.array([95.0, 125.0, 105.0]), 3.5)
POSE = posed(12, -6, (4, -14, -9), 0.94)


def head(t2: bool = False) -> np.ndarray:
    """A whole head around the template's brain: fluid, bone, fat and a neck, in template space at 3 mm."""
    source = mni().at(3.0)
    grid = geometry.upright(np.array([-115.0, -150.0, -135.0]), np.array([115.0, 120.0, 105.0]), 3.0)
    image = geometry.sample(source.image, source.grid.affine, grid) * 100
    inside = geometry.sample(source.share, source.grid.affine, grid) > 0.5
    around = brain.distance(inside, grid.spacing)
    x, y, z = (np.indices(grid.shape).reshape(3, -1).T * 3.0 + grid.affine[:3, 3]).T.reshape(3, *grid.shape)
    neck = (np.hypot(x, y + 40) < 50) & (z < -50) & (around > 9)
    image = np.where(inside, (150 - image) if t2 else image, 0)
    image[(around > 0) & (around <= 2.5)] = 160 if t2 else 15
    image[neck] = 70
    image[(around > 9) & (around <= 15)] = 130
    noise = np.random.default_rng(0).normal(0, 1.5, image.shape)
    return np.abs(ndimage.gaussian_filter(image, 0.6) + noise).astype(np.float32)


HEAD_AFFINE = geometry.upright(np.array([-115.0, -150.0, -135.0]), np.array([115.0, 120.0, 105.0]), 3.0).affine


def nifti(path: Path, data: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2.0, 2, 2, 1]) if affine is None else affine), path)
    return path


def touch(root: Path, *names: str) -> None:
    """Make empty files, with their folders."""
    for path in (root / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(name: str, root: Path) -> list[tuple[str, str, str, str]]:
    """Subject, T1, T2 and mask of each subject that a layout finds."""
    subjects = layout.load(name).subjects(root)
    return [(f.subject, *(path.as_posix() if path else "" for path in (f.t1, f.t2, f.mask))) for f in subjects]


def random_volume(shape: tuple[int, ...] = (12, 13, 14)) -> np.ndarray:
    return np.random.default_rng(0).random(shape).astype(np.float32)


@pytest.fixture(scope="session")
def extracted_scan() -> Scan:
    image = scanned(mni().image, mni().affine, POSE, NATIVE) * 800
    image[scanned(mni().mask, mni().affine, POSE, NATIVE) < 0.5] = 0
    return Scan(Path("extracted.nii.gz"), image, NATIVE.affine)


@pytest.fixture(scope="session")
def head_scan() -> Scan:
    return Scan(Path("head.nii.gz"), scanned(head(), HEAD_AFFINE, POSE, NATIVE), NATIVE.affine)


@pytest.fixture(scope="session")
def sound(request, extracted_scan) -> Scan:
    """A scan without fault: a real one on voxels of 3 mm where there are real ones, else a simulated one."""
    try:
        folder = request.getfixturevalue("mri_mini")
    except pytest.skip.Exception:
        data, affine = extracted_scan.data, extracted_scan.affine
    else:
        found = read_scan(next(folder.rglob("BraTS20_Training_001_t1.nii.gz")))
        data, affine = found.data[::3, ::3, ::3], found.affine @ np.diag([3.0, 3, 3, 1])
    return Scan(Path("sound.nii.gz"), np.rint(data).astype(np.float32), affine)


def second(scan: Scan) -> np.ndarray:
    """The scan with its contrast turned round, as a T2."""
    return np.where(scan.data > 0, 1.1 * scan.data.max() - scan.data, 0).astype(np.float32)


def outline(scan: Scan) -> np.ndarray:
    """Labels 1 and 4 in the middle of the brain."""
    x, y, z = (round(float(v)) for v in np.argwhere(scan.data > 0).mean(axis=0))
    labels = np.zeros(scan.data.shape, np.uint8)
    labels[x - 3 : x, y - 3 : y + 3, z - 3 : z + 3] = 1
    labels[x : x + 3, y - 3 : y + 3, z - 3 : z + 3] = 4
    return labels


class Cohort:
    """A folder of subjects, each with a T1, a T2 and a mask, and the rows of its sheet."""

    def __init__(self, folder: Path, scan: Scan) -> None:
        self.raw, self.folder, self.scan = folder / "raw", folder, scan
        self.rows: list[tuple[Files, str]] = []

    def add(self, name: str, t2: bool = True, mask: bool = True) -> Path:
        root = self.raw / name
        root.mkdir(parents=True)
        nifti(root / "t1.nii.gz", self.scan.data, self.scan.affine)
        nifti(root / "t2.nii.gz", second(self.scan), self.scan.affine)
        nifti(root / "mask.nii.gz", outline(self.scan), self.scan.affine)
        files = [Path(name, f"{kind}.nii.gz") for kind in ("t1", "t2", "mask")]
        self.rows.append((Files(name, files[0], files[1] if t2 else None, files[2] if mask else None), "test"))
        return root

    def sheet(self) -> sheet.Sheet:
        return sheet.write(self.folder / "subjects.csv", self.raw, self.rows)


@pytest.fixture(scope="module")
def found_once(sound):
    """Makes preprocessing find the brain of the sound scan once, not again for each of its copies."""
    place, find = registration.locate(sound, mni(), FAST), preprocess.locate

    def once(scan, template, chosen, *rest):
        same = scan.data.shape == sound.data.shape and (scan.data == sound.data).all()
        return place if same else find(scan, template, chosen, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preprocess, "locate", once)
        yield


#: where the scans of one head have it, and their voxels: thick slices, other axes and sizes
SHIFTS = {
    **{"t1": np.eye(4), "t2": posed(4, -3, (6, -5, 8), 1.0)},
    **{"flair": posed(-5, 2, (-7, 6, 4), 1.0), "t1c": posed(2, 3, (3, 3, -4), 1.0)},
}
GRIDS = {
    **{"t1": NATIVE, "t1c": NATIVE},
    "t2": Grid((62, 70, 44), np.array([[3.2, 0, 0, -98], [0, 3.6, 0, -118], [0, 0, 5.0, -112], [0, 0, 0, 1]])),
    "flair": Grid((46, 64, 72), np.array([[0, 3.1, 0, -98], [0, 0, 3.5, -118], [4.8, 0, 0, -112], [0, 0, 0, 1]])),
}


def lesion(grid: Grid) -> np.ndarray:
    """A ball of 15 mm off the middle of the brain, in template space."""
    x, y, z = (np.indices(grid.shape).T @ grid.affine[:3, :3].T + grid.affine[:3, 3]).T
    return np.hypot(np.hypot(x - 28, y + 20), z - 18) < 15


@pytest.fixture(scope="session")
def raw(tmp_path_factory) -> Path:
    """Four scans of one extracted brain in poses of their own, and the lesion delineated on each."""
    folder, whole = tmp_path_factory.mktemp("modalities"), mni()
    sources = (whole.image, whole.mask, lesion(Grid(whole.image.shape, whole.affine)))
    for kind, grid in GRIDS.items():
        sampled = (scanned(data.astype(np.float32), whole.affine, SHIFTS[kind] @ POSE, grid) for data in sources)
        image, mask, blob = sampled
        image = 900 - 800 * image if kind in ("t2", "flair") else image * 800
        nifti(folder / f"{kind}.nii.gz", np.where(mask > 0.5, np.maximum(image, 1), 0), grid.affine)
        nifti(folder / f"{kind}-mask.nii.gz", (blob > 0.5).astype(np.uint8), grid.affine)
    return folder
