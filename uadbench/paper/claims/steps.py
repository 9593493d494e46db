"""Quantities of Table 1 and Figures 1 and 2: the effect of t, of the step size, and of the corruption's schedule.

Findings hold, or do not, as in `methods`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from uadbench.evaluation.summary.comparisons import MARGIN
from uadbench.paper.claims.evidence import SUBJECT, TASKS, Evidence, Measured, interval, number_of
from uadbench.paper.claims.finding import Finding, decided, of_difference, signed, within
from uadbench.paper.inputs import ALPHA

ATLAS, T1, T2 = TASKS
TIMES = 100  # T of the paper
COARSE = "multi/step=50"  # with half the passes of the chosen step size
SPREAD = 0.03  # largest deviation over seeds in Table 1, of two decimals
FULL = 0.99  # least factor that counts as 1


def peaks(evidence: Evidence) -> list[Finding]:
    """t of the maximum of single-step AP by task: mean over seeds, their deviation and values, and how flat it is.

    Holds where two tasks differ: the interval of their difference, paired by seed, excludes 0 (Bonferroni over pairs).
    """
    maxima, flat = dict[str, dict[int, int]](), dict[str, float]()
    for task in evidence.tasks:
        named = {number_of(one): evidence.by_seed(SUBJECT, task, one) for one in evidence.scores(task, "single/t")}
        curves = {t: curve for t, curve in named.items() if curve}
        if len(curves) < 2:
            continue
        seeds = sorted(set.intersection(*map(set, curves.values())))
        best = {seed: max(curves, key=lambda t, seed=seed: curves[t][seed]) for seed in seeds}  # type: ignore[misc]
        maxima |= {task: best} if best else {}
        first, second, *_ = sorted((float(np.mean([*one.values()])) for one in curves.values()), reverse=True)
        flat[task] = first - second
    found = [(one, other) for one, other in combinations(maxima, 2) if maxima[one].keys() == maxima[other].keys()]
    holds = _differ([[maxima[a][s] - maxima[b][s] for s in maxima[a]] for a, b in found])
    out = []
    for task, best in maxima.items():
        values = np.array(list(best.values()), float)
        note = f"AP {flat[task]:.3f} above the next t"
        if len(values) > 1:
            note = f"sd {values.std(ddof=1):.0f}; by seed {', '.join(map('{:.0f}'.format, values))}; {note}"
        out.append(Finding(task, float(values.mean()), form="t = {:.0f}", holds=holds, note=note))
    return out


def _differ(differences: list[list[int]]) -> bool | None:
    """Whether the mean of one of several lists of differences is certainly not 0."""
    for one in differences:
        values = np.array(one, float)
        if len(values) < 2:
            continue
        half = interval(float(values.std(ddof=1)), len(values), 1 - ALPHA / len(differences))
        if abs(values.mean()) > half:
            return True
    return None


def over_single(evidence: Evidence) -> list[Finding]:
    """The final map minus the single step with the highest AP: above 0 on ATLAS and BraTS-T2, not on BraTS-T1."""
    out = []
    for task in evidence.tasks:
        known = {
            one: number.mean
            for one in evidence.scores(task, "single/t")
            if (number := evidence.value(SUBJECT, task, one))
        }
        if not known:
            continue
        best = max(known, key=known.__getitem__)
        if not (found := evidence.difference(task, SUBJECT, best)):
            continue
        if task == T1:
            small = found.bounds is not None and found.bounds[1] < MARGIN
            holds = False if found.sign > 0 else True if small or found.sign < 0 else None
        else:
            holds = decided(found.sign)
        out.append(of_difference(task, found, holds, f"best: t = {number_of(best)}"))
    return out


def step_sizes(evidence: Evidence) -> list[Finding]:
    """The largest difference of AP between the step sizes and the final map; holds where all are within ± MARGIN."""
    out = []
    for task in evidence.tasks:
        known = {one: evidence.difference(task, SUBJECT, one) for one in evidence.scores(task, "multi/step")}
        found = {one: difference for one, difference in known.items() if difference}
        if not found:
            continue
        alike = [within(difference) for difference in found.values()]
        holds = False if False in alike else True if all(alike) else None
        name = max(found, key=lambda one: abs(found[one].value))
        values = [number.mean for one in known if (number := evidence.value(SUBJECT, task, one))]
        note = f"25 against {number_of(name)}; range {signed(max(values) - min(values), '')}"
        out.append(of_difference(task, found[name], holds, note))
    return out


def balance(evidence: Evidence) -> list[Finding]:
    """Passes through the network and seconds of a volume by step size, and what AP step size 25 gains by its passes.

    Holds where it is better than step size 50, with half the passes, on a task; not where it is equal to it on all.
    """
    seconds = evidence.speed.get("step_sizes", {}) if isinstance(evidence, Measured) else {}
    signs, alike = [], []
    by_size: dict[str, list[str]] = {}
    for task in evidence.tasks:
        for score in evidence.scores(task, "multi/step"):
            number = evidence.value(SUBJECT, task, score)
            by_size.setdefault(score, []).append(f"{number.mean:.2f}" if number else "–")
        if found := evidence.difference(task, SUBJECT, COARSE):
            signs.append(found.sign)
            alike.append(within(found))
    holds = True if 1 in signs else False if alike and (all(alike) or max(signs) < 0) else None
    out = list[Finding]()
    for score, values in by_size.items():
        size = number_of(score)
        time = seconds.get(str(size), {}).get("seconds_per_volume")
        where = f" on {evidence.speed['device']}" if isinstance(evidence, Measured) and seconds and not out else ""
        note = ("" if time is None else f"{time:.2g} s a volume{where}; ") + f"AP {', '.join(values)}"
        out.append(Finding(f"step size {size}", float(-(-TIMES // size)), form="{:.0f} passes", holds=holds, note=note))
    return out


def seeds(evidence: Evidence) -> list[Finding]:
    """The largest deviation over seeds of the numbers of Table 1."""
    out = []
    for task in evidence.tasks:
        scores = [*evidence.scores(task, "single/t"), *evidence.scores(task, "multi/step")]
        found = {one: number.std for one in scores if (number := evidence.value(SUBJECT, task, one)) and number.std}
        if found:
            name = max(found, key=found.__getitem__)
            out.append(Finding(task, found[name], form="{:.3f}", holds=found[name] < SPREAD + 0.005, note=name))
    return out


def frequencies(evidence: Evidence) -> list[Finding]:
    """Mean spatial frequency of x_t − x_0 at several t, with one mask and one foreign patch (eq. 1).

    Holds where it falls with t. By eq. 1 the spectrum at one t is that at another but for the factor α_t.
    """
    if not isinstance(evidence, Measured) or not evidence.synthesis:
        return []
    data = evidence.synthesis
    change = (data["xt"] - data["x0"][:, None]).astype(np.float64)
    power = np.abs(np.fft.fft2(change)) ** 2
    rows, columns = (np.fft.fftfreq(side) for side in change.shape[-2:])
    radius = np.hypot(rows[:, None], columns)
    total = power.sum((-2, -1))
    corrupted = data["t"][(total > 0).all(axis=0)]
    shares = power[:, (total > 0).all(axis=0)] / total[:, (total > 0).all(axis=0), None, None]
    mean = (shares * radius).sum((-2, -1)).mean(axis=0)
    most = float(np.abs(shares - shares[:, -1:]).max() / shares.max())
    holds = bool(mean[0] > mean[-1] * 1.01)
    note = f"largest difference of spectra over t: {most:.0e} of their maximum"
    return [
        Finding(
            f"t = {t:g}",
            float(value),
            form="{:.4f} cycles a voxel",
            holds=holds,
            note=note if t == corrupted[-1] else "",
        )
        for t, value in zip(corrupted, mean, strict=True)
    ]


def schedule(evidence: Evidence) -> list[Finding]:
    """The factors α_t of Figure 1, and the range of x_t."""
    if not isinstance(evidence, Measured) or not evidence.synthesis:
        return []
    data = evidence.synthesis
    alpha, images = data["alpha"], data["xt"]
    rising = bool((np.diff(alpha) > 0).all() and alpha[0] == 0 and alpha[-1] >= FULL)
    found = [
        Finding(f"α at t = {t:g}", float(a), form="{:.3f}", holds=rising) for t, a in zip(data["t"], alpha, strict=True)
    ]
    inside = bool(images.min() >= 0 and images.max() <= 1)
    return [*found, Finding("largest x_t", float(images.max()), form="{:.2f}", holds=inside)]
