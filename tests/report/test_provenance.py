"""Software, data and numbers of the trainings in a report, and the results by lesion size."""

import re

import pytest

from tests.paper.conftest import write_results
from tests.records import COMMIT, ENVIRONMENT
from tests.report.conftest import METHODS
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.report import page, sizes, trainings
from uadbench.report.study import Study


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
    assert all(value in text for value in (COMMIT, "3.11.9", "numpy", "2.3.5", "torch", "2.13.0"))
    assert "from 2024-05-27T09:30:00 to 2024-05-27T09:40:00 UTC" in text


def test_runs_of_other_software_are_named(study):
    change(study, "dae/t1/seed-2", packages=ENVIRONMENT["packages"] | {"torch": "2.6.0"}, modified=True)
    text = section(study, "environment")
    assert "Trainings differ in: code differs from the commit, torch." in text
    assert text.count("<td>DAE, T1, seed 2</td>") == 2
    software = trainings.software(trainings.trainings(study))
    assert [(value, len(runs)) for value, runs in software["torch"]] == [("2.13.0", 3), ("2.6.0", 1)]
    assert len(software["numpy"]) == 1
    assert f"{COMMIT[:10]}+" in section(study, "runs")


def test_runs_that_do_not_fit_the_config_or_one_another_are_refused(study):
    path = study.path / "training" / "dae" / "t1" / "seed-2" / "run.json"
    facts = read_json(path)
    write_json(path, facts | {"params": {"batch": 4}})
    with pytest.raises(HarnessError, match=r"dae/t1/seed-2/run.json: trained with batch 4, where the config .* has 8"):
        section(study, "environment")
    write_json(path, facts | {"revision": 3})
    with pytest.raises(HarnessError, match=r"seed-2/run.json: trained with REVISION 3, where .* another seed has 2"):
        section(Study(study.path, study.plan), "environment")


def test_a_method_edited_between_its_seeds_is_named(study):
    for seed in (1, 2):
        for method in ("dae", "disyre"):
            path = study.path / "training" / method / "t1" / f"seed-{seed}" / "run.json"
            write_json(path, read_json(path) | {"code": str(seed if method == "dae" else 1)})
    assert "edited between its trainings, without a new REVISION: DAE.</p>" in section(study, "environment")


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
    write_results(study.path / "evaluation" / "results.csv", METHODS, seeds=(1, 2))
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
