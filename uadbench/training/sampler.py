"""Sampler of batches of healthy slices from packed volumes, on the device or on the host."""

import warnings

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from uadbench.core.errors import HarnessError
from uadbench.methods.base import Batch
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import fit, patch_shape, pixel_side

HELD_ON_CPU = 2 * 2**30  # bytes; the page cache serves larger arrays as well


class SliceSampler:
    """Random axial slices of random subjects, on `device`.

    images: float16 (N, D, H, W), an array or a memory map; rows: the rows to draw from. Rows are read from `images`
    until `hold` copies them to the device; a CPU holds small ones from the start. The slices are the same.
    """

    def __init__(self, images: np.ndarray, rows: np.ndarray, device: torch.device | str = "cpu") -> None:
        if not len(rows):
            raise HarnessError("no subject to draw slices from; check the split and the report of preprocessing")
        self.device = torch.device(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a read-only map is never written to
            self.source = torch.from_numpy(images)
        self.rows = [int(row) for row in rows]
        self.nbytes = images[0].nbytes * len(self.rows)
        self.held: Tensor | None = None
        if self.device.type == "cpu" and self.nbytes <= HELD_ON_CPU:
            self.hold()
        extents = torch.tensor([_extent(self._volume(subject)) for subject in range(len(self.rows))])
        self.first, self.last = extents.unbind(1)

    def hold(self) -> None:
        """Copy the rows to the device."""
        if self.held is None:
            shape = (len(self.rows), *self.source.shape[1:])
            held = torch.empty(shape, dtype=self.source.dtype, device=self.device)
            for subject, row in enumerate(self.rows):
                held[subject] = self.source[row]
            self.held = held

    def release(self) -> None:
        """Drop the copy on the device and read the rows from `images` again."""
        self.held = None

    def draw(
        self, count: int, generator: torch.Generator, patch: int, resize: bool = False, exclude: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw `count` slices: float32 (count, 1, h, w) on the device, and on the host the subjects' indices in `rows`.

        Subjects are uniform, or uniform over all except `exclude[i]`; slices uniform between the first and the last
        non-empty one. They are crops of side `patch`, or with `resize` whole and scaled to it.
        """

        def uniform(high: Tensor | int) -> Tensor:
            return (torch.rand(count, generator=generator, device=generator.device).cpu() * high).long()

        total = len(self.rows)
        if exclude is None:
            subjects = uniform(total)
        elif total > 1:
            subjects = (exclude + 1 + uniform(total - 1)) % total
        else:
            raise HarnessError("a foreign patch needs a second subject; give training and validation two or more each")
        z = self.first[subjects] + uniform(self.last[subjects] - self.first[subjects] + 1)
        height, width = self.source.shape[-2:]
        h, w = (height, width) if resize else patch_shape(patch, height, width)
        top, left = uniform(max(height - h, 0) + 1), uniform(max(width - w, 0) + 1)
        inside = min(h, height), min(w, width)
        crops = self._gather(torch.stack([subjects, z, top, left]), inside).to(torch.float32)[:, None]
        if resize:
            return fit(crops, patch)[0], subjects
        return F.pad(crops, (0, w - inside[1], 0, h - inside[0])), subjects

    def batch(self, count: int, rng: Streams, patch: int, resize: bool = False) -> Batch:
        """A batch from the stream `batches`."""
        images, subjects = self.draw(count, rng["batches"], patch, resize)
        pixel = pixel_side(patch, *self.source.shape[-2:]) if resize else 1.0

        def foreign() -> Tensor:
            return self.draw(count, rng["foreign"], patch, resize, exclude=subjects)[0]

        return Batch(images, self._sent(subjects), rng, foreign, pixel)

    def _gather(self, places: Tensor, inside: tuple[int, int]) -> Tensor:
        """Crops (count, *inside) at `places`, int64 (4, count) on the host: subject, slice, first row and column."""
        if self.held is None or self.held.device.type == "cpu":
            crops = torch.empty((places.shape[1], *inside), dtype=self.source.dtype)
            for crop, (subject, z, top, left) in zip(crops, places.T.tolist(), strict=True):
                crop.copy_(self._volume(subject)[z, top : top + inside[0], left : left + inside[1]])
            return self._sent(crops)
        subjects, z, top, left = self._sent(places)[..., None, None]
        y = top + torch.arange(inside[0], device=self.device)[:, None]
        x = left + torch.arange(inside[1], device=self.device)
        return self.held[subjects, z, y, x]

    def _sent(self, values: Tensor) -> Tensor:
        """Copy a tensor from the host to the device; on CUDA via pinned memory, so that the host need not wait."""
        if self.device.type != "cuda":
            return values.to(self.device)
        return values.pin_memory().to(self.device, non_blocking=True)

    def _volume(self, subject: int) -> Tensor:
        return self.source[self.rows[subject]] if self.held is None else self.held[subject]


def _extent(volume: Tensor) -> list[int]:
    """First and last slice with a voxel above 0."""
    filled = torch.nonzero((volume > 0).flatten(1).any(1)).flatten()
    if not len(filled):
        raise HarnessError("a packed training volume is empty; run preprocessing again for this cohort")
    return [int(filled[0]), int(filled[-1])]
