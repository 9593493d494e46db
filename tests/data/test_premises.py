"""Premises that packed data show: no scan in training and test in any form, no lesion in a training set."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from tests.commands import call, fails
from tests.data.conftest import nifti, random_volume
from tests.data.test_pack import registered
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, write_json
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.packing.premises import check_repeats
from uadbench.data.packing.store import Store
from uadbench.data.preprocessing.reading.scan import read_scan
from uadbench.data.preprocessing.records.report import Outcome, write_report


def test_the_voxels_of_a_scan_are_known_in_any_form(tmp_path):
    data = np.rint(1000 * random_volume()).astype(np.int16)
    affine = np.array([[2.0, 0.1, 0, -20], [-0.1, 2, 0, -30], [0, 0, 2.5, -10], [0, 0, 0, 1]])
    turned = np.zeros((4, 4))  # voxels of the scan by those of the copy
    turned[2, 0], turned[0, 1], turned[1, 2], turned[0, 3], turned[3, 3] = 1, -1, 1, 11, 1
    forms = {"scan.nii.gz": (data, affine), "other.nii": (data.astype(np.float64), np.diag([3.0, 3, 3, 1]))}
    forms["turned.nii"] = np.flip(data.transpose(2, 0, 1), 1), affine @ turned
    digests = {read_scan(nifti(tmp_path / name, *form)).digest for name, form in forms.items()}
    assert len(digests) == 1
    data[5, 5, 5] += 1
    assert read_scan(nifti(tmp_path / "changed.nii", data, affine)).digest not in digests


@pytest.fixture
def packed(tmp_path):
    """Packs registered subjects, seed by name, as a data set; lesions: voxels by name."""

    def make(
        dataset: str, seeds: dict[str, int], split: str = "test", lesions: dict[str, int] | None = None, mask=True
    ):
        folder = tmp_path / dataset
        for name, seed in seeds.items():
            registered(folder / "registered" / name, seed)
            path = folder / "registered" / name / "subject.json"
            number = (lesions or {}).get(name)
            write_json(path, read_json(path) | ({} if number is None else {"lesion_voxels": number}))
        files = [Files(name, t1=Path("x.nii"), mask=Path("m.nii") if mask else None) for name in seeds]
        if not mask:
            files[0] = replace(files[0], mask=Path("m.nii"))
        sheet.write(folder / "subjects.csv", tmp_path, [(each, split) for each in files])
        write_report(folder / "report.csv", [Outcome(name, "done") for name in seeds])
        words = ["--dataset", dataset, "--sheet", folder / "subjects.csv", "--registered", folder / "registered"]
        words += ["--reports", folder / "report.csv", "--out", folder / "packed", "--beside", "h", "--beside", "a"]
        return ["pack", *words]

    return make


def test_a_scan_in_training_and_test_is_named_when_the_second_set_is_packed(packed):
    call(*packed("h", {"s0": 0, "s1": 1}, "train"))
    said = fails(*packed("a", {"anna": 1, "bert": 2}))
    assert said.startswith("a: the same scan is in the training set and in a test set: anna is s1 of h;")
    assert "b: has the same scan twice: bert is anna" in fails(*packed("b", {"anna": 3, "bert": 3}))


def test_lesions_among_the_healthy_are_named_before_any_training(packed):
    said = fails(*packed("h", {"s0": 0, "s1": 1, "s2": 2}, "train", {"s0": 0, "s1": 7, "s2": 9}))
    assert said == (
        "h: the training set has lesions, in the mask of 2 subjects: s1, s2; methods train on healthy subjects alone: "
        "`exclude` those with a lesion"
    )


def test_the_healthy_need_no_mask(packed, tmp_path):
    call(*packed("h", {"s0": 0, "s1": 1}, "train", {"s0": 0}, mask=False))
    assert Store.open(tmp_path / "h" / "packed").labels() is None


def test_earlier_data_sets_and_simulated_ones_are_not_compared(packed, tmp_path):
    call(*packed("h", {"s0": 0}, "train"))
    index = Store.open(tmp_path / "h" / "packed").index
    own = index | {"subjects": [one | {"split": "test"} for one in index["subjects"]]}
    with pytest.raises(HarnessError, match="s0 is s0 of h"):
        check_repeats(own, [index], healthy=False)
    earlier = index | {"subjects": [{key: one[key] for key in ("subject", "split")} for one in index["subjects"]]}
    for other in (earlier, index | {"simulated": True}):
        check_repeats(own, [other], healthy=False)


def real(cohort: Path, out: Path, edit: Callable[[dict], dict]) -> Path:
    """The packed cohort as a real one, with edited subjects in its index."""
    copytree(cohort, out)
    index = read_json(out / "index.json")
    write_json(out / "index.json", index | {"simulated": False, "subjects": [*map(edit, index["subjects"])]})
    return out


def test_commands_by_hand_refuse_what_packed_data_show(tiny_cohort, tmp_path):
    """A scan twice or a lesion in the cohort of a training, a scan of the healthy cohort in a test set."""
    same = real(tiny_cohort, tmp_path / "same", lambda one: one | {"voxels": ["0"]})
    train = ["train", "--method", "intensity", "--modality", "t1", "--seed", 1, "--out", tmp_path / "run", "--data"]
    assert "tiny: has the same scan twice: tiny-1 is tiny-0, tiny-2 is tiny-0" in fails(*train, same)
    ill = real(tiny_cohort, tmp_path / "ill", lambda one: one | {"split": "train"})
    assert "tiny: the training set has lesions, in the mask of 3 subjects: tiny-6, tiny-7, tiny-8;" in fails(
        *train, ill
    )
    call(*train, tiny_cohort)
    own = real(tiny_cohort, tmp_path / "own", lambda one: one | {"voxels": [one["subject"][-1]]})
    test = ["test", "--run", tmp_path / "run", "--data", own, "--task", "A", "--modality", "t1", "--device", "cpu"]
    leak = real(own, tmp_path / "leak", lambda one: one | {"voxels": ["8"]} if one["subject"] == "tiny-3" else one)
    said = fails(*test, "--healthy", leak, "--out", tmp_path / "out")
    assert "the same scan is in the training set and in a test set: tiny-8 is tiny-3 of tiny" in said
    call(*test, "--healthy", own, "--examples", 1, "--out", tmp_path / "out")
