"""Packing: arrays, index and store agree; what is missing is zero and said; too many lost subjects end the run."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from tests.commands import call, fails
from uadbench.core.errors import HarnessError
from uadbench.core.files import read_json, sha256, write_json
from uadbench.data.index import sheet
from uadbench.data.index.layout import Files
from uadbench.data.label_values import EVERY, LabelValues
from uadbench.data.packing.pack import pack
from uadbench.data.packing.store import Store
from uadbench.data.preprocessing.records.report import Outcome, write_report
from uadbench.data.preprocessing.settings import Preprocessing
from uadbench.evaluation.inference.collecting import digest_of_test_set

SHAPE = (5, 6, 7)
AFFINE = np.array([[4.0, 0, 0, -70], [0, 4, 0, -100], [0, 0, 4, -60], [0, 0, 0, 1]])


def volumes(seed: int) -> dict[str, np.ndarray]:
    """Registered volumes (X, Y, Z): brain, T1 with its faintest voxel at the floor, T2, and raw labels."""
    rng = np.random.default_rng(seed)
    inside = rng.random(SHAPE) < 0.6
    t1 = np.where(inside, rng.uniform(0.01, 1, SHAPE), 0).astype(np.float32)
    t1[tuple(np.argwhere(inside)[0])] = 1e-3
    labels = np.where(inside & (rng.random(SHAPE) < 0.2), rng.choice([1, 2, 4], SHAPE), 0)
    t2 = np.where(inside, rng.uniform(0.01, 1, SHAPE), 0).astype(np.float32)
    return {"brain": inside.astype(np.uint8), "t1": t1, "t2": t2, "mask": labels.astype(np.uint8)}


def registered(folder: Path, seed: int, without: str = "", **settings: object) -> None:
    folder.mkdir(parents=True)
    kept = {name: data for name, data in volumes(seed).items() if name != without}
    for name, data in kept.items():
        nibabel.save(nibabel.Nifti1Image(data, AFFINE), folder / f"{name}.nii.gz")
    matrices = {name: np.eye(4).tolist() for name in ("t1", "t2") if name in kept}
    chosen = asdict(Preprocessing(spacing=4.0)) | settings
    write_json(folder / "subject.json", {"subject": folder.name, "settings": chosen, "template_to_scan": matrices})
    noted(folder)


def noted(folder: Path) -> None:
    """Add the checksums to the record of a subject, as preprocessing does."""
    record = read_json(folder / "subject.json")
    record["volumes"] = {path.name.split(".")[0]: sha256(path) for path in folder.glob("*.nii.gz")}
    write_json(folder / "subject.json", record)


OUTCOMES = [
    Outcome("a", "done"),
    Outcome("b", "partial", "b/t2.nii", "every voxel is 0"),
    Outcome("c", "lost", "c/t1.nii", "no such file"),
    Outcome("d", "done"),
]


@pytest.fixture
def cohort(tmp_path):
    """Subjects a and d whole, b without T2, c lost; d has a mask of its own as all have."""
    rows = [(Files(name, *(Path(name, f"{kind}.nii") for kind in ("t1", "t2", "mask"))), "test") for name in "abcd"]
    rows = [(files, "train" if files.subject == "d" else part) for files, part in rows]
    (tmp_path / "raw").mkdir()
    written = sheet.write(tmp_path / "subjects.csv", tmp_path / "raw", rows)
    for seed, name in enumerate("abd"):
        registered(tmp_path / "registered" / name, seed, without="t2" if name == "b" else "")
    return written, tmp_path


def packed(cohort, out: str = "packed", outcomes=OUTCOMES, max_lost: float = 0.3) -> dict:
    written, folder = cohort
    return pack("mine", written, folder / "registered", outcomes, folder / out, max_lost)


def test_arrays_are_what_was_registered(cohort):
    packed(cohort)
    store = Store.open(cohort[1] / "packed")
    assert store.subjects == ["a", "b", "d"]
    labels = store.labels()
    assert labels is not None
    assert (labels.dtype, labels.shape) == (np.uint8, (3, *SHAPE[::-1]))
    for row in range(3):
        wanted = volumes(row)
        image = store.images("t1")[row]
        assert image.dtype == np.float16
        np.testing.assert_array_equal(image, wanted["t1"].transpose(2, 1, 0).astype(np.float16))
        np.testing.assert_array_equal(image > 0, wanted["brain"].transpose(2, 1, 0) > 0)
        np.testing.assert_array_equal(labels[row], wanted["mask"].transpose(2, 1, 0))
    assert isinstance(store.images("t1"), np.memmap)


def test_what_is_missing_is_zero_and_said(cohort):
    packed(cohort)
    store = Store.open(cohort[1] / "packed")
    assert not store.images("t2")[1].any()
    assert store.images("t2")[0].any()
    assert store.rows("t1").tolist() == [0, 1, 2]
    assert store.rows("t2").tolist() == [0, 2]
    assert store.rows("t2", "test").tolist() == [0]
    assert store.rows("t1", "train").tolist() == [2]
    assert store.rows("t1", "validation").tolist() == []
    assert [(entry["subject"], entry["modalities"]) for entry in store.left_out] == [("b", ["t2"]), ("c", ["t1", "t2"])]
    assert [entry["subject"] for entry in store.lost("t1")] == ["c"]
    assert store.lost("t2")[0]["reason"] == "every voxel is 0"
    with pytest.raises(HarnessError, match=r"flair.*t1, t2"):
        store.images("flair")


def test_index_tells_grid_settings_and_origin(cohort):
    folder, index = cohort[1], packed(cohort)
    assert index == read_json(folder / "packed" / "index.json")
    assert list(index)[:4] == ["dataset", "simulated", "modalities", "has_mask"]
    store = Store.open(folder / "packed")
    np.testing.assert_allclose(store.affine, AFFINE)
    assert (store.dataset, store.modalities, store.spacing, store.simulated) == ("mine", ["t1", "t2"], 4.0, False)
    assert index["preprocessing"]["normalisation"] == "p98"
    (folder / "raw" / "SIMULATED").touch()
    assert packed(cohort)["simulated"]


def test_a_test_set_has_one_digest_wherever_it_lies_and_another_once_it_differs(cohort):
    folder = cohort[1]

    def digest(out: str = "packed", values=EVERY, modality="t1", outcomes=OUTCOMES, **changes: object) -> str:
        index = packed(cohort, out, outcomes)
        index["preprocessing"] |= {"template": f"/home/{out}/template.nii"}
        return digest_of_test_set(Store(folder / out, index | changes), modality, values)

    first = digest()
    assert digest("elsewhere", outcomes=[replace(outcome, reason="in other words") for outcome in OUTCOMES]) == first
    names = [{"subject": name, "split": "test", "modalities": ["t1"]} for name in "abe"]
    others = [digest(modality="t2"), digest(values=LabelValues((1, 4))), digest(values=LabelValues((), (2,)))]
    others += [digest(subjects=names), digest(preprocessing={"normalisation": "max"})]
    others += [digest(affine=np.eye(4).tolist())]
    shutil.rmtree(folder / "registered" / "a")
    registered(folder / "registered" / "a", 9)
    assert len({first, *others, digest()}) == 8
    assert digest(arrays={}) == ""


def test_without_masks_and_t2(tmp_path):
    rows = [(Files("a", t1=Path("a.nii")), "train")]
    written = sheet.write(tmp_path / "subjects.csv", tmp_path, rows)
    registered(tmp_path / "registered" / "a", 0, without="t2")
    pack("mine", written, tmp_path / "registered", [Outcome("a", "done")], tmp_path / "packed", max_lost=0)
    store = Store.open(tmp_path / "packed")
    assert store.modalities == ["t1"]
    assert store.labels() is None
    assert sorted(path.name for path in (tmp_path / "packed").iterdir()) == ["index.json", "t1.npy"]


@pytest.mark.parametrize(("max_lost", "passes"), [(0.25, True), (0.24, False), (0, False)])
def test_too_many_lost_subjects_are_one_clear_error(cohort, max_lost, passes):
    if passes:
        packed(cohort, max_lost=max_lost)
        return
    with pytest.raises(HarnessError, match=r"mine: 1 of 4 .*c/t1\.nii: no such file") as caught:
        packed(cohort, max_lost=max_lost)
    assert "\n" not in str(caught.value)
    assert not (cohort[1] / "packed").exists()


def test_all_lost_is_an_error_whatever_is_allowed(cohort):
    lost = [Outcome(row.subject, "lost", "x", "y") for row in cohort[0].rows]
    with pytest.raises(HarnessError, match="4 of 4"):
        packed(cohort, outcomes=lost, max_lost=1)


def test_every_subject_must_stand_in_a_report(cohort):
    with pytest.raises(HarnessError, match="first: a"):
        packed(cohort, outcomes=OUTCOMES[1:], max_lost=1)


def test_subjects_of_other_settings_are_refused(cohort):
    path = cohort[1] / "registered" / "d" / "subject.json"
    record = read_json(path)
    write_json(path, record | {"settings": record["settings"] | {"normalisation": "max"}})
    with pytest.raises(HarnessError, match="other settings"):
        packed(cohort, max_lost=1)


def test_packing_twice_gives_the_same_bytes_and_other_data_another_index(cohort):
    """What is trained on arrays is known by the text of their index."""
    folder = cohort[1]
    for name in ("one", "two"):
        packed(cohort, name)
    for path in (folder / "one").iterdir():
        assert path.read_bytes() == (folder / "two" / path.name).read_bytes()
    data = volumes(0)
    data["t1"] = np.where(data["brain"], data["t1"] / 2 + 1e-3, 0).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data["t1"], AFFINE), folder / "registered" / "a" / "t1.nii.gz")
    noted(folder / "registered" / "a")
    assert packed(cohort, "three") != read_json(folder / "one" / "index.json")


def test_store_says_where_nothing_is_packed(tmp_path):
    with pytest.raises(HarnessError, match="pack"):
        Store.open(tmp_path)


def test_verb_takes_several_reports(cohort):
    _, folder = cohort
    write_report(folder / "1-of-2.csv", OUTCOMES[::2])
    write_report(folder / "2-of-2.csv", OUTCOMES[1::2])
    arguments = ["--dataset", "mine", "--sheet", folder / "subjects.csv", "--max-lost", "0.5"]
    arguments += ["--registered", folder / "registered", "--out", folder / "packed"]
    arguments += ["--reports", folder / "1-of-2.csv", folder / "2-of-2.csv"]
    values = "mine: the values of its labels are 1 (24 voxels), 2 (16 voxels), 4 (22 voxels)\n"
    assert call("pack", *arguments).output == "mine: packed 3 t1, 2 t2 with masks, 2 left out\n" + values


@pytest.mark.parametrize("option", ["--lesion", "--ignored"])
def test_a_label_value_that_no_label_holds_is_not_packed(cohort, option):
    """It would be found when a method has been trained: the index, which that waits for, is not written."""
    _, folder = cohort
    write_report(folder / "report.csv", OUTCOMES)
    given = ["--sheet", folder / "subjects.csv", "--registered", folder / "registered", "--out", folder / "packed"]
    given += ["--dataset", "mine", "--max-lost", "0.5", "--reports", folder / "report.csv"]
    said = fails("pack", option, "1,3", *given)
    assert said.startswith("mine: no label holds 3, but 1 (24 voxels), ")
    assert said.endswith(f"; correct `{option.removeprefix('--')}`")
    assert not (folder / "packed" / "index.json").exists()
    call("pack", option, "1,4", *given)


def damage(path: Path, kind: str) -> None:
    """What happens to files on disks: a bit, a missing end, zeros, nothing left, gone."""
    content = bytearray(path.read_bytes())
    if kind == "bit":
        content[len(content) * 2 // 3] ^= 4
    elif kind == "zeros":
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    elif kind == "half":
        del content[len(content) // 2 :]
    elif kind == "empty":
        content.clear()
    path.write_bytes(content)
    if kind == "gone":
        path.unlink()


DAMAGES = ("bit", "zeros", "half", "empty", "gone")


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", ["t1", "t2", "mask", "brain", "subject"])
def test_a_damaged_volume_is_not_packed(cohort, name, kind):
    folder = cohort[1]
    path = folder / "registered" / "d" / (f"{name}.nii.gz" if name != "subject" else "subject.json")
    if name == "subject" and kind == "bit":
        path.write_text(path.read_text().replace("settings", "sett\x08ngs"))
    else:
        damage(path, kind)
    with pytest.raises(HarnessError, match=rf"registered/d/{path.name}: .*snakemake --forcerun preprocess") as error:
        packed(cohort)
    assert "\n" not in str(error.value)
    assert not (folder / "packed" / "index.json").exists()


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("name", ["t1", "mask"])
def test_a_damaged_array_is_not_used(cohort, name, kind):
    folder = cohort[1]
    packed(cohort)
    damage(folder / "packed" / f"{name}.npy", kind)
    store = Store.open(folder / "packed")
    with pytest.raises(HarnessError, match=rf"packed/{name}\.npy: .*snakemake --forcerun pack"):
        store.images("t1") if name == "t1" else store.labels()
    store.images("t2")  # the others are sound


@pytest.mark.parametrize("kind", ["zeros", "half", "empty"])
def test_a_damaged_index_is_named(cohort, kind):
    packed(cohort)
    damage(cohort[1] / "packed" / "index.json", kind)
    with pytest.raises(HarnessError, match=r"index\.json: no index .*snakemake --forcerun pack"):
        Store.open(cohort[1] / "packed")


@pytest.mark.parametrize("key", ["arrays", "subjects"])
def test_an_index_that_lacks_a_key_is_named(cohort, key):
    folder, index = cohort[1], packed(cohort)
    del index[key]
    write_json(folder / "packed" / "index.json", index)
    with pytest.raises(HarnessError, match=rf"{key}: is missing; .*snakemake --forcerun pack"):
        Store.open(folder / "packed").images("t1")


def test_healthy_subjects_without_a_mask_are_packed(cohort):
    """Preprocessing gave them an empty one."""
    written, folder = cohort
    rows = tuple(replace(row, mask="", unmasked="healthy") if row.subject == "a" else row for row in written.rows)
    pack("mine", replace(written, rows=rows), folder / "registered", OUTCOMES, folder / "packed", max_lost=0.3)
    assert Store.open(folder / "packed").index["has_mask"]
