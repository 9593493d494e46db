"""Networks whose outputs were recorded once with their public code: the same weights and inputs, made from a seed."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from uadbench.baselines.am_cons import Block, Encoder
from uadbench.baselines.dae import DenoisingUNet
from uadbench.baselines.fae import FeatureAutoencoder
from uadbench.baselines.rd import Student, distance_map

from uadbench.methods import registry
from uadbench.methods.anomalies.filters import smoothed
from uadbench.methods.base import Context
from uadbench.methods.networks.efficientnet import EfficientNetLite
from uadbench.methods.networks.output import OutputConv2d
from uadbench.methods.networks.wgan import Critic, encoder, generator
from uadbench.methods.networks.wide_resnet import WideResNetAutoencoder
from uadbench.methods.scoring.similarity import anomaly_map, dissimilarity_map
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve

RECORDS = Path(__file__).parent / "records"
LITE = "efficientnet-lite-pytorch 0.1.0 (PyPI)"
UPD = "UPD_study (in matt-baugh/img-cond-diffusion-model-ad, a348999)"
KASCENAS = "DenoisingAE (AntanasKascenas/DenoisingAE, 8e5a9df)"
DISYRE = "DISYRE's public code (snavalm/disyre, e149f29)"
DARKEST = 0.01  # darker pixels are set to 0
THINNED = 4  # every fourth pixel of a map is recorded


@dataclass(frozen=True)
class Case:
    """One network: the method it belongs to, what is compared and with whose code, and how ours is built and fed."""

    method: str
    what: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]  # of the input
    background: float = 0.0  # share of the input that is 0
    source: str = UPD

    def network(self) -> nn.Module:
        """Ours with weights from the seed, in evaluation mode and float64: rounding hides nothing and costs nothing."""
        return seeded(self.build()).eval().double()

    def inputs(self) -> Tensor:
        """Uniform in [0, 1], less the share that is background."""
        values = torch.rand(self.shape, generator=torch.Generator().manual_seed(5)).double()
        return (values - self.background).clamp_min(0)


def seeded(module: nn.Module) -> nn.Module:
    """Give every tensor of a module values that depend on its name and shape alone; scales as after training."""
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                continue
            made = torch.Generator().manual_seed(zlib.crc32(f"{name} {tuple(tensor.shape)}".encode()))
            values = torch.randn(tensor.shape, generator=made)
            if name.endswith("running_var"):
                values = 0.5 + values.abs()
            elif tensor.ndim > 1:
                values = values * (2 / tensor[0].numel()) ** 0.5
            else:
                values = 0.1 * values + float(name.endswith("weight"))
            tensor.copy_(values)
    return module


def thinned(output: Tensor) -> np.ndarray:
    """What is recorded of an output."""
    values = output.detach()
    return (values[..., ::THINNED, ::THINNED] if values.ndim == 4 else values).numpy()


def features(critic: Critic) -> nn.Module:
    """The critic's last features."""
    return critic.features


def decoder() -> nn.Module:
    """AMCons's decoder after its dense layer, at the sizes of UPD_study."""
    widths = [256, 128, 64, 32, 16]
    up = [nn.Sequential(Block(i, o, grow=True), Block(o, o)) for i, o in pairwise(widths)]
    return nn.Sequential(*up, OutputConv2d(widths[-1], 1, 3, padding=1))


def published(base: str, name: str = "", **params: Any) -> Any:
    """A method at its published size; `name` is its variant, if any."""
    name = name or base
    return registry.load(base).Baseline(resolve(name, "t1", {name: params}).params, Context("t1", 1.0))


class Reconstruction(nn.Module):
    """A VAE's reconstruction from the mean of the latent code."""

    def __init__(self) -> None:
        super().__init__()
        vae = published("vae")
        self.encoder, self.decoder = vae.encoder, vae.decoder

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.encoder(images).chunk(2, 1)[0])


class Pyramid(nn.Module):
    """A network of three features, fed with maps (N, 64, H, W) and smaller ones made of these; every eighth output."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def levels(self, x: Tensor) -> list[Tensor]:
        return [x, x.repeat(1, 2, 1, 1)[..., ::2, ::2], x.repeat(1, 4, 1, 1)[..., ::4, ::4]]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([copy.flatten(1) for copy in self.inner(self.levels(x))], 1)[:, ::8]


class DistanceMap(Pyramid):
    """RD's smoothed anomaly map from the features of three stages and their copies."""

    def forward(self, x: Tensor) -> Tensor:
        levels = self.levels(x)
        return smoothed(distance_map(list(zip(levels, self.inner(levels), strict=True)), (64, 64)), 4.0)


class SimilarityMap(nn.Module):
    """FAE's anomaly map from features, before it is enlarged."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, features: Tensor) -> Tensor:
        return dissimilarity_map(self.inner(features), features, 5)


class Change(nn.Module):
    """A map of an image and its restoration, given as the first and the second half of a batch."""

    def __init__(self, compared: Callable[[Tensor, Tensor], Tensor], darkest: float = DARKEST) -> None:
        super().__init__()
        self.compared, self.darkest = compared, darkest

    def forward(self, pair: Tensor) -> Tensor:
        images, restored = pair.chunk(2)
        return self.compared(images * (images > self.darkest), restored)


def upd_change(images: Tensor, restored: Tensor) -> Tensor:
    """The map of VAE, f-AnoGAN and their variants `upd`, in the brain; times ten, since its range makes it small."""
    return 10 * anomaly_map(images, restored, "ssim") * (images > 0)


class Restoration(nn.Module):
    """r-VAE's restoration of two slices in three steps with the settings of UPD_study; random codes from a seed."""

    def __init__(self) -> None:
        super().__init__()
        vae = published("vae")
        self.encoder, self.decoder = vae.encoder, vae.decoder
        params = resolve("r_vae-upd", "t1", {"r_vae-upd": {"iterations": 3, "averaged": 2}}).params
        self.made = [registry.load("r_vae").Baseline(params, Context("t1", 1.0, vae))]  # no sub-module

    def forward(self, images: Tensor) -> Tensor:
        # The VAE's loss is in float32 whatever the networks are; here nothing is to be rounded.
        with mock.patch.object(Tensor, "float", Tensor.double):
            return (self.made[0].restored(images, Streams(5)) - images)[..., ::2, ::2]


class Code(Encoder):
    """AMCons' mean and log variance."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[0]


class Attention(Encoder):
    """AMCons' anomaly map; every eighth voxel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[1].flatten(1)[:, ::8]


class PublicScore(nn.Module):
    """The final score of `disyre-public` in the tissue of one window, at the size of the published network."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = published("disyre", "disyre-public")

    def forward(self, images: Tensor) -> Tensor:
        return self.inner.final_map(images) * (images > 0)


class Features(nn.Module):
    """All features of EfficientNet-Lite0, each stage by its largest one; every 64th number."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([(f / f.abs().max()).flatten(1) for f in self.inner(images)], 1)[:, ::64]


def student() -> nn.Module:
    """RD's student of ResNet-18."""
    return Student("resnet18", (64, 128, 256))


def autoencoder() -> nn.Module:
    """FAE's autoencoder of 32 features."""
    return FeatureAutoencoder(32, (100, 150, 200, 300), 0.1)


def wide_resnet() -> nn.Module:
    return WideResNetAutoencoder((16, 64, 128, 256, 256))


#: shapes of inputs: maps of ResNet-18's first stage, features of FAE, an image, two of them
MAPS, FEATURES, IMAGE, PAIR = (1, 64, 16, 16), (1, 32, 32, 32), (1, 1, 128, 128), (2, 1, 128, 128)
CASES = {
    "rd": Case("RD", "copies of the student of ResNet-18's three stages", lambda: Pyramid(student()), MAPS),
    "rd_map": Case("RD", "anomaly map of features and their copies, smoothed", lambda: DistanceMap(student()), MAPS),
    "vae": Case("VAE, r-VAE", "reconstruction from the latent mean, T1", Reconstruction, IMAGE),
    "fae": Case("FAE", "output of the autoencoder of features, 32 channels", autoencoder, FEATURES),
    "fae_map": Case("FAE", "anomaly map of features and their copy", lambda: SimilarityMap(autoencoder()), FEATURES),
    "r_vae_restoration": Case(
        "r-VAE", "change of the restoration of r_vae-upd, three steps", Restoration, PAIR, background=0.25
    ),
    "upd_map": Case(
        "VAE, r-VAE, f-AnoGAN, DAE",
        "anomaly map of an image and its restoration, of the variants upd",
        lambda: Change(upd_change),
        PAIR,
        background=0.25,
    ),
    "pii": Case("PII, FPI", "logits of the wide residual network", wide_resnet, IMAGE),
    "pii_map": Case("PII, FPI", "anomaly map", lambda: nn.Sequential(wide_resnet(), nn.Sigmoid()), IMAGE),
    "dae": Case(
        "DAE", "output of the U-Net, one input channel", lambda: DenoisingUNet((64, 128, 256, 512)), (1, 1, 64, 64)
    ),
    "dae_map": Case(
        "DAE",
        "anomaly map of an image and its restoration",
        lambda: Change(published("dae").change, darkest=0.0),
        PAIR,
        background=0.1,
        source=KASCENAS,
    ),
    "am_cons_encoder": Case("AMCons", "mean and log variance of the encoder", lambda: Code(64, 32, 8), IMAGE),
    "am_cons_map": Case("AMCons", "anomaly map", lambda: Attention(64, 32, 8), IMAGE),
    "am_cons_decoder": Case("AMCons", "output of the decoder after its dense layer", decoder, (1, 256, 8, 8)),
    "f_anogan_generator": Case(
        "f-AnoGAN",
        "image of the generator of f_anogan-upd",
        lambda: generator(128, 64, 128, 5, "shuffled", symmetric=False),
        (2, 128),
    ),
    "f_anogan_critic": Case(
        "f-AnoGAN", "features of the critic of f_anogan-upd", lambda: features(Critic(64, 128, 5, 1)), IMAGE
    ),
    "f_anogan_encoder": Case(
        "f-AnoGAN", "latent code of the encoder of f_anogan-upd", lambda: encoder(128, 64, 128, 5, 1), IMAGE
    ),
    "efficientnet_lite0": Case(
        "backbone",
        "features of EfficientNet-Lite0's five stages",
        lambda: Features(EfficientNetLite()),
        (1, 3, 64, 64),
        source=LITE,
    ),
    "disyre_public": Case(
        "DISYRE",
        "final score of disyre-public in one window, four times t",
        PublicScore,
        (1, 1, 64, 64),
        background=0.25,
        source=DISYRE,
    ),
}
