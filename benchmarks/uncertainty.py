"""How far p-values and intervals can be trusted: comparisons of identical methods, and intervals of a known AP.

    python benchmarks/uncertainty.py                a few minutes on one core

Scores are simulated: a subject's anomalous voxels lie above its normal ones by an ease of its own plus an effect of the
trained run (the seed). Under the null hypothesis both methods have the same law, so that 5 % of the p-values should be
below 0.05. An interval of AP should hold, in 95 % of cohorts, the AP of a very large one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from uadbench.evaluation.summary.comparisons import compare
from uadbench.evaluation.voxels.bootstrap import bootstrap_all
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.evaluation.voxels.histogram import ScoreHistogram, save
from uadbench.evaluation.voxels.metrics import average_precision

VOXELS = 500  # of a subject
SIZES = (0.02, 1.0)  # median share of anomalous voxels, and the deviation of its logarithm over subjects
EASE = (1.5, 0.5)  # mean and deviation over subjects of how far anomalous scores lie above normal ones


def labels(subjects: int, rng: np.random.Generator) -> list[np.ndarray]:
    shares = np.minimum(SIZES[0] * np.exp(SIZES[1] * rng.standard_normal(subjects)), 0.5)
    return [rng.random(VOXELS) < share for share in shares]


def run(truth: list[np.ndarray], ease: np.ndarray, effect: float, rng: np.random.Generator) -> ScoreHistogram:
    """The histogram of one trained run on a cohort."""
    histogram = ScoreHistogram("final")
    for number, (label, easy) in enumerate(zip(truth, ease, strict=True)):
        score = np.abs(rng.standard_normal(VOXELS) + max(0.0, easy + effect) * label)
        histogram.add(f"{number:04d}", score.astype(np.float32), label)
    return histogram


def rejected(subjects: int, seeds: int, spread: float, repeats: int) -> float:
    """Share of comparisons by AP of two identical methods whose p-value is below 0.05."""
    count = 0
    for repeat in tqdm(range(repeats), f"{subjects} subjects, {seeds} seeds, spread {spread}", leave=False):
        rng = np.random.default_rng([repeat, subjects, seeds])
        truth, ease = labels(subjects, rng), rng.normal(*EASE, subjects)
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for method in ("a", "b"):
                for seed in range(seeds):
                    meta = {"experiment": "null", **dict.fromkeys(SIMULATED, True), "task": "t", "protocol": "full"}
                    paths.append(Path(folder) / f"{method}-{seed}.npz")
                    histogram = run(truth, ease, spread * rng.standard_normal(), rng)
                    save(paths[-1], {"final": histogram}, {**meta, "method": method, "seed": seed})
            table = compare(paths, resamples=1000)
        count += bool((table.loc[table["metric"] == "ap", "p"] < 0.05).any())
    return count / repeats


def covered(subjects: int, repeats: int) -> float:
    """Share of cohorts whose 95 % interval of AP holds the AP of all subjects there could be."""
    rng = np.random.default_rng(0)
    whole = average_precision(run(labels(20_000, rng), rng.normal(*EASE, 20_000), 0.0, rng))
    count = 0
    for repeat in tqdm(range(repeats), f"{subjects} subjects", leave=False):
        rng = np.random.default_rng([repeat, subjects])
        histogram = run(labels(subjects, rng), rng.normal(*EASE, subjects), 0.0, rng)
        low, high = bootstrap_all(histogram, ["ap"])["ap"] or (1.0, 0.0)
        count += low <= whole <= high
    return count / repeats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=200)
    repeats = parser.parse_args().repeats
    print(
        f"{repeats} repeats, {VOXELS} voxels a subject; standard error of a share: {0.5 / repeats**0.5:.3f} at most\n"
    )
    print("| subjects | seeds | deviation of the seeds' effect | identical methods with p < 0.05 |")
    print("|---:|---:|---:|---:|")
    for subjects, seeds, spread in ((12, 4, 0.5), (40, 4, 0.5), (12, 4, 0.0), (40, 4, 0.0), (40, 1, 0.5)):
        print(f"| {subjects} | {seeds} | {spread} | {rejected(subjects, seeds, spread, repeats):.3f} |", flush=True)
    print("\n| subjects | 95 % intervals of AP that hold the true one |")
    print("|---:|---:|")
    for subjects in (12, 30, 100):
        print(f"| {subjects} | {covered(subjects, repeats):.3f} |", flush=True)


if __name__ == "__main__":
    main()
