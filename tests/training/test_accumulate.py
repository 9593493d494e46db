"""Gradient accumulation: a batch in parts gives the gradient of the whole."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainings import CPU, killed_at, trained
from uadbench.compute.precision import Precision
from uadbench.core.errors import HarnessError
from uadbench.methods.base import Context, Method, Phase, Update
from uadbench.methods.params import TrainingParams
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.loop import parts, step
from uadbench.training.sampler import SliceSampler


class Line(Method):
    """Fits one convolution to the foreign slices; its loss draws nothing at random."""

    def __init__(self, params, context):
        super().__init__(params, context)
        torch.manual_seed(0)
        self.network = nn.Conv2d(1, 1, 3, padding=1)

    def phases(self):
        optimizer = torch.optim.SGD(self.network.parameters(), lr=0.5)
        return [Phase(3, self.params.batch, 16, [Update(self.loss, optimizer, clip=0.05)])]

    def loss(self, batch):
        return (self.network(batch.images) - batch.foreign).square().mean()

    def score(self, volume, rng):
        return {"final": volume}


@pytest.fixture
def sampler() -> SliceSampler:
    volumes = np.random.default_rng(0).random((4, 5, 16, 16)).astype(np.float16)
    return SliceSampler(volumes, np.arange(4))


def fitted(sampler: SliceSampler, accumulate: int, batch: int = 10) -> tuple[list[float], torch.Tensor]:
    method = Line(TrainingParams(batch=batch, accumulate=accumulate), Context("t1", 1.0))
    (phase,), streams = method.phases(), Streams(1)
    losses = [step(method, phase, sampler, streams, Precision(CPU)) for _ in range(phase.steps)]
    return losses, method.network.weight.detach().flatten()


@pytest.mark.parametrize("accumulate", [2, 3, 10])
def test_parts_give_the_loss_and_the_gradient_of_the_whole_batch(sampler, accumulate):
    losses, weights = fitted(sampler, 1)
    in_parts, weights_in_parts = fitted(sampler, accumulate)  # 10 in 3 parts: 4, 3 and 3 slices
    assert in_parts == pytest.approx(losses, rel=1e-6)
    torch.testing.assert_close(weights_in_parts, weights, rtol=1e-5, atol=1e-6)


def test_parts_are_the_slices_and_foreign_slices_in_order(sampler):
    batch = replace(sampler.batch(7, Streams(2), 16), pixel=1.5)
    divided = parts(batch, 3)
    assert [part.pixel for part in divided] == [1.5] * 3
    assert [len(part.images) for part in divided] == [3, 2, 2]
    assert torch.equal(torch.cat([part.images for part in divided]), batch.images)
    assert torch.equal(torch.cat([part.subjects for part in divided]), batch.subjects)
    assert torch.equal(torch.cat([part.foreign for part in divided]), batch.foreign)
    assert parts(batch, 1) == [batch]


def test_accumulated_training_resumes_to_the_same_bits(tiny_cohort, tmp_path):
    def train(name: str, **options) -> bytes:
        folder = trained("disyre", tiny_cohort, tmp_path / name, accumulate=2, **options)
        return next(folder.rglob("*.safetensors")).read_bytes()

    with killed_at(3):
        train("killed", save=0)
    assert train("killed") == train("whole")


def test_more_parts_than_slices_are_refused():
    with pytest.raises(HarnessError, match="accumulate"):
        resolve("disyre", "t1", {"disyre": {"batch": 2, "accumulate": 3}})
