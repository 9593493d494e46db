"""Inputs of tables and figures, read on first use, and the significant differences that tables mark."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from uadbench.core.errors import HarnessError, choices
from uadbench.core.study_folder import COMPARISONS, ORDER, SUBGROUPS
from uadbench.evaluation.summary import subgroups
from uadbench.evaluation.summary.comparisons import BOTH, COLUMNS, LATER, MARGIN, OTHER
from uadbench.evaluation.summary.order import COLUMNS as ORDERED
from uadbench.evaluation.summary.runs import SCORE
from uadbench.paper import budgets, quoting, terms
from uadbench.paper.histories import Histories
from uadbench.paper.published import PATH, Published
from uadbench.paper.results import Results, read_rows

NUMBERS = ("difference", "low", "high", "p", "p_holm", *LATER)
SURE = 0.95  # probability above which two methods count as different, or as equal within MARGIN
ALPHA = 0.05  # significance level of p-values after Holm's correction
MEANING = "significantly better than every other method of this run but controls"
BOLD = f"Bold: {MEANING} (jackknife over subjects, variance over seeds; p < {ALPHA:g} after Holm's correction)."
UNTESTED = f"Nothing is bold, which would mean {MEANING}: that takes two methods with two seeds."
Better = tuple[str, str, str, str, str]  # protocol, task, metric, the better method, the other


def read_comparisons(path: Path, maps: bool = False) -> pd.DataFrame:
    """Rows of comparisons.csv, none for a missing file. Raises HarnessError as `read_rows`.

    Those of the final maps of two methods; with `maps` also those of other score maps, and of two maps of one method.
    """
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    rows = read_rows(path, COLUMNS, NUMBERS, "run `uadbench summarize` again", later=[*LATER, OTHER])
    return rows if maps else rows[(rows["score"] == SCORE) & (rows["method"] != rows["other"])]


def read_order(path: Path) -> pd.DataFrame:
    """Rows of order.csv, none for a missing file. Raises HarnessError as `read_rows`."""
    if not path.is_file():
        return pd.DataFrame(columns=ORDERED)
    return read_rows(path, ORDERED, ("rank", "share"), "run `uadbench summarize` again")


def read_subgroups(path: Path) -> pd.DataFrame:
    """Rows of subgroup_means.csv, none for a missing file. Raises HarnessError as `read_rows`."""
    if not path.is_file():
        return pd.DataFrame(columns=subgroups.COLUMNS)
    return read_rows(path, subgroups.COLUMNS, subgroups.NUMBERS, "run `uadbench summarize` again")


def bold_note(results_csv: Path) -> str:
    """What bold means in a table beside comparisons.csv, or why nothing is bold."""
    rows = read_comparisons(results_csv.with_name(COMPARISONS))
    tested = bool((rows["p_holm"].notna() & (rows["resampled"] == BOTH)).any())
    return BOLD if tested else UNTESTED


def significant(results_csv: Path) -> frozenset[Better]:
    """Significant differences, where both subjects and seeds count, from comparisons.csv beside results.csv."""
    rows = read_comparisons(results_csv.with_name(COMPARISONS))
    rows = rows[(rows["p_holm"] < ALPHA) & (rows["resampled"] == BOTH)]
    found = set[Better]()
    for row in rows.to_dict("records"):
        better, other = (row["method"], row["other"]) if row["difference"] > 0 else (row["other"], row["method"])
        found.add((row["protocol"], row["task"], row["metric"], better, other))
    return frozenset(found)


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
    width: str = "page"  # or "column", of tables in LaTeX and of Figures 1 and 2
    references: tuple[str, ...] = ()  # other benchmarks that Table 2 quotes, files of uadbench/resources/reported

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

    def terms(self, results: Results) -> list[str]:
        """Notes on the terms of the comparison: budgets (with histories), data of the choices, edited methods."""
        found = budgets.budgets(self.histories, results) if self.histories_csv else []
        return [*budgets.note(found), terms.chosen_on(results), *terms.edited(results)]

    @property
    def missing(self) -> str:
        """Statement which methods have no results, where results are given."""
        return next(iter(self.by_protocol.values())).missing if self.results_csv else ""

    @cached_property
    def significant(self) -> frozenset[Better]:
        return significant(self.given("results_csv", "--results"))

    @cached_property
    def ranks(self) -> pd.DataFrame:
        """Rows of the order.csv beside results.csv that are of the protocol."""
        rows = read_order(self.given("results_csv", "--results").with_name(ORDER))
        return rows[rows["protocol"] == self.protocol]

    @cached_property
    def subgroups(self) -> pd.DataFrame:
        """Rows of the subgroup_means.csv beside results.csv."""
        return read_subgroups(self.given("results_csv", "--results").with_name(SUBGROUPS))

    @property
    def bold(self) -> str:
        """The note on bold numbers."""
        return bold_note(self.given("results_csv", "--results"))

    def verdicts(self, results: Results) -> list[str]:
        """The note on how many pairs of methods are better, equal or undecided in AP; empty where none is tested."""
        rows = read_comparisons(self.given("results_csv", "--results").with_name(COMPARISONS))
        rows = rows[(rows["metric"] == "ap") & (rows["protocol"] == results.protocol) & rows["p_holm"].notna()]
        known = rows[["better", "equal", "worse"]].dropna()
        if known.empty:
            return []
        sure = known > SURE
        equal, differ = int(sure["equal"].sum()), int((sure["better"] | sure["worse"]).sum())
        return [
            f"Not bold is not equal: of {len(known)} pairs of methods, {differ} differ by more than {MARGIN:g} AP, "
            f"{equal} are equal within ± {MARGIN:g}, each with a probability above {SURE:g}; "
            f"{len(known) - differ - equal} are undecided."
        ]

    @cached_property
    def published(self) -> Published:
        """The paper's numbers, which are shown only beside those of the test sets that it used."""
        return replace(Published.read(self.published_csv or PATH), tasks=self._quoted[0])

    @property
    def unquoted(self) -> list[str]:
        """The note on the tasks without the paper's numbers, with the reason; empty where all have them."""
        return quoting.note(self._quoted[1])

    @cached_property
    def _quoted(self) -> tuple[dict[str, str], dict[str, str]]:
        return quoting.tasks(next(iter(self.by_protocol.values())))

    @cached_property
    def stepwise(self) -> str:
        """The method of Table 1 and Figure 2: `method`, or without a choice the first other one with such scores.

        Raises HarnessError for a chosen one without results.
        """
        known = [name for name, _, _ in self.results.methods]
        if self.method not in [*known, Sources.method]:
            raise HarnessError(f"--method {self.method}: has no results; {choices(self.method, known)}")
        names = [self.method, *known]
        return next((n for n in names if any(s.startswith(STEPWISE) for s in self.results.scores(n))), self.method)

    def given(self, attribute: str, option: str) -> Path:
        """The path in `attribute`. Raises HarnessError naming the command line's `option` if it was not given."""
        path = getattr(self, attribute)
        if path is None:
            raise HarnessError(f"{option}: not given, but needed here; add {option} PATH")
        return path
