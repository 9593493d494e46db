"""Results by number: the same as pandas selects, in the order of the seeds whatever that of the rows is."""

import numpy as np
import pandas as pd
import pytest

from tests.paper.conftest import write_results
from uadbench.paper.results import Results


@pytest.fixture(scope="module", params=["in order", "shuffled"])
def table(request, tmp_path_factory) -> tuple[Results, pd.DataFrame]:
    path = write_results(tmp_path_factory.mktemp("results") / "results.csv")
    rows = pd.read_csv(path)
    if request.param == "shuffled":
        rows = rows.sample(frac=1, random_state=2)
        rows.to_csv(path, index=False)
    return Results.read(path)["full"], rows[rows.protocol == "full"]


def test_every_number_is_that_of_its_rows(table):
    results, rows = table
    for key, part in rows.groupby(["method", "task", "score", "metric"]):
        ordered, found = part.sort_values("seed"), results.values(*key)
        for column in ("seed", "modality", "value", "low", "high"):
            assert list(getattr(found, column)) == pytest.approx(list(ordered[column]), nan_ok=True), key


def test_a_number_that_is_not_there_has_no_seeds(table):
    found = table[0].values("disyre", "no task", "final", "ap")
    assert found.seed.size == found.value.size == 0
    assert table[0].get("disyre", "no task", "final", "ap") is None


def test_subjects_are_a_range_over_the_rows(table):
    results, rows = table
    for task, part in rows.groupby("task"):
        counts = np.unique(part.subjects.dropna().astype(int))
        expected = str(counts[0]) if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"
        assert results.subjects(task)[0] == expected
        for method, own in part.groupby("method"):
            assert results.subjects(task, method)[0].split("–")[0] == str(int(own.subjects.min()))
