"""Simplex noise against a plain implementation point by point; range, continuity, spectrum, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness.anomalies.simplex import TABLE, simplex, simplex_noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def plain(y: float, x: float, table: list[int]) -> float:
    """Noise at one point: every lattice point within reach adds its faded gradient ramp."""
    total = 0.0
    skew, unskew = (math.sqrt(3) - 1) / 2, (3 - math.sqrt(3)) / 6
    column, row = math.floor(x + (x + y) * skew), math.floor(y + (x + y) * skew)
    for i in range(column - 1, column + 3):
        for j in range(row - 1, row + 3):
            dx, dy = x - (i - (i + j) * unskew), y - (j - (i + j) * unskew)
            angle = 2 * math.pi * table[(table[i % TABLE] + j) % TABLE] / TABLE
            total += max(0.0, 0.5 - dx**2 - dy**2) ** 4 * (math.cos(angle) * dx + math.sin(angle) * dy)
    return 81 * 6**0.5 / 2 * total


def test_octave_against_points_one_by_one():
    """The plain sum runs over all neighbours: it also shows that only a triangle's corners reach its inside."""
    table = torch.rand((2, TABLE), generator=generator()).argsort(1)
    y, x = torch.linspace(-3, 5, 13)[:, None], torch.linspace(0.1, 7, 11)
    values = simplex(y.expand(2, 13, 1), x, table)
    for image, i, j in np.ndindex(2, 13, 11):
        expected = plain(float(y[i, 0]), float(x[j]), table[image].tolist())
        assert float(values[image, i, j]) == pytest.approx(expected, abs=1e-4)


def test_values_fill_their_range():
    one = simplex_noise((16, 1, 64, 64), generator(), frequency=7.3, octaves=1)
    assert one.abs().max() <= 1
    assert one.abs().max() > 0.8
    assert abs(float(one.mean())) < 0.02
    six = simplex_noise((16, 1, 64, 64), generator())
    assert six.abs().max() <= (1 - 0.8**6) / (1 - 0.8)


def test_noise_is_continuous_across_triangles():
    values = simplex_noise((2, 1, 400, 400), generator(2), frequency=200, octaves=1)
    steepest = max(values.diff(dim=2).abs().max(), values.diff(dim=3).abs().max())
    assert steepest < 10 / 200  # a slope of 6.2 per cell at a lattice point; a jump would be as large as the values


@pytest.mark.parametrize("cell", [8, 16, 32])
def test_octave_has_its_energy_near_its_frequency(cell):
    values = simplex_noise((32, 1, 128, 128), generator(3), frequency=cell, octaves=1)[:, 0].numpy()
    power = (abs(np.fft.fft2(values)) ** 2).mean(0)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij"))
    mean = (power * frequency).sum() / power.sum()
    assert 0.5 / cell < mean < 1.5 / cell


def test_octaves_add_up_with_their_weights():
    total = simplex_noise((64, 1, 64, 64), generator(4)).var()
    alone = simplex_noise((64, 1, 64, 64), generator(5), frequency=8, octaves=1).var()
    assert float(total / alone) == pytest.approx(sum(0.64**k for k in range(6)), rel=0.25)


def test_seed_and_image_decide_the_noise():
    first, again, other = (simplex_noise((3, 2, 20, 24), generator(seed)) for seed in (1, 1, 2))
    assert first.shape == (3, 2, 20, 24)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    flat = first.reshape(6, -1)
    assert (torch.corrcoef(flat) - torch.eye(6)).abs().max() < 0.9
