"""Example anomalies as arrays for Figure 1, drawn as in training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from uadbench.core.archive import SYNTHESIS
from uadbench.data.packing.store import Store
from uadbench.methods.anomalies.corruption import alpha_schedule, synthesise
from uadbench.methods.base import WHOLE
from uadbench.methods.params import AnomalyParams
from uadbench.methods.seeds import Streams
from uadbench.training.sampler import SliceSampler

TIMES = (0, 25, 50, 75, 100)
CANDIDATES = 64  # number of anomalies drawn, from which the most visible are selected


def illustrate(store: Store, modality: str, params: AnomalyParams, count: int, seed: int, out: Path) -> None:
    """Write x0, mask, foreign (K, H, W), t and alpha (n,), xt (K, n, H, W) of `count` anomalies to `out` (.npz).

    Without augmentation, and selected from slices where both images show much brain, for recognisable examples.
    """
    sampler = SliceSampler(store.images(modality), store.rows(modality, "train"))
    batch = sampler.batch(CANDIDATES, Streams(seed), WHOLE)
    anomaly = synthesise(batch, replace(params, mirror=0.0, geometry=0.0, p_intensity=0.0), store.spacing)
    visible = (anomaly.mask * (anomaly.foreign - anomaly.healthy).abs()).flatten(1).sum(1)
    brain = torch.minimum(*((images > 0).flatten(1).sum(1) for images in (anomaly.healthy, anomaly.foreign)))
    chosen = torch.argsort(torch.where(brain >= brain.median(), visible, -1), descending=True)[:count]
    alpha = alpha_schedule(max(TIMES))[list(TIMES)]
    corrupted = torch.stack([anomaly.at(value.expand(CANDIDATES)) for value in alpha], 1)
    arrays = {"x0": anomaly.healthy, "mask": anomaly.mask, "foreign": anomaly.foreign, "xt": corrupted}
    shown = {key: value[chosen].squeeze(1 if key != "xt" else 2).numpy() for key, value in arrays.items()}
    SYNTHESIS.save(out, {"t": np.array(TIMES), "alpha": alpha.numpy(), "simulated": store.simulated, **shown})
