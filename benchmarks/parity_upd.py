"""The networks and maps of UPD_study, built with our weights; run by parity.py, which stores their outputs."""

from __future__ import annotations

import ast
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

from tests.parity.cases import CASES, Change, Pyramid
from uadbench.methods.seeds import Streams

#: names of our tensors to theirs
BLOCK = [(r"norm(\d)", r"bn\1"), (r"shortcut\.weight", "skip.skip_conv.weight")]
RULES: dict[str, list[tuple[str, Any]]] = {
    "pii": [
        (r"^layers\.0\.", "encoder.0."),
        (r"^layers\.([1-4])\.", r"encoder.\1.layer_0."),
        (r"^layers\.5\.", "decoder.0.layer_0."),
        (r"^layers\.6\.", "decoder.1.layer_0."),
        (r"^layers\.7\.", "decoder.2.layer_0."),
        *BLOCK,
    ],
    "dae": [
        (r"^down\.", "down_path."),
        (r"^out\.", "last."),
    ],
    "am_cons_encoder": [
        (r"^attended\.0\.", "backbone.input."),
        (r"^attended\.1\.", "backbone.resnet.0."),
        (r"^rest\.(\d)\.", lambda m: f"backbone.resnet.{int(m[1]) + 1}."),
        (r"body\.0\.", "conv1."),
        (r"body\.1\.", "bn1."),
        (r"body\.3\.", "conv2."),
        (r"body\.4\.", "bn2."),
        (r"shortcut\.", "downsample."),
    ],
    "am_cons_decoder": [
        (r"^([0-3])\.", r"blocks.\1."),
        (r"^4\.", "out."),
        (r"body\.0\.", "conv1."),
        (r"shortcut\.0\.", "downsample_layer_conv.0."),
        (r"shortcut\.2\.", "downsample_layer_bn."),
    ],
}
ANOGAN = [(r"norm_in", "bn1"), (r"norm_out", "bn2")]


def theirs(name: str, models: Path) -> nn.Module:
    """The public network of a case, with our weights."""
    ours = CASES[name].network().state_dict()
    made, renamed = NETWORKS.get(name, anogan)(name, ours, models)
    state = made.state_dict()
    zeros = {key for key in state if key.endswith(".bias") and key not in renamed}  # biases before a normalisation
    missing = state.keys() - renamed.keys() - zeros
    missing = {key for key in missing if not re.search(r"num_batches|^fc\.|dense_layer", key)}
    assert not missing, sorted(missing)
    made.load_state_dict({**state, **{key: torch.zeros_like(state[key]) for key in zeros}, **renamed})
    return made.eval().double()


def rename(name: str, ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Our tensors under their names."""
    found = {}
    for key, value in ours.items():
        for pattern, replacement in RULES[name.replace("_map", "_encoder")]:
            key = re.sub(pattern, replacement, key)
        found[key] = value
    return found


def grey(weight: torch.Tensor) -> torch.Tensor:
    """A kernel for three equal channels that does what this one does for one."""
    return weight.repeat(1, 3, 1, 1) / 3


def pii(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "PII"))
    from PIImodel import WideResNetAE

    found = rename(name, ours)
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

    layers = {"0": "1", "2": "3", "3": "5", "5": "7"}  # theirs pad by layers of their own
    inner = {}
    for key, value in rename(name, ours).items():
        key = re.sub(r"^grow\.(\d)\.", lambda m: f"up_path.{2 - int(m[1])}.up.", key)
        key = re.sub(r"^up\.(\d)\.", lambda m: f"up_path.{2 - int(m[1])}.conv_block.", key)
        key = re.sub(r"(down_path\.\d|conv_block)\.(\d)\.", lambda m: f"{m[1]}.block.{layers[m[2]]}.", key)
        inner[key] = value
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
    found = rename(name, ours)
    found["backbone.input.weight"] = grey(found["backbone.input.weight"])
    for kind in ("weight", "bias"):
        found[f"mu.{kind}"], found[f"log_var.{kind}"] = found.pop(f"out.{kind}").chunk(2)
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
    found = {}
    for key, value in rename(name, ours).items():
        first, _, rest = key.partition(".body.")
        if rest:  # a block that enlarges has one layer more
            place, _, kind = rest.partition(".")
            layers = {"2": "bn1", "4": "conv2", "5": "bn2"} if key.split(".")[2] == "0" else {}
            layers = layers or {"1": "bn1", "3": "conv2", "4": "bn2"}
            key = f"{first}.{layers[place]}.{kind}"
        elif ".conv1." in key:
            key = key.replace("body.0.", "")
        found[key] = value
    made = modules.Decoder(fin=32, nf0=256, n_channels=1, dense=True, n_blocks=4, spatial_dim=8)
    made.dense = True
    made.dense_layer = nn.Flatten()  # what is put in comes out again where it unflattens
    return made, found


def in_order(ours: dict[str, torch.Tensor], made: nn.Module) -> dict[str, torch.Tensor]:
    """Our tensors under the names of a network that defines its layers in the same order."""
    state = made.state_dict()
    assert len(state) == len(ours), (len(state), len(ours))
    return dict(zip(state, ours.values(), strict=True))


def vae(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "VAE"))
    from VAEmodel import VAE

    sizes = {"kernel_size": 3, "padding": 1, "num_layers": 6, "image_size": 128, "img_channels": 1, "width": 32}
    made = VAE(Namespace(**sizes, conv1x1=64, latent_dim=512, dropout=0.0, kl_weight=1e-4))
    found = in_order(ours, made)
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

    made = FeatureAutoencoder(Namespace(in_channels=32, hidden_dims=[100, 150, 200, 300], dropout=0.1))
    return made, in_order(ours, made)


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
    places = {"first.0": "1", "first.1": "2", "second": "3"}
    found = {}
    for key, value in ours.items():
        key = key.removeprefix("inner.")
        for ours_, number in places.items():
            key = re.sub(rf"^{re.escape(ours_)}\.0\.", f"bottleneck.conv{number}.", key)
            key = re.sub(rf"^{re.escape(ours_)}\.1\.", f"bottleneck.bn{number}.", key)
        key = re.sub(r"^bottleneck\.(\d)\.", r"bottleneck.bn_layer.\1.", key)
        if key.startswith("steps."):
            key = re.sub(r"^steps\.(\d)\.", lambda m: f"decoder.layer{int(m[1]) + 1}.", key)
            key = key.replace("downsample", "upsample")
        found[f"inner.{key}"] = value
    unused = {f"inner.{key}": value for key, value in made.state_dict().items() if re.search(r"\.(conv|bn)4\.", key)}
    return Pyramid(made), {**unused, **found}


def rd_map(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = rd(name, ours, models)
    scope: dict[str, Any] = {"torch": torch, "F": F, "gaussian_filter": gaussian_filter, "Tensor": torch.Tensor}
    run_script(models / "RD" / "RDtrainer.py", ["get_anomaly_map"], scope)
    config = Namespace(image_size=64, device="cpu", gaussian_blur=True)
    made.forward = lambda x: scope["get_anomaly_map"](made.levels(x), made.inner(made.levels(x)), config)
    return made, found


def restoration(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    made, found = vae("vae", ours, models)
    made.forward = type(made).forward.__get__(made)
    scope: dict[str, Any] = {"torch": torch, "model": made}
    scope["config"] = Namespace(device="cpu", num_restoration_steps=3, tv_lambda=1.2, restore_lr=1e3)
    run_script(models / "VAE" / "r-VAEtrainer.py", ["total_variation", "restore"], scope)
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
    run_script(models.parent / "utilities" / "utils.py", ["ssim_map"], scope)

    def compared(images: torch.Tensor, restored: torch.Tensor) -> torch.Tensor:
        mask = torch.stack([image > image.min() for image in images])
        return 10 * scope["ssim_map"](restored, images) * mask

    return Change(compared), {}


def run_script(path: Path, names: list[str], scope: dict[str, Any]) -> None:
    """Define functions of a script in `scope`; the script itself parses arguments when it is imported."""
    wanted = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", "") in names]
    exec(compile(ast.Module(wanted, []), path.name, "exec"), scope)


def anogan(name: str, ours: dict[str, torch.Tensor], models: Path) -> tuple[nn.Module, dict[str, torch.Tensor]]:
    sys.path.insert(0, str(models / "fAnoGAN"))
    import GANmodel

    kind = name.rpartition("_")[2]
    made: nn.Module = {
        "generator": GANmodel.Generator, "critic": GANmodel.Discriminator, "encoder": GANmodel.Encoder,
    }[kind](Namespace(img_size=128, img_channels=1, latent_dim=128, dim=64))  # fmt: skip
    first = {"generator": 2, "critic": 1, "encoder": 1}[kind]
    layer = "res" if kind == "encoder" else "rb"
    found = {}
    for key, value in ours.items():
        number, _, rest = key.partition(".")
        block = int(number) - first + 1
        if 1 <= block <= 5:
            for pattern, replacement in ANOGAN:
                rest = re.sub(pattern, replacement, rest)
            inner = ".conv" if kind == "generator" else ""
            rest = rest.replace("conv_in.", f"conv1{inner}.")
            rest = rest.replace("conv_out.", "conv2." if kind == "generator" else "conv2.0.")
            rest = rest.replace("shortcut.", "shortcut.conv." if kind == "generator" else "shortcut.1.")
            found[f"{layer}{block}.{rest}"] = value
        elif int(number) == 0:
            name_of = {"generator": "ln1", "critic": "conv1", "encoder": "conv_in"}[kind]
            found[f"{name_of}.{rest}"] = grey(value) if kind == "encoder" and rest == "weight" else value
        elif kind == "generator":
            found[{7: "bn", 9: "conv1"}[int(number)] + f".{rest}"] = value
        else:
            found[f"fc.{rest}"] = value
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
    "fae_map": fae_map,
    "rd": rd,
    "rd_map": rd_map,
    "r_vae_restoration": restoration,
    "upd_map": upd_map,
}
