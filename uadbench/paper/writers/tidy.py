"""CSV writer of tables: one row per number, ours and the paper's side by side, empty where missing."""

import csv
import io

from uadbench.core.csv_files import quoted
from uadbench.evaluation.voxels.columns import SIMULATED
from uadbench.paper import grids
from uadbench.paper.summary import ONE_DECIDES, Summary
from uadbench.paper.table import Table

HEAD = [
    *("table", "section", "experiment", "method", "title", "family", "task", "score", "metric"),
    *("mean", "std", "low_one_seed", "high_one_seed", "n_eff", "seeds", "best", "paper_mean", "paper_std", "chance"),
    *("subjects", "left_out", *SIMULATED, "note"),
]


def render(table: Table) -> str:
    """The CSV text.

    `low_one_seed` and `high_one_seed` bound the 95 % interval over subjects of one seed's number, averaged over seeds:
    not an interval of the mean, whose spread over seeds is `std`. `n_eff`: effective number of subjects, likewise;
    below DECIDES the note says that one subject decides.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, HEAD, lineterminator="\n")
    writer.writeheader()
    for i, row in enumerate(table.rows):
        for j, column in enumerate(table.columns):
            ours, paper, chance = row.ours[j], row.paper[j], table.chance_at(row)[j]
            if ours is None and paper is None:
                continue
            warned = " ".join(w.text for w in table.warnings if (row.method, column.task) in w.cells)
            alone = ONE_DECIDES if ours is not None and ours.one_decides else ""
            used, left_out = table.results.subjects(column.task, row.method)
            simulated = [
                "" if ours is None else str(fact).lower()
                for fact in table.results.simulated_at(column.task, row.method)
            ]
            quoted_from = f"quoted from {column.quoted}" if column.quoted else ""
            cells = {
                "table": table.name,
                "section": row.section,
                "experiment": "" if ours is None else table.results.experiment(row.method),
                "method": row.method,
                "title": row.title,
                "family": row.family,
                "task": column.task,
                "score": column.score or row.score,
                "metric": column.metric,
                "seeds": "" if ours is None else len(ours.seeds),
                "best": "" if ours is None else str((i, j) in table.best).lower(),
                "paper_mean": "" if paper is None else f"{paper.mean:g}",
                "paper_std": "" if paper is None or paper.std is None else f"{paper.std:g}",
                "chance": "" if chance is None else f"{chance:.6g}",
                "subjects": used,
                "left_out": left_out,
                **dict(zip(SIMULATED, simulated, strict=True)),
                "note": "; ".join(
                    filter(None, [quoted_from, table.banner, warned, alone, _apart(table, row.method, column.task)])
                ),
                **_numbers(ours),
            }
            writer.writerow({name: quoted(cell) for name, cell in cells.items()})
    return out.getvalue()


def _apart(table: Table, method: str, task: str) -> str:
    """In which voxels and space the maps were evaluated, where others were not."""
    grid = grids.apart(table.results).get(method, {}).get(task)
    return f"evaluated in other voxels or space than most: {grid}" if grid else ""


def _numbers(summary: Summary | None) -> dict[str, str]:
    names = {"mean": "mean", "std": "std", "low_one_seed": "low", "high_one_seed": "high", "n_eff": "n_eff"}
    values = {name: getattr(summary, attribute, None) for name, attribute in names.items()}
    return {name: "" if value is None else f"{value:.6g}" for name, value in values.items()}
