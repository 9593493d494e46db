"""The batched Poisson solver against a sparse direct solve in float64."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve

from uadbench.methods.anomalies import poisson

NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


def direct(host: np.ndarray, foreign: np.ndarray, mask: np.ndarray, alpha: float) -> np.ndarray:
    """One image, voxel by voxel: mixed guidance, Dirichlet boundary, LU."""
    places = [(y, x) for y, x in np.argwhere(mask) if 0 < y < mask.shape[0] - 1 and 0 < x < mask.shape[1] - 1]
    number = {place: index for index, place in enumerate(places)}
    matrix, right = sparse.lil_matrix((len(places), len(places))), np.zeros(len(places))
    for (y, x), row in number.items():
        matrix[row, row] = 4
        for dy, dx in NEIGHBOURS:
            other = (y + dy, x + dx)
            wanted = alpha * (foreign[y, x] - foreign[other])
            own = (1 - alpha) * (host[y, x] - host[other])
            right[row] += own if abs(own) > abs(wanted) else wanted
            if other in number:
                matrix[row, number[other]] = -1
            else:
                right[row] += host[other]
    result = host.copy()
    if places:
        result[tuple(np.array(places).T)] = spsolve(matrix.tocsc(), right)
    return result


def images(count: int, height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.standard_normal((count, height, width)), (0, 2, 2))
    return np.clip(0.5 + smooth + 0.05 * rng.standard_normal(smooth.shape), 0, 1)


def masks(kind: str, count: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    if kind == "squares":
        result = np.zeros((count, height, width), bool)
        for mask in result:
            y, x, side = rng.integers(0, height - 8), rng.integers(0, width - 8), rng.integers(3, 30)
            mask[y : y + side, x : x + side] = True
        return result
    if kind == "speckles":
        return rng.random((count, height, width)) < 0.6
    return gaussian_filter(rng.standard_normal((count, height, width)), (0, 4, 4)) > 0


@pytest.mark.parametrize(
    ("kind", "rectangles"), [("squares", True), ("squares", False), ("speckles", False), ("islands", False)]
)
def test_equals_a_sparse_direct_solve(kind, rectangles):
    count, height, width = 6, 44, 37
    host, foreign = images(count, height, width, 1), images(count, height, width, 2)
    mask = masks(kind, count, height, width)
    alpha = np.linspace(0.05, 0.95, count)
    tensors = [torch.from_numpy(array[:, None].astype(np.float32)) for array in (host, foreign)]
    weights = torch.from_numpy(alpha).float()
    ours = poisson.blend(*tensors, torch.from_numpy(mask[:, None]), weights, rectangles=rectangles)[:, 0].numpy()
    assert np.abs(ours - host).max() > 0.1
    for index in range(count):
        expected = direct(host[index], foreign[index], mask[index], alpha[index])
        np.testing.assert_allclose(ours[index], expected, atol=1e-4)


@pytest.mark.parametrize("rectangles", [True, False])
def test_outside_the_mask_and_at_the_border_nothing_changes(rectangles):
    host, foreign = (torch.from_numpy(images(2, 24, 20, seed)[:, None].astype(np.float32)) for seed in (1, 2))
    mask = torch.zeros((2, 1, 24, 20), dtype=torch.bool)
    mask[0] = True  # reaches the border; the second image has none
    blended = poisson.blend(host, foreign, mask, torch.tensor([0.7, 0.7]), rectangles=rectangles)
    assert torch.equal(blended[1], host[1])
    assert torch.equal(blended[0, 0, 0], host[0, 0, 0])
    assert torch.equal(blended[0, 0, :, -1], host[0, 0, :, -1])


def test_a_foreign_constant_of_weight_one_gives_the_harmonic_interpolation():
    """Without wanted differences the host's interior is forgotten: a linear ramp on the boundary stays a ramp."""
    ramp = torch.linspace(0, 1, 30)[None, None, None].expand(1, 1, 26, 30).clone()
    host = ramp.clone()
    host[..., 5:20, 5:20] = torch.rand((15, 15), generator=torch.Generator().manual_seed(0))
    mask = torch.zeros_like(host, dtype=torch.bool)
    mask[..., 5:20, 5:20] = True
    blended = poisson.blend(host, torch.full_like(host, 0.3), mask, torch.ones(1))
    torch.testing.assert_close(blended, ramp, atol=1e-4, rtol=0)


def test_large_rectangles_keep_their_digits():
    """Residual in float64 of the whole slice of 128 voxels, whose angles reach 128 pi."""
    draw = torch.Generator().manual_seed(0)
    host, right = torch.rand((2, 1, 128, 112), generator=draw), torch.randn((2, 1, 128, 112), generator=draw)
    mask = torch.zeros((2, 1, 128, 112), dtype=torch.bool)
    mask[0, :, 1:-1, 1:-1] = True
    mask[1, :, 40:47, 3:100] = True
    solved = poisson.solve_rectangles(host, mask, right).double()
    assert solved[mask].abs().max() > 3
    assert (poisson._laplacian(solved) - right)[mask].abs().max() < 2e-4
    assert torch.equal(solved[~mask], host.double()[~mask])
