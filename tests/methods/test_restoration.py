"""The gradual corruption of DISYRE and MOOD22: t is uniform, and its factor blends the foreign patch in."""

import numpy as np
import torch

from tests.parity.steps import Training
from uadbench.methods.anomalies.corruption import synthesise


def test_a_slice_is_corrupted_by_the_factor_of_its_time():
    sizes = {"widths": (8, 8), "groups": 4, "layers": 1, "attention_from": 3, "patch": 48, "size": (20.0, 40.0)}
    training = Training("", "", "disyre", sizes, shape=(64, 1, 48, 48))
    method = training.build()
    seen, anomaly = method.corrupt(training.batch(0)), synthesise(training.batch(0), method.params, 1.0)
    factors = 1 - np.sqrt(np.cumprod(1 - np.linspace(1e-3, 0.2, 100)))
    np.testing.assert_allclose(seen.alpha, factors[seen.t - 1], rtol=1e-5)
    weight = seen.alpha[:, None, None, None] * anomaly.mask
    torch.testing.assert_close(seen.images, anomaly.healthy + weight * (anomaly.foreign - anomaly.healthy))
    assert torch.equal(seen.healthy, anomaly.healthy)
    assert (weight > 0).flatten(1).any(1).all()
    assert 1 <= seen.t.min() < 15
    assert 85 < seen.t.max() <= 100
