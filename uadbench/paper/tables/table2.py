"""Table 2: AP and best possible Dice of every method on every task, by family, with controls below.

Beside the pooled AP of the paper stands the mean AP of subjects, which no single large lesion decides.
"""

from dataclasses import replace

from uadbench.evaluation.voxels.metrics import lowest_of_chance, turned
from uadbench.methods.postprocessing import FILTERED
from uadbench.methods.registry import CONTROL
from uadbench.paper import closest, table, terms
from uadbench.paper.histories import Warned
from uadbench.paper.inputs import Sources
from uadbench.paper.published import QUOTED, unmarked
from uadbench.paper.reported import quote
from uadbench.paper.results import Results
from uadbench.paper.summary import ONE_DECIDES
from uadbench.paper.table import Column, Row, Table

METRICS = ("ap", "dice")
SUBJECT = "subject_ap"  # mean over subjects, of the protocol that counts every voxel of the brain


def make(sources: Sources) -> Table:
    """Build the table (Naval Marimont et al. 2024, Table 2): methods of the paper and of this run."""
    results, published = sources.results, sources.published
    within = [SUBJECT] * bool((results.rows["metric"] == SUBJECT).any())
    cols = _with_filtered(table.columns(results, published, "table2", [*METRICS, *within]), results)
    entries = order(published.methods("table2"), results.methods, absent=published.shown)
    ran = tuple(with_intervals(table.method_row(entry, cols, results, published), cols) for entry in entries)
    done, chances = closest.apart(ran, cols, sources)
    notes = [*table.notes(results, done), *closest.notes(ran, sources)]
    if within:
        notes.append(
            "Subject AP: mean of the APs of single subjects; in brackets its 95 % interval over subjects, with limits "
            "averaged over seeds."
        )
    notes += [*effective(ran, cols, results), sources.bold, *sources.verdicts(results)]
    notes += [*terms.filters(results, beside=True), *sources.terms(results), *sources.unquoted]
    if "ATLAS" in (published.tasks or {}).values():
        notes.append("In the paper only DISYRE and MOOD22 used all 655 subjects of ATLAS, the others a subset of 220.")
    warnings = sources.histories.warnings(results) if sources.histories_csv else []
    warnings += [*turned_round(ran, results), *below_chance(ran, results)]
    notes = [f"Warning: {warning.text}" for warning in warnings] + notes
    made = Table(
        name="table2",
        caption=(
            "Localisation results of image-reconstruction (IR), feature-modelling (FM), attention-based (AB) and "
            "self-supervised (S-S) methods and of controls: average precision (AP) and best possible Dice (⌈Dice⌉) of "
            "all voxels pooled" + ", and the mean of the APs of single subjects (subject AP)" * len(within) + "."
        ),
        columns=cols,
        rows=done,
        notes=tuple(notes),
        results=results,
        best=table.best(done, cols, range(len(ran)), sources.significant, results.protocol),
        section_chance=chances,
        warnings=tuple(warnings),
    )
    return quote(made, sources.references)


def _with_filtered(cols: tuple[Column, ...], results: Results) -> tuple[Column, ...]:
    """The columns, and behind AP that of the maps filtered alike, where they were counted beside those as published."""
    counted = any(FILTERED in results.scores(method) for method, _, _ in results.methods)
    both = ((c, replace(c, paper=False, score=FILTERED)) if counted and c.metric == "ap" else (c,) for c in cols)
    return tuple(column for group in both for column in group)


def with_intervals(row: Row, cols: tuple[Column, ...]) -> Row:
    """A row whose subject AP is printed with its interval."""
    ours = zip(row.ours, cols, strict=True)
    return replace(row, ours=tuple(replace(n, spanned=True) if n and c.metric == SUBJECT else n for n, c in ours))


def effective(rows: tuple[Row, ...], cols: tuple[Column, ...], results: Results) -> list[str]:
    """The note on the effective numbers of subjects behind pooled AP, and on methods of which one subject decides."""
    parts = []
    for j, column in enumerate(cols):
        known = {row.label: n for row in rows if row.family != CONTROL and (n := row.ours[j]) and n.n_eff is not None}
        if column.metric != "ap" or column.score or not known:
            continue
        low, high = (f"{pick(n.n_eff or 0.0 for n in known.values()):.1f}" for pick in (min, max))
        alone = [label for label, number in known.items() if number.one_decides]
        whose = "" if len(alone) == len(known) else f" for {', '.join(alone)}"
        decided = f" ({ONE_DECIDES}{whose})" if alone else ""
        span = low if low == high else f"{low}–{high}"
        parts.append(f"{column.task} {span} of {results.subjects(column.task)[0]}{decided}")
    return [f"Subjects that effectively decide pooled AP (n_eff): {'; '.join(parts)}."] if parts else []


def turned_round(rows: tuple[Row, ...], results: Results) -> list[Warned]:
    """A warning for each method that ranks the lesions of a task lowest, controls aside."""
    found = []
    for row in (row for row in rows if row.family != CONTROL):
        for task in results.tasks:
            auroc = results.get(row.method, task, "final", "auroc")
            if auroc is not None and (doubt := turned(auroc.mean)):
                found.append(Warned(f"{row.label} on {task}: {doubt}", frozenset({(row.method, task)})))
    return found


def below_chance(rows: tuple[Row, ...], results: Results) -> list[Warned]:
    """The warning about methods whose AP is below chance in every seed, controls aside; none without such.

    An AP counts as below chance where hardly any random order of the voxels has so low a one (`lowest_of_chance`): else
    half of the methods that are as good as chance would be marked in a study with one seed.
    """
    cells = {}
    for row in (row for row in rows if row.family != CONTROL):
        for task in results.tasks:
            values = results.values(row.method, task, "final", "ap").dropna(subset=["value", "voxels", "positives"])
            lowest = lowest_of_chance(values["positives"].to_numpy(), values["voxels"].to_numpy())
            if len(values) and (values["value"].to_numpy() < lowest).all():
                cells[row.method, task] = f"{row.label} on {task}"
    return [Warned(f"AP below chance in every seed: {', '.join(cells.values())}.", frozenset(cells))] if cells else []


def order(
    paper: list[tuple[str, str, str]], ours: list[tuple[str, str, str]], absent: bool = False
) -> list[tuple[str, str, str]]:
    """(method, title, family) of every row: in the order of the paper, then methods that it lacks, controls last.

    absent: whether methods of the paper that were not run have a row.
    UPD_study's variant of a method follows it, or replaces it if the method itself was not run.
    """
    merged = []
    for entry in paper:
        own = [one for one in ours if unmarked(one[0]) == entry[0]]
        variants = [one for one in ours if unmarked(one[0]) == f"{entry[0]}-{QUOTED}"]
        merged += [*(own or [entry] * (absent and not variants)), *variants]
    merged += [entry for entry in ours if entry not in merged]
    families = [*dict.fromkeys(family for _, _, family in merged if family != CONTROL), CONTROL]
    return sorted(merged, key=lambda entry: families.index(entry[2]))
