"""Heads and brains of known place, made from the template, and small files for the tests of the data."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from harness.data import brain, geometry, template
from harness.data.geometry import Grid
from harness.data.scan import Scan
from harness.data.settings import Preprocessing

FAST = Preprocessing(spacing=4.0, intensity="p99_brain")


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
