"""Quantities of Table 2: DISYRE against other methods, between modalities, and on fewer scans.

Each function asks the paper's numbers or those of a study. A finding `holds` where its interval or test decides for the
claim, does not where it decides against it, and is None where it decides nothing, as always with one seed; subsets of
the patients alone are a matter of the runs at hand, but decide from DRAWN patients on.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from uadbench.evaluation.summary.comparisons import MARGIN
from uadbench.paper.claims.difference import Difference, inverse
from uadbench.paper.claims.evidence import SUBJECT, TASKS, Evidence, Measured
from uadbench.paper.claims.finding import Finding, Measure, decided, of_difference

ATLAS, T1, T2 = TASKS
NOISE = ("ddpm", "anoddpm")  # diffusion that corrupts by noise
DRAWN = 30  # patients of a subset, from which on intervals of pooled AP cover as they promise (docs/evaluation.md)
BEHIND = 0.07  # AP by which the paper's DISYRE is behind the best method on BraTS-T1


def best_rival(evidence: Evidence, task: str, metric: str = "ap") -> tuple[str, Difference] | None:
    """The other method with the highest number, and DISYRE's difference from it."""
    known = {name: number.mean for name in evidence.rivals if (number := evidence.value(name, task, metric=metric))}
    if not known:
        return None
    name = max(known, key=known.__getitem__)
    found = evidence.difference(task, name, metric=metric)
    return None if found is None else (name, found)


def lead(*tasks: str, metric: str = "ap") -> Measure:
    """Difference from the best other method; holds where DISYRE is significantly better than every other one."""

    def measure(evidence: Evidence) -> list[Finding]:
        out = []
        for task in tasks:
            if not (best := best_rival(evidence, task, metric)):
                continue
            found = [evidence.difference(task, name, metric=metric) for name in evidence.rivals]
            signs = [one.sign for one in found if one]
            holds = True if min(signs) > 0 else False if min(signs) < 0 else None
            note = f"next: {evidence.title(best[0])}" + f", of {len(signs)} others" * (len(signs) > 1)
            out.append(of_difference(task, best[1], holds, note))
        return out

    return measure


def gain(*tasks: str) -> Measure:
    """The gain over the best other method: absolute, as a share of that one, and as a share of DISYRE."""

    def measure(evidence: Evidence) -> list[Finding]:
        out = []
        for task in tasks:
            best = best_rival(evidence, task)
            if not best or not best[1].ratio:
                continue
            name, found = best
            holds = decided(found.sign)
            out.append(of_difference(task, found, holds, f"over {evidence.title(name)}"))
            ratio, low, high = best[1].ratio
            shares: list[tuple[str, Callable[[float], float]]] = [
                ("of the second best", lambda one: 100 * (one - 1)),
                ("of DISYRE's own", lambda one: 100 * (1 - inverse(one))),
            ]
            for words, share in shares:
                below, above = (None if bound is None else share(bound) for bound in (low, high))
                out.append(Finding(f"{task}, {words}", share(ratio), below, above, "{:+.0f} %", holds))
        return out

    return measure


def not_far_behind(evidence: Evidence) -> list[Finding]:
    """BraTS-T1: the difference from the best other method is not below -BEHIND."""
    best = best_rival(evidence, T1)
    if not best:
        return []
    name, found = best
    low, high = found.bounds or (-np.inf, np.inf)
    holds = True if low > -BEHIND else False if high < -BEHIND else None
    return [of_difference(T1, found, holds, f"next: {evidence.title(name)}")]


def against(other: str, *metrics: str) -> Measure:
    """DISYRE against one method on all tasks."""

    def measure(evidence: Evidence) -> list[Finding]:
        found = (
            (task, metric, evidence.difference(task, other, metric=metric)) for metric in metrics for task in TASKS
        )
        words = {"ap": "", "dice": " ⌈Dice⌉"}
        return [of_difference(task + words[m], one, decided(one.sign)) for task, m, one in found if one]

    return measure


def against_noise(evidence: Evidence) -> list[Finding]:
    """DISYRE against the best diffusion model that corrupts by noise."""
    out = []
    for task in TASKS:
        known = {name: number.mean for name in NOISE if (number := evidence.value(name, task))}
        if known and (found := evidence.difference(task, max(known, key=known.__getitem__))):
            name = evidence.title(max(known, key=known.__getitem__))
            out.append(of_difference(task, found, decided(found.sign), name))
    return out


def modality_gap(evidence: Evidence) -> list[Finding]:
    """AP on BraTS-T2 minus that on BraTS-T1, of DISYRE.

    The interval is that of two independent numbers (Zou and Donner 2008): too wide, since the patients are the same.
    """
    one, other = evidence.value(SUBJECT, T2), evidence.value(SUBJECT, T1)
    if one is None or other is None:
        return []
    value = one.mean - other.mean
    if None in (one.low, one.high, other.low, other.high, one.std, other.std):
        return [Finding("BraTS-T2 − BraTS-T1", value)]
    low = value - float(np.hypot(one.mean - one.low, other.high - other.mean))  # type: ignore[operator]
    high = value + float(np.hypot(one.high - one.mean, other.mean - other.low))  # type: ignore[operator]
    holds = True if low > 0 else False if high < 0 else None
    return [Finding("BraTS-T2 − BraTS-T1", value, low, high, holds=holds)]


def fewer_scans(evidence: Evidence) -> list[Finding]:
    """Bias of AP on random subsets of 220/655 of ATLAS, and the range of 95 % of them, by method.

    The bias of pooled AP grows as subsets shrink: one of fewer than DRAWN patients says nothing of 220.
    """
    if not isinstance(evidence, Measured):
        return []
    rows = evidence.subsets
    rows = rows[(rows["task"] == ATLAS) & rows["method"].isin([SUBJECT, *evidence.rivals]) & rows["bias"].notna()]
    out = []
    for row in rows.to_dict("records"):
        bias, error = row["bias"], 2 * row["error"]
        holds = True if abs(bias) + error < MARGIN else False if abs(bias) - error > MARGIN else None
        holds = holds if row["drawn"] >= DRAWN else None
        note = f"{row['drawn']:.0f} of {row['patients']:.0f} patients"
        name = evidence.title(row["method"])
        out.append(Finding(name, bias, row["low"], row["high"], form="{:+.3f}", holds=holds, note=note))
    return out
