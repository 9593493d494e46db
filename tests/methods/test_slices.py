"""Scoring by windows and by slices."""

import numpy as np
import pytest
import torch

from tests.trainings import built
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import scaled, tiled


def volume(depth: int = 5, height: int = 45, width: int = 37) -> torch.Tensor:
    values = 0.1 + torch.rand((depth, height, width), generator=torch.Generator().manual_seed(0))
    values[0] = 0
    values[:, :3] = 0
    return values


@pytest.mark.parametrize("patch", [8, 16, 24, 37, 64])
def test_windows_of_a_local_function_give_it_back(patch):
    image = volume()
    maps = tiled(lambda x: {"final": x, "twice": 2 * x}, image, patch, 3)
    torch.testing.assert_close(maps, {"final": image, "twice": 2 * image})


def test_batch_changes_nothing():
    image = volume()
    kernel = torch.rand((1, 1, 5, 5), generator=torch.Generator().manual_seed(1))
    blur = lambda x: {"final": torch.nn.functional.conv2d(x, kernel, padding=2)}  # noqa: E731
    for apply in (tiled, scaled):
        torch.testing.assert_close(apply(blur, image, 16, 1), apply(blur, image, 16, 100))


def test_outside_of_the_brain_is_zero():
    image = volume()
    for apply in (tiled, scaled):
        assert (apply(lambda x: {"final": x + 1}, image, 16, 4)["final"][image == 0] == 0).all()
        assert (apply(lambda x: {"final": x + 1}, torch.zeros((2, 9, 9)), 16, 4)["final"] == 0).all()


def test_windows_weigh_their_middle_most():
    image = torch.ones((1, 16, 24))
    seen = []

    def numbered(x):
        seen.append(x)
        return {"final": torch.full_like(x, float(len(seen)))}

    result = tiled(numbered, image, 16, 1)["final"][0]
    assert result[8, 2] == pytest.approx(1, abs=0.05)
    assert result[8, 21] == pytest.approx(2, abs=0.05)
    assert result[8, 11:13].mean() == pytest.approx(1.5, abs=0.1)


def test_slices_come_back_in_their_size():
    y = torch.linspace(0.2, 1, 60)[None, :, None].repeat(2, 1, 40)
    result = scaled(lambda x: {"final": x}, y, 32, 1)["final"]
    assert result.shape == (2, 60, 40)
    assert (result - y).abs().max() < 0.03


def windowed(score, image: np.ndarray, side: int, step: int) -> np.ndarray:
    """The map of a slice (H, W) by windows of a fixed stride, written anew: the slice in the middle of zeros."""
    more = [max(side - length, -(length - side) % step) for length in image.shape]
    padded = np.pad(image, [(extra // 2, extra - extra // 2) for extra in more])
    offset = np.arange(side) - (side - 1) / 2
    bell = np.exp(-(offset**2) / (2 * (side / 8) ** 2))
    weight = np.maximum(np.outer(bell, bell), 1e-3)
    total, weights = np.zeros(padded.shape), np.zeros(padded.shape)
    for row in range(0, padded.shape[0] - side + 1, step):
        for column in range(0, padded.shape[1] - side + 1, step):
            at = (slice(row, row + side), slice(column, column + side))
            total[at] += weight * score(padded[at])
            weights[at] += weight
    middle = tuple(slice(extra // 2, extra // 2 + length) for extra, length in zip(more, image.shape, strict=True))
    return (total / weights)[middle] * (image > 0)


@pytest.mark.parametrize("shape", [(45, 37), (32, 56), (17, 61), (20, 9), (32, 32), (49, 33)])
@pytest.mark.parametrize(("overlap", "step"), [(0.75, 8), (0.5, 16)])
def test_fixed_windows_are_those_of_a_padded_slice(shape, overlap, step):
    """By a map that depends on the place in the window and on all that is in it."""
    slope = np.linspace(0, 1, 32)[:, None] + np.linspace(0, 3, 32) ** 2
    image = volume(3, *shape)
    scores = lambda x: {"final": x * torch.from_numpy(slope) + x.mean((2, 3), keepdim=True)}  # noqa: E731
    found = tiled(scores, image, 32, 2, overlap, "fixed")["final"]
    for ours, one in zip(found.numpy(), image.double().numpy(), strict=True):
        expected = windowed(lambda x: x * slope + x.mean(), one, 32, step)
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("length", "starts"),
    [(153, [-3, 29]), (189, [-1, 31, 63]), (128, [0]), (160, [0, 32]), (101, [-13]), (161, [-15, 17, 49])],
)
def test_fixed_windows_of_the_paper_start_where_those_of_the_public_code_do(length, starts):
    seen = []
    code = torch.arange(1.0, length + 1).expand(128, length)[None]

    def noted(images: torch.Tensor) -> dict[str, torch.Tensor]:
        row = images[0, 0, 64]
        seen.append(int((row - torch.arange(128))[row > 0][0]) - 1)
        return {"final": images}

    tiled(noted, code, 128, 1, 0.75, "fixed")
    assert seen == starts


def test_a_method_scores_with_the_windows_of_its_parameters():
    image = volume(2, 41, 39)
    even, fixed = (built("disyre", windows=windows, overlap=0.75) for windows in ("even", "fixed"))
    for method in (even, fixed):
        method.final_slices = lambda images, rng: images.mean((2, 3), keepdim=True).expand_as(images)
    expected = windowed(np.mean, image[1].double().numpy(), 32, 8)
    np.testing.assert_allclose(fixed.final(image, Streams(0))[1], expected, atol=1e-6)
    assert abs(even.final(image, Streams(0))[1].numpy() - expected).max() > 1e-3
