"""95 % intervals without resampling: the delete-one jackknife over patients, each with all of their scans.

A metric is computed once without each patient (Efron and Tibshirani 1993, chapter 11). A pooled metric gets Student's t
on the logit, with as many degrees of freedom as patients effectively decide it, `n_eff`: of a dozen strokes that may
be one. The mean over subjects gets the usual interval of a mean. `benchmarks/uncertainty.py` measures how often
intervals cover the truth.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from uadbench.core.patients import numbers
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import METRICS, Counts, dice_over, pooled_value

LEVEL = 0.95
EDGE = 1e-6  # least distance of a value from 0 and 1 on the logit
ALIKE = 1e-20  # variance below which left-out values are equal but for rounding
SHIFT = 0.01  # largest difference of a metric between the bins of subjects and those of the pool
FEW = 16  # fewer bins of subjects represent the scores only if those of the pool are about as few
CROWDED_NOTE = "most scores share a few bins of subjects, so that there is neither interval nor p-value"
BATCH = 64  # patients left out at once, so that temporary arrays stay in the cache
DECIDES = 3  # effective number of patients below which one of them decides the number


@dataclass(frozen=True)
class Interval:
    """Limits of a 95 % interval and the effective number of patients; NaN where there is none."""

    low: float = np.nan
    high: float = np.nan
    n_eff: float = np.nan


NONE = Interval()
CROWDED = Interval()  # of a metric that bins of subjects do not tell; only this object
ALONE = Interval(n_eff=1.0)  # of a metric that is undefined without one patient


@dataclass(frozen=True)
class Spread:
    """Variance of a value and its degrees of freedom."""

    variance: float
    freedom: float

    @classmethod
    def of(cls, left_out: np.ndarray) -> "Spread":
        """Jackknife variance of a value from values (n,), each without one patient.

        freedom: (Σd²)² / Σd⁴ of the deviations d, the number of patients that effectively decide: n if all deviate by
        as much, 1 if a single one does.
        """
        deviations = left_out - left_out.mean()
        squares = float((deviations**2).sum())
        variance = (len(left_out) - 1) / len(left_out) * squares
        return cls(variance, squares**2 / float((deviations**4).sum()) if variance > ALIKE else np.nan)

    @classmethod
    def of_runs(cls, values: np.ndarray) -> "Spread":
        """Of the mean of the values (n,) of independent runs."""
        return cls(float(values.var(ddof=1)) / len(values), len(values) - 1.0)

    def __add__(self, other: "Spread") -> "Spread":
        """Of a sum of independent values, by Satterthwaite's approximation (1946)."""
        parts = [part for part in (self, other) if part.variance > ALIKE]
        total = sum(part.variance for part in parts)
        weights = sum(part.variance**2 / part.freedom for part in parts)
        return Spread(total, total**2 / weights if weights else np.nan)

    @property
    def half(self) -> float:
        """Half the width of the interval; NaN without variance."""
        from scipy.stats import t as student  # slow to import, and tables need none of it

        return float(student.ppf((1 + LEVEL) / 2, self.freedom) * np.sqrt(self.variance))


def pooled(value: float, *left_out: np.ndarray, bounded: bool = True, freedom: float | None = None) -> Interval:
    """Interval of a value; left_out: of each independent group of patients (n,), the values without one.

    bounded: the value is in [0, 1], and the interval symmetric on the logit; else it is at least 0, and on the
    logarithm. freedom: of Student's t, default n_eff. No interval for one patient or where all values are equal, which
    would claim certainty.
    """
    if any(len(values) < 2 for values in left_out):
        return NONE
    if not all(np.isfinite(values).all() and (bounded or values.all()) for values in left_out):
        return ALONE
    scale, back = (_logit, _expit) if bounded else (np.log, np.exp)
    spread = sum((Spread.of(scale(values)) for values in left_out), start=Spread(0.0, np.nan))
    if not spread.variance > ALIKE:
        return NONE
    half = spread.half if freedom is None else Spread(spread.variance, freedom).half
    centre = scale(np.array(value))
    low, high = back(np.array([centre - half, centre + half]))
    return Interval(min(float(low), value), max(float(high), value), spread.freedom)


def ratio(numerator: np.ndarray, denominator: np.ndarray, patients: Sequence[Hashable], mean: bool = False) -> Interval:
    """Interval of the ratio of two sums over subjects (S,), of their `patients`; those with both 0 do not count.

    Either a fraction of what all subjects have together, such as lesions found, or a `mean` over subjects. Means of
    numbers from 0 to 1 have n - 1 degrees of freedom. Those of others, such as false positives, are often decided by a
    few subjects: they have n_eff, as pooled fractions.
    """
    left_out = ratio_left_out(numerator, denominator, patients)
    if len(left_out) < 2:
        return NONE if len(set(patients)) < 2 or not len(left_out) else ALONE
    value, bounded = float(numerator.sum() / denominator.sum()), bool((numerator <= denominator).all())
    return pooled(value, left_out, bounded=bounded, freedom=len(left_out) - 1.0 if mean and bounded else None)


def ratio_left_out(numerator: np.ndarray, denominator: np.ndarray, patients: Sequence[Hashable]) -> np.ndarray:
    """The ratio of two sums over subjects (S,) without each patient (n,), NaN where it is undefined; see `ratio`."""
    sums = by_patient(np.stack([numerator, denominator]).T.astype(float), patients)
    sums = sums[(sums != 0).any(axis=1)]
    above, below = (sums.sum(axis=0) - sums).T
    return np.divide(above, below, out=np.full(len(sums), np.nan), where=below > 0)


def of_histogram(
    histogram: ScoreHistogram, metrics: Iterable[str] = tuple(METRICS), thresholds: np.ndarray | None = None
) -> dict[str, Interval]:
    """Intervals of pooled metrics; with `thresholds` (n,), ⌈Dice⌉ is the maximum over these.

    `NONE` with fewer than two patients, without an anomalous or without a normal voxel; `CROWDED` where the bins of
    subjects cannot represent the scores (`crowded`).
    """
    out = dict.fromkeys(metrics, NONE)
    patients = histogram.patients
    _, *fine = histogram.pooled()
    if len(set(patients)) < 2 or not all(counts.any() for counts in fine):
        return out
    rows = histogram.per_subject()
    for name in out:
        if name == "dice" and thresholds is not None:
            counts = by_patient(np.stack([*histogram.at_least(thresholds)]).transpose(1, 0, 2), patients)
            wanted = by_patient(rows[1].sum(axis=1), patients)
            whole = counts.sum(axis=0), wanted.sum()
            rest = whole[0] - counts
            left_out = dice_over(rest[:, 0], rest[:, 1], whole[1] - wanted)
            out[name] = pooled(pooled_value(histogram, name, thresholds), left_out)
        elif crowded(METRICS[name], rows, fine):
            out[name] = CROWDED
        else:
            out[name] = pooled(pooled_value(histogram, name), leave_one_out(METRICS[name], *rows, patients))
    return out


def leave_one_out(
    metric: Counts, negatives: np.ndarray, positives: np.ndarray, patients: Sequence[Hashable]
) -> np.ndarray:
    """A metric of counts (subjects, bins) without each patient (patients,), NaN where it is undefined."""
    own = [by_patient(counts, patients) for counts in (negatives, positives)]
    whole = [counts.sum(axis=0) for counts in own]
    batches = (slice(start, start + BATCH) for start in range(0, len(own[0]), BATCH))
    return np.concatenate(
        [metric(*(all_ - one[part] for all_, one in zip(whole, own, strict=True))) for part in batches]
    )


def by_patient(values: np.ndarray, patients: Sequence[Hashable]) -> np.ndarray:
    """Values (subjects, …) summed over the subjects of each patient, (patients, …), in the order of appearance."""
    places = numbers(patients)
    if len(set(places)) == len(places):
        return values
    out = np.zeros((max(places) + 1, *values.shape[1:]), values.dtype)
    np.add.at(out, places, values)
    return out


def crowded(metric: Counts, rows: Sequence[np.ndarray], fine: Sequence[np.ndarray]) -> bool:
    """Whether scores share so few bins of subjects that what they give without a patient is uninformative.

    rows: normal and anomalous voxels (subjects, bins); fine: those of all subjects (bins,) in the bins of the pool.
    """
    kept, there = (np.count_nonzero((a + b).reshape(-1, a.shape[-1]).any(axis=0)) for a, b in (rows, fine))
    shift = metric(*fine) - metric(*(counts.sum(axis=0) for counts in rows))
    return bool(abs(shift) > SHIFT or (kept < FEW and there > 4 * kept))


def _logit(values: np.ndarray) -> np.ndarray:
    inside = np.clip(values, EDGE, 1 - EDGE)
    return np.log(inside / (1 - inside))


def _expit(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-np.asarray(values)))
