"""What no method makes is said: scores turned round, constant and binary maps, copies of the labels or the scan."""

import numpy as np
import pandas as pd
import pytest

import uadbench
from tests.paper.conftest import table, write_results
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.inference.doubts import BINARY, BLANK, EQUAL, PERFECT, SCAN, DoubtCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.voxels.metrics import turned

RNG = np.random.default_rng(0)
SCANS = RNG.random((6, 7, 8)).astype(np.float32)
LABEL = np.zeros((6, 7, 8), np.uint8)
LABEL[2:4, 2:4, 2:5] = 1
BRAIN = np.ones(LABEL.shape, bool)
BRAIN[0] = False
NOISE = RNG.random(LABEL.shape).astype(np.float32)

MAPS = {
    BLANK: np.where(BRAIN, 0, NOISE),
    EQUAL: np.where(BRAIN, 0.5, NOISE),
    BINARY: np.where(BRAIN, NOISE > 0.5, NOISE),
    PERFECT: LABEL.astype(float),
    SCAN: np.where(BRAIN, SCANS, 0),
    "": NOISE,
}


@pytest.mark.parametrize("kind", MAPS)
def test_kinds(kind):
    doubts = DoubtCollector()
    for name, scores in (("a", MAPS[kind]), ("b", NOISE)):
        truth = Truth(name, LABEL, BRAIN, (1.0, 1.0, 1.0))
        doubts.add(ScoredSubject(truth, {"final": scores.astype(np.float32)}, SCANS))
    assert doubts.notes() == ([f"1 of 2 maps {kind} (a)"] if kind else [])


def test_scores_turned_round_are_said_in_evaluate_and_below_table_2(tmp_path, capsys):
    maps = [1 - 0.5 * LABEL - 0.1 * NOISE]
    result = uadbench.evaluate(maps, [LABEL], [BRAIN])
    assert result["auroc"] < 0.01
    assert "warning: AUROC is 0: scores are lower where anomalous; are they turned round?" in capsys.readouterr().err

    def edit(frame):
        rows = frame[(frame["metric"] == "ap") & frame["method"].isin(["dae", "intensity"])].assign(metric="auroc")
        return pd.concat([frame, rows.assign(value=np.where(rows["task"] == "ATLAS", 0.1, 0.6))])

    notes = table("table2", write_results(tmp_path / "results.csv", edit=edit)).notes
    doubts = [note for note in notes if "turned round" in note]
    assert doubts == [f"Warning: DAE on ATLAS: {turned(0.1)}"]
    assert turned(0.31) == ""
