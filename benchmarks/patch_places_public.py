"""Training patches and score maps of the public DISYRE code (snavalm/disyre), run as it is; for patch_places.py."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import diffusers  # noqa: F401  # looks for torchvision, which is replaced below
import numpy as np
import torch
from torch import Tensor


def importable(checkout: Path) -> None:
    """Put the public code on the path, without two packages that it imports and that are not needed here."""
    sys.path.insert(0, str(checkout))
    for name in ("torchvision", "torchmetrics"):
        sys.modules[name] = ModuleType(name)
    sys.modules["torchvision"].transforms = None  # type: ignore[attr-defined]
    sys.modules["torchmetrics"].StructuralSimilarityIndexMeasure = lambda **_: None  # type: ignore[attr-defined]


def patches(checkout: Path, volumes: list[np.ndarray], seed: int) -> Iterator[list[Tensor]]:
    """Healthy patches, masks and foreign patches (16, 1, 128, 128) of the public loader and transforms.

    volumes: (X, Y, Z), brains in their bounding boxes.
    """
    from preprocessing import utils
    from preprocessing.preprocessing import get_ag_transforms, get_train_transform

    known: dict[str, Any] = {f"{number}.scan": (values, {}) for number, values in enumerate(volumes)}
    names, load = list(known), utils.DataLoader3D.load_file

    def kept(file: str) -> Any:
        name = Path(file).name
        return known[name] if name in known else known.setdefault(name, load(file))

    utils.DataLoader3D.load_file = staticmethod(kept)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder, "list.json")
        listed.write_text(json.dumps({"training": [{"image": name} for name in names]}), encoding="utf-8")
        loader = utils.DataLoader2Dfrom3D(str(listed), "training", "image", 4, 1, num_slices=4)
    anomalies = get_ag_transforms("fpi", [64, 64], True, str(checkout / "experiments/shapes/dataset.json"), 1.0)
    anomalies[1].random_mask_gen.shape_loader.number_of_threads_in_multithreaded = 1
    transform = get_train_transform(SimpleNamespace(patch_size=[128, 128], anom_type="fpi"), anomalies)
    for number, batch in enumerate(loader):
        made = transform(**batch)
        if number >= 30:  # by then its queue holds foreign patches of many slices
            yield [torch.as_tensor(np.asarray(made[key])).float().mT for key in ("data", "shape", "fp")]


@torch.no_grad()
def score(method: Any, images: Tensor) -> Tensor:
    """The public pipeline's map of slices (N, H, W) with the network of a method, whose times count from 1."""
    from diffusion.scheduler import DISYREPipeline, DISYREScheduler

    def network(x: Tensor, t: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=method.predict(x, int(t) + 1))

    network.sample_size = [method.patch, method.patch]  # type: ignore[attr-defined]

    class Pipeline(DISYREPipeline):  # type: ignore[misc]
        device = torch.device("cpu")

        def __init__(self) -> None:
            vars(self).update(unet=network, scheduler=DISYREScheduler())

    settings = {"num_inference_steps": 4, "weight_foreground": True, "sw_kwargs": {"sw_batch_size": 64}}
    return Pipeline()(images[:, None], **settings).anomaly_score[:, 0]
