"""Volumes of the example subject: true values and places, and nothing else of a test set changes."""

from pathlib import Path

import numpy as np
import pytest

from tests.commands import call
from tests.trainings import trained
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import FINDINGS, VOLUMES
from uadbench.data.packing.store import Store
from uadbench.evaluation.detection import findings
from uadbench.evaluation.inference import examples
from uadbench.evaluation.inference.collecting import ScoredSubject
from uadbench.evaluation.inference.examples import example_rows
from uadbench.evaluation.protocols.protocols import Truth


@pytest.fixture(scope="module")
def scored(tiny_cohort, tmp_path_factory) -> dict[str, Path]:
    """Results of the control `intensity`, without and with volumes."""
    folder = tmp_path_factory.mktemp("scored")
    given = ["--run", trained("intensity", tiny_cohort, folder / "run"), "--data", tiny_cohort, "--task", "A"]
    given += ["--modality", "t1", "--healthy", tiny_cohort, "--device", "cpu", "--examples", 2]
    for name, options in (("without", []), ("with", ["--volumes"])):
        call("test", *given, *options, "--out", folder / name)
    return {name: folder / name for name in ("without", "with")}


def test_other_files_do_not_change(scored):
    before, after = ({path.name: path for path in folder.iterdir()} for folder in scored.values())
    assert after.keys() - before.keys() == {VOLUMES}
    for name, path in before.items():
        with np.load(path) as one, np.load(after[name]) as other:
            assert one.files == other.files
            assert all(one[key].tobytes() == other[key].tobytes() for key in one.files)


def test_the_first_example_subject_in_its_place(scored, tiny_cohort):
    store = Store.open(tiny_cohort)
    found = examples.load(scored["with"] / VOLUMES)
    row = example_rows(store.labels(), store.rows("t1", "test"), 2)[0]
    assert found.subject == store.subjects[row]
    assert found.simulated
    image = np.asarray(store.images("t1")[row], np.float32).transpose(2, 1, 0)
    label = store.labels()[row].transpose(2, 1, 0) > 0
    place = np.linalg.inv(store.affine) @ found.affine  # from voxel to packed voxel
    assert found.stride == 1
    x, y, z = np.rint(place[:3, 3]).astype(int)
    box = tuple(slice(low, low + side) for low, side in zip((x, y, z), found.label.shape, strict=True))
    np.testing.assert_array_equal(found.image, image[box])  # packed as float16
    np.testing.assert_array_equal(found.label, label[box])
    assert image.sum() == pytest.approx(image[box].sum())
    with np.load(scored["with"] / "examples.npz") as slices:
        final = slices["score"][slices["subject"].tolist().index(found.subject)]
    z = int(label.sum((0, 1)).argmax())
    shown = found.score[:, :, z - box[2].start].astype(float) * found.highest
    np.testing.assert_allclose(shown, final.T[box[:2]], rtol=2**-10, atol=2**-20)


def test_thresholds_are_those_of_the_findings(scored):
    found = examples.load(scored["with"] / VOLUMES)
    known, _ = findings.load(scored["with"] / FINDINGS)
    np.testing.assert_array_equal(found.thresholds, known.thresholds)
    np.testing.assert_array_equal(found.rates, known.rates)


def kept(folder: Path, affine, image, score, label) -> examples.Example:
    collector = examples.VolumeCollector("a", affine, False, None)
    collector.add(ScoredSubject(Truth("b", label, image > 0, (1, 1, 1)), {"final": image}, image))
    collector.add(ScoredSubject(Truth("a", label, image > 0, (1, 1, 1)), {"final": score}, image))
    collector.save(folder, {})
    return examples.load(folder / VOLUMES)


def test_large_volumes_are_cropped_and_thinned(monkeypatch, tmp_path):
    monkeypatch.setattr(examples, "LIMIT", 1000)
    image = np.zeros((40, 50, 60), np.float32)  # D, H, W
    image[10:30, 15:35, 20:45] = 0.5
    label = np.zeros(image.shape, bool)
    label[20:24, 20:24, 30:34] = True
    affine = np.array([[1.0, 0, 0, -30], [0, 1, 0, -25], [0, 0, 2, -40], [0, 0, 0, 1]])
    found = kept(tmp_path, affine, image, np.float32(3e30) * image, label)
    assert found.image.size <= 1000
    assert found.stride > 1
    assert (found.rates.size, found.thresholds.size, found.simulated) == (0, 0, False)
    where = np.argwhere(found.label)
    places = (found.affine @ np.c_[where, np.ones(len(where))].T)[:3].T
    assert len(where)
    assert ((places >= [0, -5, 0]) & (places <= [3, -2, 6])).all()  # voxels 30…33, 20…23 and 20…23 in mm
    assert float(found.score.max()) * found.highest == pytest.approx(1.5e30)


@pytest.mark.parametrize("voxels", [0, 1])
def test_a_volume_of_one_voxel_or_none(voxels, tmp_path):
    image = np.zeros((4, 5, 6), np.float32)
    image.flat[:voxels] = 1
    found = kept(tmp_path, np.eye(4), image, image, image > 2)
    assert (found.image.sum(), found.score.sum() * found.highest) == (voxels, voxels)
    assert found.label.shape == ((6, 5, 4) if not voxels else (3, 3, 3))
    assert not found.label.any()


def test_bytes_of_earlier_versions_are_read(tmp_path):
    whole = {"image": np.array([[[0, 51, 255]]], np.uint8), "score": np.array([[[0, 255, 1]]], np.uint8)}
    scales = {"image_scale": np.array([0, 1 / 255]), "score_scale": np.array([0, 40 / 255])}
    facts = {"subject": "a", "simulated": True, "stride": 2, "label": whole["image"] > 99}
    places = {"affine": np.eye(4), "rates": np.array([0.01]), "thresholds": np.array([7.0])}
    np.savez_compressed(tmp_path / "volumes.npz", **whole, **scales, **facts, **places)
    found = examples.load(tmp_path / "volumes.npz")
    np.testing.assert_allclose(found.image, [[[0, 0.2, 1]]], rtol=1e-3)
    np.testing.assert_allclose(found.score * found.highest, [[[0, 40, 40 / 255]]], rtol=1e-3)
    assert (found.subject, found.simulated, found.stride, found.thresholds.tolist()) == ("a", True, 2, [7.0])


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "volumes.npz"
    np.savez(path, image=np.zeros(3))
    with pytest.raises(HarnessError, match=r"volumes\.npz: not a whole file of example volumes .*; score"):
        examples.load(path)
