"""The training steps of DenoisingAE, DISYRE's public code and AnoDDPM; run by parity.py."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import random
import sys
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from diffusers import UNet2DModel
from diffusers.optimization import get_scheduler
from torch import Tensor, nn, optim
from torch.nn import functional as F

from benchmarks import parity_names as names
from benchmarks.parity_steps import Public
from benchmarks.parity_steps_upd import noise
from benchmarks.public_code import define, statements
from tests.parity.steps import DAE, TRAININGS, Repeated, label, strengths


def kascenas(checkout: Path) -> Public:
    """`simple_train_step` of src/training.py with noise, loss and optimiser of src/denoising.py."""
    folder = checkout / "src"
    for known in ("unet", "swish", "ws_conv"):
        sys.modules.pop(known, None)
    sys.path.insert(0, str(folder))
    networks = importlib.import_module("unet")
    networks.CustomSwish.forward = lambda self, x: F.silu(x)  # its gradient uses what torch no longer has
    made = networks.UNet(in_channels=1, n_classes=1, norm="group", up_mode="upconv", depth=3, wf=3, padding=True)
    scope: dict[str, Any] = {"torch": torch, "F": F, "model": made, "noise_res": 16, "noise_std": 0.2, "lr": 1e-4}
    scope["CosineAnnealingLR"] = optim.lr_scheduler.CosineAnnealingLR
    scope["trainer"] = trainer = Namespace(model=made)
    define(folder / "denoising.py", ["noise", "loss_f", "forward", "optimiser", "trainer.lr_scheduler"], scope)
    define(folder / "training.py", ["detach", "simple_train_step"], scope)
    trainer.optimiser, trainer.state = scope["optimiser"], {"accumulation_steps": 1, "train_it": 0}
    side = DAE["patch"]  # written out there, 128

    def step(images: Tensor, rng: Repeated) -> None:
        trainer.state["train_batch"] = [images, None]
        trainer.state["train_it"] += 1
        made.train()
        with noise(rng, 0.2, scope), mock.patch.object(F, "upsample_bilinear", lambda x, size: enlarged(x, side)):
            drawn = scope["random"].choice
            scope["random"].choice = lambda places: drawn(range(side))
            scope["simple_train_step"](trainer, scope["forward"], scope["loss_f"])
        if trainer.state["train_it"] % 32 == 0:  # epoch_len of `train`
            trainer.lr_scheduler.step()

    def named(ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return names.unet({key.removeprefix("unet."): value for key, value in ours.items()}, len(DAE["widths"]))

    return Public(made, named, step)


def enlarged(noise: Tensor, side: int) -> Tensor:
    """What `upsample_bilinear` does."""
    return F.interpolate(noise, size=side, mode="bilinear", align_corners=True)


def disyre(checkout: Path) -> Public:
    """The loop of trainer_disyre.py up to the optimiser's step, without accelerate."""
    sys.path.insert(0, str(checkout))
    metrics = ModuleType("torchmetrics")  # for a score that is not used
    metrics.StructuralSimilarityIndexMeasure = lambda **settings: None  # type: ignore[attr-defined]
    sys.modules.setdefault("torchmetrics", metrics)
    scheduler = importlib.import_module("diffusion.scheduler").DISYREScheduler()
    path = checkout / "trainer_disyre.py"
    defaults = SimpleNamespace(env_default={"checkpoint_dir": "."})
    scope: dict[str, Any] = {"argparse": argparse, "os": os, "environment_defaults": defaults, "torch": torch, "F": F}
    define(path, ["parse_args"], scope)
    with mock.patch.object(sys, "argv", [path.name]):
        scope["args"] = scope["parse_args"]()
    # Its warm-up begins at 0, ours one step later, and both take none here.
    vars(scope["args"]).update(lr_warmup_steps=0, num_steps=10**8)
    made = UNet2DModel.from_config(TRAININGS["disyre_public"].build().unet.config)

    class FromZero(nn.Module):
        """Their times count from 0, ours from 1."""

        def __init__(self) -> None:
            super().__init__()
            self.network = made

        def forward(self, images: Tensor, times: Tensor) -> SimpleNamespace:
            return self.network(images, times + 1)

    scope |= {"model": FromZero(), "noise_scheduler": scheduler, "get_scheduler": get_scheduler}
    define(path, ["optimizer", "lr_scheduler"], scope)
    scope["accelerator"] = SimpleNamespace(
        accumulate=lambda model: contextlib.nullcontext(),
        backward=lambda loss: loss.backward(),
        clip_grad_norm_=torch.nn.utils.clip_grad_norm_,
        sync_gradients=True,
        device="cpu",
    )
    scope |= {"weight_dtype": torch.float64, "alphas_keys": ["alpha_texture"]}
    loop = statements(path, "model.train()", "with accelerator.accumulate(model)")

    def step(images: Tensor, rng: Repeated) -> None:
        batch = {"data": label(images), "data_c": images, "alpha_texture": strengths(rng, len(images))}
        scope["train_dataloader"] = iter([batch])
        exec(loop, scope)

    return Public(made, lambda ours: {key.removeprefix("unet."): value for key, value in ours.items()}, step)


def anoddpm(checkout: Path) -> Public:
    """The loop of diffusion_training.py up to the optimiser's step, with our network and linear betas."""
    made = UNet2DModel.from_config(TRAININGS["ddpm"].build().unet.config)

    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = made

        def forward(self, images: Tensor, times: Tensor) -> Tensor:
            return self.network(images, times).sample

    scope: dict[str, Any] = {"np": np, "torch": torch, "random": random, "optim": optim}
    define(
        checkout / "GaussianDiffusion.py",
        ["get_beta_schedule", "extract", "mean_flat", "GaussianDiffusionModel"],
        scope,
    )
    args = json.loads((checkout / "test_args" / "args28.json").read_text())
    diffusion = scope["GaussianDiffusionModel"](
        args["img_size"], scope["get_beta_schedule"](args["T"], "linear"), loss_weight=args["loss_weight"],
        loss_type=args["loss-type"], noise="gauss",
    )  # fmt: skip
    scope |= {"model": Noise(), "diffusion": diffusion, "args": args}
    path = checkout / "diffusion_training.py"
    define(path, ["optimiser"], scope)
    loop = statements(path, "loss, estimates = diffusion.p_loss", "optimiser.step()")

    def step(images: Tensor, rng: Repeated) -> None:
        times = torch.randint(args["T"], (len(images),), generator=rng["times"])
        drawn = torch.randn(images.shape, generator=rng["noise"])
        scope["x"] = 2 * images - 1
        with (
            mock.patch.object(torch, "randint", return_value=times),
            mock.patch.object(torch, "randn_like", return_value=drawn),
        ):
            exec(loop, scope)

    return Public(made, lambda ours: {key.removeprefix("unet."): value for key, value in ours.items()}, step)
