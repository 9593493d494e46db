"""Scoring by windows and by slices."""

from __future__ import annotations

import pytest
import torch

from harness.scoring.windows import _starts, by_slices, by_windows


def volume(depth: int = 5, height: int = 45, width: int = 37) -> torch.Tensor:
    values = 0.1 + torch.rand((depth, height, width), generator=torch.Generator().manual_seed(0))
    values[0] = 0
    values[:, :3] = 0
    return values


@pytest.mark.parametrize("patch", [16, 24, 64])
def test_windows_of_a_local_function_give_it_back(patch):
    image = volume()
    result = by_windows(lambda x: torch.cat([x, 2 * x], 1), image, patch, 3)
    assert result.shape == (2, *image.shape)
    torch.testing.assert_close(result[0], image)
    torch.testing.assert_close(result[1], 2 * image)


def test_batch_changes_nothing():
    image = volume()
    kernel = torch.rand((1, 1, 5, 5), generator=torch.Generator().manual_seed(1))
    blur = lambda x: torch.nn.functional.conv2d(x, kernel, padding=2)  # noqa: E731
    torch.testing.assert_close(by_windows(blur, image, 16, 1), by_windows(blur, image, 16, 100))


def test_outside_of_the_brain_is_zero():
    image = volume()
    for apply in (by_windows, by_slices):
        assert (apply(lambda x: x + 1, image, 16, 4)[0][image == 0] == 0).all()
        assert (apply(lambda x: x + 1, torch.zeros((2, 9, 9)), 16, 4) == 0).all()


def test_windows_weigh_their_middle_most():
    image = torch.ones((1, 16, 24))
    seen = []

    def numbered(x):
        seen.append(x)
        return torch.full_like(x, float(len(seen)))

    result = by_windows(numbered, image, 16, 1)[0, 0]
    assert result[8, 2] == pytest.approx(1, abs=0.05)
    assert result[8, 21] == pytest.approx(2, abs=0.05)
    assert result[8, 11:13].mean() == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize(("length", "window"), [(128, 128), (152, 128), (184, 128), (200, 16)])
def test_windows_cover_everything(length, window):
    starts = _starts(length, window)
    covered = {place for start in starts for place in range(start, start + window)}
    assert covered == set(range(length))
    assert len(set(starts)) == len(starts)


def test_slices_come_back_in_their_size():
    y = torch.linspace(0.2, 1, 60)[None, :, None].repeat(2, 1, 40)
    result = by_slices(lambda x: x, y, 32, 1)
    assert result.shape == (1, 2, 60, 40)
    assert (result[0] - y).abs().max() < 0.03
