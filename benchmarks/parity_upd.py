"""The networks and maps of UPD_study, built with our weights; run by parity.py, which stores their outputs."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from scipy.ndimage import gaussian_filter
from torch import nn
from torch.nn import functional as F

from benchmarks import parity_names as names
from benchmarks.public_code import define
from tests.parity.cases import Change, Pyramid
from tests.parity.defaults import EVERY, Copies
from uadbench.methods.seeds import Streams


def theirs(name: str, models: Path) -> nn.Module:
    """The public network of a case, with our weights."""
    ours = EVERY[name].network().state_dict()
    made, renamed = NETWORKS.get(name, anogan)(name, ours, models)
    state = made.state_dict()
    zeros = {key for key in state if key.endswith(".bias") and key not in renamed}  # biases before a normalisation
    missing = state.keys() - renamed.keys() - zeros
    missing = {key for key in missing if not re.search(r"num_batches|^fc\.|dense_layer", key)}
    assert not missing, sorted(missing)
    made.load_state_dict({**state, **{key: torch.zeros_like(state[key]) for key in zeros}, **renamed})
    return made.eval().double()


def grey(weight: torch.Tensor) -> torch.Tensor:
    """A kernel for three equal channels that does what this one does for one."""
    return weight.repeat(1, 3, 1, 1) / 3


def pii(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "PII"))
    from PIImodel import WideResNetAE

    found = names.rename(name, ours)
    found["encoder.0.weight"] = grey(found["encoder.0.weight"])
    made = WideResNetAE(Namespace())
    made.forward = lambda x: made.decoder(made.encoder(x.repeat(1, 3, 1, 1)))  # logits
    return made, found


def pii_map(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = pii("pii", {key.removeprefix("0."): value for key, value in ours.items()}, models)
    whole = type(made).forward.__get__(made)
    made.forward = lambda x: whole(x.repeat(1, 3, 1, 1))
    return made, found


def dae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path[:0] = [str(models / "DAE"), str(models.parent.parent)]
    from unet import UNet

    made = UNet(in_channels=1, n_classes=1, depth=4, wf=6)

    class First(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:, :1]

    inner = names.unet(ours, 4)
    made.load_state_dict({**made.state_dict(), **inner})
    made.down_path[0] = nn.Sequential(First(), made.down_path[0])
    return made, {key.replace("down_path.0.", "down_path.0.1."): value for key, value in inner.items()}


def am_cons_models(models: Path) -> Any:
    """AMCons' module; torchvision's ResNet-18 in it is the one that UPD_study holds for RD."""
    sys.path[:0] = [str(models / "AMCons"), str(models / "RD")]
    from resnet import BasicBlock, ResNet

    vision = sys.modules.setdefault("torchvision", ModuleType("torchvision"))
    vision.models = Namespace(resnet18=lambda pretrained: ResNet(BasicBlock, [2, 2, 2, 2]))  # type: ignore[attr-defined]
    import models as modules

    return modules


def encoder(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    found = names.encoder(ours)
    found["backbone.input.weight"] = grey(found["backbone.input.weight"])
    made = am_cons_models(models).Encoder(fin=3, zdim=32, dense=True, variational=True, n_blocks=4, spatial_dim=8)
    whole = made.forward

    def wanted(x: torch.Tensor) -> torch.Tensor:
        _, mean, log_variance, features = whole(x)
        if name == "am_cons_encoder":
            return torch.cat([mean, log_variance], 1)
        attention = F.interpolate(features[0].mean(1).unsqueeze(1), x.shape[-1], mode="bilinear", align_corners=True)
        return attention.flatten(1)[:, ::8]

    made.forward = wanted
    return made, found


def decoder(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    modules = am_cons_models(models)
    found = names.decoder(ours)
    made = modules.Decoder(fin=32, nf0=256, n_channels=1, dense=True, n_blocks=4, spatial_dim=8)
    made.dense = True
    made.dense_layer = nn.Flatten()  # what is put in comes out again where it unflattens
    return made, found


def vae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "VAE"))
    from VAEmodel import VAE

    sizes = {"kernel_size": 3, "padding": 1, "num_layers": 6, "image_size": 128, "img_channels": 1, "width": 32}
    made = VAE(Namespace(**sizes, conv1x1=64, latent_dim=512, dropout=0.0, kl_weight=1e-4))
    found = names.in_order(ours, made)
    found["encoder.0.0.weight"] = grey(found["encoder.0.0.weight"])

    def reconstruction(x: torch.Tensor) -> torch.Tensor:
        mean = made.bottleneck(made.encoder(x.repeat(1, 3, 1, 1))).chunk(2, 1)[0]
        return made.decoder(made.decoder_input(mean))

    made.forward = reconstruction
    return made, found


def fae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path[:0] = [str(models / "FAE"), str(models.parent.parent)]
    for stub in ("torchvision", "torchvision.models"):  # imported for the backbone
        sys.modules.setdefault(stub, ModuleType(stub))
    from FAEmodel import FeatureAutoencoder

    made = FeatureAutoencoder(
        Namespace(in_channels=EVERY[name].shape[1], hidden_dims=[100, 150, 200, 300], dropout=0.1)
    )
    return made, names.in_order(ours, made)


def fae_map(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = fae(name, {key.removeprefix("inner."): value for key, value in ours.items()}, models)
    from pytorch_ssim import SSIMLoss

    copy, loss = made.forward, SSIMLoss(window_size=5, size_average=False)
    made.forward = lambda features: loss(copy(features), features).mean(1, keepdim=True) + 1
    return made, found


def rd(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "RD"))
    from de_resnet import de_resnet18
    from resnet import BasicBlock, BN_layer

    made = nn.Module()
    made.bottleneck, made.decoder = BN_layer(BasicBlock, 2), de_resnet18()
    made.forward = lambda features: made.decoder(made.bottleneck(features))
    inner = names.student({key.removeprefix("inner."): value for key, value in ours.items()})
    found = {f"inner.{key}": value for key, value in inner.items()}
    unused = {f"inner.{key}": value for key, value in made.state_dict().items() if re.search(r"\.(conv|bn)4\.", key)}
    return Pyramid(made), {**unused, **found}


def rd_wide(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "RD"))
    from de_resnet import de_wide_resnet50_2
    from resnet import wide_resnet50_2

    made = nn.Module()
    made.bottleneck, made.decoder = wide_resnet50_2()[1], de_wide_resnet50_2()
    made.forward = lambda features: made.decoder(made.bottleneck(features))
    inner = names.student({key.removeprefix("inner."): value for key, value in ours.items()})
    unused = {key: value for key, value in made.state_dict().items() if re.search(r"\.(conv|bn)4\.", key)}
    return Copies(made), {f"inner.{key}": value for key, value in {**unused, **inner}.items()}


def rd_map(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = rd(name, ours, models)
    scope: dict[str, Any] = {"torch": torch, "F": F, "gaussian_filter": gaussian_filter, "Tensor": torch.Tensor}
    define(models / "RD" / "RDtrainer.py", ["get_anomaly_map"], scope)
    config = Namespace(image_size=64, device="cpu", gaussian_blur=True)
    made.forward = lambda x: scope["get_anomaly_map"](made.levels(x), made.inner(made.levels(x)), config)
    return made, found


def restoration(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = vae("vae", ours, models)
    made.forward = type(made).forward.__get__(made)
    scope: dict[str, Any] = {"torch": torch, "model": made}
    scope["config"] = Namespace(device="cpu", num_restoration_steps=3, tv_lambda=1.2, restore_lr=1e3)
    define(models / "VAE" / "r-VAEtrainer.py", ["total_variation", "restore"], scope)
    generator = Streams(5).child("restoration")["latent"]
    made.reparameterize = lambda mean, log_variance: (
        mean + (0.5 * log_variance).exp() * torch.randn((1, mean.shape[1]), generator=generator)
    )

    class Restored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = made

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                return (scope["restore"](images.clone()) - images)[..., ::2, ::2].detach()

    return Restored(), {f"inner.{key}": value for key, value in found.items()}


def upd_map(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    import torchgeometry

    scope: dict[str, Any] = {"torch": torch, "Tensor": torch.Tensor}
    scope["ssim_module"] = torchgeometry.losses.SSIM(11, max_val=255)
    define(models.parent / "utilities" / "utils.py", ["ssim_map"], scope)

    def compared(images: torch.Tensor, restored: torch.Tensor) -> torch.Tensor:
        mask = torch.stack([image > image.min() for image in images])
        return 10 * scope["ssim_map"](restored, images) * mask

    return Change(compared), {}


def anogan(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "fAnoGAN"))
    import GANmodel

    kind = name.rpartition("_")[2]
    made: nn.Module = {
        "generator": GANmodel.Generator, "critic": GANmodel.Discriminator, "encoder": GANmodel.Encoder,
    }[kind](Namespace(img_size=128, img_channels=1, latent_dim=128, dim=64))  # fmt: skip
    found = names.anogan(kind, ours)
    if kind == "encoder":
        found["conv_in.weight"] = grey(found["conv_in.weight"])
    if kind == "critic":
        found |= {key: value for key, value in made.state_dict().items() if key.startswith("ln1.")}
        made.forward = made.extract_feature  # type: ignore[method-assign]
    return made, found


NETWORKS = {
    "pii": pii,
    "pii_map": pii_map,
    "dae": dae,
    "am_cons_encoder": encoder,
    "am_cons_map": encoder,
    "am_cons_decoder": decoder,
    "vae": vae,
    "fae": fae,
    "fae_default": fae,
    "fae_map": fae_map,
    "rd": rd,
    "rd_wide_resnet50_2": rd_wide,
    "rd_map": rd_map,
    "r_vae_restoration": restoration,
    "upd_map": upd_map,
}
