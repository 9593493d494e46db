"""Verb `evaluate`: folders of NIfTI maps, labels and brain masks to metrics, and mistakes that people make."""

import json
import re

import nibabel
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import uadbench
from tests.commands import call, fails
from uadbench.core.errors import HarnessError
from uadbench.evaluation.detection.detection_metrics import detection
from uadbench.evaluation.detection.findings import Calibrator
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.inference.findings_collector import FindingsCollector
from uadbench.evaluation.protocols.protocols import Truth
from uadbench.evaluation.summary.tidy_results import tidy
from uadbench.own.external_maps import evaluate
from uadbench.paper import catalogue
from uadbench.paper.inputs import Sources
from uadbench.paper.writers import markdown

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
SHIFTED = AFFINE + np.array([[0, 0, 0, 0.01]] + [[0] * 4] * 3)  # by 10 µm
SHAPE = (10, 12, 8)


def store(path, values, affine=AFFINE) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    nibabel.Nifti1Image(values, affine).to_filename(path)


@pytest.fixture
def cohort(tmp_path):
    """Three subjects: maps .nii.gz, labels .nii, brain masks .nii.gz; returns folders and the raw arrays."""
    rng = np.random.default_rng(0)
    arrays = []
    for name in ("a", "b.1", "c"):
        label = (rng.random(SHAPE) < 0.1).astype(np.uint8) * rng.integers(1, 5, SHAPE, dtype=np.uint8)
        score = np.abs(rng.standard_normal(SHAPE) + 2 * (label > 0)).astype(np.float32)
        brain = (rng.random(SHAPE) < 0.7).astype(np.uint8)
        store(tmp_path / "maps" / f"{name}.nii.gz", score)
        store(tmp_path / "labels" / f"{name}.nii", label)
        store(tmp_path / "brain" / f"{name}.nii.gz", brain)
        arrays.append((score, label > 0, brain > 0))
    return tmp_path, [np.stack(parts) for parts in zip(*arrays, strict=True)]


def test_agrees_with_scikit_learn_on_every_voxel(cohort):
    folder, (scores, labels, _) = cohort
    result = evaluate(folder / "maps", folder / "labels").summary()
    assert result["ap"] == pytest.approx(average_precision_score(labels.ravel(), scores.ravel()), abs=1e-4)
    low, high = result["ap_bounds"]
    assert low <= average_precision_score(labels.ravel(), scores.ravel()) <= high
    assert high - low < 0.01
    assert result["auroc"] == pytest.approx(roc_auc_score(labels.ravel(), scores.ravel()), abs=1e-4)
    predicted = scores >= result["threshold"]
    assert result["dice"] == pytest.approx(2 * (predicted & labels).sum() / (predicted.sum() + labels.sum()))
    assert (result["subjects"], result["voxels"], result["positives"]) == (3, scores.size, labels.sum())
    assert result["chance_ap"] == pytest.approx(labels.mean())
    for metric in ("ap", "dice", "auroc"):
        low, high = result[f"{metric}_interval"]
        assert low <= result[metric] <= high


def test_counts_only_the_brain_where_given(cohort):
    folder, (scores, labels, brain) = cohort
    scores[~brain] = np.nan  # outside nothing matters
    for number, name in enumerate(("a", "b.1", "c")):
        store(folder / "maps" / f"{name}.nii.gz", scores[number])
    store(folder / "brain" / "unused.nii", np.ones(SHAPE, np.uint8))
    result = evaluate(folder / "maps", folder / "labels", folder / "brain").summary()
    scores[~brain] = 0  # what is anomalous there is missed
    counted = brain | labels
    assert result["ap"] == pytest.approx(average_precision_score(labels[counted], scores[counted]), abs=1e-4)
    assert result["voxels"] == counted.sum()
    assert result["positives"] == labels.sum()
    assert result["positives_outside_brain"] == (labels & ~brain).sum() > 0
    assert result["brain"]


def test_verb_prints_and_writes_the_same_json(cohort):
    folder, _ = cohort
    arguments = ["--maps", folder / "maps", "--labels", folder / "labels"]
    result = call("evaluate", *arguments, "--out", folder / "o.json")
    assert json.loads(result.stdout) == json.loads((folder / "o.json").read_text())
    assert not json.loads(result.stdout)["brain"]
    assert "no brain masks: air counts as brain" in result.stderr


def patients(folder, names: str, *options: object) -> tuple[dict, str]:
    """What `evaluate` prints of six maps of three patients, each like its others, and what it warns of."""
    for number, name in enumerate(names.split()):
        draw = np.random.default_rng(number // 2)
        label = (draw.random(SHAPE) < 0.1).astype(np.uint8)
        store(folder / "maps" / f"{name}.nii.gz", np.abs(draw.normal((1 + number // 2) * label)).astype(np.float32))
        store(folder / "labels" / f"{name}.nii.gz", label)
    done = call("evaluate", "--maps", folder / "maps", "--labels", folder / "labels", *options)
    return json.loads(done.stdout), done.stderr


def test_whole_patients_are_resampled_as_names_a_csv_or_a_pattern_say(tmp_path):
    names = "p-1 p-2 q-1 q-2 r-1 r-2"
    single, asked = patients(tmp_path / "a", names)
    assert single["patients"] == 6
    assert "6 names begin with p, q, r and end in a number: are these visits of 3 patients?" in asked
    (tmp_path / "p.csv").write_text("subject,patient\n" + "".join(f"{name},{name[0]}\n" for name in names.split()))
    whole, said = patients(tmp_path / "a", names, "--patients", tmp_path / "p.csv")
    assert (whole["subjects"], whole["patients"], whole["ap"]) == (6, 3, single["ap"])
    assert "6 scans of 3 patients: intervals are over patients" in said
    assert patients(tmp_path / "a", names, "--patients", "(.+)-[0-9]+")[0] == whole
    bids, _ = patients(tmp_path / "b", " ".join(f"sub-{name.replace('-', '_ses-')}" for name in names.split()))
    assert bids == whole
    once, _ = patients(
        tmp_path / "c", names.replace("-", ""), "--patients", ".+", "--save", tmp_path / "run", "--method", "m"
    )
    assert once["ap_interval"] == single["ap_interval"]
    maps, labels = (
        [nibabel.load(tmp_path / "a" / kind / f"{n}.nii.gz").get_fdata() for n in names.split()]
        for kind in ("maps", "labels")
    )
    arrays = uadbench.evaluate(maps, labels, spacing=2.0, patients=[name[0] for name in names.split()])
    assert (arrays["patients"], arrays["ap_interval"]) == (3, whole["ap_interval"])


def test_a_saved_run_has_its_patients(tmp_path):
    names = " ".join(f"sub-{name}_ses-{visit}" for name in "pqr" for visit in (1, 2))
    patients(tmp_path, names, "--save", tmp_path / "run", "--method", "m")
    call("summarize", tmp_path / "run" / "full.npz", "--resamples", 20, "--out", tmp_path / "results.csv")
    results = uadbench.results(tmp_path / "results.csv")
    assert set(zip(results["subjects"], results["patients"], strict=True)) == {(6, 3)}
    text = markdown.render(catalogue.load("tables", "table2").make(Sources(tmp_path / "results.csv")))
    assert "Subjects evaluated (left out): ATLAS 6 scans of 3 patients (0)." in text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no.csv", "no.csv: no such file; give patients: a CSV"),
        ("(p", r"patients: '\(p' is no file and no regular expression"),
        ("(p).*", "patients: none for the map q-1 in"),
        ("short.csv", "patients: none for the map q-1 in"),
    ],
)
def test_patients_that_are_none(tmp_path, monkeypatch, given, message):
    patients(tmp_path, "p-1 p-2 q-1 q-2 r-1 r-2")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.csv").write_text("subject,patient\np-1,p\np-2,p\n")
    assert re.search(message, fails("evaluate", "--maps", "maps", "--labels", "labels", "--patients", given))


def test_healthy_maps_set_thresholds_and_subjects_get_rows(cohort):
    """The same findings as our own runs collect of the same arrays."""
    folder, (scores, labels, brain) = cohort
    rng = np.random.default_rng(5)
    calibrator = Calibrator()
    for name in ("h1", "h2"):
        values, inside = rng.random(SHAPE).astype(np.float32) * 3, np.ones(SHAPE, np.uint8)
        store(folder / "healthy" / f"{name}.nii", values)
        store(folder / "healthy-brain" / f"{name}.nii.gz", inside)
        upright = values[::-1].transpose(2, 1, 0)  # the header runs right to left
        calibrator.add(name, upright, np.ones(upright.shape, bool))
    collector = FindingsCollector(calibrator.finish())
    for name, score, label, inside in zip(("a", "b.1", "c"), scores, labels, brain, strict=True):
        score, label, inside = (part[::-1].transpose(2, 1, 0) for part in (score, label, inside))
        collector.add(ScoredSubject(Truth(name, label, inside, (2.0, 2.0, 2.0)), {"final": score}))
    expected = {row["metric"]: row["value"] for row in detection(collector.finish())}
    given = {name: folder / name for name in ("maps", "labels", "brain", "healthy", "healthy-brain")}
    given |= {"subjects": folder / "subjects.csv"}
    result = call("evaluate", *(part for key, value in given.items() for part in (f"--{key}", value)))
    found = json.loads(result.stdout)["detection"]
    assert {metric: row["value"] for metric, row in found.items()} == pytest.approx(expected)
    assert {"sensitivity@0.01", "lesion_f1@0.01", "dice_healthy1", "voxel_fpr@0.05"} <= found.keys()
    assert found["subject_ap"]["interval"][0] <= found["subject_ap"]["value"]
    rows = pd.read_csv(folder / "subjects.csv")
    assert rows["subject"].tolist() == ["a", "b.1", "c"]
    assert rows["outside_brain"].sum() == (labels & ~brain).sum()
    assert rows["ap"].mean() == pytest.approx(expected["subject_ap"])
    assert rows["dice@0.01"].mean() == pytest.approx(expected["subject_dice_healthy1"])


def test_a_saved_run_is_a_row_of_table_2(cohort, tmp_path):
    folder, _ = cohort
    runs = []
    for seed in (1, 2):
        out = tmp_path / "runs" / f"seed-{seed}"
        arguments = ["--maps", folder / "maps", "--labels", folder / "labels", "--brain", folder / "brain"]
        arguments += ["--save", out, "--method", "mine", "--title", "Mine", "--task", "ATLAS"]
        arguments += ["--run-seed", seed, "--trained-on-simulated", "--release", "atlas", "--space", "native"]
        call("evaluate", *arguments)
        runs.append(out / "full.npz")
    table = tidy(runs)
    assert table[["release", "voxel_mm", "space"]].drop_duplicates().values.tolist() == [["atlas", "2", "native"]]
    table.to_csv(tmp_path / "results.csv", index=False)
    made = catalogue.load("tables", "table2").make(Sources(tmp_path / "results.csv"))
    text = markdown.render(made)
    assert "| Mine " in text
    assert "trained on simulated scans, tested on real scans" in text
    assert set(table["metric"]) >= {"ap", "dice", "subject_ap", "outside_brain", "lesions"}
    found = [evaluate(folder / "maps", folder / "labels", brain).digest.text for brain in (folder / "brain", None)]
    assert set(table["test_set"]) == {found[0]} != {found[1]}  # with other voxels
    store(folder / "maps" / "c.nii.gz", np.ones(SHAPE, np.float32))  # another program's
    store(folder / "labels" / "c.nii", np.ones(SHAPE, np.uint8))
    assert evaluate(folder / "maps", folder / "labels", folder / "brain").digest.text not in found
    folders = ["--maps", folder / "maps", "--labels", folder / "labels"]
    assert "--method" in fails("evaluate", *folders, "--save", tmp_path / "x")
    unknown = [*folders, "--save", tmp_path / "x", "--method", "mine", "--release", "atlantis"]
    assert "release 'atlantis': unknown" in fails("evaluate", *unknown)


def test_subjects_of_several_voxel_sizes_are_measured_in_their_own(tmp_path):
    """One slab of 3 voxels and one of 9 false ones: 24 and 72 mm³ at 2 mm, 1.536 and 4.608 ml at 8 mm."""
    score, label = np.full(SHAPE, 0.1, np.float32), np.zeros(SHAPE, np.uint8)
    label[2, 2:5, 2], score[2, 2:5, 2], score[7, 1:10, 5] = 1, 0.9, 0.8
    fine = np.diag([1.0, 1.0, 1.0, 1.0])
    for name, affine in (("a", fine @ np.diag([2, 2, 2, 1])), ("b", fine @ np.diag([8, 8, 8, 1])), ("c", fine)):
        store(tmp_path / "maps" / f"{name}.nii.gz", score, affine)
        store(tmp_path / "labels" / f"{name}.nii.gz", label, affine)
        store(tmp_path / "healthy" / f"{name}.nii.gz", np.linspace(0, 0.5, score.size).reshape(SHAPE), affine)
    folders = ["--maps", tmp_path / "maps", "--labels", tmp_path / "labels", "--healthy", tmp_path / "healthy"]
    done = call("evaluate", *folders, "--subjects", tmp_path / "rows.csv", "--save", tmp_path / "run", "--method", "m")
    assert "voxel sizes differ; pooled metrics count voxels" in done.stderr
    found = {name: each["value"] for name, each in json.loads(done.stdout)["detection"].items()}
    assert (found["lesions"], found["lesions/1-10ml"]) == (2, 1)  # 3 mm³ are a speck
    assert found["subject_ap/1-10ml"] == 1
    assert found["false_positive_ml@0.001"] == pytest.approx((0.072 + 4.608 + 0.009) / 3)
    assert found["subject_ap"] == found["sensitivity@0.001"] == 1
    rows = pd.read_csv(tmp_path / "rows.csv")
    assert rows["false_positive_ml@0.001"].tolist() == pytest.approx([0.072, 4.608, 0.009])
    assert rows["false_positives@0.001"].tolist() == [1, 1, 0]
    assert rows["hd95_healthy1"].tolist() == pytest.approx([2 * (apart := rows["hd95_healthy1"][2]), 8 * apart, apart])
    assert tidy([tmp_path / "run" / "full.npz"]).query("metric == 'lesions'")["value"].tolist() == [2]


def test_swapped_labels_are_warned_of(cohort, capsys):
    folder, (_, labels, _) = cohort
    for number, name in enumerate(("a", "b.1", "c")):
        store(folder / "labels" / f"{name}.nii", (~labels[number]).astype(np.uint8))
    evaluate(folder / "maps", folder / "labels")
    assert "are 0 and 1 swapped?" in capsys.readouterr().err


def negative(folder, values):
    values = np.abs(values)
    values[3, 3, 3] = -0.5
    store(folder / "maps" / "c.nii.gz", values)


def unclean(folder, values):
    values[3, 3, 3] = np.nan
    store(folder / "maps" / "c.nii.gz", values)


MISTAKES = {
    "map without label": (lambda f, _: (f / "labels" / "c.nii").unlink(), r"maps/c\.nii\.gz: no label of this name"),
    "label without map": (lambda f, _: (f / "maps" / "c.nii.gz").unlink(), r"labels/c\.nii: no map of this name"),
    "map without brain": (lambda f, _: (f / "brain" / "c.nii.gz").unlink(), r"maps/c\.nii\.gz: no brain mask of"),
    "shape": (lambda f, v: store(f / "labels" / "c.nii", v[:-1]), r"labels/c\.nii: has 9×12×8 voxels but .* 10×12×8"),
    "affine": (lambda f, v: store(f / "labels" / "c.nii", v, np.eye(4)), r"labels/c\.nii: its affine differs"),
    "shifted brain": (lambda f, v: store(f / "brain" / "c.nii.gz", v, SHIFTED), "brain/c.nii.gz: its affine differs"),
    "negative": (negative, r"maps/c\.nii\.gz: 1 of 960 scores are negative"),
    "not finite": (unclean, r"maps/c\.nii\.gz: 1 of 960 scores are not finite"),
    "four dimensions": (
        lambda f, v: store(f / "maps" / "c.nii.gz", np.stack([v, v], -1)),
        r"maps/c\.nii\.gz: has shape \(10, 12, 8, 2\); give one volume",
    ),
    "no NIfTI": (lambda f, _: (f / "maps" / "c.nii.gz").write_text("x"), r"maps/c\.nii\.gz: is not compressed"),
    "colours": (
        lambda f, v: store(f / "maps" / "c.nii.gz", np.zeros(v.shape, [(c, "u1") for c in "RGB"])),
        r"maps/c\.nii\.gz: holds values of type .*; give grey values as real numbers",
    ),
    "complex": (
        lambda f, v: store(f / "maps" / "c.nii.gz", (1j * v).astype(np.complex64)),
        r"maps/c\.nii\.gz: holds values of type complex64",
    ),
    "interpolated labels": (lambda f, v: store(f / "labels" / "c.nii", v / v.max()), "label is a map of probabilities"),
    "a soft brain": (lambda f, v: store(f / "brain" / "c.nii.gz", v / v.max()), "brain mask is a map of probabilities"),
    "a brain of grey values": (
        lambda f, v: store(f / "brain" / "c.nii.gz", (np.arange(v.size) % 200).astype(np.uint8).reshape(v.shape)),
        "brain mask holds 200 different values up to 199: probabilities, or grey values; threshold it",
    ),
    "labels of NaN": (
        lambda f, v: store(
            f / "labels" / "c.nii", np.where(np.pad(np.ones((1, 1, 1)), [(5, 4), (6, 5), (3, 4)]), np.nan, 0)
        ),
        r"labels/c\.nii: label holds 1 values that are not finite; set them to 0",
    ),
    "saturated in float64": (
        lambda f, v: store(f / "maps" / "c.nii.gz", 1 - np.exp(-20.0 - v.astype(np.float64))),
        r"maps/c\.nii\.gz: \d+\.\d% of its voxels have scores of type float64 that are one number in float32; store",
    ),
    "few scores, saturated": (
        lambda f, v: store(f / "maps" / "c.nii.gz", 1 - np.where(v > np.median(v), 1e-12, 2e-12)),
        r"maps/c\.nii\.gz: 50\.0% of its voxels have scores of type float64 that are one number in float32; store",
    ),
    "large whole numbers": (
        lambda f, v: nibabel.Nifti1Image(
            10**12 + np.arange(v.size).reshape(v.shape), AFFINE, dtype=np.int64
        ).to_filename(f / "maps" / "c.nii.gz"),
        r"maps/c\.nii\.gz: \d+\.\d% of its voxels have scores of type (int|float)64 that are one number",
    ),
    "empty brain": (
        lambda f, v: store(f / "brain" / "c.nii.gz", np.zeros(v.shape, np.uint8)),
        r"maps/c\.nii\.gz: its brain mask is empty",
    ),
    "twice": (lambda f, v: store(f / "maps" / "c.nii", v), r"maps/c\.nii\.gz: same name as c\.nii"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_the_file_in_one_line(cohort, mistake):
    folder, (scores, _, _) = cohort
    make, message = MISTAKES[mistake]
    store(folder / "brain" / "c.nii.gz", np.ones(SHAPE, np.uint8))
    make(folder, scores[2].copy())
    with pytest.raises(HarnessError, match=message) as error:
        evaluate(folder / "maps", folder / "labels", folder / "brain")
    assert "\n" not in str(error.value)


def test_a_single_fourth_axis_and_double_precision_change_nothing(cohort):
    folder, (scores, _, _) = cohort
    expected = evaluate(folder / "maps", folder / "labels").summary()
    store(folder / "maps" / "a.nii.gz", scores[0][..., None])
    store(folder / "maps" / "c.nii.gz", scores[2].astype(np.float64) * (1 + 1e-12))
    assert evaluate(folder / "maps", folder / "labels").summary() == expected


def test_nothing_to_find_is_an_error(cohort):
    folder, _ = cohort
    for name in ("a", "b.1", "c"):
        store(folder / "labels" / f"{name}.nii", np.zeros(SHAPE, np.uint8))
    with pytest.raises(HarnessError, match="labels: no label has an anomalous voxel"):
        evaluate(folder / "maps", folder / "labels")


def test_folders_must_exist_and_hold_volumes(tmp_path):
    with pytest.raises(HarnessError, match="maps: no folder"):
        evaluate(tmp_path / "maps", tmp_path)
    with pytest.raises(HarnessError, match=r"holds no \.nii or \.nii\.gz file"):
        evaluate(tmp_path, tmp_path)


def test_brain_masks_beside_maps_are_taken_of_all_maps_or_named(cohort):
    folder, _ = cohort
    named, other = evaluate(folder / "maps", folder / "labels", folder / "brain").summary(), folder / "maps" / "brain"
    (other).mkdir()
    assert not evaluate(folder / "maps", folder / "labels").summary()["brain"]  # an empty folder holds no masks
    for name in ("a", "b.1"):
        (other / f"{name}.nii.gz").symlink_to(folder / "brain" / f"{name}.nii.gz")
    given = ["--maps", folder / "maps", "--labels", folder / "labels"]
    said = fails("evaluate", *given)
    assert f"maps/c.nii.gz: no brain mask of this name in {other}; add it, score the scan again, or name masks" in said
    store(other / "c.nii.gz", np.ones((2, 3, 4), np.uint8))
    assert "maps/brain/c.nii.gz: has 2×3×4 voxels but" in fails("evaluate", *given)
    done = call("evaluate", *given, "--brain", folder / "brain")
    assert (json.loads(done.stdout), "brain masks:" in done.stderr) == (named, False)
    (other / "c.nii.gz").unlink()
    (other / "c.nii.gz").symlink_to(folder / "brain" / "c.nii.gz")
    done = call("evaluate", *given)
    assert json.loads(done.stdout) == named
    assert done.stderr.count(f"brain masks: {other}; --brain and --healthy-brain name others") == 1
    assert uadbench.evaluate(folder / "maps", folder / "labels")["ap"] == named["ap"]


def test_healthy_maps_have_their_own_brain_masks_first(cohort):
    folder, (scores, _, brain) = cohort
    healthy, own = folder / "healthy", folder / "healthy" / "brain"
    for number, name in enumerate("hij"):
        store(healthy / f"{name}.nii.gz", np.where(brain[number], scores[number], 9).astype(np.float32))
        store(folder / "masks" / f"{name}.nii.gz", brain[number].astype(np.uint8))
    brains = folder / "brain", folder / "masks"
    named = evaluate(folder / "maps", folder / "labels", brains[0], "full", healthy, brains[1]).summary()
    given = ["--maps", folder / "maps", "--labels", folder / "labels", "--healthy", healthy]
    said = fails("evaluate", *given, "--brain", brains[0])  # of other subjects
    assert "healthy/h.nii.gz: no brain mask of this name" in said
    own.symlink_to(folder / "masks")
    for options in (["--brain", brains[0]], ["--brain", brains[0], "--healthy-brain", brains[1]]):
        assert json.loads(call("evaluate", *given, *options).stdout) == named
    for name in ("a", "b.1", "c"):
        (folder / "masks" / f"{name}.nii.gz").symlink_to(folder / "brain" / f"{name}.nii.gz")
    (folder / "maps" / "brain").symlink_to(folder / "masks")
    assert json.loads(call("evaluate", *given).stdout) == named
