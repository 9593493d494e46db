"""DAE as UPD_study runs it: unmasked loss, a map of SSIM with a range of 255, nothing filtered."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from uadbench.baselines import dae
from uadbench.data.packing.store import Store
from uadbench.methods import registry
from uadbench.methods.anomalies.noise import coarse_noise
from uadbench.methods.base import Context
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training import run
from uadbench.training.sampler import SliceSampler


def method(name: str):
    torch.manual_seed(0)
    params = resolve(name, "t1", {name: registry.describe(name).small}).params
    return run.freeze(run.build(name, vars(params), Context("t1", 4.0)))


def test_variant_trains_shorter():
    assert resolve("dae-upd", "t1").params.steps == 10_000
    assert resolve("dae", "t1").params.steps == 67_200


def test_map_is_the_ssim_that_upd_study_computes(tiny_cohort):
    volume = torch.tensor(np.asarray(Store.open(tiny_cohort).images("t1")[7], np.float32))[:, :32, :24]
    built = method("dae-upd")
    with torch.no_grad():
        ours = built.score(volume, Streams(0))["final"]
        restored = built.unet(volume[4][None, None])[0, 0].double().numpy()
    image = volume[4].double().numpy()

    def mean(values):
        return gaussian_filter(values, 1.5, mode="constant", radius=5)

    a, b = mean(image), mean(restored)
    va, vb, cov = mean(image**2) - a**2, mean(restored**2) - b**2, mean(image * restored) - a * b
    ssim = (2 * a * b + 6.5025) * (2 * cov + 58.5225) / ((a**2 + b**2 + 6.5025) * (va + vb + 58.5225))
    expected = np.clip(1 - ssim, 0, 1) * (image > 0)
    np.testing.assert_allclose(ours[4], expected, rtol=1e-3, atol=1e-9)
    assert expected.max() > 0


def test_loss_counts_the_whole_slice(tiny_cohort):
    store = Store.open(tiny_cohort)
    sampler = SliceSampler(store.images("t1"), store.rows("t1", "train"))
    whole, brain = (float(method(name).loss(sampler.batch(4, Streams(2), 32))) for name in ("dae-upd", "dae"))
    assert whole > brain * 1.01
    batch = sampler.batch(4, Streams(2), 32)
    built = method("dae-upd")
    noise = coarse_noise(batch.images.shape, 8, 0.2, batch.rng["noise"]) * (batch.images > 0)
    expected = ((built.unet(batch.images + noise) - batch.images) ** 2).mean()
    assert whole == pytest.approx(float(expected), rel=1e-5)


def test_cells_keep_their_length(monkeypatch):
    """16 cells of 15 mm on a slice of 240 mm; on one of 180 mm 12, whatever its voxels and however it is scaled."""
    asked = []
    monkeypatch.setattr(dae, "coarse_noise", lambda shape, cells, *_: asked.append(cells) or torch.zeros(shape))
    for spacing, patch in ((1.0, 64), (2.25, 128)):
        volumes = np.ones((2, 3, round(180 / spacing), 16), np.float16)
        drawn = SliceSampler(volumes, np.arange(2)).batch(2, Streams(1), patch, resize=True)
        for name in ("dae", "dae-upd"):
            params = resolve(name, "t1", {name: {**registry.describe(name).small, "cells": 16}}).params
            run.build(name, vars(params), Context("t1", spacing)).loss(drawn)
    assert asked[::2] == pytest.approx([12.0, 12.0], rel=0.08)  # slices are padded to multiples of 8 pixels
    assert asked[1::2] == [16.0, 16.0]
