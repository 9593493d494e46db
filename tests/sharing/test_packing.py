"""A packed run: its files, its model card, and the licence of the data that its weights saw."""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.paper.conftest import METHODS, write_histories, write_results
from tests.sharing.conftest import of
from uadbench import baselines
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.data.index.layout import Files
from uadbench.data.index.release import releases
from uadbench.data.index.sheet import write as write_sheet
from uadbench.paper.writers import markdown
from uadbench.sharing.licences import HUB, Origin, strictest
from uadbench.sharing.packing import pack
from uadbench.training.record import record

REAL = {"simulated": False}


def changed(run: Path, **values) -> Path:
    write_json(run / "run.json", read_json(run / "run.json") | values)
    return run


def card(folder: Path) -> tuple[dict, dict[str, str]]:
    """Metadata and sections, by title, of a packed run's card."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    _, metadata, body = text.split("---\n", 2)
    parts = re.split(r"^## (.*)$", body, flags=re.MULTILINE)
    return yaml.safe_load(metadata), dict(zip(parts[1::2], parts[2::2], strict=True))


def test_files_of_a_packed_run(run, tmp_path):
    (run / "weights" / "notes.txt").write_text("private")
    (run / "code.patch").write_text("private")
    (run / "state.pt").write_text("pickle")
    assert pack(run, tmp_path / "out") == []
    recorded = read_json(run / "run.json")["weights"]
    made = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert made == {"README.md", "run.json", "history.csv"} | {f"weights/{name}" for name in recorded}
    assert read_json(tmp_path / "out" / "run.json") == read_json(run / "run.json")


def test_the_card_says_what_the_run_is(run, tmp_path):
    pack(run, tmp_path / "out", repo="lab/vae")
    metadata, sections = card(tmp_path / "out")
    assert metadata["license"] == "apache-2.0"
    assert metadata["library_name"] == "uadbench"
    assert {"vae", "t1", "simulated-data", "brain-mri"} <= set(metadata["tags"])
    about = read_json(run / "run.json")
    assert f"`baselines/vae.py`, revision {about['revision']}" in sections["Method"]
    assert "--run hf://lab/vae --image scan.nii.gz --out map.nii.gz" in sections["Scoring a scan"]
    assert "Data set: tiny (simulated)" in sections["Training data"]
    assert "Subjects without a lesion: 4, and 2 held out" in sections["Training data"]
    assert "normalisation `p99_5_brain`" in sections["Training data"]
    assert "| steps | 4 |" in sections["Training"]
    assert "| filter of the study | as published |" in sections["Training"]
    assert "| hyper-parameters chosen on | not stated |" in sections["Training"]
    assert f"| device | {markdown.escape(about['device'])} |" in sections["Training"]
    for name, value in about["params"].items():
        assert f"| `{name}` | `{value}` |" in sections["Hyper-parameters"]
    assert "Evaluation" not in sections
    assert "not for diagnosis" in sections["Intended use and limits"].replace("\n", " ")
    assert "@article{vae," in sections["Citation"]
    assert "@article{camcan" not in sections["Citation"]


def test_results_of_the_study_and_of_this_seed_alone(run, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "vae", ("VAE", "IR", 0.3))
    folder = tmp_path / "demo" / "evaluation"
    folder.mkdir()
    results = write_results(folder / "results.csv", ["vae", "dae"], seeds=(1, 3), simulated=(True, False))
    pack(run, tmp_path / "out")
    text = card(tmp_path / "out")[1]["Evaluation"]
    rows = pd.read_csv(results)
    own = rows[(rows["method"] == "vae") & (rows["seed"] == 3) & (rows["modality"] == "t1")]
    assert set(own["task"]) == {"ATLAS", "BraTS-T1"}
    for _, row in own[own["metric"] == "ap"].iterrows():
        assert f"| {row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f}) |" in text
    for _, row in own[own["metric"] == "dice"].iterrows():
        assert f"| {row['value']:.3f} |" in text
    assert "BraTS-T2" not in text  # another modality
    assert "| real |" in text
    os.utime(results, (0, 0))
    (warning,) = pack(run, tmp_path / "older")
    assert "older than the run" in warning
    assert "Evaluation" not in card(tmp_path / "older")[1]


def test_the_card_states_the_terms_of_the_comparison(run, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "vae", ("VAE", "IR", 0.3))
    (tmp_path / "demo" / "evaluation").mkdir()
    filters = {"median": 3, "erosion": 1, "beside": False}
    changed(run, postprocessing=filters)
    stated = {"vae": "published | defaults", "dae": "else"}
    results = tmp_path / "demo" / "evaluation" / "results.csv"
    write_results(results, stated, edit=lambda frame: frame.assign(tuned_on=frame["method"].map(stated)))
    write_histories(tmp_path / "demo" / "training" / "histories.csv", {"vae": "VAE", "dae": "DAE"})
    pack(run, tmp_path / "out")
    text = card(tmp_path / "out")[1]["Training"]
    assert "| filter of the study | median of 3 x 3 voxels, in axial slices |" in text
    assert "| hyper-parameters chosen on | published \\| defaults |" in text
    assert "| time of all methods, median over seeds | T1: VAE 40 s, DAE 40 s, equal within ± 15 % |" in text
    assert read_json(tmp_path / "out" / "run.json")["postprocessing"] == filters


def test_the_run_that_another_builds_on_comes_along(study, tmp_path):
    pack(of(study, "r_vae"), tmp_path / "out")
    inner = tmp_path / "out" / "required"
    assert read_json(inner / "run.json")["method"] == "vae"
    assert list((inner / "weights").glob("*.safetensors"))
    sections = card(tmp_path / "out")[1]
    assert "It builds on a run of VAE" in sections["Method"]
    assert "none, the method has no training of its own" in sections["Training"]
    assert {"@article{r_vae,", "@article{vae,"} <= set(sections["Citation"].split())
    pack(tmp_path / "out", tmp_path / "again")  # a packed run is a run
    assert (tmp_path / "again" / "required" / "run.json").is_file()


def test_a_required_run_that_is_missing_or_another(study, tmp_path):
    alone = tmp_path / "alone"
    shutil.copytree(of(study, "r_vae"), alone)
    with pytest.raises(HarnessError, match="r_vae builds on a run of vae; name it with --required"):
        pack(alone, tmp_path / "out")
    with pytest.raises(HarnessError, match="not a run of vae on t1"):
        pack(alone, tmp_path / "out", required=of(study, "ddpm"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"\x89PNG\xff"])
def test_a_note_is_text(content, run, tmp_path):
    note = tmp_path / "note.md"
    if content:
        note.write_bytes(content)
    with pytest.raises(HarnessError, match=r"note\.md: no text in UTF-8; give a file of Markdown"):
        pack(run, tmp_path / "out", note=note)
    assert not (tmp_path / "out").exists()


def test_thresholds_of_healthy_scans_and_people_go_along(run, tiny_cohort, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "vae", ("VAE", "IR", 0.3))
    (tmp_path / "demo" / "evaluation").mkdir()

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        """A threshold of each seed, task and score, of which only the final map's of seed 3 on T1 is the run's."""
        rows = frame[frame["metric"] == "dice"].assign(metric="threshold@0.01", value=0.9)
        own = (rows["seed"] == 3) & (rows["modality"] == "t1")
        rows.loc[own, "value"] = 0.25
        other = rows[own].assign(score="other", value=0.7)
        return pd.concat([frame, other, rows])

    write_results(tmp_path / "demo" / "evaluation" / "results.csv", ["vae"], seeds=(1, 3), edit=edit)
    sheet = tmp_path / "demo" / "data" / "tiny" / "subjects.csv"
    people = {"a": ("train", "63", "f"), "b": ("validation", "19.5", "m"), "c": ("train", "", "f")}
    people["lost"] = ("train", "90", "f")
    rows = [(Files(name, Path(f"{name}.nii")), split) for name, (split, *_) in people.items()]
    stated = {name: {"age": age, "sex": sex} for name, (_, age, sex) in people.items()}
    write_sheet(sheet, tmp_path, rows, people=stated)
    index = read_json(tiny_cohort / "index.json")
    subjects = [{"subject": name, "split": people[name][0], "modalities": ["t1"]} for name in "abc"]
    write_json(sheet.parent / "packed" / "index.json", index | {"subjects": subjects})
    pack(run, tmp_path / "out")
    assert read_json(tmp_path / "out" / "run.json")["thresholds"] == {"0.01": 0.25}
    sections = card(tmp_path / "out")[1]
    assert "| 1 % | 0.25 |" in sections["Thresholds"]
    assert "Age and sex: 19.5 to 63 years (stated for 2 of 3); 2 f, 1 m" in sections["Training data"]


def test_equal_trainings_are_packed_undated_into_the_same_bytes(run, tmp_path):
    pack(run, tmp_path / "one", undated=True)
    about = read_json(run / "run.json")
    later = {"seconds": 99.0, "final": about["final"] | {"seconds": 99.0}}
    changed(run, **later, environment=about["environment"] | {"commit": "0" * 40})
    pack(run, tmp_path / "two", undated=True)
    one, two = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "one", tmp_path / "two")
    )
    assert one == two
    assert {path.as_posix() for path in one} >= {"run.json", "README.md"}
    assert "history.csv" not in {path.name for path in one}
    assert "| time |" not in card(tmp_path / "one")[1]["Training"]
    assert "| steps | 4 |" in card(tmp_path / "one")[1]["Training"]
    assert record(tmp_path / "one")["method"] == "vae"  # which scores


# Licences


@pytest.mark.parametrize("name", ["camcan", "atlas", "brats", "mine"])
def test_data_under_an_agreement_need_a_statement(run, tmp_path, name):
    changed(run, dataset=name, **REAL)
    with pytest.raises(HarnessError, match=r"^training data: .*--i-may-share$") as error:
        pack(run, tmp_path / "out")
    assert ("--release" in str(error.value)) == (name == "mine")
    assert not (tmp_path / "out").exists()
    (warning,) = pack(run, tmp_path / "out", may_share=True)
    assert "you state that you may pass on weights" in warning
    metadata, sections = card(tmp_path / "out")
    assert metadata["license"] == "other"
    assert metadata["license_name"]
    assert "stated the right to pass on weights" in sections["Training data"]
    if name != "mine":
        assert metadata["license_link"] == releases()[name].source
        assert f"@article{{{name}," in sections["Citation"]


@pytest.mark.parametrize(
    ("name", "licence"),
    [("ixi", "cc-by-sa-3.0"), ("ljubljana", "cc-by-4.0"), ("arc", "apache-2.0"), ("soop", "apache-2.0")],
)
def test_open_data_pass_on_their_licence(run, tmp_path, name, licence):
    assert pack(changed(run, dataset=name, **REAL), tmp_path / "out") == []
    metadata, sections = card(tmp_path / "out")
    assert metadata["license"] == licence
    assert f"Licence of the data: {releases()[name].licence}" in sections["Training data"]


def test_a_release_is_named_and_a_licence_is_chosen(run, tmp_path):
    changed(run, dataset="healthy", **REAL)
    assert pack(run, tmp_path / "out", release="ixi", licence="cc-by-nc-sa-4.0") == []
    assert card(tmp_path / "out")[0]["license"] == "cc-by-nc-sa-4.0"
    with pytest.raises(HarnessError, match="release 'nope': unknown"):
        pack(run, tmp_path / "no", release="nope")
    with pytest.raises(HarnessError, match="no identifier of the hub"):
        pack(run, tmp_path / "no", release="ixi", licence="Creative Commons")


def test_simulated_data_with_the_name_of_a_release_are_nobodys(run, tmp_path):
    assert pack(changed(run, dataset="camcan"), tmp_path / "out") == []
    assert card(tmp_path / "out")[0]["license"] == "apache-2.0"


def test_every_release_is_either_open_or_needs_a_statement():
    restricted = {name for name in releases() if Origin.of({"dataset": name}).restricted}
    assert restricted == {"camcan", "atlas", "brats"}
    assert {releases()[name].licence for name in releases() if name not in restricted} == set(HUB)
    origins = {name: Origin.of({"dataset": name}) for name in releases()}
    assert strictest([origins["arc"], origins["ljubljana"], origins["ixi"]]) == origins["ixi"]
    assert strictest([origins["ixi"], origins["camcan"]]) == origins["camcan"]


# What is not packed


def test_paths_of_this_machine_are_cut(run, tmp_path):
    template = tmp_path / "private" / "T1_brain.nii"
    template.parent.mkdir()
    template.write_bytes(b"template")
    about = read_json(run / "run.json")
    changed(run, preprocessing={**about["preprocessing"], "template": str(template)})
    (warning,) = pack(run, tmp_path / "out")
    assert warning == "preprocessing.template: the file T1_brain.nii is not packed; whoever scores needs it"
    for name in ("run.json", "README.md"):
        assert "private" not in (tmp_path / "out" / name).read_text(encoding="utf-8")
    assert read_json(tmp_path / "out" / "run.json")["preprocessing"]["template"] == "T1_brain.nii"
    assert "`T1_brain.nii` | preprocessing.template | `" in card(tmp_path / "out")[1]["Scoring a scan"]


def test_files_of_a_run_and_of_the_run_that_it_builds_on_are_kept_apart(study, tmp_path):
    runs = {name: tmp_path / name for name in ("vae", "r_vae")}
    for name, folder in runs.items():
        shutil.copytree(of(study, name), folder)
        (tmp_path / f"{name}.nii").write_text(name)
        about = read_json(folder / "run.json")["preprocessing"] | {"template": str(tmp_path / f"{name}.nii")}
        changed(folder, preprocessing=about)
    warnings = pack(runs["r_vae"], tmp_path / "out", required=runs["vae"])
    assert [warning.partition(":")[0] for warning in warnings] == [
        "preprocessing.template",
        "required.preprocessing.template",
    ]
    sections = card(tmp_path / "out")[1]
    assert "template `r_vae.nii`" in sections["Training data"]
    assert "| `vae.nii` | required.preprocessing.template | `" in sections["Scoring a scan"]


def test_a_method_of_ones_own_is_named(run, tmp_path, monkeypatch):
    monkeypatch.setattr(baselines, "OURS", tmp_path)
    (warning,) = pack(run, tmp_path / "out")
    assert warning.startswith("method vae: its file is not part of uadbench")
    assert "in a folder given by `--baselines`" in card(tmp_path / "out")[1]["Method"]


def test_damaged_and_unfinished_runs_are_not_shared(run, tmp_path):
    weights = next((run / "weights").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(HarnessError, match=r"safetensors: damaged, .*; train it again"):
        pack(run, tmp_path / "out")
    changed(run, revision=99)
    with pytest.raises(HarnessError, match="trained with revision 99 of vae"):
        pack(run, tmp_path / "out")
    (run / "run.json").unlink()
    with pytest.raises(HarnessError, match=r"no run\.json; name the folder of a finished training run"):
        pack(run, tmp_path / "out")


def test_runs_without_checksums_are_not_shared(run, tmp_path):
    with pytest.raises(HarnessError, match="weights: must be a valid dictionary"):
        pack(changed(run, weights=None), tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(HarnessError, match="exists already"):
        pack(run, tmp_path / "out")


@pytest.mark.parametrize("name", ["history.csv", "run.json", "weights", "file of weights"])
def test_a_link_in_a_run_is_not_followed(run, tmp_path, name):
    path = run / name if name != "file of weights" else next((run / "weights").glob("*.safetensors"))
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(HarnessError, match=rf"{path.name}: is a link; copy the run without links"):
        pack(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_of_a_history_its_own_columns_alone_are_shared(run, tmp_path):
    head, *lines = (run / "history.csv").read_text().splitlines()
    (run / "history.csv").write_text("\n".join([f"{head},secret", *(f"{line},PRIVATE" for line in lines)]) + "\n")
    pack(run, tmp_path / "out")
    assert (tmp_path / "out" / "history.csv").read_text().splitlines() == [head, *lines]
    (run / "history.csv").write_text(f"{head}\nPRIVATE KEY,1,1,1,1,1\n")
    with pytest.raises(HarnessError, match="'PRIVATE KEY' is no name of a phase"):
        pack(run, tmp_path / "again")


def test_texts_of_a_record_are_no_markup_in_the_card(run, tmp_path):
    """Of a title with a line break there is no card: it could end the block of metadata."""
    pack(changed(run, title="<img src=x> [a](b) `c` | d"), tmp_path / "out")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "# &lt;img src=x&gt; \\[a\\](b) \\`c\\` \\| d:" in text
    assert "<img" not in text
    with pytest.raises(HarnessError, match=r"title: .* has a line break"):
        pack(changed(run, title="a\n---\nlicense: mit"), tmp_path / "again")
