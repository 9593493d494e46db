"""The interface of a baseline: `slices` decides how training and scoring see a volume, and maps have names."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.trainings import CPU
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.methods.base import Context, Phase, SliceMethod, Update
from uadbench.methods.seeds import Streams
from uadbench.training.loop import step
from uadbench.training.sampler import SliceSampler

SHAPE = (3, 48, 40)  # slices larger than the patch of 16


class Seeing(SliceMethod):
    """Notes the sizes that its loss and its score see; scores a slice by itself, and restores it with an excess."""

    def __init__(self, slices: str, maps: tuple[str, ...] = ("final",)) -> None:
        super().__init__(SimpleNamespace(patch=16, score_batch=2), Context("t1", 4.0))
        self.slices = slices  # type: ignore[assignment]
        self.maps = maps
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.trained: list[tuple[int, ...]] = []
        self.pixels: list[float] = []
        self.scored: list[tuple[int, ...]] = []

    def phases(self):
        return [Phase(1, 4, 16, [Update(self.loss, torch.optim.SGD([self.weight], lr=0.0))])]

    def loss(self, batch):
        self.trained.append(tuple(batch.images.shape[1:]))
        self.pixels.append(batch.pixel)
        return (self.weight * batch.images).mean()

    def score_slices(self, images, rng):
        self.scored.append(tuple(images.shape[1:]))
        return {name: images * (place + 1) for place, name in enumerate(self.maps)}

    def restore_slices(self, images, rng):
        return images + 0.5


def volume() -> torch.Tensor:
    values = torch.rand(SHAPE, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.4
    values[:, :4] = 0
    return values


@pytest.mark.parametrize(("slices", "size", "pixel"), [("scaled", (1, 16, 16), 3.0), ("tiled", (1, 16, 16), 1.0)])
def test_training_and_scoring_see_slices_alike(slices, size, pixel):
    method = Seeing(slices)
    images = np.stack([volume().numpy()] * 2).astype(np.float16)
    sampler = SliceSampler(images, np.arange(2))
    step(method, method.phases()[0], sampler, Streams(1), Precision(CPU))
    maps = method.score(volume(), Streams(1))
    assert set(method.trained) == set(method.scored) == {size}
    assert method.pixels == [pixel]
    # Once for each part of a batch: two parts of whole slices, or those of every window.
    assert len(method.scored) == (2 if slices == "scaled" else 2 * 5 * 4)
    assert maps["final"].shape == SHAPE
    assert (maps["final"][volume() == 0] == 0).all()
    if slices == "tiled":
        torch.testing.assert_close(maps["final"], volume())


def test_maps_keep_their_names_and_the_final_one_can_be_had_alone():
    method = Seeing("tiled", ("single/t=25", "final"))
    maps = method.score(volume(), Streams(1))
    assert list(maps) == ["single/t=25", "final"]
    torch.testing.assert_close(maps["final"], 2 * maps["single/t=25"])
    assert torch.equal(method.final(volume(), Streams(1)), maps["final"])


def test_restorations_are_clipped_and_may_be_missing():
    method = Seeing("tiled")
    restored = method.restore(volume(), Streams(1))
    brain = volume() > 0
    torch.testing.assert_close(restored[brain], (volume()[brain] + 0.5).clamp(0, 1))
    assert restored.max() == 1
    method.restore_slices = lambda images, rng: None  # type: ignore[method-assign]
    assert method.restore(volume(), Streams(1)) is None


def test_a_missing_final_map_names_the_baseline():
    method = Seeing("scaled", ("other",))
    with pytest.raises(HarnessError, match=r"test_base\.py: score returns no map 'final', only other"):
        method.final(volume(), Streams(1))
