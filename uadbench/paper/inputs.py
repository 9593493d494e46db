"""Inputs of tables and figures, read on first use."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from uadbench.core.errors import HarnessError
from uadbench.paper.comparisons import Better, significant
from uadbench.paper.histories import Histories
from uadbench.paper.published import PATH, Published
from uadbench.paper.results import Results

STEPWISE = ("single/", "multi/")  # scores of one step and of one step size


@dataclass(frozen=True)
class Sources:
    """Paths to the files of an experiment; unused files may be omitted."""

    results_csv: Path | None = None
    examples: Path | None = None  # folder with METHOD/TASK/seed-N/examples.npz
    synthesis: Path | None = None  # synthesis.npz
    published_csv: Path | None = None  # None: those of the package
    protocol: str = "full"
    method: str = "disyre"  # the method that Table 1 and Figures 2 and 3 are about
    seed: int | None = None  # the seed that Figure 3 shows; None: the first
    histories_csv: Path | None = None  # the training histories of all runs

    @cached_property
    def results(self) -> Results:
        return self.under(self.protocol)

    def under(self, protocol: str) -> Results:
        """Results of a protocol. Raises HarnessError that lists the protocols of results.csv for another one."""
        found = self.by_protocol
        if protocol not in found:
            known = ", ".join(found)
            raise HarnessError(f"{self.results_csv}: no row has the protocol {protocol!r}; protocols there: {known}")
        return found[protocol]

    @cached_property
    def by_protocol(self) -> dict[str, Results]:
        """Results of every evaluated protocol, in the order of `uadbench.evaluation.protocols.protocols`."""
        from uadbench.evaluation.protocols.protocols import PROTOCOLS

        found = Results.read(self.given("results_csv", "--results"))
        known = list(PROTOCOLS)
        return dict(sorted(found.items(), key=lambda entry: known.index(entry[0]) if entry[0] in known else len(known)))

    @cached_property
    def histories(self) -> Histories:
        return Histories.read(self.given("histories_csv", "--histories"))

    def budgets(self, results: Results) -> list[str]:
        """The note on unequal training times, where histories are given."""
        return self.histories.budgets(results) if self.histories_csv else []

    @cached_property
    def significant(self) -> frozenset[Better]:
        return significant(self.given("results_csv", "--results"))

    @cached_property
    def published(self) -> Published:
        """The paper's numbers, which are shown only beside those of real scans, of training and of the test."""
        return replace(
            Published.read(self.published_csv or PATH), shown=not next(iter(self.by_protocol.values())).simulated
        )

    @cached_property
    def stepwise(self) -> str:
        """The method of Table 1 and Figure 2: `method`, or the first other one with such scores."""
        names = [self.method, *(name for name, _, _ in self.results.methods)]
        return next((n for n in names if any(s.startswith(STEPWISE) for s in self.results.scores(n))), self.method)

    def given(self, attribute: str, option: str) -> Path:
        """The path in `attribute`. Raises HarnessError naming the command line's `option` if it was not given."""
        path = getattr(self, attribute)
        if path is None:
            raise HarnessError(f"{option}: not given, but needed here; add {option} PATH")
        return path
