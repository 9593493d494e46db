"""Profiles over t by lesion, against scikit-learn and scipy on the raw voxels of each subject."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from tests.evaluation.test_comparisons import META
from tests.evaluation.test_score_maps import write
from uadbench.evaluation.summary.profiles import COLUMNS, Profiles
from uadbench.evaluation.voxels.histogram import load

TIMES, SEEDS, VOXELS = (25, 50, 75), (1, 2), 2000
SIZES = (20, 30, 45, 60, 90, 140, 200, 300, 450, 700)  # voxels of each subject's lesion


def profiled(paths) -> pd.DataFrame:
    found = Profiles()
    for path in paths:
        found.add(path, *load(path))
    return found.rows()


@pytest.fixture(scope="module")
def labels():
    return [np.arange(VOXELS) < size for size in SIZES]


@pytest.fixture(scope="module")
def maps(labels):
    """By seed and t: small lesions are clear at low t, large ones at high t."""
    rng = np.random.default_rng(0)
    peaks = np.linspace(25, 75, len(SIZES))
    return {
        seed: {
            f"single/t={t}": [
                np.abs(rng.standard_normal(VOXELS) + (2.5 - abs(t - peak) / 25) * label).astype(np.float32)
                for label, peak in zip(labels, peaks, strict=True)
            ]
            for t in TIMES
        }
        for seed in SEEDS
    }


@pytest.fixture(scope="module")
def greys(labels):
    rng = np.random.default_rng(1)
    return [np.abs(rng.random(VOXELS) + 0.1 * k * label).astype(np.float32) for k, label in enumerate(labels)]


@pytest.fixture(scope="module")
def table(labels, maps, greys, tmp_path_factory):
    folder, voxel = tmp_path_factory.mktemp("profiles"), {"voxel_mm": "2 × 2 × 5"}
    extra = {1: {"single/t=10": maps[1]["single/t=25"]}, 2: {}}  # the curve of Figure 2 is of one seed
    paths = [write(folder, "disyre", labels, maps[seed] | extra[seed], seed, **voxel) for seed in SEEDS]
    paths.append(write(folder, "intensity", labels, {"final": greys}, 1, **voxel))
    return profiled(paths)


def test_values_are_those_of_raw_voxels(table, labels, maps, greys):
    ap = pd.DataFrame(
        {
            t: [
                np.mean([average_precision_score(labels[k], maps[seed][f"single/t={t}"][k]) for seed in SEEDS])
                for k in range(len(SIZES))
            ]
            for t in TIMES
        }
    )
    best = ap.idxmax(axis=1)
    known = {"lesion_ml": np.array(SIZES) * 0.02}
    known["contrast"] = np.array([abs(2 * roc_auc_score(*pair) - 1) for pair in zip(labels, greys, strict=True)])
    assert list(table.columns) == COLUMNS
    for variable, values in known.items():
        rows = table[table["variable"] == variable]
        rho, p = stats.spearmanr(values, best)
        assert (rows["rho"] - rho).abs().max() < 1e-9
        assert (rows["p"] - p).abs().max() < 1e-9
        thirds = np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values)
        for place, (_, own) in enumerate(rows.groupby("level", sort=False)):
            chosen = thirds == place
            assert own["t"].tolist() == [*TIMES]
            assert (own["patients"] == chosen.sum()).all()
            assert own["value"].to_numpy() == pytest.approx(ap[chosen].mean().to_numpy(), abs=0.01)
            assert own["best"].iloc[0] == pytest.approx(best[chosen].mean())
            ends = (own["from"].iloc[0], own["to"].iloc[0])
            assert ends == pytest.approx((values[chosen].min(), values[chosen].max()), rel=2e-3, abs=2e-3)
    assert (table["rho"][table["variable"] == "lesion_ml"] > 0.8).all()
    assert set(table["seeds"]) == {2}


def test_scans_of_a_patient_are_one(labels, maps, tmp_path):
    """Ten scans of five patients are too few."""
    patients = {f"sub-{k:02d}": f"patient-{k // 2}" for k in range(len(SIZES))}
    path = write(tmp_path, "disyre", labels, maps[1], 1, voxel_mm="1", patients=patients)
    assert profiled([path]).empty


def test_nothing_without_single_steps_voxels_or_a_difference(labels, maps, tmp_path):
    assert profiled([write(tmp_path, "dae", labels, {"final": maps[1]["single/t=25"]}, 1, voxel_mm="1")]).empty
    assert profiled([write(tmp_path, "disyre", labels, maps[1], 1)]).empty  # maps without a size of their voxels
    same = {f"single/t={t}": maps[1]["single/t=25"] for t in TIMES}
    made = profiled([write(tmp_path, "disyre", labels, same, 1, voxel_mm="2")])
    assert made["from"].min() == pytest.approx(min(SIZES) * 0.008)
    assert made["rho"].isna().all()
    assert set(made["best"]) == {25.0}
    assert set(made["task"]) == {META["task"]}
