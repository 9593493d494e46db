"""Time and error of the streaming metrics against scikit-learn on the raw scores, one thread, 30 million voxels.

    python benchmarks/metrics.py                          all distributions, about ten minutes, 4 GB of memory
    python benchmarks/metrics.py --voxels 3e6 residual    a quick look at one

Time is processor time of the one thread, so that other processes count little; best of `--repeats` for the histogram,
once for scikit-learn. Expected: differences of AP and ⌈Dice⌉ below 1e-4, AP at least 20 times as fast.
"""

from __future__ import annotations

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy is imported

# ruff: noqa: E402
import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import average_precision_score, precision_recall_curve

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import average_precision, best_dice

Pair = tuple[np.ndarray, np.ndarray]


def normals(rng: np.random.Generator, voxels: int, share: float, gap: float) -> Pair:
    """Standard normal scores, those of a share of the voxels (the anomalous ones) higher by `gap`."""
    labels = rng.random(voxels, dtype=np.float32) < share
    return rng.standard_normal(voxels, dtype=np.float32) + np.float32(gap) * labels, labels


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


DISTRIBUTIONS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "residual": ("abs(x)/20, a residual of an image in [0, 1]", lambda x: np.abs(x) / 20),
    "squared": ("x², a squared residual or SSIM map", np.square),
    "tiny": ("1e-8 abs(x)", lambda x: 1e-8 * np.abs(x)),
    "rectified": ("max(x, 0), half of the voxels exactly 0", lambda x: np.maximum(x, 0)),
    "sigmoid-low": ("σ(3x - 6), most scores near 0", lambda x: sigmoid(3 * x - 6)),
    "sigmoid-high": ("σ(3x + 8), most scores crowd below 1", lambda x: sigmoid(3 * x + 8)),
    "heavy-tailed": ("exp(5x), 20 decades", lambda x: np.exp(5 * x)),
    "offset": ("5 + x/1000, a large constant and a small signal", lambda x: 5 + x / 1000),
    "half": ("abs(x)/20 cut to bfloat16, many ties", lambda x: truncated(np.abs(x) / 20)),
}


def truncated(x: np.ndarray) -> np.ndarray:
    """The scores cut to the 8 significant bits of bfloat16."""
    return (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def timed(function: Callable[[], tuple[float, ...]], repeats: int) -> tuple[tuple[float, ...], float]:
    """What the function returns and the least processor time (s) of `repeats` calls."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        result = function()
        best = min(best, time.process_time() - start)
    return result, best


def streaming(scores: np.ndarray, labels: np.ndarray, subjects: int, metrics: tuple[str, ...]) -> tuple[float, ...]:
    """AP and ⌈Dice⌉ from one pass over the subjects' scores."""
    histogram = ScoreHistogram()
    for number, (part, truth) in enumerate(
        zip(np.array_split(scores, subjects), np.array_split(labels, subjects), strict=True)
    ):
        histogram.add(f"{number}", part, truth)
    values = {"ap": lambda: average_precision(histogram), "dice": lambda: best_dice(histogram)[0]}
    return tuple(values[metric]() for metric in metrics)


def exact_dice(scores: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """⌈Dice⌉ over all thresholds of scikit-learn's precision-recall curve."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    return (float((2 * precision * recall / np.maximum(precision + recall, 1e-12)).max()),)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="DISTRIBUTION", help=f"of {', '.join(DISTRIBUTIONS)}; default all")
    parser.add_argument("--voxels", type=lambda text: int(float(text)), default=30_000_000)
    parser.add_argument("--subjects", type=int, default=20)
    parser.add_argument("--positives", type=float, default=0.02, help="share of anomalous voxels")
    parser.add_argument("--gap", type=float, default=2.0, help="by how much x is higher in them")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in DISTRIBUTIONS]
    if unknown:
        parser.error(f"no distribution {unknown[0]}; there are {', '.join(DISTRIBUTIONS)}")
    print(f"{options.voxels} voxels, {options.subjects} subjects, {options.positives:.1%} anomalous, x ~ N(0, 1), ")
    print(f"+{options.gap:g} where anomalous, seed {options.seed}; processor time, one thread, {platform.machine()}, ")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn {sklearn.__version__}\n")
    print(
        "| scores | definition | AP | ⌈Dice⌉ | error AP | error ⌈Dice⌉ | AP, s | scikit-learn, s | times as fast | ",
        end="",
    )
    print("AP and ⌈Dice⌉, s | scikit-learn, s | times as fast |\n" + "|---" * 12 + "|", flush=True)
    for name in options.names or DISTRIBUTIONS:
        about, transform = DISTRIBUTIONS[name]
        x, labels = normals(np.random.default_rng(options.seed), options.voxels, options.positives, options.gap)
        scores = transform(x).astype(np.float32)
        del x
        _, ap_time = timed(lambda s=scores, t=labels: streaming(s, t, options.subjects, ("ap",)), options.repeats)
        (ap, dice), both = timed(
            lambda s=scores, t=labels: streaming(s, t, options.subjects, ("ap", "dice")), options.repeats
        )
        (true_ap,), sk_ap = timed(lambda s=scores, t=labels: (float(average_precision_score(t, s)),), 1)
        (true_dice,), sk_dice = timed(lambda s=scores, t=labels: exact_dice(s, t), 1)
        sk_both = sk_ap + sk_dice
        print(
            f"| {name} | {about} | {true_ap:.4f} | {true_dice:.4f} | {ap - true_ap:+.1e} | {dice - true_dice:+.1e} ",
            end="",
        )
        print(f"| {ap_time:.2f} | {sk_ap:.1f} | {sk_ap / ap_time:.0f} ", end="")
        print(f"| {both:.2f} | {sk_both:.1f} | {sk_both / both:.0f} |", flush=True)


if __name__ == "__main__":
    main()
