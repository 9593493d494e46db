"""AP of one small network on training patches of DISYRE's public code, and on ours with either place of patches.

python benchmarks/patch_places.py PUBLIC --healthy 'SCANS' --diseased 'SCANS' --label OLD NEW

PUBLIC is a checkout of snavalm/disyre at e149f29; its loader, transforms, scheduler and windows run as they are. Its
batchgenerators 0.25.5, and scikit-image, have to be importable. SCANS are patterns of brain-extracted scans of one
modality (NIfTI). The label of a scan is the file with OLD in its path replaced by NEW; above 0 is anomalous.

Patches of 128 x 128 voxels of 1 mm are averaged to 4 mm. For each seed all generators train the same network from the
same weights in the same loop, that of `disyre-public`. Every third axial slice of the diseased scans is scored by the
public pipeline and by the method's own map; AP pools all voxels with brain. Prints settings, then a JSON line for each
generator: AP by seed, mean and sample deviation, and the fraction of patches with an empty side of 12 mm.
"""

import argparse
import glob
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import torch
from nibabel.processing import resample_to_output
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import patch_places_public
from uadbench.methods import registry
from uadbench.methods.anomalies.corruption import synthesise
from uadbench.methods.base import WHOLE, Context
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.methods.settings import resolve
from uadbench.training.sampler import SliceSampler

POOL, RIM = 4, 12  # mm: voxels of training and scoring, depth of an empty side
NETWORK = {"widths": [24, 24], "layers": 1, "groups": 8, "attention_only": [], "attention_from": 9, "unshuffle": 4}
TRAINING = {"batch": 16, "learning_rate": 4e-3, "residual": True, "patch": 128 // POOL, "step_sizes": [25]}


def volume(path: str, order: int) -> np.ndarray:
    """A scan at 1 mm, axes x, y, z."""
    image = nibabel.as_closest_canonical(nibabel.load(path))
    if not np.allclose(image.header.get_zooms()[:3], 1, atol=0.01):
        image = resample_to_output(image, (1, 1, 1), order=order)
    return np.asarray(image.dataobj, np.float32)


def brain(path: str) -> tuple[np.ndarray, tuple[slice, ...]]:
    """A scan divided by the 99.5th percentile of its brain and cropped to it, and the box of the crop."""
    values = volume(path, 1).clip(0)
    values[values < 1e-3 * values.max()] = 0
    values = (values / np.quantile(values[values > 0], 0.995)).clip(0, 1)
    box = tuple(slice(place.min(), place.max() + 1) for place in np.nonzero(values))
    return values[box], box


def ours(place: str, volumes: list[np.ndarray], seed: int, changes: dict[str, Any] | None = None) -> Iterator[Any]:
    """The same (32, 1, 128, 128) of `disyre-public` with `place` and `changes`; volumes are centred in one field."""
    shape = np.max([values.T.shape for values in volumes], axis=0)
    packed = np.zeros((len(volumes), *shape), np.float16)
    for row, values in zip(packed, volumes, strict=True):
        row[tuple(slice((a - n) // 2, (a - n) // 2 + n) for a, n in zip(shape, values.T.shape, strict=True))] = values.T
    params = replace(resolve("disyre-public", "t1", {"disyre-public": changes or {}}).params, place=place)
    sampler, rng = SliceSampler(packed, np.arange(len(packed))), Streams(seed)
    while True:
        made = synthesise(sampler.batch(32, rng, WHOLE), params, 1.0)
        yield made.healthy, made.mask, made.foreign


def pooled(triples: Iterator[Any], count: int) -> tuple[Tensor, float]:
    """Averages of x0, m, m x0, m x_fp, float16 (count, 4, 32, 32), and the fraction of patches with an empty side."""
    parts, full = list[Tensor](), list[Tensor]()
    while len(parts) * len(parts[0] if parts else ()) < count:
        healthy, mask, foreign = next(triples)
        parts.append(F.avg_pool2d(torch.cat([healthy, mask, mask * healthy, mask * foreign], 1), POOL).half())
        lines = ((healthy[:, 0] > 0).any(axis) for axis in (2, 1))
        full.append(torch.stack([side.any(1) for line in lines for side in (line[:, :RIM], line[:, -RIM:])]).all(0))
    return torch.cat(parts)[:count], 1 - float(torch.cat(full)[:count].float().mean())


def thinned(values: np.ndarray) -> Tensor:
    """Every third axial slice of values (X, Y, Z), averaged to the voxels of scoring: (N, H, W)."""
    return F.avg_pool2d(torch.tensor(values.T[::3].astype(np.float32))[:, None], POOL)[:, 0]


@torch.no_grad()
def scored(scorer: str, method: Any, images: Tensor) -> Tensor:
    """A map of slices (N, H, W)."""
    return patch_places_public.score(method, images) if scorer == "public" else method.final(images, Streams(1))


def trained(data: Tensor, steps: int, seed: int) -> Any:
    """The small network after `steps` on pooled patches."""
    seed_everything(seed)
    settings = resolve("disyre-public", "t1", {"disyre-public": {**NETWORK, **TRAINING, "steps": steps}})
    method = registry.load("disyre").Baseline(settings.without_curves().params, Context("t1", float(POOL)))
    update, draws = method.phases()[0].updates[0], torch.Generator().manual_seed(seed)
    for _ in range(steps):
        at = torch.randint(len(data), (method.params.batch,), generator=draws)
        healthy, mask, kept, put = data[at].float().split(1, 1)
        alpha = torch.rand(len(at), generator=draws)
        seen = healthy + alpha[:, None, None, None] * (put - kept)
        loss = F.mse_loss(method.predict(seen, method.time_of(alpha * mask.flatten(1).any(1))), healthy)
        update.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(method.parameters(), update.clip)
        update.optimizer.step()
        update.scheduler.step()
    return method.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("public", type=Path)
    for name, count in (("--healthy", None), ("--diseased", None), ("--label", 2)):
        parser.add_argument(name, nargs=count, required=True)
    parser.add_argument("--only", nargs="+", default=["public", "slice", "field"])
    parser.add_argument("--patches", type=int, default=9600)
    parser.add_argument("--draw", type=int, default=1, help="seed of the patches")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--changes", type=json.loads, default={}, help="hyper-parameters of our patches, JSON")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    patch_places_public.importable(given.public)
    healthy = [brain(path)[0] for path in sorted(glob.glob(given.healthy))]
    diseased = []
    for path in sorted(glob.glob(given.diseased)):
        values, box = brain(path)
        label = volume(path.replace(*given.label), 0)[box] > 0
        diseased.append((thinned(values), thinned(label) > 0.5))
    labels = np.concatenate([label[image > 0] for image, label in diseased])
    settings = {**NETWORK, **TRAINING, **{key: str(value) for key, value in vars(given).items()}}
    print(
        json.dumps({**settings, "scans": [len(healthy), len(diseased)], "anomalous": float(labels.mean())}), flush=True
    )
    for name in given.only:
        if name == "public":
            source = patch_places_public.patches(given.public, healthy, given.draw)
        else:
            source = ours(name, healthy, given.draw, given.changes)
        data, empty = pooled(source, given.patches)
        found: dict[str, list[float]] = {"public": [], "ours": []}
        for seed in given.seeds:
            method = trained(data, given.steps, seed)
            for scorer, values in found.items():
                maps = [scored(scorer, method, image)[image > 0] for image, _ in diseased]
                values.append(float(average_precision_score(labels, np.concatenate(maps))))
        for scorer, values in found.items():
            spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
            line = {"patches": name, "empty": empty, "scorer": scorer, "mean": float(np.mean(values))}
            print(json.dumps({**line, "deviation": spread, "ap": values}), flush=True)


if __name__ == "__main__":
    main()
