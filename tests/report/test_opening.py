"""The first paragraph of a report: names, numbers and verdict are those of the results."""

import pandas as pd

from tests.paper.conftest import write_comparisons, write_results
from tests.report.conftest import METHODS
from uadbench.core.files import read_json, write_json
from uadbench.report import opening


def rewritten(study, edit, seeds=(1, 2)) -> str:
    write_results(study.folder.results, METHODS, seeds=seeds, edit=edit)
    vars(study).pop("results", None)
    return opening.paragraph(study)


def precision(values: dict[str, float]):
    """AP of each method on every task, with an interval of ± 0.05."""

    def edit(rows: pd.DataFrame) -> pd.DataFrame:
        ours = (rows["metric"] == "ap") & (rows["score"] == "final")
        value = rows["method"].map(values)
        changes = {"value": value, "low": value - 0.05, "high": value + 0.05}
        return rows.assign(**{name: rows[name].where(~ours, new) for name, new in changes.items()})

    return edit


def test_what_was_compared_on_what(study):
    text = opening.paragraph(study)
    assert text.startswith(
        "This study compares 2 methods of unsupervised anomaly detection (DISYRE and DAE) and 1 control (Random), "
        "trained with 2 seeds on simulated scans of 40 healthy subjects of camcan. On ATLAS (T1-weighted, "
    )
    index = study.folder.packed("camcan") / "index.json"
    write_json(index, read_json(index) | {"simulated": False})
    vars(study).pop("cohorts")
    assert "2 seeds on scans of 40 healthy subjects of camcan." in opening.paragraph(study)


def test_the_best_is_that_of_the_highest_precision_and_decided_as_bold_is(study):
    values = {"disyre": 0.4, "dae": 0.25, "random": 0.1}
    write_comparisons(study.folder.results.parent, [("dae", "disyre")])
    text = rewritten(study, precision(values))
    assert "DISYRE has the highest average precision (AP), 0.40, 95 % interval 0.35–0.45; chance is " in text
    assert "It is not significantly better than every other method; DAE follows with 0.25 ± 0.00." in text
    write_comparisons(study.folder.results.parent, [("disyre", "dae")])
    text = opening.paragraph(study)
    assert "It is significantly better than every other method (p < 0.05); DAE follows" in text
    assert "Above it" not in text


def test_a_control_above_the_best_method_is_said(study):
    text = rewritten(study, precision({"disyre": 0.2, "dae": 0.3, "random": 0.5}))
    assert "DAE has the highest" in text
    assert "Above it: the control Random (0.50 ± 0.00)." in text


def test_differences_that_nobody_tested_are_not_called_undecided(study):
    study.folder.comparisons.write_text(study.folder.comparisons.read_text().splitlines()[0] + "\n")
    text = opening.paragraph(study)
    assert "Differences are not tested" in text
    assert "significantly" not in text


def test_scans_of_a_test_set_that_are_simulated_are_called_so(study):
    assert ", simulated), " in opening.paragraph(study)
    text = rewritten(study, lambda rows: rows.assign(tested_on_simulated=rows["task"] == "ATLAS"))
    atlas, *others = text.split(" On ")[1:]
    assert ", simulated), " in atlas
    assert others
    assert not any("simulated" in sentence for sentence in others)
