"""How far intervals and p-values can be trusted: coverage of intervals, and differences between equal methods.

    python benchmarks/uncertainty.py                       a quarter of an hour on one core
    python benchmarks/uncertainty.py --repeats 100 null    a part, quickly

A subject is a histogram of scores: its lesion share is log-normal, its ease may depend on the share, the scale of its
background varies. A method has an effect of its own on each subject, a run an effect of its seed. `strokes` has the
volumes of ATLAS v2 (published: least .01, median 5, greatest 497 ml), `gliomas` those of BraTS. An interval should hold
the value of a very large cohort in 95 % of cohorts; between equal methods 5 % of the p-values should be below .05. The
intervals and p-values are those of the library.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import norm
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from uadbench.evaluation.summary.comparisons import pairs
from uadbench.evaluation.summary.runs import COMPARED, Run
from uadbench.evaluation.voxels.jackknife import Interval, leave_one_out, pooled, ratio
from uadbench.evaluation.voxels.metrics import METRICS, precision_of_counts

VOXELS = 20_000  # of a subject
EDGES = np.linspace(-4.5, 8, 97)
EDGES[[0, -1]] = -np.inf, np.inf
MANY = 100_000  # subjects of the cohort whose value is the truth
THRESHOLD = 2.33  # a healthy rate of 1 %
LESION = 0.002  # share of the brain of one lesion: larger ones are several


class Cohort(NamedTuple):
    """Of subjects (n,): share of the brain that is lesion, ease of its detection, scale of the background's scores."""

    share: np.ndarray
    ease: np.ndarray
    back: np.ndarray


class Law(NamedTuple):
    """Median share, deviation of its logarithm and cap; ease: mean, effect of the share, deviation; deviation of the
    logarithm of the background's scale; share of subjects without lesion; degrees of freedom of the scale's tails;
    deviation over subjects of a method's own effect.
    """

    median: float
    sigma: float
    cap: float = 0.3
    ease: tuple[float, float, float] = (1.5, 0.25, 0.5)
    back: float = 0.25
    healthy: float = 0.0
    tails: float = np.inf
    own: float = 0.4

    def draw(self, subjects: int, rng: np.random.Generator) -> Cohort:
        z = rng.standard_normal(subjects)
        share = np.where(
            rng.random(subjects) < self.healthy, 0, np.minimum(self.median * np.exp(self.sigma * z), self.cap)
        )
        mean, slope, spread = self.ease
        ease = mean + slope * self.sigma * z + spread * rng.standard_normal(subjects)
        heavy = rng.standard_normal(subjects) if np.isinf(self.tails) else rng.standard_t(self.tails, subjects)
        return Cohort(share, ease, np.exp(self.back * heavy))


LAWS = {
    "strokes": Law(0.006, 1.7),
    "gliomas": Law(0.06, 0.6),
    "moderate": Law(0.02, 1.0, 0.5),
    "very heavy": Law(0.004, 2.1, ease=(1.4, 0.3 / 2.1, 0.6), back=0.4, own=0.3),
    "large lesions harder": Law(0.008, 1.6, ease=(2.2, -0.3 / 1.6, 0.5), own=0.3),
    "a third without lesion": Law(0.01, 1.4, ease=(1.6, 0.2 / 1.4, 0.5), back=0.2, healthy=0.33, tails=4, own=0.3),
    "weak method": Law(0.006, 1.7, ease=(0.5, 0.2 / 1.7, 0.4), own=0.3),
    "strong method": Law(0.006, 1.7, ease=(3.5, 0.2 / 1.7, 0.7), own=0.3),
    "equal backgrounds": Law(0.02, 1.0, 0.5, ease=(1.5, 0.0, 0.5), back=0.0, own=0.3),
}


def counts(
    cohort: Cohort, rng: np.random.Generator, own: np.ndarray, seed: float = 0.0, shift: float = 0.0, noise: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Normal and anomalous voxels (n, bins) of a run; own: the method's effect on each subject (n,)."""
    ease = np.maximum(cohort.ease + shift + own + seed, 0)
    scale = cohort.back * np.exp(-0.3 * own)  # the method's false positives vary with the subject, too
    normal = np.diff(norm.cdf(EDGES / scale[:, None]), axis=1) * VOXELS * (1 - cohort.share)[:, None]
    anomalous = np.diff(norm.cdf(EDGES - ease[:, None]), axis=1) * VOXELS * cohort.share[:, None]
    return (rng.poisson(normal), rng.poisson(anomalous)) if noise else (normal, anomalous)


def lesions(cohort: Cohort, own: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Lesions found at THRESHOLD, and lesions (n,); the probability rises with the ease of a subject."""
    number = np.where(cohort.share > 0, 1 + rng.poisson(np.minimum(cohort.share / LESION, 20)), 0)
    return rng.binomial(number, norm.cdf(cohort.ease + own - THRESHOLD + 1)), number


def estimates(
    cohort: Cohort, own: np.ndarray, rng: np.random.Generator
) -> dict[str, tuple[float, Callable[[], Interval]]]:
    """Metrics of a cohort with what gives their intervals."""
    negatives, positives = counts(cohort, rng, own)
    patients = range(len(own))
    wholes = negatives.sum(0), positives.sum(0)
    out: dict[str, tuple[float, Callable[[], Interval]]] = {}
    for name, metric in METRICS.items():
        value = float(metric(*wholes))
        out[name] = value, lambda m=metric, v=value: pooled(v, leave_one_out(m, negatives, positives, patients))
    found, number = lesions(cohort, own, rng)
    at = EDGES[:-1] >= THRESHOLD
    false, true, ill = negatives[:, at].sum(1), positives[:, at].sum(1), positives.sum(1) > 0
    within = np.where(ill, np.nan_to_num(precision_of_counts(negatives, positives)), 0)
    for name, above, below, mean in (
        ("sensitivity to lesions", found, number, False),
        ("Dice at a healthy rate", 2 * true, false + true + positives.sum(1), False),
        ("normal voxels flagged", false, negatives.sum(1), False),
        ("mean AP of subjects", within, ill, True),
        ("false positives, ml", false / 100, np.ones(len(own)), True),
    ):
        value = float(above.sum() / max(below.sum(), 1e-9))
        out[name] = value, lambda a=above, b=below, m=mean: ratio(a, b, patients, m)
    return out


def truths(law: Law) -> dict[str, float]:
    rng, values = np.random.default_rng(99), []
    for _ in range(MANY // 5000):
        values.append(law.draw(5000, rng))
    cohort = Cohort(*(np.concatenate(parts) for parts in zip(*values, strict=True)))
    return {name: value for name, (value, _) in estimates(cohort, law.own * rng.standard_normal(MANY), rng).items()}


def covered(law: Law, truth: dict[str, float], subjects: int, repeats: int) -> dict[str, tuple[float, float, float]]:
    """By metric: share of the cohorts' intervals that hold the truth, their median width, share with n_eff below 3."""
    hits: dict[str, list[tuple[float, float, float]]] = {}
    for repeat in tqdm(range(repeats), f"{subjects} subjects", leave=False):
        rng = np.random.default_rng([23, repeat, subjects])
        cohort = law.draw(subjects, rng)
        for name, (_, interval) in estimates(cohort, law.own * rng.standard_normal(subjects), rng).items():
            found = interval()
            if np.isfinite(found.low):
                hit = found.low <= truth[name] <= found.high
                hits.setdefault(name, []).append((hit, found.high - found.low, found.n_eff < 3))
    return {
        name: (float(np.mean(rows, axis=0)[0]), float(np.median(rows, axis=0)[1]), float(np.mean(rows, axis=0)[2]))
        for name, rows in hits.items()
    }


def runs_of(cohort: Cohort, own: np.ndarray, seeds: int, spread: float, rng: np.random.Generator) -> list[Run]:
    names = tuple(f"{number:04d}" for number in range(len(own)))
    runs = []
    for _ in range(seeds):
        parts = counts(cohort, rng, own, spread * rng.standard_normal())
        exact = {name: float(METRICS[name](*(part.sum(0) for part in parts))) for name in COMPARED}
        runs.append(Run(names, *(part.astype(np.float32) for part in parts), exact, names))
    return runs


def rejected(law: Law, subjects: int, seeds: int, spread: float, own: float, repeats: int) -> dict[str, float]:
    """By metric the share of comparisons of two equal methods whose p-value is below .05."""
    rejections = dict.fromkeys(COMPARED, 0)
    for repeat in tqdm(range(repeats), f"{subjects} subjects, {seeds} seeds", leave=False):
        rng = np.random.default_rng([11, repeat, subjects, seeds, int(100 * spread), int(100 * own)])
        cohort = law.draw(subjects, rng)
        methods = {
            name: runs_of(cohort, own * rng.standard_normal(subjects), seeds, spread, rng) for name in ("a", "b")
        }
        for row in pairs(methods, list(COMPARED)):
            rejections[row["metric"]] += row["p"] < 0.05
    return {name: count / repeats for name, count in rejections.items()}


def coverage(repeats: int) -> None:
    shown = [*estimates(LAWS["strokes"].draw(5, np.random.default_rng(0)), np.zeros(5), np.random.default_rng(0))]
    print(
        f"| law | AP | subjects | width | one decides | {' | '.join(shown)} |\n|---|---:|{'---:|' * (3 + len(shown))}"
    )
    for name, law in LAWS.items():
        truth = truths(law)
        for subjects in (12, 30, 100):
            found = covered(law, truth, subjects, repeats)
            _, width, few = found["ap"]
            cells = " | ".join(f"{found[metric][0]:.3f}" for metric in shown)
            print(f"| {name} | {truth['ap']:.2f} | {subjects} | {width:.2f} | {few:.2f} | {cells} |", flush=True)


def null(repeats: int) -> None:
    print(
        "| law | subjects | seeds | effect of seeds | of subjects | AP | ⌈Dice⌉ |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    for name in ("strokes", "gliomas"):
        for subjects in (12, 30, 100):
            for seeds in (2, 4):
                for spread in (0.0, 0.3):
                    for own in (0.0, 0.4):
                        share = rejected(LAWS[name], subjects, seeds, spread, own, repeats)
                        cells = " | ".join(f"{value:.3f}" for value in share.values())
                        print(f"| {name} | {subjects} | {seeds} | {spread} | {own} | {cells} |", flush=True)


PARTS = {"coverage": coverage, "null": null}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="coverage, null; default: both")
    parser.add_argument("--repeats", type=int, default=400)
    given = parser.parse_args()
    print(f"{given.repeats} repeats; standard error of a share of .95: {(0.95 * 0.05 / given.repeats) ** 0.5:.3f}")
    for part in given.parts or PARTS:
        print(f"\n{part}\n")
        PARTS[part](given.repeats)


if __name__ == "__main__":
    main()
