"""FPI and PII: squares, the rule of the label, and how the foreign image is mixed in."""

import numpy as np
import pytest
import torch

from tests.trainings import built, generator, slices
from uadbench.methods.interpolation import square_masks, weight_label
from uadbench.methods.seeds import Streams
from uadbench.training.sampler import SliceSampler


@pytest.fixture
def batch(tiny_cohort):
    return slices(tiny_cohort).batch(32, Streams(1), 128, resize=True)


def test_label_is_the_weight_where_the_image_changed():
    host = torch.tensor([[0.2, 0.5, 0.5, 0.9]]).reshape(1, 1, 1, 4)
    seen = host + torch.tensor([0.5, 0.0005, -0.002, 0.1]).reshape(1, 1, 1, 4)
    mask = torch.tensor([True, True, True, False]).reshape(1, 1, 1, 4)
    label = weight_label(seen, host, mask, torch.tensor([0.3]), 1e-3)
    np.testing.assert_allclose(label.flatten(), [0.3, 0, 0.3, 0])
    np.testing.assert_allclose(weight_label(seen, host, mask, torch.tensor([0.3]), 0.0).flatten(), [0.3, 0.3, 0.3, 0])


def test_squares_have_their_sides_and_places():
    foreground = torch.zeros((3000, 1, 100, 80), dtype=torch.bool)
    foreground[..., 10:90, 10:70] = True
    masks = square_masks(foreground, generator(), (0.1, 0.4), 0.5)[:, 0].numpy()
    sides, centres = [], []
    for mask in masks:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == len(rows) * len(columns)
        assert abs(len(rows) - len(columns)) <= 1 or columns[0] == 0 or columns[-1] == 79
        sides.append(len(rows))
        centres.append((rows.mean(), columns.mean()))
    assert 8 <= min(sides) <= 12
    assert 38 <= max(sides) <= 41
    assert np.mean(sides) == pytest.approx(25, abs=0.7)
    middle = np.array(centres)
    assert (np.abs(middle[:, 0] - 49.5) <= 25.5).all()
    assert (np.abs(middle[:, 1] - 39.5) <= 20.5).all()


@pytest.mark.parametrize(("spacing", "patch"), [(2.0, 128), (4.0, 128), (1.0, 64)])
def test_squares_keep_their_length(spacing, patch):
    """0.1 to 0.4 of 240 mm at every voxel size and where slices are scaled; of the slice at hand in the variant."""
    side = round(180 / spacing)
    volumes = np.ones((2, 4, side, side), np.float16)
    drawn = SliceSampler(volumes, np.arange(2)).batch(400, Streams(3), patch, resize=True)
    for name, longest in (("fpi", 0.4 * 240), ("pii-upd", 0.4 * drawn.images.shape[-1] * drawn.pixel * spacing)):
        method = built(name, spacing=spacing, patch=patch)
        method.blend = lambda host, foreign, mask, alpha: host + mask
        changed = method.sample(drawn)[0][:, 0] > 1.5
        heights = changed.any(2).sum(1).numpy() * drawn.pixel * spacing
        assert np.quantile(heights, 0.98) == pytest.approx(longest, rel=0.06)


def test_squares_need_no_central_foreground():
    foreground = torch.zeros((20, 1, 32, 32), dtype=torch.bool)
    foreground[..., 0, 3] = True
    masks = square_masks(foreground, generator(), (0.1, 0.4), 0.5)
    assert masks.flatten(1).any(1).all()


def test_fpi_mixes_linearly(batch):
    images, label = built("fpi", tolerance=0.0).sample(batch)
    host, foreign, alpha = batch.images, batch.foreign, label.flatten(1).amax(1)[:, None, None, None]
    expected = torch.where(label > 0, (1 - alpha) * host + alpha * foreign, host)
    torch.testing.assert_close(images, expected, atol=1e-6, rtol=0)
    weights = [np.unique(one[one > 0]) for one in label.numpy()]
    assert all(len(values) <= 1 for values in weights)
    assert (label[host == 0] == 0).all()
    assert (label > 0).any()


def test_pii_has_no_step_at_the_edge_of_the_square(batch):
    """A foreign image that is the host plus a constant has the host's gradients: at weight 1 nothing changes."""
    host = batch.images
    mask = square_masks(host > 0, generator(), (0.2, 0.4), 0.5)
    one = torch.ones(len(host))
    assert (built("pii").blend(host, host + 0.3, mask, one) - host).abs().max() < 1e-4
    assert (built("fpi").blend(host, host + 0.3, mask, one) - host).abs().max() > 0.29


def test_pii_keeps_the_host_s_range_and_background(batch):
    images, label = built("pii").sample(batch)
    host = batch.images
    assert (images.amax((1, 2, 3)) <= host.amax((1, 2, 3)) + 1e-6).all()
    assert (images[host == 0] == 0).all()
    assert (images != host).any()
    assert set(label[(images - host).abs() <= 1e-3].tolist()) <= {0.0}
