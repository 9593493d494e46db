"""The report of a study: complete, correct in its signs and counts, and readable without a network."""

import json
import re

import pandas as pd
import pytest

from tests.commands import ROOT, call, fails
from tests.core.test_page_policy import digests
from tests.paper.conftest import write_results
from tests.report.conftest import COLUMNS, METHODS
from uadbench.core import checksums
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, sha256, write_json
from uadbench.data.preprocessing.brain.normalisation import RULES
from uadbench.methods import registry
from uadbench.report import methods_section
from uadbench.report.page import write
from uadbench.report.study import Study

CONFIG = ("--config", ROOT / "config.yaml")


@pytest.fixture
def page(study) -> str:
    call("report", study.path, *CONFIG)
    return (study.path / "report.html").read_text(encoding="utf-8")


def changed(study: Study, changes: dict) -> Study:
    """The study of the same files with other keys in its config."""
    return Study.of(study.path, json.loads(study.plan.config.deciding) | changes)


def test_one_file_with_a_title_and_without_a_network(study, page):
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert page.count("data:image/png;base64,") == 1
    assert page.count('<section class="paper-table">') == len(study.tables) == 6
    assert "@import" not in page
    title = "Unsupervised anomaly detection on ATLAS, BraTS-T1 and BraTS-T2"
    assert f'<h1>{title}</h1>\n<p class="soft">Report of the experiment demo</p>' in page
    assert f"<title>{title}: report of demo</title>" in page


def test_a_table_that_somebody_sent_is_not_taken_over(study):
    """Nor does markup of a title, which stands in the results, become any."""
    (study.path / "paper" / "table2.html").write_text("<section><img src=x onerror=alert(1)></section>")
    write_results(study.folder.results, METHODS, seeds=(1, 2), edit=lambda rows: rows.assign(title="<script>alert(2)"))
    call("report", study.path, *CONFIG)
    text = study.folder.report.read_text(encoding="utf-8")
    assert "onerror" not in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(2)" in text


def test_a_figure_that_is_not_the_one_that_was_drawn_is_refused(study):
    (figure,) = study.figures
    checksums.begin(study.path)
    call("report", study.path, *CONFIG)
    checksums.note(figure, {".": sha256(figure)})
    figure.write_bytes(figure.read_bytes() + b"x")
    assert f"{figure}: damaged or edited" in fails("report", study.path, *CONFIG)


def test_the_policy_names_every_script(page):
    named, found = digests(page)
    assert found
    assert found <= named


WRONG = {
    "data/atlas/packed/index.json": {"subjects": [3]},
    "data/brats/packed/index.json": {"preprocessing": {"normalisation": "none"}},
    "training/dae/t1/seed-2/run.json": {"environment": {"commit": 3}},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_record_that_somebody_sent_is_checked(study, name):
    write_json(study.path / name, read_json(study.path / name) | WRONG[name])
    said = fails("report", study.path, *CONFIG).replace(": run.json", "/run.json")
    assert f"{name}: {next(iter(WRONG[name]))}" in said


def test_numbers_of_the_table_are_those_of_the_results(study, page):
    assert "Gliomas are harder to find in T1 than in T2." in page.split('<h2 id="claims">')[1].split("<h2")[0]
    for method in ("disyre", "dae"):
        number = study.first.get(method, "ATLAS", "final", "ap")
        assert f'data-value="{number.mean:.6g}">' in page
        assert number.text() in page


def test_differences_are_those_of_the_illustrated_method(study):
    assert study.plan.illustrated == "disyre"
    rows = {row["other"]: row for row in study.differences}
    assert set(rows) == {"DAE", "Random"}
    # Stored as dae minus disyre, and as disyre minus random.
    assert rows["DAE"]["difference"] == pytest.approx(0.1)
    assert (rows["DAE"]["low"], rows["DAE"]["high"]) == (0.05, 0.3)
    assert rows["Random"]["difference"] == pytest.approx(0.1)
    assert (rows["Random"]["low"], rows["Random"]["high"]) == (-0.3, -0.05)


def test_cohorts_and_what_was_left_out(study, page):
    camcan, atlas, brats = study.cohorts
    assert camcan["subjects"] == {"train": 40, "validation": 8}
    assert (camcan["flagged"], atlas["flagged"]) == (None, 1)
    assert brats["subjects"] == {"test": 1}
    assert "is &lt;b&gt;no&lt;/b&gt; scan" in page  # never as markup
    assert "Trained and tested on simulated scans" in page
    assert "atlas lacks what preprocessing lost" in page
    assert ": sub-9.</p>" in page
    assert "Preprocessing lost 1 subject of atlas." in page


def test_scans_of_a_patient_are_no_patients(study):
    path = study.path / "data" / "atlas" / "packed" / "index.json"
    index = read_json(path)
    visits = [one | {"patient": f"p{number // 4}"} for number, one in enumerate(index["subjects"])]
    write_json(path, index | {"subjects": visits, "left_out": []})
    write(study, study.path / "report.html")
    text = (study.path / "report.html").read_text()
    assert "<b>12</b>scans of 3 patients in atlas" in text
    assert "test on atlas (12 scans of 3 patients, simulated scans)" in text
    assert "lacks what preprocessing lost" not in text


def test_the_page_of_quality_is_linked_in_the_study_that_has_the_data(study, page):
    assert 'href="data/atlas/quality/quality.html"' in page
    other = study.path.parent / f"{study.path.name}-data"
    other.mkdir()
    (study.path / "data").rename(other / "data")
    assert changed(study, {"data": other.name}).page("atlas") == f"../{other.name}/data/atlas/quality/quality.html"


def test_the_section_of_methods_says_what_ran(study):
    brats = study.folder.packed("brats") / "index.json"
    write_json(brats, read_json(brats) | {"simulated": False})
    text = methods_section.paragraph(study)
    assert "Training on simulated scans of 40 healthy subjects of camcan, 8 more held out for validation" in text
    assert "atlas (12 subjects, simulated scans) and brats (1 subject, real scans)" in text
    assert "DISYRE [disyre] and DAE [dae], trained with 2 seeds on a CPU" in text
    assert "99.5th percentile of the brain" in text
    assert "Random" not in text
    assert "mean and sample standard deviation over seeds" in text
    assert "Student's t over subjects and seeds" in text
    alone = methods_section.paragraph(changed(study, {"seeds": [1]}))
    assert "deviation" not in alone
    assert "with 1 seed on" in alone


def test_the_section_of_methods_states_the_terms_of_the_comparison(study):
    made = {name: read_json(study.folder.run(name, "t1", 1) / "run.json")["params"] for name in ("disyre", "dae")}
    study = changed(study, {"params": made | {"dae": made["dae"] | {"median": 3, "erosion": 3}}})
    text = methods_section.paragraph(study)
    assert "Of the methods, DAE (erosion 3, median 3) alone filtered score maps, by hyper-parameters of" in text
    assert "Beside them, the maps of all methods without such filters were filtered alike" in text
    assert "(brain eroded by 3 x 3 voxels, then median of 3 x 3 voxels, in axial slices)" in text
    assert "Training time (median over seeds) – T1: DISYRE 8 s, DAE 8 s, equal within ± 15 %" in text
    assert "Data on which hyper-parameters were chosen: not stated." in text
    results = pd.read_csv(study.folder.results).assign(tuned_on="a cohort")
    results.to_csv(study.folder.results, index=False)
    alike = methods_section.paragraph(changed(study, {"postprocessing": {"median": 5}}))
    assert "The score maps of all methods were filtered alike, in place of their own filters (median of 5 x 5" in alike
    assert "Of the methods" not in alike
    assert "chosen: a cohort." in alike
    published = methods_section.paragraph(changed(study, {"postprocessing": "as published"}))
    assert "DAE (erosion 3, median 3) alone filtered" in published
    assert "alike" not in published


def test_a_study_of_controls_names_no_method(tmp_path, study):
    write_results(tmp_path / "evaluation" / "results.csv", ["random"], seeds=(1, 2))
    alone = changed(study, {"methods": ["random"]})
    text = methods_section.paragraph(alone)
    assert "Controls alone were run. Score maps were evaluated on" in text
    assert "none" not in text
    histories = alone.folder.histories
    histories.write_text(histories.read_text().splitlines()[0] + "\n")  # controls train nothing
    write(alone, tmp_path / "report.html")
    assert "<summary>0 trainings</summary>" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_every_rule_of_normalisation_has_words():
    assert methods_section.NORMALISATION.keys() == RULES.keys()


def test_runs_are_those_of_the_study_and_not_of_every_folder(study, page):
    assert [(run["title"], run["seed"]) for run in study.runs] == [("DISYRE", 1), ("DISYRE", 2), ("DAE", 1), ("DAE", 2)]
    assert "<b>4</b>trainings" in page


def test_the_first_protocol_of_the_config_is_shown(study):
    path = study.path / "evaluation" / "results.csv"
    rows = pd.read_csv(path)
    pd.concat([rows, rows.assign(protocol="upd", value=rows["value"] / 2)]).to_csv(path, index=False)
    chosen = changed(study, {"evaluation": {"protocols": ["upd", "full"]}})
    assert chosen.first.protocol == "upd"
    with pytest.raises(HarnessError, match="no result under protocol 'official'"):
        _ = changed(study, {"evaluation": {"protocols": ["official"]}}).first


def test_differences_without_a_test_have_a_dash(study):
    path = study.path / "evaluation" / "comparisons.csv"
    rows = pd.read_csv(path).assign(low=float("nan"), high=float("nan"), p_holm=float("nan"))
    rows.to_csv(path, index=False)
    call("report", study.path, *CONFIG)
    text = (study.path / "report.html").read_text(encoding="utf-8")
    differences = text.split('id="differences"')[1].split("</table>")[0]
    assert "nan" not in differences
    assert differences.count("–") == 12


def test_references_are_those_of_methods_data_and_tools(study):
    cited = re.findall(r"@\w+\{([\w-]+),", methods_section.bibtex(study))
    assert set(cited) == {"disyre", "dae", "ants", "mni152"}  # simulated cohorts are nobody's data
    for folder in (study.path / "data").iterdir():
        index = read_json(folder / "packed" / "index.json")
        write_json(folder / "packed" / "index.json", index | {"simulated": False})
    measured = changed(study, {})
    text = methods_section.paragraph(measured)
    assert "Training on 40 healthy subjects of camcan" in text
    assert "atlas (12 subjects) and brats (1 subject)" in text
    real = re.findall(r"@\w+\{([\w-]+),", methods_section.bibtex(measured))
    assert set(real) - set(cited) == {"camcan", "atlas", "brats"}


def test_every_method_but_controls_has_a_reference():
    known = methods_section.entries()
    missing = [name for name in registry.names() if registry.describe(name).family != registry.CONTROL]
    assert not [name for name in missing if name not in known]
    for key, entry in known.items():
        assert entry.count("{") == entry.count("}"), key
        assert "title = " in entry
        assert "year = " in entry


FILES = ("training/dae/t1/seed-2/run.json", "data/atlas/packed/index.json", "evaluation/comparisons.csv")


@pytest.mark.parametrize("name", [*FILES, "training/histories.csv"])
def test_a_file_that_is_missing_is_named(study, name):
    (study.path / name).unlink()
    assert f"{name}: no such file; run the study again" in fails("report", study.path, *CONFIG)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "no JSON"),
        ("overlay.yaml", "an overlay alone is no config of a study"),
        (ROOT / "config" / "overlays" / "choosing.yaml", "in mm; an overlay alone is no config of a study"),
        ("missing.yaml", "missing.yaml: no such config file"),
    ],
)
def test_a_config_that_is_none_is_named(study, config, message):
    (study.path / "overlay.yaml").write_text("methods: [disyre]\nexperiment: demo\ndatasets: {}\n")
    given = config if config == "{" else study.path / config
    assert message in fails("report", study.path, "--config", given)


def test_sorting_needs_a_value_in_every_cell_with_a_number(page):
    cells = re.findall(r"<td([^>]*)>([^<]*\d[^<]*)</td>", page.split("<section")[1].split("<tfoot>")[0])
    assert cells
    assert all("data-value" in attributes for attributes, text in cells if "±" in text)


@pytest.mark.parametrize(("seed", "step"), [("1", "many"), ("1", "inf"), ("1", ""), ("9" * 30, "1")])
def test_a_malformed_number_of_a_history_is_one_line(study, seed, step):
    path = study.folder.histories
    path.write_text(",".join(COLUMNS) + f"\ndae,t1,{seed},train,{step},,\n")
    with pytest.raises(HarnessError, match=r"histories\.csv: a number is malformed .*; run the study again") as error:
        _ = study.histories
    assert "\n" not in str(error.value)
