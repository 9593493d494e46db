"""DAE, and as UPD_study runs it: unmasked loss, a map of SSIM with a range of 255, nothing filtered."""

import numpy as np
import pytest
import torch

from tests.trainings import built, slices
from uadbench.baselines import dae
from uadbench.data.packing.store import Store
from uadbench.methods.anomalies.noise import coarse_noise
from uadbench.methods.base import Batch
from uadbench.methods.scoring.similarity import anomaly_map
from uadbench.methods.seeds import Streams
from uadbench.training.run import freeze
from uadbench.training.sampler import SliceSampler


def test_map_is_the_ssim_that_upd_study_computes(tiny_cohort):
    volume = torch.tensor(np.asarray(Store.open(tiny_cohort).images("t1")[7], np.float32))[:, :32, :24]
    """The map itself: tests/parity."""
    method, image = freeze(built("dae-upd")), volume[4:5, None]
    ours = method.score(volume, Streams(0))["final"][4]
    expected = (anomaly_map(image, method.unet(image), "ssim") * (image > 0))[0, 0]
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-9)
    assert expected.max() > 0


def test_loss_counts_the_whole_slice(tiny_cohort):
    sampler, names = slices(tiny_cohort), ("dae-upd", "dae")
    whole, brain = (float(freeze(built(name)).loss(sampler.batch(4, Streams(2), 32))) for name in names)
    assert whole > brain * 1.01
    batch = sampler.batch(4, Streams(2), 32)
    method = freeze(built("dae-upd"))
    noise = coarse_noise(batch.images.shape, 8, 0.2, batch.rng["noise"]) * (batch.images > 0)
    expected = ((method.unet(batch.images + noise) - batch.images) ** 2).mean()
    assert whole == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize(("name", "foreground"), [("dae", 0.01), ("dae-upd", 0.0)])
def test_darker_voxels_than_the_foreground_have_neither_noise_nor_loss_nor_score(name, foreground, monkeypatch):
    """Kascenas et al.: x > .01; UPD_study: all above the image's minimum."""
    seen = []

    class Restored(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return torch.zeros_like(x)

    monkeypatch.setattr(dae, "coarse_noise", lambda shape, *_: torch.ones(shape))
    method = built(name, erosion=1, median=1, residual="absolute")
    method.unet = Restored()
    images = 0.02 * torch.rand((2, 1, 16, 16), generator=torch.Generator().manual_seed(0))
    images[images < 0.002] = 0
    brain = images > foreground
    assert 0 < brain.float().mean() < 1
    loss = method.loss(Batch(images, torch.arange(2), Streams(0), lambda: images))
    torch.testing.assert_close(seen[0], images + brain)
    torch.testing.assert_close(loss, (images * brain if name == "dae" else images).square().mean())
    torch.testing.assert_close(method.score_slices(images, Streams(0)), images * brain)


def test_cells_keep_their_length(monkeypatch):
    """16 cells of 15 mm on a slice of 240 mm; on one of 180 mm 12, whatever its voxels and however it is scaled."""
    asked = []
    monkeypatch.setattr(dae, "coarse_noise", lambda shape, cells, *_: asked.append(cells) or torch.zeros(shape))
    for spacing, patch in ((1.0, 64), (2.25, 128)):
        volumes = np.ones((2, 3, round(180 / spacing), 16), np.float16)
        drawn = SliceSampler(volumes, np.arange(2)).batch(2, Streams(1), patch, resize=True)
        for name in ("dae", "dae-upd"):
            built(name, spacing=spacing, cells=16).loss(drawn)
    assert asked[::2] == pytest.approx([12.0, 12.0], rel=0.08)  # slices are padded to multiples of 8 pixels
    assert asked[1::2] == [16.0, 16.0]
