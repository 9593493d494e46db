"""The training steps of UPD_study, as its scripts define them; run by parity.py."""

from __future__ import annotations

import importlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import parity_names as names
from benchmarks.parity_steps import Public
from benchmarks.public_code import define
from tests.parity.steps import DAE, GAN, TRAININGS, VAE, Repeated, label


def script(path: Path, **given: Any) -> dict[str, Any]:
    """What a script has when its training begins, with its own configuration for T1-weighted MRI but for `given`."""
    scope: dict[str, Any] = {"ArgumentParser": ArgumentParser, "os": os, "ROOT": "", "str_to_bool": bool}
    define(path.parents[2] / "utilities" / "common_config.py", ["common_config"], scope)
    with mock.patch.object(sys, "argv", [path.name]):
        define(path, ["get_config", "config", "config.center"], scope)
    vars(scope["config"]).update(step=0, **given)
    return scope | {"torch": torch, "nn": nn, "F": F, "Tensor": Tensor, "Tuple": tuple}


def module(folder: Path, name: str) -> ModuleType:
    """A module of a folder whose name others have, too."""
    for known in (name, "resnet"):
        sys.modules.pop(known, None)
    sys.path[:0] = [str(folder), str(folder.parents[2])]
    try:
        return importlib.import_module(name)
    finally:
        del sys.path[:2]


def torchvision(models: Path) -> None:
    """Put the ResNet-18 that UPD_study holds for RD, torchvision's, where it is imported from."""
    vision = sys.modules.setdefault("torchvision", ModuleType("torchvision"))
    resnet = module(models / "RD", "resnet")
    vision.models = Namespace(resnet18=lambda pretrained: resnet.resnet18()[0])  # type: ignore[attr-defined]


def latent(count: int, size: int) -> Callable[[Repeated], Any]:
    """Standard normal codes where public code draws numbers like a tensor."""

    def patched(rng: Repeated) -> Any:
        codes = torch.randn((count, size), generator=rng["latent"])
        return mock.patch.object(torch, "randn_like", return_value=codes)

    return patched


def vae(models: Path) -> Public:
    folder, sizes = models / "VAE", {"image_size": VAE["patch"], "width": VAE["width"]}
    sizes |= {"num_layers": 4, "conv1x1": VAE["bottleneck_channels"], "latent_dim": VAE["latent"]}
    scope = script(folder / "VAEtrainer.py", **sizes, kl_weight=1e-4)  # of T1, in a condition of the script
    made = scope["model"] = module(folder, "VAEmodel").VAE(scope["config"])
    define(folder / "VAEtrainer.py", ["optimizer", "vae_train_step"], scope)
    drawn = latent(2, VAE["latent"])

    def step(images: Tensor, rng: Repeated) -> None:
        with drawn(rng):
            scope["vae_train_step"](images)

    return Public(made, lambda ours: names.in_order(ours, made), step)


def rd(models: Path) -> Public:
    folder = models / "RD"
    resnet, back = module(folder, "resnet"), module(folder, "de_resnet")
    scope = script(folder / "RDtrainer.py")
    encoder, bottleneck = resnet.resnet18()
    teacher = TRAININGS["rd"].build().teacher.network.state_dict()
    encoder.load_state_dict({**encoder.state_dict(), **teacher})
    made = nn.Module()
    made.bottleneck, made.decoder = bottleneck, back.de_resnet18()
    scope |= {"encoder": encoder.eval(), "bn": bottleneck, "decoder": made.decoder}
    define(folder / "RDtrainer.py", ["optimizer", "cos_loss", "loss_fucntion", "train_step"], scope)

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        inner = {key.removeprefix("student."): value for key, value in ours.items() if key.startswith("student.")}
        return names.student(inner)

    return Public(made, named, lambda images, rng: scope["train_step"](images))


def fae(models: Path) -> Public:
    folder = models / "FAE"
    torchvision(models)
    scope = script(folder / "FAEtrainer.py", image_size=64, hidden_dims=[8, 12])
    made = scope["model"] = module(folder, "FAEmodel").FeatureReconstructor(scope["config"])
    define(folder / "FAEtrainer.py", ["optimizer", "train_step"], scope)

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        inner = {key: value for key, value in ours.items() if key.startswith("autoencoder.")}
        found = {f"ae.{key}": value for key, value in names.in_order(inner, made.ae).items()}
        for key, value in ours.items():
            if key.startswith("backbone.held."):
                layer, _, rest = key.removeprefix("backbone.held.").partition(".")
                layer = {"conv1": "layer0.0", "bn1": "layer0.1"}.get(layer, layer)
                found[f"extractor.backbone.{layer}.{rest}"] = value
        return found

    assert scope["config"].center
    return Public(made, named, lambda images, rng: scope["train_step"]((images - 0.5) * 2), constant=1.0)


def pii(models: Path) -> Public:
    folder = models / "PII"
    scope = script(folder / "PIItrainer.py")
    made = scope["model"] = module(folder, "PIImodel").WideResNetAE(scope["config"])
    define(folder / "PIItrainer.py", ["optimizer", "train_step"], scope)

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return names.rename("pii", {key.removeprefix("network."): value for key, value in ours.items()})

    return Public(made, named, lambda images, rng: scope["train_step"](images, label(images)))


def am_cons(models: Path) -> Public:
    folder = models / "AMCons"
    torchvision(models)
    networks, code = module(folder, "models"), TRAININGS["am_cons"].params["latent"]
    scope = script(folder / "AMCtrainer.py", batch_size=2, image_size=32, zdim=code)
    sizes = {"dense": True, "n_blocks": 4, "spatial_dim": 2}
    made = nn.Module()
    made.enc = scope["enc"] = networks.Encoder(fin=3, zdim=code, variational=True, **sizes)
    made.dec = scope["dec"] = networks.Decoder(fin=code, nf0=256, n_channels=1, **sizes)
    define(folder / "AMCtrainer.py", ["optimizer", "loss_kl", "loss_r", "train_step"], scope)
    drawn = latent(2, code)

    def step(images: Tensor, rng: Repeated) -> None:
        with drawn(rng):
            scope["train_step"](images)

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        coder = {key.removeprefix("encoder."): value for key, value in ours.items() if key.startswith("encoder.")}
        found = {f"enc.{key}": value for key, value in names.encoder(coder).items()}
        body = {}
        for key, value in ours.items():
            if key.startswith("decoder."):
                _, number, rest = key.split(".", 2)
                if number == "0":
                    found[f"dec.dense_layer.0.{rest}"] = value
                else:
                    body[f"{int(number) - 2}.{rest}"] = value
        return found | {f"dec.{key}": value for key, value in names.decoder(body).items()}

    return Public(made, named, step)


def f_anogan(models: Path, encoder: bool = False) -> Public:
    folder = models / "fAnoGAN"
    networks = module(folder, "GANmodel")
    scope = script(folder / "GANtrainer.py", dim=GAN["width"], latent_dim=GAN["latent"])
    made = scope["model"] = networks.fAnoGAN(scope["config"])
    scope["calc_gradient_penalty"] = networks.calc_gradient_penalty
    steps = ["set_requires_grad", "train_step_gan", "train_step_encoder"]
    define(folder / "GANtrainer.py", ["optimizer_g", "optimizer_d", "optimizer_e", *steps], scope)

    def step(images: Tensor, rng: Repeated) -> None:
        if encoder:
            scope["train_step_encoder"](images)
            return
        codes = torch.randn((len(images), GAN["latent"]), generator=rng["latent"])
        real = 1 - torch.rand(len(images), generator=rng["penalty"]).view(-1, 1, 1, 1)  # ours draws the fake's share
        with (
            mock.patch.object(torch, "randn", return_value=codes),
            mock.patch.object(torch, "rand", return_value=real),
        ):
            scope["train_step_gan"](images)

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {f"D.ln1.{kind}": ours[f"critic.out.{kind}"] for kind in ("weight", "bias")}
        for prefix, letter in (("generator.", "G"), ("critic.features.", "D"), ("encoder.", "E")):
            inner = {key.removeprefix(prefix): value for key, value in ours.items() if key.startswith(prefix)}
            for key, value in names.anogan(prefix.partition(".")[0], inner).items():
                found[f"{letter}.{key}"] = value
        return found

    return Public(made, named, step)


def dae(models: Path) -> Public:
    folder = models / "DAE"
    networks = module(folder, "unet")
    networks.CustomSwish.forward = lambda self, x: F.silu(x)  # its gradient uses what torch no longer has
    scope = script(folder / "DAEtrainer.py", image_size=DAE["patch"], device="cpu")
    scope["CosineAnnealingLR"] = torch.optim.lr_scheduler.CosineAnnealingLR
    with mock.patch.object(nn, "Linear", nn.Identity):  # a layer of 512 MiB that it does not use
        made = scope["model"] = networks.UNet(in_channels=3, n_classes=1, depth=len(DAE["widths"]), wf=3)
    define(folder / "DAEtrainer.py", ["optimizer", "lr_scheduler", "add_noise", "train_step"], scope)
    config = scope["config"]

    def step(images: Tensor, rng: Repeated) -> None:
        with noise(rng, config.noise_std, scope):
            seen, _ = scope["add_noise"](images)
        scope["train_step"](images, seen)
        config.step += 1
        if config.step % 32 == 0 and config.lr_schedule:  # in `train`
            scope["lr_scheduler"].step()

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return names.unet({key.removeprefix("unet."): value for key, value in ours.items()}, len(DAE["widths"]))

    return Public(made, named, step)


def noise(rng: Repeated, deviation: float, scope: dict[str, Any]) -> Any:
    """Draws of ours for `torch.normal` and `random.choice` of the noise of DAE's public codes."""
    generator = rng["noise"]

    def normal(mean: Tensor, std: float) -> Tensor:
        assert std == deviation
        return torch.randn(mean.shape, generator=generator) * std

    rolls: list[Tensor] = []

    def choice(places: range) -> int:
        if not rolls:
            rolls.extend(torch.rand(2, generator=generator))
        return int(rolls.pop(0) * len(places))

    scope["random"] = Namespace(choice=choice)
    return mock.patch.object(torch, "normal", normal)


PUBLIC = {
    "vae": vae,
    "rd": rd,
    "fae": fae,
    "pii": pii,
    "am_cons": am_cons,
    "f_anogan": f_anogan,
    "f_anogan_encoder": partial(f_anogan, encoder=True),
    "dae-upd": dae,
}
