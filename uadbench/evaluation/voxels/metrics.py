"""Average precision, best Dice and AUROC from counts of normal and anomalous voxels by score.

The functions of counts work on arrays (…, bins) with scores ascending, so that many resamples are one call; those of a
histogram use its pooled counts: all voxels of all subjects in one ranking.
"""

from collections.abc import Callable

import numpy as np

from uadbench.evaluation.voxels.histogram import ScoreHistogram

Counts = Callable[[np.ndarray, np.ndarray], np.ndarray]
WIDE = 0.01  # distance of the bounds of AP or ⌈Dice⌉ above which no number is given
CROWDED = "no pooled number is given; clip stray values, or take the logarithm or the rank of the scores"
QUANTILE = 1.96  # standard deviations below the mean of a normal distribution that 2.5 % are beyond
TURNED = 0.3  # AUROC below which scores are probably turned round


def precision_of_counts(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Average precision (…) of counts (…, bins), NaN without a positive.

    The sum over thresholds of (recall gained) × (precision there), every distinct score being one threshold, without
    interpolation: the definition of scikit-learn's `average_precision_score`.
    """
    true = _at_least(positives)
    flagged = true + _at_least(negatives)
    precision = true / np.maximum(flagged, 1)
    return _divide((positives * precision).sum(axis=-1), true[..., 0])


def dice_by_threshold(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Dice coefficient (…, bins) of each bin as threshold, NaN without a positive."""
    true = _at_least(positives)
    flagged = true + _at_least(negatives)
    return _divide(2 * true, np.where(true[..., :1] > 0, flagged + true[..., :1], 0))


def dice_of_counts(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Greatest Dice coefficient (…) over all thresholds, ⌈Dice⌉, of counts (…, bins)."""
    return dice_by_threshold(negatives, positives).max(axis=-1)


def auroc_of_counts(negatives: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """Area under the ROC curve (…) of counts (…, bins): probability that an anomalous voxel outranks a normal one."""
    above = _at_least(positives)
    won = (negatives * (above - positives / 2)).sum(axis=-1)  # a tie counts half
    return _divide(won, above[..., 0] * negatives.sum(axis=-1))


METRICS: dict[str, Counts] = {"ap": precision_of_counts, "dice": dice_of_counts, "auroc": auroc_of_counts}


def average_precision(histogram: ScoreHistogram) -> float:
    """Average precision of the pooled voxels as in scikit-learn; NaN without an anomalous voxel."""
    _, negatives, positives = histogram.pooled()
    return float(precision_of_counts(negatives, positives)) if positives.any() else float("nan")


def average_precision_bounds(histogram: ScoreHistogram) -> tuple[float, float]:
    """The least and the greatest average precision of the pooled voxels over all orders within bins.

    The exact value lies between them, so their distance bounds the error of `average_precision`. Bins of a single score
    have no order within; a file of an earlier version does not tell which these are, so that equal scores widen it.
    """
    _, negatives, positives = histogram.pooled()
    return precision_bounds(negatives, positives, histogram.mixed) if positives.any() else (float("nan"),) * 2


def precision_bounds(negatives: np.ndarray, positives: np.ndarray, mixed: np.ndarray) -> tuple[float, float]:
    """The same of counts (bins,) with an anomalous voxel; mixed: (bins,) bool, bins of several scores."""
    true, false = _at_least(positives), _at_least(negatives)
    tied = true / np.maximum(true + false, 1)
    first = true - positives + 1  # minimum number of anomalous voxels at or above a voxel: itself and higher bins
    low = positives * np.where(mixed, first / (first + false), tied)
    high = positives * np.where(mixed, true / np.maximum(true + false - negatives, 1), tied)
    return float(low.sum() / true[0]), float(high.sum() / true[0])


def best_dice_bounds(histogram: ScoreHistogram) -> tuple[float, float]:
    """The least and the greatest ⌈Dice⌉ of the pooled voxels over all orders within bins.

    The least is that of `best_dice` over all thresholds, since every bin's edge is a threshold. The greatest ranks all
    anomalous voxels of a bin of several scores above all normal ones.
    """
    _, negatives, positives = histogram.pooled()
    if not positives.any():
        return float("nan"), float("nan")
    true, false = _at_least(positives), _at_least(negatives)
    flagged = true + false - np.where(histogram.mixed, negatives, 0)
    return best_dice(histogram)[0], float((2 * true / (flagged + true[0])).max())


def doubtful(histogram: ScoreHistogram, thresholds: np.ndarray | None = None) -> str:
    """Why binning may change AP, or ⌈Dice⌉ over all thresholds, by more than WIDE; "" where it cannot.

    Then neither a pooled number nor its interval nor a p-value is given.
    """
    bounds = {"AP": average_precision_bounds(histogram)}
    if thresholds is None:
        bounds["⌈Dice⌉"] = best_dice_bounds(histogram)
    wide = [f"{name} between {low:.3g} and {high:.3g}" for name, (low, high) in bounds.items() if high - low > WIDE]
    return f"most scores share a few bins ({', '.join(wide)}): {CROWDED}" if wide else ""


def best_dice(histogram: ScoreHistogram, thresholds: np.ndarray | None = None) -> tuple[float, float]:
    """⌈Dice⌉ of the pooled voxels and the threshold that attains it; both NaN without an anomalous voxel.

    A voxel is classified as anomalous if its score is at least the threshold. The maximum is over all thresholds, or
    over `thresholds` (n,), each rounded up to the next bin. Ties go to the highest threshold.
    """
    edges, negatives, positives = histogram.pooled()
    if not positives.any():
        return float("nan"), float("nan")
    dice = dice_by_threshold(negatives, positives)
    if thresholds is not None:
        edges = np.sort(np.asarray(thresholds, np.float64))
        dice = np.append(dice, 0.0)[np.searchsorted(histogram.pooled()[0], edges, side="left")]
    best = len(dice) - 1 - int(np.argmax(dice[::-1]))
    return float(dice[best]), float(edges[best])


def dice_over(negatives: np.ndarray, positives: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Greatest Dice (…) of the normal and the anomalous voxels (…, n) that reach thresholds, NaN without `wanted`.

    wanted: number of anomalous voxels (…).
    """
    dice = 2 * positives / np.maximum(negatives + positives + wanted[..., None], 1)
    return np.where(wanted > 0, dice.max(axis=-1), np.nan)


def pooled_value(histogram: ScoreHistogram, metric: str, thresholds: np.ndarray | None = None) -> float:
    """A metric of METRICS of the pooled voxels; with `thresholds` (n,), ⌈Dice⌉ is the maximum over these."""
    of = {"ap": average_precision, "auroc": auroc, "dice": lambda pooled: best_dice(pooled, thresholds)[0]}
    return of[metric](histogram)


def auroc(histogram: ScoreHistogram) -> float:
    """Area under the ROC curve of the pooled voxels, ties counting half; NaN unless both classes are present."""
    _, negatives, positives = histogram.pooled()
    return float(auroc_of_counts(negatives, positives)) if positives.any() else float("nan")


def turned(auroc: float) -> str:
    """What an AUROC far below 0.5 means; "" for others."""
    return f"AUROC is {auroc:.2g}: scores are lower where anomalous; are they turned round?" if auroc < TURNED else ""


def lowest_of_chance(positives: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """AP (…) below which at most 2.5 % of the random orders of `voxels` (…) are, `positives` (…) of them anomalous.

    Chance c, the share of anomalous voxels, less QUANTILE times sqrt(c (1 - c) / voxels): AP is nearly the mean
    precision over all thresholds, whose deviations from c are those of a Brownian bridge B(t) / t, and the integral of
    that over t in (0, 1) has variance 1. With few anomalous voxels AP spreads more, but upwards. A smooth map has fewer
    independent voxels, which is not accounted for.
    """
    chance = positives / voxels
    return chance - QUANTILE * np.sqrt(chance * (1 - chance) / voxels)


def ranked(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Exact average precision and greatest Dice over all thresholds of voxels (n,); NaN without an anomalous one.

    AP as in scikit-learn. Only scores of anomalous voxels are tried as thresholds: raising any other threshold to the
    next of them removes only normal voxels.
    """
    positives, negatives = scores[labels], np.sort(scores[~labels])
    if not positives.size:
        return float("nan"), float("nan")
    thresholds, counts = np.unique(positives, return_counts=True)
    true = np.cumsum(counts[::-1])[::-1]
    flagged = true + negatives.size - np.searchsorted(negatives, thresholds, side="left")
    return float((counts * true / flagged).sum() / positives.size), float((2 * true / (flagged + positives.size)).max())


def _at_least(counts: np.ndarray) -> np.ndarray:
    """Number of voxels (…, bins) in each bin and those above it."""
    return np.cumsum(counts[..., ::-1], axis=-1, dtype=np.float64)[..., ::-1]


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the denominator is 0."""
    return np.divide(
        numerator, denominator, out=np.full(np.shape(denominator), np.nan), where=np.asarray(denominator) > 0
    )
