"""Quantities behind statements that the paper makes without a number: kinds of lesions, restorations, convergence.

Findings hold, or do not, as in `methods`; those of the paper's tables are none.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from uadbench.evaluation.summary.profiles import CONTRAST, LEVELS, SIZE
from uadbench.paper.claims.evidence import Evidence, Measured, interval
from uadbench.paper.claims.finding import Finding
from uadbench.paper.inputs import ALPHA

STEPS = 100_000  # of the paper's trainings
QUARTER = 0.75  # of a training, at whose end its last quarter begins
FLAT = 5.0  # per cent by which the loss of a converged training may still change


def kinds(evidence: Evidence) -> list[Finding]:
    """Correlation of the t of a patient's highest AP with volume and contrast of the lesions, by task.

    Holds where larger lesions are found at higher t: significantly on one task (Bonferroni over tasks), and on none the
    other way round; does not where that is significant on one. The contrast decides nothing.
    """
    if not isinstance(evidence, Measured):
        return []
    rows = evidence.profiles
    tested = [(task, rows[(rows["task"] == task) & (rows["variable"] == SIZE)]) for task in evidence.tasks]
    known = [one.iloc[0] for _, one in tested if len(one) and np.isfinite(one["rho"].iloc[0])]
    certain = {np.sign(one["rho"]) for one in known if one["p"] < ALPHA / len(known) and one["seeds"] > 1}
    holds = False if -1 in certain else True if 1 in certain else None
    out = []
    for task in evidence.tasks:
        for variable, words in ((SIZE, "volume"), (CONTRAST, "contrast")):
            own = rows[(rows["task"] == task) & (rows["variable"] == variable)]
            if len(own) and np.isfinite(own["rho"].iloc[0]):
                out.append(Finding(f"{task}, {words}", own["rho"].iloc[0], holds=holds, note=_profile(own)))
    return out


def _profile(rows: pd.DataFrame) -> str:
    """The p-value, and the mean t of the highest AP of the least and the greatest third."""
    levels = rows.drop_duplicates("level").set_index("level")
    ends = [levels["best"].get(level, np.nan) for level in (LEVELS[0], LEVELS[-1])]
    return (
        f"p = {rows['p'].iloc[0]:.2g}; t from {ends[0]:.0f} to {ends[1]:.0f}; {levels['patients'].sum():.0f} patients"
    )


def restorations(evidence: Evidence) -> list[Finding]:
    """What is left of the lesion's difference from the other side of the brain; holds where certainly less than all."""
    if not isinstance(evidence, Measured):
        return []
    out = []
    for row in evidence.restorations.to_dict("records"):
        if not np.isfinite(row["ratio"]):
            continue
        low, high, told = row["low"], row["high"], row["seeds"] > 1  # NaN is neither below nor above 1
        holds = True if told and high < 1 else False if told and low > 1 else None
        note = f"geometric mean over {row['patients']:.0f} patients; their means: difference {row['before']:.2f}, "
        note += f"restored {row['after']:.2f}, in healthy tissue {row['healthy']:.2f}"
        found = Finding(row["task"], row["ratio"], form="{:.2f}", holds=holds, note=note)
        out.append(replace(found, low=low, high=high) if np.isfinite(low) else found)
    return out


def convergence(evidence: Evidence) -> list[Finding]:
    """By how much the validation loss falls in the last quarter of DISYRE's trainings, in per cent, over seeds.

    Of a training with at least STEPS: holds where that is certainly within ± FLAT, does not where it is beyond.
    """
    if not isinstance(evidence, Measured):
        return []
    out = []
    for modality in dict.fromkeys(curve.modality for curve in evidence.curves):
        last = {c.seed: c for c in evidence.curves if c.modality == modality and c.trained}  # the last phase
        known = [end for c in last.values() if (end := _end(c.step, c.validation))]
        if not known:
            continue
        falls, above = np.array([end[0] for end in known]), max(end[1] for end in known)
        half = interval(float(falls.std(ddof=1)), len(falls)) if len(falls) > 1 else np.nan
        low, high = falls.mean() - half, falls.mean() + half
        steps = min(end[2] for end in known)
        holds = None
        if steps >= STEPS and len(falls) > 1:
            holds = True if low >= -FLAT and high <= FLAT else False if low > FLAT or high < -FLAT else None
        note = f"{steps:,} steps; the last value is {_above(above)}"
        found = Finding(modality.upper(), float(falls.mean()), form="{:+.1f} %", holds=holds, note=note)
        out.append(replace(found, low=float(low), high=float(high)) if len(falls) > 1 else found)
    return out


def _above(percent: float) -> str:
    """How far the last loss of any seed is above its lowest one, in words."""
    if percent <= 0:
        return "the lowest"
    return f"at most {percent:.1f} % above the lowest" if percent >= 0.05 else "less than 0.1 % above the lowest"


def _end(steps: np.ndarray, losses: np.ndarray) -> tuple[float, float, int] | None:
    """Fall of the loss in the last quarter, and its end above the lowest, in per cent; and the last step."""
    told = np.isfinite(losses)
    steps, losses = steps[told], losses[told]
    if len(losses) < 2 or losses.min() <= 0 or not (before := steps <= QUARTER * steps[-1]).any():
        return None
    start = losses[before][-1]
    return 100 * (1 - losses[-1] / start), 100 * (losses[-1] / losses.min() - 1), int(steps[-1])
