"""Terms that methods are compared on besides budgets: filters of their maps, and the data of their hyper-parameters."""

from uadbench.methods.postprocessing import FILTERED, HEADING
from uadbench.methods.registry import CONTROL
from uadbench.paper.results import Results

UNSTATED = "not stated"


def filters(results: Results, beside: bool = False) -> list[str]:
    """The note on the filter of the study for all methods, of the final scores, or of those beside; none without."""
    score = FILTERED if beside else "final"
    used = [text for text in results.rows.loc[results.rows["score"] == score, "postprocessing"].unique() if text]
    if beside:
        return [f"AP, {HEADING}: of the maps without each method's own filters, {text}; not tested." for text in used]
    unlike = (results.rows.loc[results.rows["score"] == score, "postprocessing"] == "").any()
    which = "Some score maps were" if unlike else "All score maps were"
    return [f"{which} filtered by the study, in place of each method's own filters: {text}." for text in used]


def edited(results: Results) -> list[str]:
    """The note on methods whose file was edited between the trainings or scorings of their seeds; none without."""
    found = []
    for _, rows in results.rows[results.rows["code"].astype(bool)].groupby("method", sort=False):
        seeds = [sorted(map(int, part["seed"].unique())) for _, part in rows.groupby("code")]
        if len(seeds) > 1:
            groups = " / ".join(", ".join(map(str, group)) for group in sorted(seeds))
            found.append(f"{rows['title'].iloc[0]} (seeds {groups})")
    return [f"The file of a method was edited between its seeds: {'; '.join(found)}."] if found else []


def chosen_on(results: Results) -> str:
    """The note on the data that hyper-parameters were chosen on, of all methods but controls."""
    rows = results.rows.drop_duplicates("method")
    stated: dict[str, list[str]] = {}
    for _, row in rows.iterrows():
        if row["family"] != CONTROL:
            stated.setdefault(row["tuned_on"] or UNSTATED, []).append(row["title"] or row["method"])
    said = "Data on which hyper-parameters were chosen"
    if len(stated) < 2:
        return f"{said}: {next(iter(stated), UNSTATED)}."
    listed = "; ".join(f"{', '.join(titles)}: {text}" for text, titles in stated.items())
    return f"{said} – {listed}."
