"""Results by subgroup: who is found to be failed and who is not, numbers by hand, and what has no number."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.commands import fails
from uadbench.core.study_folder import FINDINGS
from uadbench.data.index.layout import Files
from uadbench.data.index.sheet import write
from uadbench.evaluation.detection.findings import ARRAYS, Findings, save
from uadbench.evaluation.summary import subgroups as module
from uadbench.evaluation.summary.subgroups import COLUMNS, LEAST, THIRDS, People, read_people, subgroups

Cells = Mapping[str, Sequence[object]]
META = {
    **{"experiment": "demo", "trained_on_simulated": True, "tested_on_simulated": False, "method": "dae"},
    **{"revision": 1, "title": "DAE", "family": "S-S", "seed": 1, "task": "ATLAS", "dataset": "atlas"},
    **{"test_set": "", "modality": "t1", "left_out": 0},
}
EMPTY = np.zeros(0)


def names(number: int) -> list[str]:
    return [f"sub-{k:03d}" for k in range(number)]


def people_of(number: int, **columns: Sequence[object]) -> People:
    """The people of a test set `atlas`, of the patients and columns that are given."""
    cells = {"split": "test", "patient": names(number), **dict.fromkeys(("age", "sex", "site", "scanner"), np.nan)}
    return {"atlas": pd.DataFrame({**cells, **columns}, index=names(number))}


def written(folder: Path, ap: np.ndarray, healthy: Cells | None = None, **changes: object) -> Path:
    """Findings of subjects with these APs (NaN: without an anomaly); returns the path of the histograms beside them."""
    meta, number = {**META, **changes}, len(ap)
    ill = np.isfinite(ap)
    arrays = dict.fromkeys(ARRAYS, EMPTY) | {
        **{"ap": ap, "anomalous": 10 * ill, "voxels": np.full(number, 1000), "outside": np.zeros(number)},
        **{"rates": np.array([0.05, 0.01]), "thresholds": np.array([1, 2.0])},
        **{"flagged": np.full((number, 2), 30) + np.arange(number)[:, None], "true": np.full((number, 2), 5)},
        **{"healthy_summaries": np.array((healthy or {}).get("score", ()), np.float32)},
    }
    path = folder / str(meta["task"]) / str(meta["method"]) / f"seed-{meta['seed']}" / FINDINGS
    path.parent.mkdir(parents=True)
    found = Findings(tuple(names(number)), 10.0, **arrays, healthy_subjects=tuple((healthy or {}).get("subject", ())))
    save(path, found, meta)
    return path.with_name("full.npz")


def made(paths: list[Path], people: People, metrics: Sequence[str] = ("subject_ap",)) -> pd.DataFrame:
    """The rows for files in folders TASK/METHOD/seed-N, with results that have these metrics of every run."""
    runs = [path.parent for path in paths]
    results = pd.DataFrame(
        {"experiment": "demo", "task": run.parts[-3], "method": run.parts[-2], "metric": metric}
        | {"seed": int(run.name.removeprefix("seed-"))}
        for run in runs
        for metric in metrics
    )
    table = subgroups(paths, results, people)
    assert list(table.columns) == COLUMNS
    return table


def drawn(ages: np.ndarray, per_decade: float, seed: int) -> np.ndarray:
    """APs that fall by `per_decade` on the logit, with a deviation of 0.8."""
    noise = np.random.default_rng(seed).normal(0, 0.8, len(ages))
    return 1 / (1 + np.exp(per_decade * (ages - 50) / 10 - noise))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Of 60 patients: rows of a method that is worse for old ones and of one that is not, ages, APs of the former."""
    folder, ages = tmp_path_factory.mktemp("cohort"), np.random.default_rng(5).uniform(20, 80, 60).round(1)
    worse = np.stack([drawn(ages, 0.5, seed) for seed in (1, 2)])
    paths = [written(folder, ap, method="worse", seed=seed) for seed, ap in enumerate(worse)]
    paths += [written(folder, drawn(ages, 0, 30 + seed), method="even", seed=seed) for seed in (0, 1)]
    paths.append(written(folder, drawn(ages, 0.5, 20), method="random", family="control", seed=0))
    people = people_of(60, age=ages, sex=["F", "M"] * 30, site=["A"] * 60)
    return made(paths, people), ages, worse.mean(axis=0)


def test_a_method_that_is_worse_for_old_subjects_is_found_and_no_other(cohort):
    table, ages, ap = cohort
    p = table.drop_duplicates(["method", "variable"]).set_index(["method", "variable"])["p_holm"]
    assert p["worse", "age"] < 0.001
    assert p.drop(("worse", "age")).dropna().min() > 0.05
    assert p["random"].isna().all()  # a control is not tested, and counts in no correction
    old = table[(table["method"] == "worse") & (table["variable"] == "age")].iloc[0]
    rank, line = stats.spearmanr(ages, ap), stats.theilslopes(ap, ages)
    assert (old["rho"], old["p"], old["p_holm"]) == pytest.approx((rank.statistic, rank.pvalue, 4 * rank.pvalue))
    assert (old["slope_low"], old["slope"]) == pytest.approx((10 * line.low_slope, 10 * line.slope))
    assert old["slope_high"] < 0
    by_sex = [table[(table["method"] == "worse") & (table["level"] == sex)].iloc[0] for sex in "FM"]
    assert by_sex[0]["p"] == pytest.approx(stats.kruskal(ap[::2], ap[1::2]).pvalue)
    assert set(table["variable"]) == {"age", "sex"}  # a single site is no subgroup


def test_means_and_intervals_of_thirds_by_hand(cohort):
    table, ages, ap = cohort
    own = table[(table["method"] == "worse") & (table["variable"] == "age")].set_index("level")
    assert list(own.index) == list(THIRDS)
    for third, chosen in zip(THIRDS, np.split(np.argsort(ages), 3), strict=True):
        row, values = own.loc[third], ap[chosen]
        rest = (values.sum() - values) / (len(values) - 1)
        logit = np.log(rest / (1 - rest))
        half = stats.t.ppf(0.975, 19) * np.sqrt(19 / 20 * ((logit - logit.mean()) ** 2).sum())
        centre = np.log(values.mean() / (1 - values.mean()))
        assert (row["value"], row["patients"], row["seeds"]) == pytest.approx((values.mean(), 20, 2))
        assert (row["from"], row["to"]) == (ages[chosen].min(), ages[chosen].max())
        limits = 1 / (1 + np.exp(-np.array([centre - half, centre + half])))
        assert (row["low"], row["high"]) == pytest.approx(tuple(limits))
        assert row["lesion_ml"] == 10  # ten voxels of 1 ml
    assert own["value"].is_monotonic_decreasing
    assert (own["std"] > 0).all()


@pytest.mark.parametrize("number", [12, pytest.param(40, marks=pytest.mark.slow)])
def test_equal_subgroups_differ_in_the_share_of_cohorts_that_the_level_says(number, tmp_path):
    rng = np.random.default_rng(number)
    paths = [written(tmp_path, rng.beta(0.4, 2, number), method=f"m{k:03d}") for k in range(120)]
    level = np.arange(number)
    people = people_of(number, age=rng.uniform(20, 80, number), sex=[*"MF"] * (number // 2), scanner=level % 3)
    table = made(paths, people).drop_duplicates(["method", "variable"])
    shares = (table["p"] < 0.05).groupby(table["variable"]).mean()
    assert set(shares.index) == {"age", "sex", "scanner"}
    assert shares.max() <= 0.07
    assert shares.min() > 0.01
    assert (table["p_holm"] < 0.05).sum() <= 1


def test_scans_of_a_patient_count_once(tmp_path):
    ap = np.array([0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 0.9])
    patients = ["anna", "anna", "bert", "bert", *names(8)[4:]]
    people = people_of(8, patient=patients, scanner=[*"AAABAABB"], sex=["F", "F", "M", "M", *"FFMM"])
    table = made([written(tmp_path, ap)], people)
    rows = table.set_index("level")
    assert (rows.loc["A", "value"], rows.loc["A", "patients"]) == pytest.approx((np.mean([0.2, 0.6, 0.7]), 3))
    assert (rows.loc["B", "patients"], rows.loc["B", "unknown"]) == (2, 1)  # bert was in both
    assert rows.loc["M", "value"] == pytest.approx(np.mean([0.45, 0.9, 0.9]))


def test_too_few_subjects_have_no_number(tmp_path):
    few = LEAST - 1
    ages = np.array([30.0, 40, 50, 60, 70, 75, 80, 85])
    people = people_of(8, age=ages, site=["A"] * few + ["B"] * (8 - few))
    table = made([written(tmp_path, np.linspace(0.1, 0.8, 8))], people).set_index("level")
    assert table.loc["A", ["value", "low", "high", "p"]].isna().all()
    assert table.loc["B", "value"] > 0
    assert table["p"].isna().all()  # one site, and two of the three ages, have enough
    assert list(table.loc[list(THIRDS), "patients"]) == [3, 2, 3]


def test_false_positives_and_healthy_subjects(tmp_path):
    well = {"subject": [f"well-{k}" for k in range(6)], "score": [1, 1, 1, 3, 3, 3.6]}
    people = dict(people_of(6, sex=[*"FFFMMM"]))
    healthy = {"split": "validation", "patient": well["subject"], "sex": [*"FFFMMM"]}
    people["camcan"] = pd.DataFrame({**dict.fromkeys(("age", "site", "scanner"), np.nan), **healthy}, well["subject"])
    ap = np.array([0.5, 0.6, np.nan, 0.7, 0.8, 0.9])
    path = written(tmp_path, ap, well)
    table = made([path], people, ("subject_ap", "false_positive_ml@0.01")).set_index(["metric", "level"])
    assert table.loc[("false_positive_ml@0.01", "F"), "value"] == pytest.approx(25 + 1)  # voxels of 1 ml
    assert table.loc[("healthy_score", "F"), "value"] == pytest.approx(1 / 2)
    assert table.loc[("healthy_score", "M"), "value"] == pytest.approx(3.2 / 2)
    assert table.loc[("subject_ap", "F"), "patients"] == 2
    assert {*made([path], people)["metric"]} == {"subject_ap"}  # results leave out what bins do not tell


@pytest.mark.parametrize(
    ("text", "age"),
    [("34.9", 34.9), ("16-20", 18), ("16–20", 18), ("90+", 90), ("061Y", 61), (">89", 89), ("", None), ("old", None)],
)
def test_ages_of_cells(text, age):
    assert module.years(text) == pytest.approx(np.nan if age is None else age, nan_ok=True)


def test_people_of_a_sheet(tmp_path):
    files = [
        (Files(name, t1=Path("t1.nii"), stated_patient=patient), "train") for name, patient in (("a", "x"), ("b", ""))
    ]
    write(tmp_path / "subjects.csv", tmp_path, files, people={"x": {"age": "40", "sex": "F"}})
    table = read_people({"camcan": tmp_path / "subjects.csv"})["camcan"]
    assert table.loc["a", ["split", "patient", "age", "sex"]].tolist() == ["train", "x", 40, "F"]
    assert table.loc["b", ["age", "sex", "site", "scanner"]].isna().all()
    assert module.subgroups([], pd.DataFrame(), {}).empty
    assert "no DATASET=FILE" in fails("summarize", "x.npz", "--sheet", "subjects.csv", "--out", tmp_path / "r.csv")
