"""Budgets of the trainings behind a table: what each took, and whether methods are compared at equal cost."""

from collections.abc import Mapping
from dataclasses import dataclass

from uadbench.methods.registry import CONTROL
from uadbench.paper.histories import Histories
from uadbench.paper.results import Results

EQUAL = 0.15  # deviation from the mean of a modality up to which training times count as equal
UNEQUAL = "Budgets differ: methods, and so bold numbers, are compared at these lengths of training."


@dataclass(frozen=True)
class Budget:
    """Seconds of one training on a modality by the titles of methods, each the median over seeds.

    fitted: those of methods without iterations, which have no number of steps to choose.
    """

    modality: str
    seconds: Mapping[str, float]
    fitted: Mapping[str, float]

    @property
    def equal(self) -> bool:
        """Whether no trained method deviates by more than EQUAL from their mean."""
        times = list(self.seconds.values())
        mean = sum(times) / max(1, len(times))
        return all(abs(time - mean) <= EQUAL * mean for time in times)

    @property
    def text(self) -> str:
        """Such as "T1: DISYRE 110 s (100 %), DAE 68 s (61 %)"; percentages are of the longest, unless all are equal."""
        longest, several = max(self.seconds.values(), default=0.0), len(self.seconds) > 1
        parts = [
            f"{title} {duration(time)}" + f" ({100 * time / longest:.0f} %)" * (not self.equal)
            for title, time in self.seconds.items()
        ]
        parts += [f"equal within ± {100 * EQUAL:.0f} %"] * (several and self.equal)
        parts += [f"{title} {duration(time)} without iterations" for title, time in self.fitted.items()]
        return f"{self.modality.upper()}: {', '.join(parts)}"


def budgets(histories: Histories, results: Results) -> list[Budget]:
    """The budget of every modality of the results; controls, and methods that train nothing, are in none.

    Times are those of run records, as `uadbench cost` prints them; of earlier versions' those of the last step.
    """
    rows, found = histories.rows, []
    trained = {(curve.method, curve.modality) for curve in histories.curves if curve.trained}
    rows = rows.assign(time=rows["training_seconds"].fillna(rows["seconds"]))
    medians = rows.groupby(["method", "modality", "seed"])["time"].max().groupby(level=[0, 1]).median()
    for modality in results.rows["modality"].unique():
        compared = [(name, title) for name, title, family in results.methods if family != CONTROL]
        own = {title: histories.run_of(name, modality) for name, title in compared}
        times = {title: (run, float(medians[run, modality])) for title, run in own.items() if run}
        parts: tuple[dict[str, float], dict[str, float]] = {}, {}
        for title, (run, time) in times.items():
            parts[(run, modality) not in trained][title] = time
        if times:
            found.append(Budget(modality, *parts))
    return found


def note(found: list[Budget]) -> list[str]:
    """The note on budgets, in a list; an empty one without any."""
    if not found:
        return []
    unequal = any(not budget.equal for budget in found)
    of = "; in brackets as a share of the longest" * unequal
    listed = f"Training time (median over seeds{of}) – {'; '.join(budget.text for budget in found)}."
    return [" ".join([listed, *[UNEQUAL] * unequal])]


def duration(seconds: float) -> str:
    """A time with two significant digits, in hours from two on."""
    number, unit = (seconds / 3600, "h") if seconds >= 7200 else (seconds, "s")
    return f"{float(f'{number:.2g}'):g} {unit}"
