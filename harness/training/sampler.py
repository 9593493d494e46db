"""Drawing batches of healthy slices from packed volumes, on the device where they fit."""

from __future__ import annotations

import math
import warnings

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.errors import HarnessError
from harness.method import Batch
from harness.training.seeds import Streams

STRIDE = 8  # sides of patches are whole multiples of this, so that networks can halve them three times


def patch_shape(patch: int, height: int, width: int) -> tuple[int, int]:
    """The crop of a patch size on slices of (height, width): no larger than the slice, rounded up to the stride."""
    return tuple(min(patch, math.ceil(side / STRIDE) * STRIDE) for side in (height, width))  # type: ignore[return-value]


def fit(slices: Tensor, patch: int) -> tuple[Tensor, tuple[int, int]]:
    """Scale slices (N, C, H, W) so that the longer side is at most `patch`, and pad to the stride with zeros.

    Returns the scaled slices and the (height, width) that they fill from the upper left corner.
    """
    height, width = slices.shape[-2:]
    factor = min(1.0, patch / max(height, width))
    if factor < 1:
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        slices = F.interpolate(slices, size=size, mode="bilinear", antialias=True, align_corners=False)
    filled = (slices.shape[-2], slices.shape[-1])
    pad = [-side % STRIDE for side in filled]
    return F.pad(slices, (0, pad[1], 0, pad[0])), filled


class SliceSampler:
    """Random axial slices of random subjects.

    images: float16 (N, D, H, W), an array or a memory map; rows: the rows to draw from. The rows are held on `device`
    if they fill at most `share` of its free memory, else read from where they lie.
    """

    def __init__(
        self, images: np.ndarray, rows: np.ndarray, device: torch.device | str = "cpu", share: float = 0.5
    ) -> None:
        if not len(rows):
            raise HarnessError("no subject to draw slices from; check the split and the report of preprocessing")
        self.device = torch.device(device)
        if self._fits(images[0].nbytes * len(rows), share):
            self.images = torch.from_numpy(np.ascontiguousarray(images[rows])).to(self.device)
            self.rows = torch.arange(len(rows))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # a read-only map is never written to
                self.images = torch.from_numpy(images)
            self.rows = torch.as_tensor(np.asarray(rows))
        extents = torch.tensor([_extent(self.images[row]) for row in self.rows.tolist()], device=self.device)
        self.first, self.last = extents.unbind(1)
        self.patch, self.resize = 128, False

    def draw(
        self,
        count: int,
        generator: torch.Generator,
        exclude: Tensor | None = None,
        patch: int | None = None,
        resize: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Draw `count` slices: float32 (count, 1, h, w) and the subjects' places in `rows`, int64 (count,).

        Subjects are uniform, or uniform over all but `exclude[i]`; slices uniform between the first and the last that
        are not empty. `patch` stays as last given.
        """
        if patch is not None:
            self.patch, self.resize = patch, resize

        def uniform(high: Tensor | int) -> Tensor:
            return (torch.rand(count, generator=generator, device=self.device) * high).long()

        total = len(self.rows)
        if exclude is None:
            subjects = uniform(total)
        elif total > 1:
            subjects = (exclude + 1 + uniform(total - 1)) % total
        else:
            raise HarnessError("a foreign patch needs a second subject; give training and validation two or more each")
        z = self.first[subjects] + uniform(self.last[subjects] - self.first[subjects] + 1)
        height, width = self.images.shape[-2:]
        h, w = (height, width) if self.resize else patch_shape(self.patch, height, width)
        top, left = uniform(max(height - h, 0) + 1), uniform(max(width - w, 0) + 1)
        return self._gather(subjects, z, top, left, (h, w)), subjects

    def batch(self, count: int, rng: Streams, patch: int, resize: bool = False) -> Batch:
        """A batch from the stream `batches`."""
        images, subjects = self.draw(count, rng["batches"], patch=patch, resize=resize)
        return Batch(images, subjects, rng, lambda: self.draw(count, rng["foreign"], exclude=subjects)[0])

    def _gather(self, subjects: Tensor, z: Tensor, top: Tensor, left: Tensor, size: tuple[int, int]) -> Tensor:
        source = self.images.device
        rows = self.rows.to(source)[subjects.to(source)]
        inside = [min(side, full) for side, full in zip(size, self.images.shape[-2:], strict=True)]
        y = top.to(source)[:, None] + torch.arange(inside[0], device=source)
        x = left.to(source)[:, None] + torch.arange(inside[1], device=source)
        crops = self.images[rows[:, None, None], z.to(source)[:, None, None], y[:, :, None], x[:, None, :]]
        crops = crops.to(self.device, torch.float32)[:, None]
        if self.resize:
            return fit(crops, self.patch)[0]
        return F.pad(crops, (0, size[1] - inside[1], 0, size[0] - inside[0]))

    def _fits(self, wanted: int, share: float) -> bool:
        if self.device.type == "cuda":
            return wanted <= share * torch.cuda.mem_get_info(self.device)[0]
        return wanted <= 2 * 2**30  # on a CPU the page cache serves larger arrays as well


def _extent(volume: Tensor) -> list[int]:
    """First and last slice with a voxel above 0."""
    filled = torch.nonzero((volume > 0).flatten(1).any(1)).flatten()
    if not len(filled):
        raise HarnessError("a packed training volume is empty; run preprocessing again for this cohort")
    return [int(filled[0]), int(filled[-1])]
