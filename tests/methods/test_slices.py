"""Scoring by windows and by slices."""

import pytest
import torch

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
