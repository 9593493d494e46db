"""The functions of `import uadbench`: the numbers of the commands, and mistakes that others' functions accept."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from sklearn.metrics import average_precision_score

import uadbench
from tests.commands import python_without
from tests.data.conftest import FAST, mni
from uadbench.cli import uadbench as cli
from uadbench.core import extras
from uadbench.core.study_folder import PARAMS as FILE
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import final_map, restoration
from uadbench.evaluation.voxels.columns import COLUMNS, COUNTS, SIMULATED
from uadbench.methods import registry
from uadbench.methods.base import Context
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training import facts, run

CPU = torch.device("cpu")
SMALL = registry.describe("dae").small


def call(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_import_is_light_and_lists_what_there_is():
    code = "import sys; from uadbench import evaluate, load, results, train; import uadbench; print(dir(uadbench)); "
    code += "print({'numpy', 'pandas', 'torch', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == [repr(sorted(uadbench.__all__)), "set()"]


def test_without_extras_evaluation_works_and_the_rest_names_what_is_missing(trained, tiny_cohort):
    code = """
import sys, uadbench
print(uadbench.evaluate([[[1, 0]]], [[[1, 0]]])["ap"])
for use in (lambda: uadbench.load(sys.argv[1]), lambda: uadbench.train("dae", sys.argv[2], "out")):
    try:
        use()
    except uadbench.HarnessError as error:
        print(error)
"""
    done = python_without(set(sum(extras.MODULES.values(), ())), code, str(trained), str(tiny_cohort))
    ap, *named = done.stdout.splitlines()
    assert float(ap) == 1
    assert [line.partition(":")[0] for line in named] == ["load", "train"]
    assert all('".[train]"' in line for line in named)


@pytest.fixture(scope="module")
def dae(tiny_cohort, tmp_path_factory) -> Path:
    """A run in a study whose parameters of scoring are not the defaults."""
    out = tmp_path_factory.mktemp("study") / "training" / "dae" / "t1" / "seed-3"
    torch.set_deterministic_debug_mode("default")
    uadbench.train("dae", tiny_cohort, out, seed=3, params=SMALL, device="cpu")
    assert torch.get_deterministic_debug_mode() == 0
    (out.parent / FILE).write_text(resolve("dae", "t1", {"dae": {**SMALL, "median": 3, "erosion": 3}}).text)
    return out


def test_training_is_that_of_the_command(dae, tiny_cohort, tmp_path):
    settings = json.dumps({"params": SMALL})
    options = ["--modality", "t1", "--seed", 3, "--data", tiny_cohort, "--settings", settings, "--device", "cpu"]
    call("train", "--method", "dae", *options, "--out", tmp_path / "run")
    assert uadbench.load(dae, "cpu").about["weights"] == uadbench.load(tmp_path / "run", "cpu").about["weights"]


def test_training_replaces_none_of_its_inputs(tiny_cohort, dae, tmp_path):
    (tmp_path / "link").symlink_to(tiny_cohort)
    with pytest.raises(uadbench.HarnessError, match=r"out .*: is data itself, which would be lost; name another place"):
        uadbench.train("dae", tiny_cohort, tmp_path / "link", params=SMALL, device="cpu")
    with pytest.raises(uadbench.HarnessError, match=r"out .*: is required itself"):
        uadbench.train("dae", tiny_cohort, dae, params=SMALL, device="cpu", required=dae)


def test_a_run_that_builds_on_another(tiny_cohort, tmp_path):
    uadbench.train("vae", str(tiny_cohort), str(tmp_path / "vae"), params=registry.describe("vae").small, device="cpu")
    options = {"params": registry.describe("r_vae").small, "device": "cpu", "required": str(tmp_path / "vae")}
    made = uadbench.train("r_vae", tiny_cohort, tmp_path / "r_vae", **options)
    image = Store.open(tiny_cohort).images("t1")[7]
    again = uadbench.load(str(tmp_path / "r_vae"), "cpu", required=tmp_path / "vae")
    np.testing.assert_array_equal(made.score(image), again.score(image))
    with pytest.raises(uadbench.HarnessError, match="required"):
        uadbench.load(tmp_path / "r_vae", "cpu")


@pytest.mark.parametrize("kind", ["dae", "random"])
def test_an_array_is_scored_as_test_scores_it(kind, dae, tiny_cohort, tmp_path):
    folder, name, store = dae, "tiny-7", Store.open(tiny_cohort)
    if kind == "random":
        folder = tmp_path
        uadbench.train(kind, tiny_cohort, folder, seed=3, device="cpu")
    loaded, image = uadbench.load(folder, "cpu"), np.array(store.images("t1")[store.subjects.index(name)])
    method, about = run.load(folder, CPU)
    assert loaded.about == about
    volume, streams = torch.from_numpy(image).float(), Streams(3, CPU).child(name)
    expected = final_map(method, volume, streams, kind).numpy()
    for given in (image, image.astype(np.float64), volume):
        found = loaded.score(given, name=name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert (loaded.score(image) == expected).all() == (kind != "random")
    if kind == "dae":
        assert about["params"]["erosion"] == 3
        np.testing.assert_array_equal(loaded.restore(image), restoration(method, volume, streams).numpy())
    else:
        with pytest.raises(uadbench.HarnessError, match="random: makes no restoration"):
            loaded.restore(image)


def test_a_scan_is_scored_as_the_command_scores_it(scans, trained, tmp_path):
    found = uadbench.load(str(trained), "cpu").score(str(scans / "a.nii.gz"))
    call("score", "--run", trained, "--image", scans / "a.nii.gz", "--out", tmp_path / "a.nii.gz", "--device", "cpu")
    written = nibabel.load(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(written.dataobj))
    np.testing.assert_array_equal(found.affine, written.affine)


def test_a_scan_of_another_modality_is_refused(scans, tmp_path):
    method = run.build("intensity", {}, Context("t2", FAST.spacing))
    about = facts.of_method(resolve("intensity", "t2"), FAST.spacing, 1)
    run.write(tmp_path, method, about | {"preprocessing": asdict(FAST), "simulated": True})
    with pytest.raises(uadbench.HarnessError, match=r"a\.nii\.gz"):
        uadbench.load(tmp_path, "cpu").score(scans / "a.nii.gz")


def test_an_array_with_reversed_axes_is_refused(trained):
    method, shape = uadbench.load(trained, "cpu"), mni().packed(FAST).shape
    reversed_ = np.pad(np.full(np.subtract(shape, 2), 0.5), 1)
    with pytest.raises(uadbench.HarnessError, match=r"\(W, H, D\).*transpose\(2, 1, 0\)"):
        method.score(reversed_)
    assert method.score(reversed_.transpose(2, 1, 0)).shape == shape[::-1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((4, 5, 6), 1.5), "values from 1.5 to 1.5.*scale it"),
        (np.full((4, 5, 6), -1), "values from -1"),
        (np.full((4, 5, 6), np.nan), "values from nan"),
        (np.zeros((4, 5, 6)), "every voxel is 0"),
        (np.ones((2, 4, 5, 6)), r"shape \(2, 4, 5, 6\); give a volume \(D, H, W\) of"),
        (np.ones((5, 6)), r"shape \(5, 6\)"),
        (np.ones((4, 5, 6), complex), "type complex128"),
    ],
)
def test_arrays_that_are_no_packed_scan(trained, values, message):
    with pytest.raises(uadbench.HarnessError, match=f"scan: .*{message}"):
        uadbench.load(trained, "cpu").score(values)


def test_a_t1_beside_an_array_is_refused(trained, scans):
    with pytest.raises(uadbench.HarnessError, match="t1: an array is not registered"):
        uadbench.load(trained, "cpu").score(np.ones((4, 5, 6)), t1=scans / "a.nii.gz")


@pytest.fixture(scope="module")
def cohort() -> dict[str, dict[str, np.ndarray]]:
    """Maps, labels and brain masks of three subjects of several sizes, and healthy maps, by name."""
    rng, made = np.random.default_rng(0), {key: {} for key in ("maps", "labels", "brain", "healthy", "healthy_brain")}
    for number, name in enumerate(("c", "a", "b")):
        shape = (8, 12, 10 + number)
        made["labels"][name] = (rng.random(shape) < 0.1) * rng.integers(1, 4, shape)
        noise = [np.abs(rng.standard_normal(shape)).astype(np.float32) for _ in range(2)]
        made["maps"][name], made["healthy"][name] = noise[0] + (made["labels"][name] > 0), noise[1]
        made["brain"][name], made["healthy_brain"][name] = (rng.random(shape) < 0.7 for _ in range(2))
    return made


KINDS = {
    "lists": lambda arrays: list(arrays.values()),
    "dicts": dict,
    "generators": lambda arrays: (array for array in arrays.values()),
    "double precision": lambda arrays: [array.astype(np.float64) for array in arrays.values()],
    "whole labels": lambda arrays: [array if array.dtype.kind == "f" else array > 0 for array in arrays.values()],
    "slices": lambda arrays: [plane for array in arrays.values() for plane in array],
    "lists of numbers": lambda arrays: [array.tolist() for array in arrays.values()],
}


@pytest.mark.parametrize("kind", KINDS)
def test_ap_is_that_of_scikit_learn(cohort, kind):
    maps, labels = KINDS[kind](cohort["maps"]), KINDS[kind](cohort["labels"])
    found = uadbench.evaluate(maps, labels)
    pooled = [np.concatenate([array.ravel() for array in cohort[key].values()]) for key in ("labels", "maps")]
    exact = average_precision_score(pooled[0] > 0, pooled[1])
    assert found["ap"] == pytest.approx(exact, abs=1e-4)
    assert found["ap_bounds"][0] <= exact <= found["ap_bounds"][1]
    assert found["subjects"] == (8 * 3 if kind == "slices" else 3)
    assert "detection" not in found


@pytest.mark.parametrize("protocol", ["full", "upd"])
def test_arrays_folders_and_the_command_give_the_same_numbers(cohort, tmp_path, protocol):
    for key, arrays in cohort.items():
        (tmp_path / key).mkdir()
        for name, array in arrays.items():
            values = array if array.dtype.kind == "f" else array.astype(np.uint8)
            image = nibabel.Nifti1Image(values.transpose(2, 1, 0), np.diag([1.5, 2.0, 3.0, 1.0]))
            image.to_filename(tmp_path / key / f"{name}.nii.gz")
    options = {"protocol": protocol}
    found = uadbench.evaluate(**cohort, **options, spacing=(3, 2, 1.5), lesion=[1, 2], ignored=[3])
    assert found["detection"]["sensitivity@0.01"]["value"] >= 0
    folders = {key: str(tmp_path / key) for key in cohort}
    assert uadbench.evaluate(**folders, **options, lesion=[1, 2], ignored=[3]) == found
    given = [part for key in cohort for part in (f"--{key.replace('_', '-')}", tmp_path / key)]
    given += [part for key, value in options.items() for part in (f"--{key}", value)]
    assert json.loads(call("evaluate", *given, "--lesion", "1,2", "--ignored", "3")) == found


def test_what_is_outside_of_the_brain_does_not_matter(cohort):
    """In float64, too, where NaN counts as no score that float32 merges."""
    given = {key: cohort[key] for key in ("labels", "brain")}
    cleared = {name: array * cohort["brain"][name] for name, array in cohort["maps"].items()}
    for missing in (np.nan, -1):
        maps = {n: np.where(cohort["brain"][n], array, missing).astype(np.float64) for n, array in cleared.items()}
        assert uadbench.evaluate(maps, **given) == uadbench.evaluate(cleared, **given)


def changed(array: np.ndarray, value: float) -> np.ndarray:
    return np.where(np.arange(array.size).reshape(array.shape) == 7, value, array)


MISTAKES = {
    "NaN": (lambda m, y: {"maps": [m[0], changed(m[1], np.nan), m[2]]}, r"maps\[1\]: 1 of \d+ scores are not finite"),
    "negative": (lambda m, y: {"maps": [changed(m[0], -1), *m[1:]]}, r"maps\[0\]: 1 of \d+ scores are negative"),
    "saturated": (
        lambda m, y: {"maps": [1 - 1e-12 * each.astype(float) for each in m]},
        r"maps\[0\]: .* one number",
    ),
    "another shape": (lambda m, y: {"labels": [y[0], y[1][:-1], y[2]]}, r"labels\[1\]: has shape \(7, .*maps\[1\] has"),
    "reversed axes": (lambda m, y: {"brain": [each.T for each in m]}, r"brain\[0\]: has shape \(10, 12, 8\)"),
    "four axes": (lambda m, y: {"maps": [m[0][None], *m[1:]]}, r"maps\[0\]: has shape \(1, .* give a volume"),
    "flat": (lambda m, y: {"maps": [m[0].ravel()], "labels": [y[0].ravel()]}, r"maps\[0\]: has shape \(960,\)"),
    "fractions": (lambda m, y: {"labels": [each / 2 for each in y]}, r"labels\[0\]: label holds values between whole"),
    "text": (lambda m, y: {"maps": ["a.nii", *m[1:]]}, r"maps\[0\]: holds values of type <U5"),
    "ragged": (lambda m, y: {"maps": [[[[1], [2, 3]]]]}, r"maps\[0\]: no array"),
    "gradients": (lambda m, y: {"maps": [torch.ones(y[0].shape, requires_grad=True)]}, r"maps\[0\]: no array"),
    "empty brain": (lambda m, y: {"brain": [0 * each for each in y]}, r"maps\[0\]: its brain mask is empty"),
    "too few": (lambda m, y: {"labels": y[:2]}, "labels: ends after 2 items"),
    "too many": (lambda m, y: {"labels": iter([*y, y[0]])}, "maps: ends after 3 items"),
    "none": (lambda m, y: {"maps": [], "labels": []}, "maps: holds no array"),
    "one array": (lambda m, y: {"maps": m[0], "labels": y[0]}, r"maps: no list.*\[volume\]"),
    "no arrays": (lambda m, y: {"labels": 3}, "labels: no list"),
    "another key": (
        lambda m, y: {"maps": {"a": m[0], "b": m[1]}, "labels": {"a": y[0], "c": y[1]}},
        "maps: no item 'c'",
    ),
    "dict and list": (lambda m, y: {"labels": dict(enumerate(y))}, "maps: no item 0, .*dicts"),
    "arrays and folder": (lambda m, y: {"labels": "labels"}, "labels: no list"),
    "folder and arrays": (lambda m, y: {"maps": "maps"}, "labels: no folder"),
    "spacing of folders": (lambda m, y: {"maps": "m", "labels": "y", "spacing": 1}, "spacing: headers"),
    "no length": (lambda m, y: {"spacing": (1, 0, 1)}, r"spacing: \(1, 0, 1\) is no voxel size"),
    "two lengths": (lambda m, y: {"spacing": (1, 1)}, "spacing: .* three along D, H and W"),
    "resized without spacing": (lambda m, y: {"protocol": "upd"}, "spacing: not given"),
    "healthy without spacing": (lambda m, y: {"healthy": m}, "spacing: not given"),
    "healthy without masks": (lambda m, y: {"brain": m, "healthy": m, "spacing": 1}, "healthy_brain: not given"),
    "no lesion": (lambda m, y: {"labels": [0 * each for each in y]}, "no label has an anomalous voxel"),
    "patients": (lambda m, y: {"patients": 5}, "patients: 5 names none; give patients: a CSV"),
    "no path": (lambda m, y: {"maps": "m", "labels": "y", "brain": b"z"}, "brain: no folder, but maps is one"),
    "both labels": (lambda m, y: {"lesion": [1], "ignored": [1]}, "label 1"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_the_item_in_one_line(cohort, mistake):
    make, message = MISTAKES[mistake]
    maps, labels = list(cohort["maps"].values()), list(cohort["labels"].values())
    with pytest.raises(uadbench.HarnessError, match=message) as error:
        uadbench.evaluate(**{"maps": maps, "labels": labels, **make(maps, labels)})
    assert "\n" not in str(error.value)


def test_results_of_a_study_have_their_types(tmp_path):
    rows = pd.DataFrame([dict.fromkeys(COLUMNS, "1") | dict.fromkeys(SIMULATED, "False")] * 2)
    rows["protocol"], rows["low"], rows["value"] = ["full", "upd"], "", "0.5"
    file = tmp_path / "evaluation" / "results.csv"
    file.parent.mkdir()
    rows.to_csv(file, index=False)
    found = uadbench.results(tmp_path)
    for place in (str(tmp_path), file.parent, file):
        pd.testing.assert_frame_equal(uadbench.results(place), found)
    kinds = {"trained_on_simulated": bool, "seed": int, "value": float, "low": float, **dict.fromkeys(COUNTS, "Int64")}
    assert found.dtypes[list(kinds)].tolist() == [pd.api.types.pandas_dtype(kind) for kind in kinds.values()]
    assert found["protocol"].tolist() == ["full", "upd"]
    assert found["low"].isna().all()
    rows.assign(voxels="1.5").to_csv(file, index=False)
    for place, message in (
        (file, r"results\.csv: .*summarize"),
        (tmp_path / "x", "x: no results.csv; name"),
        (5, "study: 5 is no path; give a str or a Path"),
    ):
        with pytest.raises(uadbench.HarnessError, match=message):
            uadbench.results(place)
