"""Statement whether the scans of training and of the test are simulated, for tables, figures and reports."""

from collections.abc import Iterable

REAL, SIMULATED = "real", "simulated"
APART = " – not comparable with the paper"
Facts = Iterable[tuple[str, bool]]  # name of a method or a task, and whether its scans are simulated


def statement(trained: Facts, tested: Facts = ()) -> str:
    """One line such as "trained on simulated scans, tested on real scans"; empty where all scans are real.

    trained: by method, for the scans that it was trained on; tested: by task; each is left out where it is empty.
    """
    kinds = {"trained": _kind(dict.fromkeys(trained)), "tested": _kind(dict.fromkeys(tested))}
    kinds = {verb: kind for verb, kind in kinds.items() if kind}
    if set(kinds.values()) <= {REAL}:
        return ""
    if len(kinds) > len(set(kinds.values())):
        return f"trained and tested on {kinds['trained']} scans{APART}"
    return ", ".join(f"{verb} on {kind} scans" for verb, kind in kinds.items()) + APART


def _kind(facts: Iterable[tuple[str, bool]]) -> str:
    """The kind of scans: "simulated", "real", or both with the names that have each; empty without facts."""
    names: dict[str, list[str]] = {}
    for name, simulated in sorted(facts, key=lambda fact: not fact[1]):
        names.setdefault(SIMULATED if simulated else REAL, []).append(name)
    if len(names) < 2:
        return next(iter(names), "")
    return " and ".join(f"{kind} ({', '.join(listed)})" for kind, listed in names.items())
