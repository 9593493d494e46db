"""What runs in training steps reads no number on the host, which on a GPU would wait for the device."""

from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.trainings import built, generator
from uadbench.evaluation.inference.inference import score_volume
from uadbench.methods.anomalies import poisson
from uadbench.methods.anomalies.noise import coarse_noise
from uadbench.methods.scoring.coreset import greedy_coreset
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import tiled


class Reads(TorchDispatchMode):
    """Counts numbers that the host reads from tensors, and places that it asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.overloadpacket in (torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero)
        return func(*args, **(kwargs or {}))


def pii() -> None:
    images = torch.rand((2, 1, 32, 32), generator=generator())
    mask = torch.zeros((2, 1, 32, 32), dtype=torch.bool)
    mask[..., 5:20, 5:25] = True
    built("pii").blend(images, images.flip(-1), mask, torch.tensor([0.3, 0.8]))


def patchcore() -> None:
    method = built("patchcore", zoom=1)
    method.phases()
    method.drawn = lambda batch: torch.ones(5, method.pool.shape[1])
    for _ in range(2):
        method.collect(SimpleNamespace())
    assert method.pool[:, 0].tolist()[8:12] == [1, 1, 0, 0]
    assert method.filled.tolist() == 10


@pytest.mark.parametrize(
    "work",
    [
        pii,
        patchcore,
        lambda: coarse_noise(torch.Size((2, 1, 24, 20)), 6, 0.2, generator()),
        lambda: greedy_coreset(torch.rand((50, 3), generator=generator()), 20),
    ],
    ids=["pii", "patchcore", "coarse noise", "coreset"],
)
def test_nothing_is_read(work):
    with Reads() as reads:
        work()
    assert reads.count == 0


def test_conjugate_gradients_read_now_and_then():
    """The counter counts: masks of any shape need a check of convergence."""
    host, right = torch.zeros((1, 1, 16, 16)), torch.randn((1, 1, 16, 16), generator=generator())
    mask = torch.zeros((1, 1, 16, 16), dtype=torch.bool)
    mask[..., 2:-2, 2:-2] = True
    with Reads() as reads:
        poisson.solve(host, mask, right)
    assert reads.count > 1


def test_a_volume_is_asked_once_for_its_slices_and_maps_once_for_their_validity():
    method = SimpleNamespace(score=lambda volume, rng: {"final": volume, **{f"map/{n}": volume for n in range(9)}})
    method.context = SimpleNamespace(postprocessing=None)
    volume = torch.rand((4, 40, 40), generator=generator())
    with Reads() as reads:
        score_volume(method, volume, Streams(0), "some")
    assert reads.count == 0  # one transfer of all answers, by `tolist`
    with Reads() as reads:
        tiled(lambda images: {"final": images}, volume, 16, 2)
    assert reads.count == 1


def test_noise_is_rolled_as_by_torch(monkeypatch):
    rolled = []
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.3, 0.71]))
    for shape in (torch.Size((2, 1, 24, 20)), torch.Size((1, 3, 9, 31))):
        noise = coarse_noise(shape, 6, 0.2, generator(5))
        monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.0, 0.0]))
        still = coarse_noise(shape, 6, 0.2, generator(5))
        monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.tensor([0.3, 0.71]))
        rolled.append(torch.equal(noise, torch.roll(still, (int(0.3 * shape[2]), int(0.71 * shape[3])), (2, 3))))
    assert rolled == [True, True]
