"""MOOD22: a U-Net segments the synthetic anomalies that DISYRE restores; its predicted probability is the score."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.base import Batch
from uadbench.methods.networks.unet import apply_unet
from uadbench.methods.params import CorruptionParams
from uadbench.methods.restoration import SyntheticAnomalyMethod
from uadbench.methods.seeds import Streams

REVISION = 2
TITLE = "MOOD22"
FAMILY = "S-S"
PAPER = "Naval Marimont and Tarroni, 2023 (arXiv:2308.01412)"
SMALL = {"steps": 4, "batch": 4, "patch": 32, "widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 2}
VARIANTS = {  # docs/disyre-public-code.md
    "abdomen": {
        "title": "MOOD22 (abdomen's code)",
        "params": {
            "size": [10.0, 128.0],
            "blob": [24.0, 67.0],
            "soften": 0.5,
            "kernels": [3.0, 3.0, 5.0, 7.0],
            "canvas": 128.0,
            "cut": False,
            "p_anomaly": 0.9,
            "drawn": "alpha",
            "alpha_range": [0.3, 1.0],
            "blending": "poisson",
            "augmentation": "mood22",
            "mirror": 0.1,
            "geometry": 0.1,
            "p_intensity": 0.1,
            "p_foreign": 0.2,
            "weight_decay": 1e-5,
        },
    },
}


@dataclass(frozen=True)
class Params(CorruptionParams):
    """Defaults: the baseline of Naval Marimont et al. 2024, section 3: DISYRE's data and network, without t.

    The interpolation factors are those of DISYRE's schedule, drawn uniformly.
    """


class Baseline(SyntheticAnomalyMethod):
    """Predicts alpha m, the weight of the foreign patch in every voxel."""

    def loss(self, batch: Batch) -> Tensor:
        """Binary cross-entropy with alpha m as soft target (Naval Marimont et al. 2024, section 3)."""
        seen = self.corrupt(batch)
        target = seen.alpha[:, None, None, None] * seen.mask
        return F.binary_cross_entropy_with_logits(self.logits(seen.images).float(), target)

    def logits(self, images: Tensor) -> Tensor:
        """Log-odds that a voxel is anomalous, (N, 1, H, W); the U-Net's t is always 0."""
        return apply_unet(self.unet, images, 0, self.params)

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        return self.logits(images).float().sigmoid()
