"""Shared base of FPI and PII: foreign squares, labels of their blending weight, the network."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.methods.anomalies.draws import Draws
from uadbench.methods.base import Batch, Context, Phase, SliceMethod, Update
from uadbench.methods.networks.wide_resnet import WideResNetAutoencoder
from uadbench.methods.seeds import Streams


def square_masks(foreground: Tensor, generator: torch.Generator, size: tuple[float, float], central: float) -> Tensor:
    """One square per image, bool (N, 1, H, W), clipped at the border.

    foreground: bool (N, 1, H, W). The side is uniform in `size` times the image's longer side. The centre is a random
    foreground voxel in the central fraction `central` of either axis, or any voxel if that region has no foreground.
    """
    height, width = foreground.shape[-2:]
    draws = Draws(len(foreground), generator)
    rows, columns = (torch.arange(side, device=foreground.device) for side in (height, width))
    near = [(line - (len(line) - 1) / 2).abs() <= central * len(line) / 2 for line in (rows, columns)]
    row, column = draws.pixel(foreground & near[0][:, None] & near[1])
    half = draws.uniform(*size)[:, None] * max(height, width) / 2
    inside = [(line - place[:, None]).abs() < half for line, place in ((rows, row), (columns, column))]
    return (inside[0][:, :, None] & inside[1][:, None, :])[:, None]


def weight_label(images: Tensor, host: Tensor, mask: Tensor, alpha: Tensor, tolerance: float) -> Tensor:
    """Weight alpha (N,) of the foreign image where it changed the host by more than `tolerance`; 0 elsewhere."""
    changed = mask & ((images - host).abs() > tolerance)
    return alpha[:, None, None, None] * changed


class PatchInterpolation(SliceMethod):
    """Predicts the weight of another subject in each voxel; a subclass defines the blending.

    params: an `InterpolationParams`.
    """

    def __init__(self, params: Any, context: Context) -> None:
        super().__init__(params, context)
        self.network = WideResNetAutoencoder(params.widths, params.he, params.grey_channels)

    @abstractmethod
    def blend(self, host: Tensor, foreign: Tensor, mask: Tensor, alpha: Tensor) -> Tensor:
        """The host (N, 1, H, W) with the foreign image of weight alpha (N,) where the mask (bool) is true."""

    def phases(self) -> Sequence[Phase]:
        p = self.params
        optimizer = torch.optim.Adam(self.network.parameters(), lr=p.learning_rate)
        return [Phase(p.steps, p.batch, p.patch, [Update(self.loss, optimizer)])]

    def sample(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Blended images and labels (N, 1, H, W); both are 0 outside the host's brain."""
        p, host = self.params, batch.images
        brain = host > 0
        share = self.context.share(batch, p.field)
        mask = square_masks(brain, batch.rng["anomalies"], (p.size[0] * share, p.size[1] * share), p.central)
        alpha = Draws(len(host), batch.rng["weights"]).uniform(*p.factor)
        images = self.blend(host, batch.foreign, mask, alpha) * brain
        return images, weight_label(images, host, mask, alpha, p.tolerance)

    def loss(self, batch: Batch) -> Tensor:
        """Binary cross-entropy with the weight as soft target."""
        images, label = self.sample(batch)
        return F.binary_cross_entropy_with_logits(self.network(images).float(), label)

    def score_slices(self, images: Tensor, rng: Streams) -> Tensor:
        """The predicted weight, in [0, 1]."""
        return self.network(images).float().sigmoid()
