"""OpenSimplex noise against its public code's values and a plain sum; deviation, correlation, continuity, seeds."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainings import generator
from uadbench.methods.anomalies.noise import GRADIENTS, TABLE, simplex, simplex_noise

VALUES = Path(__file__).parent / "opensimplex.csv"


def plain(x: float, y: float, z: float, table: list[int]) -> float:
    """Noise at one point: every lattice point within reach adds its faded gradient ramp."""
    total = 0.0
    near = [round(side - (x + y + z) / 6) for side in (x, y, z)]
    for step in itertools.product(range(-4, 5), repeat=3):
        point = [n + s for n, s in zip(near, step, strict=True)]
        away = [side - p - sum(point) / 3 for side, p in zip((x, y, z), point, strict=True)]
        number = 0
        for p in point:
            number = table[(number + p) % TABLE]
        ramp = sum(g * d for g, d in zip(GRADIENTS[number % 24], away, strict=True))
        total += max(0.0, 2 - sum(d**2 for d in away)) ** 4 * ramp
    return total / 103


def stored_points() -> tuple[torch.Tensor, torch.Tensor]:
    """Our values and those of AnoDDPM's simplex.py (Julian-Wyatt/AnoDDPM 3052f04) at 80 points, with one table."""
    table = torch.rand((1, TABLE), generator=generator(7)).argsort(1)
    with open(VALUES, newline="") as file:
        rows = torch.tensor([[float(value) for value in row.values()] for row in csv.DictReader(file)])
    x, y, z, expected = rows.T
    return simplex(z[None, None], y[None, None], x[None, None], table)[0, 0], expected


def test_octave_has_the_values_of_the_public_code():
    ours, theirs = stored_points()
    assert len(ours) == 80
    torch.testing.assert_close(ours, theirs, atol=3e-5, rtol=0)


def test_octave_against_points_one_by_one():
    table = torch.rand((2, TABLE), generator=generator()).argsort(1)
    z, y, x = torch.tensor([0.3, -4.6])[:, None, None], torch.linspace(-3, 5, 5)[:, None], torch.linspace(0.1, 7, 4)
    values = simplex(z, y.expand(2, 5, 1), x, table)
    for image, i, j in np.ndindex(2, 5, 4):
        expected = plain(float(x[j]), float(y[i, 0]), float(z[image, 0, 0]), table[image].tolist())
        assert float(values[image, i, j]) == pytest.approx(expected, abs=1e-4)


def test_deviation_and_correlation_are_the_published_ones():
    """Of six planes made by the public code: deviation 0.50, correlation 0.81, 0.67, 0.48 at 4, 8 and 16 voxels."""
    noise = simplex_noise((64, 1, 64, 128), generator())[:, 0]
    assert noise.std().item() == pytest.approx(0.51, abs=0.03)
    found = [(noise[..., k:] * noise[..., :-k]).mean() / noise.square().mean() for k in (4, 8, 16)]
    assert [value.item() for value in found] == pytest.approx([0.81, 0.67, 0.48], abs=0.06)


def test_values_fill_their_range():
    one = simplex_noise((16, 1, 64, 64), generator(), frequency=7.3, octaves=1)
    assert one.abs().max() <= 1
    assert one.abs().max() > 0.7
    assert one.std().item() == pytest.approx(0.32, abs=0.03)
    assert abs(float(one.mean())) < 0.02
    six = simplex_noise((16, 1, 64, 64), generator())
    assert six.abs().max() <= (1 - 0.8**6) / (1 - 0.8)


def test_noise_is_continuous_across_cells():
    values = simplex_noise((2, 1, 400, 400), generator(2), frequency=200, octaves=1)
    steepest = max(values.diff(dim=2).abs().max(), values.diff(dim=3).abs().max())
    assert steepest < 10 / 200  # a jump would be as large as the values


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
