"""Results of several experiments as one table: what belongs together, and names that tell whose numbers are whose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import pandas as pd

from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import COMPARISONS, RESULTS, SUBGROUPS
from uadbench.evaluation.summary import comparisons, subgroups
from uadbench.evaluation.voxels.metrics import METRICS
from uadbench.paper.inputs import read_comparisons, read_subgroups
from uadbench.paper.results import Results, located_once

NUMBER = ["task", "seed", "protocol", "score", "metric"]  # of a method
POOLED = [*METRICS, "dice_threshold"]  # metrics that a protocol decides; findings count every voxel under any
SAME = ["value", "voxels", "positives"]  # intervals depend on the number of resamples as well


@dataclass(frozen=True)
class Experiment:
    """The results of one experiment, comparisons and subgroups of its methods, and a name that no other one has."""

    name: str
    results: pd.DataFrame
    comparisons: pd.DataFrame
    subgroups: pd.DataFrame

    @property
    def methods(self) -> list[str]:
        return list(self.results["method"].unique())

    def only(self, methods: Iterable[str], protocols: Iterable[str]) -> Experiment:
        """The part of these methods and protocols, and findings; a comparison needs both of its methods."""
        results, tests = self.results, self.comparisons
        chosen = results["protocol"].isin(protocols) | ~results["metric"].isin(POOLED)
        results = results[results["method"].isin(methods) & chosen]
        tests = tests[tests["method"].isin(methods) & tests["other"].isin(methods) & tests["protocol"].isin(protocols)]
        return Experiment(self.name, results, tests, self.subgroups[self.subgroups["method"].isin(methods)])

    def numbers(self, method: str) -> pd.DataFrame:
        """The numbers of a method by what they are of."""
        return self.results[self.results["method"] == method].set_index(NUMBER)[SAME]


def join(places: Sequence[Path], prefer_first: bool = False) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Rows of comparisons.csv, subgroup_means.csv and results.csv of all experiments, and notices on what was left out.

    places: of each experiment its folder, its folder `evaluation`, or its results.csv. The column `experiment` tells
    them apart; a method of several experiments is renamed to METHOD (EXPERIMENT), its title likewise. A method whose
    numbers all stand in an earlier experiment is listed once. Comparisons and tests remain those within an experiment.
    prefer_first: of a method that does not agree between experiments, the rows of the first are kept.
    Raises HarnessError for a missing or repeated file, for one experiment alone, for experiments without a common
    protocol, for a task whose test sets differ or are unknown, and for a method with other revisions, or with other
    numbers of the same seed and task.
    """
    found = _read(places)
    notices: list[str] = []
    protocols = _common_protocols(found, notices)
    found = [one.only(one.methods, protocols) for one in found]
    _check_test_sets(found)
    distinct = zip(found, _distinct(found, prefer_first, notices), strict=True)
    kept = [one.only(methods, protocols) for one, methods in distinct]
    named = [_named(one, kept) for one in kept if one.methods]
    tables = {
        COMPARISONS: _concatenated([one.comparisons for one in named], comparisons.COLUMNS),
        SUBGROUPS: _concatenated([one.subgroups for one in named], subgroups.COLUMNS),
        RESULTS: pd.concat([one.results for one in named]),
    }
    return tables, notices


def _concatenated(tables: Iterable[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    return pd.concat([table for table in tables if len(table)] or [pd.DataFrame(columns=list(columns))])


def whose(results: Results) -> list[str]:
    """The note below a table whose rows come from several experiments; empty for one."""
    if len(results.experiments) < 2:
        return []
    return [
        f"By experiment – {_listed(results.experiments)}. No test compares methods of different experiments: where a "
        "column has several of them, nothing is bold."
    ]


def _read(places: Sequence[Path]) -> list[Experiment]:
    read: list[tuple[Path, Experiment]] = []
    for place, file in located_once(places).items():
        rows = pd.concat([results.rows for results in Results.read(file).values()])
        tests = read_comparisons(file.with_name(COMPARISONS), maps=True)
        groups = read_subgroups(file.with_name(SUBGROUPS))
        for name, own in rows.groupby("experiment", sort=False):
            parts = (table[table["experiment"] == name] for table in (tests, groups))
            read.append((place, Experiment(str(name), own, *parts)))
    if len(read) < 2:
        raise HarnessError(f"{places[0]}: one experiment alone; name another one beside it")
    names = Counter(one.name for _, one in read)
    return [one if names[one.name] == 1 else replace(one, name=f"{one.name}, {place}") for place, one in read]


def _common_protocols(found: list[Experiment], notices: list[str]) -> list[str]:
    by_name = {one.name: list(one.results.loc[one.results["metric"] == "ap", "protocol"].unique()) for one in found}
    common = [name for name in by_name[found[0].name] if all(name in protocols for protocols in by_name.values())]
    if not common:
        raise HarnessError(
            f"no protocol that all were evaluated under ({_listed(by_name)}); set evaluation.protocols in the config"
        )
    for name, protocols in by_name.items():
        for protocol in [one for one in protocols if one not in common]:
            notices.append(f"{name}: protocol {protocol} is left out, which others lack")
    return common


def _listed(names: Mapping[str, Iterable[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(those)}" for name, those in names.items())


def _check_test_sets(found: list[Experiment]) -> None:
    """Raise HarnessError unless each task of several experiments has one known test set."""
    for task in dict.fromkeys(task for one in found for task in one.results["task"]):
        digests = {one.name: sorted({*one.results.loc[one.results["task"] == task, "test_set"]}) for one in found}
        digests = {name: those for name, those in digests.items() if those}
        if len(digests) < 2:
            continue
        for unknown in [name for name, those in digests.items() if "" in those]:
            raise HarnessError(
                f"{unknown}: {task} has no digest of its test set; score it again: snakemake --forcerun test"
            )
        if len(set().union(*digests.values())) > 1:
            raise HarnessError(
                f"{task}: not one test set ({_listed(digests)}); score the same packed data, or name the task otherwise"
            )


def _distinct(found: list[Experiment], prefer_first: bool, notices: list[str]) -> list[list[str]]:
    """The methods of each experiment without those that an earlier one has as well, see `join`."""
    methods = [list(one.methods) for one in found]
    for (earlier, first), (later, second) in combinations(enumerate(found), 2):
        for method in [name for name in methods[later] if name in methods[earlier]]:
            reason = _disagreement(first, second, method)
            if reason and not prefer_first:
                raise HarnessError(f"{reason}; leave one out, or give --prefer-first to keep that of {first.name}")
            if reason or second.numbers(method).index.isin(first.numbers(method).index).all():
                notices.append(
                    f"{second.name}: {method} is left out, {reason or f'the same numbers as in {first.name}'}"
                )
                methods[later].remove(method)
    return methods


def _disagreement(first: Experiment, second: Experiment, method: str) -> str:
    """Why the rows of a method of two experiments are not those of one method; empty if they can be."""
    revisions = [{*one.results.loc[one.results["method"] == method, "revision"]} for one in (first, second)]
    if revisions[0] != revisions[1]:
        mine, others = (", ".join(sorted(found)) or "unknown" for found in revisions)
        return f"{method}: revision {mine} in {first.name}, {others} in {second.name}"
    one, other = first.numbers(method), second.numbers(method)
    shared = one.index.intersection(other.index)
    differ = (one.loc[shared] != other.loc[shared]).any(axis=1)
    if not differ.any():
        return ""
    task, seed, *_ = shared[differ.to_numpy()][0]
    return f"{method}: seed {seed} on {task} has other numbers in {second.name} than in {first.name}"


def _named(one: Experiment, found: list[Experiment]) -> Experiment:
    """An experiment with marks on the names and titles of methods that other ones have as well."""
    others = pd.concat([other.results for other in found if other is not one])
    methods = {name: f"{name} ({one.name})" for name in others["method"].unique()}
    results = one.results.assign(experiment=one.name)
    twice = results["method"].isin(methods) | results["title"].isin(others["title"])
    results["title"] = results["title"].where(~twice, results["title"] + f" ({one.name})")
    results["method"] = results["method"].replace(methods)
    tests = one.comparisons.assign(experiment=one.name).replace({"method": methods, "other": methods})
    groups = one.subgroups.assign(experiment=one.name).replace({"method": methods})
    return Experiment(one.name, results, tests, groups)
