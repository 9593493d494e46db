"""Command `summarize`: tidy table of results from files of score histograms."""

from pathlib import Path

import click

from uadbench.commands._shared import FILE, PATH, titles


@click.command()
@click.argument("histograms", nargs=-1, type=PATH)
@click.option("--list", "listing", type=PATH, help="Text file with further paths of histograms, one per line.")
@click.option(
    "--resamples",
    default=1000,
    type=click.IntRange(0),
    help="Resamples of patients and seeds for the stability of the order, and of subsets; 0: none.",
)
@click.option(
    "--compared",
    multiple=True,
    metavar="MAP",
    help="Score maps that are compared beside the final ones, such as 'single/t=*' (repeatable).",
)
@click.option("--seed", default=0, type=click.IntRange(0), help="Seed of the resamples.")
@titles
@click.option("--tuned-on", default="{}", help='JSON: {"METHOD": "…"}, data that hyper-parameters were chosen on.')
@click.option("--missing", multiple=True, metavar="TITLE", help="A method without results, for tables to name.")
@click.option(
    "--sheet", "sheets", multiple=True, metavar="DATASET=FILE", help="Subject sheet with age, sex, site and scanner."
)
@click.option("--releases", default="{}", help='JSON: {"DATASET": "RELEASE"}, rows of uadbench/resources/datasets.csv.')
@click.option(
    "--out",
    type=FILE,
    required=True,
    help="The table, results.csv; the other files are written beside it.",
)
def command(
    histograms: tuple[Path, ...],
    listing: Path | None,
    resamples: int,
    compared: tuple[str, ...],
    seed: int,
    titles: str,
    tuned_on: str,
    missing: tuple[str, ...],
    sheets: tuple[str, ...],
    releases: str,
    out: Path,
) -> None:
    """Compute all metrics with 95 % intervals over patients from HISTOGRAMS (.npz) and write them as CSV.

    Findings (findings.npz) beside a file of histograms are read as well. comparisons.csv holds the difference of every
    two methods on every task, with intervals and p-values, order.csv how often each method has each rank, and
    subsets.csv what AP would be on random thirds of the patients. subgroup_means.csv holds means of the subjects by
    age, sex, site and scanner, as their sheets state them; profiles.csv AP of single steps by volume and contrast of
    the lesions; restorations.csv how near restorations come to the other side of the brain, from examples.npz beside.
    """
    from uadbench.core.errors import HarnessError
    from uadbench.core.study_folder import COMPARISONS, ORDER, PROFILES, RESTORATIONS, SUBGROUPS, SUBSETS
    from uadbench.core.validation import from_json
    from uadbench.evaluation.summary.comparisons import compare
    from uadbench.evaluation.summary.order import order
    from uadbench.evaluation.summary.profiles import Profiles
    from uadbench.evaluation.summary.restorations import restorations
    from uadbench.evaluation.summary.runs import Gathering
    from uadbench.evaluation.summary.subgroups import read_people, subgroups
    from uadbench.evaluation.summary.subsets import subsets
    from uadbench.evaluation.summary.tidy_results import tidy
    from uadbench.evaluation.voxels.columns import MISSING
    from uadbench.paper.results import write_rows

    paths = list(histograms)
    if listing is not None:
        if not listing.is_file():
            raise HarnessError(f"{listing}: no such file; give a text file with one path per line")
        lines = listing.read_text(encoding="utf-8").splitlines()
        paths += [Path(line.strip()) for line in lines if line.strip()]
    if not paths:
        raise HarnessError("summarize: no histograms given; name files or give --list FILE")
    if wrong := next((text for text in sheets if not all(text.partition("="))), None):
        raise HarnessError(
            f"--sheet {wrong}: no DATASET=FILE; name the data set as in the config, and its subjects.csv"
        )
    people = read_people({name: Path(file) for name, _, file in (text.partition("=") for text in sheets)})
    gathering, profiles = Gathering(compared), Profiles()
    table = tidy(paths, gathering.add, profiles.add)
    runs = gathering.runs()
    table["title"] = table["method"].map(from_json(titles, "--titles")).fillna(table["title"])
    table["tuned_on"] = table["method"].map(from_json(tuned_on, "--tuned-on"))
    if missing:
        table[MISSING] = ", ".join(missing)
    table["release"] = table["dataset"].map(from_json(releases, "--releases")).fillna(table["release"])
    tables = {
        out.with_name(COMPARISONS): compare(runs),
        out.with_name(ORDER): order(runs, resamples, seed),
        out.with_name(SUBSETS): subsets(runs, resamples, seed),
        out.with_name(SUBGROUPS): subgroups(paths, table, people),
        out.with_name(PROFILES): profiles.rows(),
        out.with_name(RESTORATIONS): restorations(paths),
        out: table,
    }
    for path, table in tables.items():
        write_rows(path, table)
        click.echo(path)
