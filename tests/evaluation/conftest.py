"""Score histograms of arrays, and the exact Dice that they are compared with."""

import numpy as np

from uadbench.evaluation.voxels.histogram import ScoreHistogram


def histogram_of(*subjects: tuple) -> ScoreHistogram:
    """The histogram of the scores and labels (n,) of subjects, named sub-0 and so on."""
    histogram = ScoreHistogram()
    for number, (scores, labels) in enumerate(subjects):
        histogram.add(f"sub-{number}", np.asarray(scores, np.float32), np.asarray(labels, bool))
    return histogram


def exact_dice(labels: np.ndarray, scores: np.ndarray) -> float:
    """The best Dice over all thresholds; equal scores are one."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(labels[order])
    return float((2 * true / (np.arange(1, len(true) + 1) + labels.sum()))[last].max())
