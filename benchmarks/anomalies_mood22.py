"""Anomalies of MOOD22's public code beside ours: the table of docs/disyre-public-code.md.

python benchmarks/anomalies_mood22.py                    # ours
python benchmarks/anomalies_mood22.py --mood22 CHECKOUT  # snavalm/mood22 at 65e91a3 too; needs monai and pie-torch

Both corrupt the same simulated T1-weighted brains. That code makes volumes: counted is the axial slice through the
middle of each anomaly.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from uadbench.methods.base import Batch, Context  # noqa: E402
from uadbench.methods.seeds import Streams, seed_everything  # noqa: E402
from uadbench.methods.settings import resolve  # noqa: E402
from uadbench.simulation.anatomy import REGISTERED, random_anatomy  # noqa: E402
from uadbench.simulation.head import mix, render  # noqa: E402
from uadbench.simulation.scans import boxed  # noqa: E402
from uadbench.training import run  # noqa: E402

SIGNALS = {"white": 0.85, "grey": 0.6, "fluid": 0.2}  # of a T1-weighted scan
SIDE = 160  # voxels of the public code's patch
SMALL = {"widths": [8, 16], "groups": 4, "layers": 1, "attention_from": 2}
Sample = tuple[np.ndarray, np.ndarray, np.ndarray, float]  # image before and after, alpha times mask, alpha


def brain(seed: int) -> np.ndarray:
    """A brain of 1 mm in the middle of a field of 200³ voxels, axes right, anterior, superior, values in [0, 1]."""
    rng = np.random.default_rng(seed)
    grid = boxed((-98, -134, -72), (1, 1, 1), (197, 233, 189), 1.0)
    mixture = mix(random_anatomy(rng, float(rng.uniform(18, 88)), REGISTERED), None, grid.points(np.zeros(3)), 1.0)
    image = render(mixture, SIGNALS) * (mixture.brain > 0.5)
    image = image[tuple(slice(filled.min(), filled.max() + 1) for filled in np.nonzero(image))][:200, :200, :200]
    field = np.zeros((200, 200, 200), np.float32)
    start = [(200 - side) // 2 for side in image.shape]
    field[tuple(slice(a, a + side) for a, side in zip(start, image.shape, strict=True))] = image.clip(0, 1)
    return field


def public(checkout: Path, brains: list[np.ndarray], count: int) -> dict[str, list[Sample]]:
    """Slices of volumes that the public code corrupts with its published settings, by blending."""
    sys.path.insert(0, str(checkout))
    os.chdir(checkout / "citai_mood22")  # where its settings find the masks
    import pietorch
    from citai_mood22.experiments.mood_abdom_test import patch_size, train_dataset_config
    from citai_mood22.preprocessing import get_dataset
    from citai_mood22.preprocessing_utils import FPIAnomalyd
    from monai.utils import set_determinism

    set_determinism(1)
    random.seed(1)
    chosen = train_dataset_config["fpi_kwargs"] | {"anomaly_interpolation": "linear"}
    corrupt = FPIAnomalyd(image_key="image", image_size=patch_size, **chosen)
    found: dict[str, list[Sample]] = {"linear": [], "Poisson": []}
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, image in enumerate(brains):
            files.append({"image": f"{folder}/{number}.nii.gz"})
            nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), files[-1]["image"])
        healthy = get_dataset(
            files,
            image_only=True,
            patch_size=patch_size,
            transforms_kwargs=train_dataset_config["transforms_kwargs"],
            dataset_kwargs={"cache_rate": 1, "num_workers": 1},
        )
        for number in range(count):
            data = healthy[number % len(brains)]
            before = torch.as_tensor(data["image"]).clone()
            after = corrupt(data)
            linear, weight = torch.as_tensor(after["image"]), after["mask"]
            heights = torch.nonzero(weight[0].sum((0, 1))).flatten()
            z = int(heights.float().mean()) if len(heights) else SIDE // 2
            alpha = corrupt.alpha if len(heights) else 0.0
            blended = {"linear": linear}
            if number % 2 == 0:  # as that code calls it, with the same mask and foreign patch
                start = torch.zeros(3, dtype=torch.int64)
                blended["Poisson"] = pietorch.blend(
                    before.clone(), after["fp"], weight[0].clone(), start, mix_gradients=True, channels_dim=0
                )
            for blending, image in blended.items():
                before_, after_, weight_ = (part[0, :, :, z].numpy() for part in (before, image, weight))
                found[blending].append((before_, after_, weight_, alpha))
    return found


def heights(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Heights (count,) of the middles of that code's anomalies in its patch, and of the slices that fill them."""
    size = np.where(rng.random(count) < 1 / 3, 128, rng.uniform(10, 128, count))  # stored masks lie in the middle
    own, other = rng.uniform(0, SIDE - 128, (2, count))
    middle = size / 2 + rng.random(count) * (128 - size)
    return (own + middle).astype(int), (other + middle).astype(int)


def ours(name: str, brains: list[np.ndarray], count: int, theirs: bool = False, **changes: object) -> Iterator[Sample]:
    """Slices as a method sees them in training: any with brain, or with `theirs` at the `heights` of that code."""
    seed_everything(1)
    settings = resolve(name, "t1", {name: SMALL | changes})
    method = run.build(name, settings.values, Context("t1", 1.0))
    streams, rng, margin = Streams(1), np.random.default_rng(1), (200 - SIDE) // 2
    within = slice(margin, margin + SIDE)
    filled = [np.flatnonzero(volume[within, within, within].any((0, 1))) for volume in brains]

    def slices(subjects: np.ndarray, places: np.ndarray) -> torch.Tensor:
        chosen = zip(subjects, places, strict=True)
        return torch.from_numpy(np.stack([brains[one][within, within, margin + z] for one, z in chosen]))[:, None]

    for _ in range(0, count, 32):
        subjects = rng.integers(len(brains), size=32)
        others = (subjects + rng.integers(1, len(brains), size=32)) % len(brains)
        z, elsewhere = heights(rng, 32)
        if not theirs:
            z, elsewhere = (np.array([rng.choice(filled[one]) for one in group]) for group in (subjects, others))
        foreign = slices(others, elsewhere)
        batch = Batch(slices(subjects, z), torch.from_numpy(subjects), streams, lambda foreign=foreign: foreign)
        seen = method.corrupt(batch)
        weight = seen.alpha[:, None, None, None] * seen.mask
        for before, after, alpha_mask, alpha in zip(seen.healthy, seen.images, weight, seen.alpha, strict=True):
            yield before[0].numpy(), after[0].numpy(), alpha_mask[0].numpy(), float(alpha)


def row(title: str, samples: Iterator[Sample]) -> str:
    """One line of the table: statistics of slices whose image shows brain."""
    found: dict[str, list[float]] = {key: [] for key in ("healthy", "area", "alpha", "soft", "outside", "change")}
    for before, after, weight, alpha in samples:
        found["healthy"].append(not weight.any())
        if not weight.any() or not (before > 0).any():
            continue
        mask = weight / alpha
        found["area"].append((mask > 0.5).sum())
        found["alpha"].append(alpha)
        found["soft"].append(((mask > 0.01) & (mask < 0.99)).any())
        found["outside"].append(weight[before == 0].sum() / weight.sum())
        found["change"].append(((after - before) ** 2).mean())

    def quantiles(key: str, form: str) -> str:
        return " / ".join(format(value, form) for value in np.quantile(found[key], (0.1, 0.5, 0.9)))

    cells = [f"{np.mean(found[key]):.2f}" for key in ("healthy", "soft", "outside")]
    cells += [f"{np.mean(found['area']):.0f} ({quantiles('area', '.0f')})", quantiles("alpha", ".2f")]
    cells += [f"{np.mean(found['change']):.4f} ({quantiles('change', '.4f')})"]
    return f"| {title} | {len(found['area'])} | {' | '.join(cells)} |"


def main(arguments: argparse.Namespace) -> None:
    """Print the table."""
    brains = [brain(seed) for seed in range(arguments.brains)]
    print("| anomalies | slices | healthy | soft | outside | area, voxels | α | squared change |")
    print("|---|--:|--:|--:|--:|---|---|---|")
    if arguments.mood22:
        for blending, samples in public(arguments.mood22.resolve(), brains, arguments.count).items():
            print(row(f"[13]'s code, {blending}", iter(samples)), flush=True)
    makers: dict[str, Callable[[], Iterator[Sample]]] = {}
    for blending in ("linear", "poisson"):
        makers[f"`mood22-abdomen`, that code's patch and heights, {blending}"] = lambda blending=blending: ours(
            "mood22-abdomen", brains, arguments.ours, theirs=True, patch=SIDE, blending=blending
        )
    for name in ("mood22-abdomen", "disyre-mood22_abdomen", "mood22", "disyre"):
        makers[f"`{name}`"] = lambda name=name: ours(name, brains, arguments.ours)
    for title, maker in makers.items():
        print(row(title, maker()), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mood22", type=Path, help="a checkout of snavalm/mood22")
    parser.add_argument("--brains", type=int, default=8, help="simulated brains")
    parser.add_argument("--count", type=int, default=80, help="volumes that the public code corrupts")
    parser.add_argument("--ours", type=int, default=512, help="slices that ours corrupts")
    main(parser.parse_args())
