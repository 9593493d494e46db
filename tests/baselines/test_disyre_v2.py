"""DISYRE v2: matched patches, intensity bias, and which t an anomaly is shown with."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from tests.trainings import built, generator, slices
from uadbench.baselines import disyre_v2
from uadbench.data.packing.store import Store
from uadbench.methods.anomalies.intensity import intensity_bias, matched
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.run import freeze

LEVELS = (0.0057, 0.383, 0.612, 0.769, 0.939)


def test_foreign_patch_takes_the_range_of_its_host_inside_the_mask():
    rng = np.random.default_rng(0)
    foreign, host = (rng.uniform(0.1, 0.9, (4, 1, 20, 17)).astype(np.float32) for _ in range(2))
    mask = (rng.random((4, 1, 20, 17)) < 0.3).astype(np.float32) * 0.4
    ours = matched(*(torch.from_numpy(array) for array in (foreign, host, mask))).numpy()
    for f, h, m, values in zip(foreign, host, mask > 0, ours, strict=True):
        slope = (h[m].max() - h[m].min()) / (f[m].max() - f[m].min())
        np.testing.assert_allclose(values[m], h[m].min() + (f[m] - f[m].min()) * slope, atol=1e-5)
        assert values[m].min() == pytest.approx(h[m].min(), abs=1e-6)
        assert values[m].max() == pytest.approx(h[m].max(), abs=1e-6)


def test_flat_patches_and_empty_masks_stay_finite():
    flat, host = torch.full((2, 1, 8, 8), 0.5), torch.rand((2, 1, 8, 8), generator=generator())
    mask = torch.zeros(2, 1, 8, 8)
    mask[0, 0, 2:5, 2:5] = 1
    values = matched(flat, host, mask)
    assert torch.isfinite(values).all()
    assert torch.allclose(values[0, 0, 2:5, 2:5], host[0, 0, 2:5, 2:5].min())


def classes_of(images: torch.Tensor) -> np.ndarray:
    return np.abs(images.numpy()[..., None] - np.array(LEVELS, np.float32)).argmin(-1)


def test_bias_selects_classes_by_their_share_in_the_mask():
    """With a mask whose voxels are three quarters of class 2, one quarter of class 4, and an offset of their number."""
    images = torch.full((4000, 1, 4, 4), LEVELS[2])
    images[:, :, 0] = LEVELS[4]
    images[:, :, :, 3] = LEVELS[0]
    mask = torch.zeros_like(images)
    mask[..., :3] = 0.2  # twelve voxels: nine of class 2, three of class 4, none of class 0
    field, sign = intensity_bias(images, mask, LEVELS, 0.0, 12.0, generator(2))
    chosen = np.stack([field.numpy()[:, 0, 3, 0], field.numpy()[:, 0, 0, 0], field.numpy()[:, 0, 3, 3]], 1)
    none = (1 - 9 / 24) * (1 - 3 / 24)  # then all are
    assert chosen.mean(0) == pytest.approx([9 / 24 + none, 3 / 24 + none, none], abs=0.03)
    assert (chosen[:, 2] == chosen.all(1)).all()
    assert set(sign.tolist()) == {1.0, -1.0}
    assert sign.mean().item() == pytest.approx(0, abs=0.05)


def test_bias_is_of_whole_classes():
    images = torch.rand((64, 1, 12, 10), generator=generator(1))
    mask = (torch.rand(images.shape, generator=generator(4)) < 0.5).float()
    field, _ = intensity_bias(images, mask, LEVELS, 0.0, 10.0, generator(2))
    for classes, selected in zip(classes_of(images), field.numpy(), strict=True):
        values = [np.unique(selected[classes == level]) for level in range(5) if (classes == level).any()]
        assert all(len(value) == 1 for value in values)


def test_an_empty_mask_selects_all():
    images = torch.rand((4, 1, 6, 6), generator=generator(1))
    field, _ = intensity_bias(images, torch.zeros_like(images), LEVELS, 0.0, 10.0, generator(2))
    assert (field == 1).all()


def test_bias_is_blurred():
    images = torch.rand((3, 1, 40, 32), generator=generator(1))
    mask = torch.ones_like(images)
    sharp, _ = intensity_bias(images, mask, LEVELS, 0.0, 1e3, generator(2))
    soft, _ = intensity_bias(images, mask, LEVELS, 1.5, 1e3, generator(2))
    for one, other in zip(sharp[:, 0].numpy(), soft[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(other, gaussian_filter(one, 1.5, mode="constant", radius=5), atol=1e-4)


def test_bias_is_of_the_blended_image_in_millimetres(batch, monkeypatch):
    """Classes are those of what the network sees; lengths and areas become voxels of 4 mm."""
    given = []

    def seen(images, mask, levels, blur, offset, generator):
        given.append((images, blur, offset))
        return intensity_bias(images, mask, levels, blur, offset, generator)

    monkeypatch.setattr(disyre_v2, "intensity_bias", seen)
    corrupted = built("disyre_v2").corrupt(batch)
    ((images, blur, offset),) = given
    assert (blur, offset) == (1.0 / 4, 1000.0 / 16)
    assert (images != corrupted.healthy).flatten(1).any(1).float().mean() > 0.8


def test_the_score_is_weighed_by_the_share_of_brain():
    """One window: twice as many voxels of brain, twice the weight; without the weight the mean residual itself."""
    volume = torch.zeros(2, 32, 32)
    volume[0, :8], volume[1, :16] = 0.5, 0.5
    methods = [freeze(built("disyre_v2", foreground_weight=weighed)) for weighed in (True, False)]
    ours, bare = (method.score(volume, Streams(0))["final"] for method in methods)
    torch.testing.assert_close(ours[0], bare[0] * 0.25)
    torch.testing.assert_close(ours[1], bare[1] * 0.5)
    assert resolve("disyre_v2", "t1").params.overlap == 0.75


@pytest.fixture
def batch(tiny_cohort):
    return slices(tiny_cohort).batch(64, Streams(3), 32)


def test_time_is_that_of_the_larger_change(batch):
    method = built("disyre_v2", texture=0.0)
    seen = method.corrupt(batch)
    shift = (seen.images - seen.healthy).abs().flatten(1).amax(1)
    assert torch.allclose(seen.alpha, shift, atol=1e-6)
    assert (shift > 0.05).float().mean() > 0.5
    assert (method.alpha[seen.t] - shift).abs().max() < 0.03  # no t has a factor much farther away


def test_nothing_changes_outside_the_mask_or_without_both_parts(batch):
    seen = built("disyre_v2").corrupt(batch)
    assert torch.equal(seen.images[seen.mask == 0], seen.healthy[seen.mask == 0])
    assert ((seen.images >= 0) & (seen.images <= 1)).all()
    none = built("disyre_v2", texture=0.0, bias=0.0).corrupt(batch)
    assert torch.equal(none.images, none.healthy)
    assert (none.alpha == 0).all()
    assert (none.t == 1).all()


def test_score_is_the_mean_of_four_single_steps(tiny_cohort):
    store = Store.open(tiny_cohort)
    volume = torch.tensor(np.asarray(store.images("t1")[8], np.float32))
    method = freeze(built("disyre_v2", patch=64, foreground_weight=False))
    final = method.score(volume, Streams(0))["final"]
    middle = torch.nn.functional.pad(volume[5], (0, 4, 0, 4))[None, None]
    steps = [(middle - method.predict(middle, t)).abs() for t in (25, 50, 75, 100)]
    expected = torch.stack(steps).mean(0)[0, 0, :36, :28] * (volume[5] > 0)
    torch.testing.assert_close(final[5], expected, atol=1e-5, rtol=1e-5)
