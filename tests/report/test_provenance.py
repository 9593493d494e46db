"""Software, data and numbers of the trainings in a report, and the results by lesion size."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from tests.paper.conftest import write_comparisons, write_results
from uadbench.core.files import read_json, write_json
from uadbench.report import page, sizes, trainings
from uadbench.report.study import Study
from uadbench.study.config_files import read

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PACKAGES = {"numpy": "2.3.5", "torch": "2.13.0"}
ENVIRONMENT = {
    "commit": COMMIT,
    "modified": False,
    "python": "3.11.9",
    "packages": PACKAGES,
    "started": "2024-05-27T09:30:00+00:00",
    "finished": "2024-05-27T09:40:00+00:00",
}
SETTINGS = {"template": "mni152", "spacing": 4.0, "side": 0, "normalisation": "p99_5_brain"}
HISTORY = [  # two phases; a loss of the first is smaller than all of the second
    ("gan", 0, 0.001, 0.0),
    ("gan", 100, 0.002, 4.0),
    ("encoder", 0, 3.0, 4.0),
    ("encoder", 50, 1.0, 6.0),
    ("encoder", 100, 1.5, 8.0),
]


def by_size(rows: pd.DataFrame) -> pd.DataFrame:
    """Results with metrics by size: two lesions below 1 ml and five from 10 to 100 ml, on ATLAS alone."""
    first = rows[(rows.task == "ATLAS") & (rows.score == "final") & (rows.metric == "ap")]
    parts = [rows]
    for metric, value in (
        ("lesions/0-1ml", 2.0),
        ("lesions/10-100ml", 5.0),
        ("sensitivity@0.01/0-1ml", 0.25),
        ("sensitivity@0.01/10-100ml", 0.75),
        ("sensitivity@0.05/10-100ml", 0.99),
        ("subject_ap/10-100ml", 0.625),
    ):
        parts.append(first.assign(metric=metric, value=value))
    return pd.concat(parts)


@pytest.fixture
def study(tmp_path, root) -> Study:
    """A study of DISYRE and DAE with two seeds, whose files are made up."""
    config = read(root / "config.yaml") | {"methods": ["disyre", "dae"], "seeds": [1, 2]}
    (tmp_path / "evaluation").mkdir()
    write_results(tmp_path / "evaluation" / "results.csv", ["disyre", "dae"], seeds=(1, 2), edit=by_size)
    write_comparisons(tmp_path / "evaluation", [("disyre", "dae")])
    for name in ("camcan", "atlas", "brats"):
        index = {"simulated": True, "modalities": ["t1"], "spacing": 4.0, "preprocessing": SETTINGS, "left_out": []}
        index |= {"subjects": [{"split": "test"}], "arrays": {"t1": f"{name}-digest"} if name != "brats" else {}}
        write_json(tmp_path / "data" / name / "packed" / "index.json", index)
    rows = []
    for method in ("disyre", "dae"):
        for seed in (1, 2):
            facts = {"method": method, "title": method.upper(), "modality": "t1", "seed": seed, "revision": 2}
            facts |= {"subjects": 40, "seconds": 9.5, "precision": "float32", "device": "a CPU", "harness": "0.1.0"}
            facts |= {"params": {"batch": 16}, "environment": ENVIRONMENT}
            write_json(tmp_path / "training" / method / "t1" / f"seed-{seed}" / "run.json", facts)
            rows += [(method, "t1", seed, *row) for row in HISTORY]
    columns = ["method", "modality", "seed", "phase", "step", "validation", "seconds"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "training" / "histories.csv", index=False)
    return Study.of(tmp_path, config)


def change(study: Study, run: str, **changes) -> None:
    """Change the environment of a run; None removes it."""
    path = study.path / "training" / run / "run.json"
    facts = read_json(path)
    facts["environment"] = facts["environment"] | changes
    write_json(path, facts)


def section(study: Study, name: str) -> str:
    """The report from the heading of a section to the next."""
    page.write(study, study.path / "report.html")
    text = (study.path / "report.html").read_text(encoding="utf-8")
    return text.split(f'<h2 id="{name}">')[1].split("<h2")[0]


def test_numbers_of_a_run_follow_from_its_history(study):
    one = trainings.trainings(study)[0]
    assert one.steps == 200
    assert one.images_per_second == pytest.approx(200 * 16 / 8)
    assert (one.validation, one.best, one.best_step) == (1.5, 1.0, 50)
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", section(study, "runs"))
    assert cells[:12] == ["DISYRE", "t1", "1", "2", "40", "200", "9.5", "400", "1.5", "1", "50", COMMIT[:10]]


def test_a_study_of_one_software_says_so(study):
    text = section(study, "environment")
    assert "All trainings agree" in text
    assert "differ in" not in text
    assert all(value in text for value in (COMMIT, "3.11.9", *PACKAGES, *PACKAGES.values()))
    assert "from 2024-05-27T09:30:00 to 2024-05-27T09:40:00 UTC" in text


def test_runs_of_other_software_are_named(study):
    change(study, "dae/t1/seed-2", packages=PACKAGES | {"torch": "2.6.0"}, modified=True)
    text = section(study, "environment")
    assert "Trainings differ in: code differs from the commit, torch." in text
    assert text.count("<td>DAE, T1, seed 2</td>") == 2
    software = trainings.software(trainings.trainings(study))
    assert [(value, len(runs)) for value, runs in software["torch"]] == [("2.13.0", 3), ("2.6.0", 1)]
    assert len(software["numpy"]) == 1
    assert f"{COMMIT[:10]}+" in section(study, "runs")


def test_a_run_of_an_installed_package_has_no_commit(study):
    change(study, "disyre/t1/seed-1", commit=None, modified=None)
    assert "Trainings differ in: commit, code differs from the commit." in section(study, "environment")
    assert "not recorded" in section(study, "runs")


def test_checksums_are_those_of_the_packs(study):
    text = section(study, "environment")
    assert "camcan-digest" in text
    assert "atlas-digest" in text
    assert '<td>brats</td><td colspan="3">not recorded</td>' in text  # packed before checksums


def test_results_by_size_are_those_of_the_results(study):
    (table,) = sizes.tables(study)
    assert (table.task, table.lesions, table.subjects) == ("ATLAS", {"0-1ml": 2, "10-100ml": 5}, ("10-100ml",))
    text = section(study, "sizes")
    assert "below 1 ml" in text
    assert "5 lesions" in text
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
    assert cells[cells.index("DISYRE") :][:4] == ["DISYRE", "0.25 ± 0.00", "0.75 ± 0.00", "0.62 ± 0.00"]
    assert "0.99" not in text  # of another threshold


def test_a_study_without_sizes_says_so(study):
    write_results(study.path / "evaluation" / "results.csv", ["disyre", "dae"], seeds=(1, 2))
    assert "no metric by lesion size" in section(study, "sizes")


def test_every_link_of_the_contents_has_its_heading(study):
    page.write(study, study.path / "report.html")
    text = (study.path / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    links, ids = re.findall(r'href="#([^"]+)"', text), re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert len(links) > 20
    assert set(links) <= set(ids)
    assert set(re.findall(r'<h2 id="([^"]+)"', text)) - {"contents"} == set(
        re.findall(r'<li><a href="#([a-z]+)"', text)
    )
