"""Training steps whose losses and weights were recorded once with public code: same weights, batches and draws.

Everything is in float64, so that what is left of a difference is no rounding. A record holds the losses of all updates
of every step and, of each tensor, the length of its change and the projection of this change on a fixed direction.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from tests.parity.cases import DISYRE, KASCENAS, UPD, seeded
from uadbench.compute.precision import Precision
from uadbench.methods import registry
from uadbench.methods.base import Batch, Context
from uadbench.methods.restoration import Corrupted
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.loop import prepare, step

STEPS = Path(__file__).parent / "records" / "steps"
ANODDPM = "AnoDDPM (Julian-Wyatt/AnoDDPM, 3052f04)"
CPU = torch.device("cpu")
GOLDEN = 0.6180339887498949
SMALLEST = 0.01  # length of a change; biases without an effect move by rounding noise, 1e-10 at most


@dataclass(frozen=True)
class Training:
    """A training of a few steps: the method, what differs from its parameters, and how it is fed."""

    title: str
    what: str
    method: str
    params: dict[str, Any]
    source: str = UPD
    shape: tuple[int, ...] = (2, 1, 32, 32)  # of a batch
    steps: int = 3
    phase: int = 0
    tensors: tuple[str, ...] = ("",)  # beginnings of the names of those that are compared
    given: Callable[[Any], None] = field(default=lambda method: None)  # replaces random anomalies by given ones

    def build(self) -> Any:
        """The method with weights that depend on their names alone."""
        base, values = registry.base(self.method), {"batch": self.shape[0], **self.params}
        settings = resolve(self.method, "t1", {self.method: values})
        method = seeded(registry.load(base).Baseline(settings.params, Context("t1", 1.0)))
        if hasattr(method, "teacher"):  # its network is hidden from its owner
            seeded(method.teacher.network)
        self.given(method)
        return method

    def images(self, index: int) -> Tensor:
        """The batch of a step: noise from 0.05 to 1 in a disc, 0 around it."""
        height, width = self.shape[-2:]
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        values = 0.05 + 0.95 * torch.rand(self.shape, generator=torch.Generator().manual_seed(index))
        return values * (x**2 + 1.3 * y**2 < 0.8)

    def batch(self, index: int) -> Batch:
        images = self.images(index)
        return Batch(images, torch.arange(len(images)), Repeated(index), lambda: images.flip(0))

    def compared(self, method: Any) -> dict[str, Tensor]:
        """The tensors of a method that the record is about."""
        state = method.state_dict().items()
        return {key: value for key, value in state if key.startswith(self.tensors) and value.is_floating_point()}

    def run(self) -> dict[str, np.ndarray]:
        """What is recorded, of our training."""
        with in_float64():
            method = self.build()
            before = {key: value.clone() for key, value in self.compared(method).items()}
            phase, precise = prepare(method, CPU, compile=False)[self.phase], Precision(CPU)
            with losses() as found:
                for index in range(self.steps):
                    torch.manual_seed(index)  # dropout
                    step(method, phase, Given(self.batch(index)), Repeated(index), precise)
            return recorded(found, before, self.compared(method))


class Repeated(Streams):
    """Streams that begin anew whenever they are asked for: all updates of a step make the same draws."""

    def __getitem__(self, name: str) -> torch.Generator:
        self._generators.clear()
        return super().__getitem__(name)


@dataclass
class Given:
    """A sampler that has one batch."""

    only: Batch
    device: torch.device = CPU

    def batch(self, count: int, rng: Streams, patch: int, resize: bool) -> Batch:
        assert count == len(self.only.images)
        return self.only


@contextmanager
def in_float64() -> Iterator[None]:
    """Make new tensors in float64, and leave them so where code asks for float32."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with mock.patch.object(Tensor, "float", Tensor.double):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def losses() -> Iterator[list[float]]:
    """The values that gradients are asked of, in order: the losses of all updates, in public code as well."""
    found, backward = [], Tensor.backward

    def noted(loss: Tensor, *given: Any, **named: Any) -> None:
        found.append(loss.item())
        backward(loss, *given, **named)

    with mock.patch.object(Tensor, "backward", noted):
        yield found


def recorded(found: list[float], before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """A record: losses, and length and projection of the change of every tensor."""
    changes = []
    for key, value in before.items():
        change = (after[key] - value).flatten()
        direction = torch.arange(1, len(change) + 1) * GOLDEN % 1 - 0.5
        changes.append((float(change.norm()), float(change @ direction)))
    return {"losses": np.array(found), "changes": np.array(changes)}


def difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> tuple[float, float]:
    """Largest difference of the losses, and of the changes of a tensor, as fractions of theirs."""
    assert {key: value.shape for key, value in ours.items()} == {key: value.shape for key, value in theirs.items()}
    apart = {key: abs(ours[key] - theirs[key]) for key in theirs}
    lengths = theirs["changes"][:, :1].clip(SMALLEST)
    return (apart["losses"] / abs(theirs["losses"])).max(), (apart["changes"] / lengths).max()


def label(images: Tensor) -> Tensor:
    """Weights in [0, 1] of a given anomaly, (N, 1, H, W)."""
    return images.flip(0)


def labelled(method: Any) -> None:
    """PII: images and labels."""
    method.sample = lambda batch: (batch.images, label(batch.images))


def strengths(rng: Streams, count: int) -> Tensor:
    """Factors alpha (count,) of given corruptions."""
    return torch.rand(count, generator=rng["strengths"])


def corrupted(method: Any) -> None:
    """DISYRE: corrupted images, healthy ones, and factors."""

    def corrupt(batch: Batch) -> Corrupted:
        alpha = strengths(batch.rng, len(batch.images))
        healthy = label(batch.images)
        return Corrupted(batch.images, healthy, healthy, alpha, method.time_of(alpha))

    method.corrupt = corrupt


VAE = {"patch": 32, "width": 4, "bottleneck_channels": 4, "latent": 16}
GAN = {"width": 4, "latent": 8}
DAE = {"widths": (8, 16, 32), "patch": 32}
UNET = {"widths": (8, 16), "groups": 4, "layers": 1, "patch": 32}
#: 34 steps of DAE, whose learning rate changes after 32
TRAININGS = {
    "vae": Training("VAE", "three steps, as it is", "vae-upd", VAE),
    "rd": Training(
        "RD", "three steps, ResNet-18", "rd-upd", {"weights": "random", "backbone": "resnet18", "patch": 64},
        shape=(2, 1, 64, 64),
    ),
    "fae": Training(
        "FAE", "three steps with dropout and adapting backbone", "fae-upd",
        {"weights": "random", "widths": (8, 12), "patch": 64}, shape=(2, 1, 64, 64),
    ),
    "pii": Training(
        "PII, FPI", "three steps on given anomalies, as it is", "pii-upd",
        {"patch": 32}, given=labelled,
    ),
    "am_cons": Training("AMCons", "three steps, as it is", "am_cons-upd", {"latent": 4, "patch": 32}),
    "f_anogan": Training(
        "f-AnoGAN", "three steps of critic and generator", "f_anogan-upd", GAN, shape=(2, 1, 128, 128),
        tensors=("generator.", "critic."),
    ),
    "f_anogan_encoder": Training(
        "f-AnoGAN", "three steps of the encoder, as it is", "f_anogan-upd", GAN, shape=(2, 1, 128, 128), phase=1,
        tensors=("encoder.",),
    ),
    "dae-upd": Training("DAE", "34 steps with noise, of dae-upd, as it is", "dae-upd", DAE, steps=34),
    "dae": Training("DAE", "34 steps with noise", "dae", {**DAE, "field": 0.0}, source=KASCENAS, steps=34),
    "disyre_public": Training(
        "DISYRE", "three steps of disyre-public on given corruptions", "disyre-public",
        {**UNET, "attention_only": (2,), "warmup": 1, "steps": 10**8}, source=DISYRE, given=corrupted,
    ),
    "ddpm": Training(
        "DDPM, AnoDDPM", "three steps with our network", "ddpm", {**UNET, "attention_from": 2}, source=ANODDPM
    ),
}  # fmt: skip
