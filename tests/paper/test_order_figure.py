"""Figure of the order of methods: blobs, shares of the first rank, and which methods have no order."""

import pandas as pd
import pytest

from tests.paper.conftest import write_results
from tests.paper.test_figures import draw, texts
from uadbench.core.study_folder import ORDER
from uadbench.evaluation.summary.order import COLUMNS
from uadbench.paper.results import Results


@pytest.fixture
def written(tmp_path):
    """results.csv, and order.csv where disyre is always first, dae second or third, and fae is missing on ATLAS."""
    path = write_results(tmp_path / "results.csv")
    tasks = Results.read(path)["full"].tasks
    shares = {"disyre": [1.0, 0, 0], "dae": [0, 0.75, 0.25], "fae": [0, 0.25, 0.75]}
    rows = [
        {"task": task, "protocol": "full", "score": "final", "metric": "ap", "method": method, "rank": rank}
        | {"share": share, "resampled": "subjects and seeds", "subjects": 9}
        for task in tasks
        for method, each in shares.items()
        for rank, share in enumerate(each, start=1)
        if (method, task) != ("fae", "ATLAS")
    ]
    pd.DataFrame(rows).reindex(columns=COLUMNS).to_csv(tmp_path / ORDER, index=False)
    return path


def test_a_method_without_order_is_named(written):
    figure = draw("order", results_csv=written)
    atlas = next(axes for axes in figure.axes if axes.get_title() == "ATLAS")
    assert [label.get_text() for label in atlas.get_yticklabels()] == ["DISYRE", "DAE"]
    assert [text.get_text() for text in atlas.texts] == ["first", "100 %", "0 %"]
    assert atlas.collections[0].get_offsets().tolist() == [[1, 0], [2, 1], [3, 1]]
    note = " ".join(" ".join(texts(figure)).split())
    assert (
        "Without order: FAE on ATLAS; My_own & 50% on ATLAS, BraTS-T1, BraTS-T2, whose scores share a few bins." in note
    )
