"""Restorations against the other side: by hand, on slices that are symmetric but for what is put in."""

import numpy as np
import pytest
from scipy import stats

from uadbench.core.archive import SLICES
from uadbench.core.errors import HarnessError
from uadbench.core.study_folder import EXAMPLES
from uadbench.evaluation.summary.restorations import COLUMNS, differences, mirrored, restorations
from uadbench.evaluation.voxels.columns import SIMULATED

META = {"experiment": "demo", **dict.fromkeys(SIMULATED, False), "task": "ATLAS", "family": "S-S"}
LESION = (slice(8, 12), slice(6, 9))


def symmetric(width: int = 31, shift: int = 0) -> np.ndarray:
    """A brain of .5, symmetric about the column width // 2 + shift, with a dark cavity on both sides."""
    y, x = np.mgrid[:20, :width]
    side = np.abs(x - width // 2 - shift)
    return np.where((side < 12) & (y > 1) & (y < 18), np.where((side == 3) & (y == 10), 0.2, 0.5), 0).astype(np.float32)


def case(shift: int = 0, left: float = 0.0):
    """Image, restoration and label: a lesion of .9, of which a share `left` is restored to .5."""
    healthy = symmetric(shift=shift)
    image, restored, label = healthy.copy(), healthy.copy(), np.zeros(healthy.shape, np.uint8)
    image[LESION], restored[LESION], label[LESION] = 0.9, 0.5 + 0.4 * left, 1
    return image, restored, label


@pytest.mark.parametrize("shift", [0, 2, -2])
def test_by_hand_wherever_the_middle_is(shift):
    image, restored, label = case(shift, left=0.25)
    assert differences(image, restored, label) == pytest.approx((0.4, 0.1, 0), abs=1e-6)
    places = mirrored(symmetric(shift=shift) > 0)
    assert places[15 + shift] == 15 + shift
    assert places[15 + shift - 4] == 15 + shift + 4


def test_only_healthy_brain_on_the_other_side_counts():
    image, restored, label = case()
    label[8:12, 22:25] = 1  # the mirrored place is lesion, too
    assert np.isnan(differences(image, restored, label)[:2]).all()
    image, restored, label = case()
    image[8:12, 22:25] = 0  # or outside of the brain
    assert np.isnan(differences(image, restored, label)[:2]).all()
    image, _, label = case()
    image[4, 5] = 0.8  # healthy tissue that differs, seen from both sides
    count = int((image > 0).sum()) - 2 * 12
    assert differences(image, image, label)[2] == pytest.approx(2 * 0.3 / count, rel=1e-5)


def write(folder, method, cases, names, seed, **changes):
    path = folder / method / f"seed-{seed}"
    path.mkdir(parents=True)
    arrays = dict(zip(("image", "restoration", "label"), map(np.stack, zip(*cases, strict=True)), strict=True))
    meta = {**META, "method": method, "seed": seed, **changes}
    SLICES.save(path / EXAMPLES, {**arrays, "subject": np.array(names)}, meta=meta)
    return path / "full.npz"


def test_the_ratio_over_patients(tmp_path):
    names, left = ["a", "b", "c"], {1: (0.2, 0.3, 0.4), 2: (0.4, 0.5, 0.2)}
    paths = [write(tmp_path, "disyre", [case(left=one) for one in left[seed]], names, seed) for seed in left]
    worse = [case(left=1.5), case(left=1.25), case(left=1.5)]
    paths.append(write(tmp_path, "dae", worse, names, 1, patients={"a": "one", "b": "one"}))
    paths.append(write(tmp_path, "intensity", worse, names, 1, family="control"))
    made = restorations([*paths, tmp_path / "none" / "full.npz", paths[0].with_name("upd.npz")])
    assert list(made.columns) == COLUMNS
    dae, disyre = made.to_dict("records")
    shares = np.array([0.3, 0.4, 0.3])
    low, high = np.exp(stats.t.interval(0.95, 2, np.log(shares).mean(), stats.sem(np.log(shares))))
    assert (disyre["patients"], disyre["seeds"], disyre["before"]) == (3, 2, pytest.approx(0.4))
    assert disyre["after"] == pytest.approx(0.4 * shares.mean(), rel=1e-4)
    assert disyre["ratio"] == pytest.approx(stats.gmean(shares), rel=1e-4)
    assert (disyre["low"], disyre["high"]) == pytest.approx((low, high), rel=1e-3)
    assert (dae["patients"], dae["ratio"]) == (2, pytest.approx(np.sqrt(1.375 * 1.5), rel=1e-4))


def test_one_patient_has_no_interval_and_damage_is_named(tmp_path):
    path = write(tmp_path, "disyre", [case(left=0.5)], ["a"], 1)
    (row,) = restorations([path]).to_dict("records")
    assert row["ratio"] == pytest.approx(0.5, rel=1e-5)
    assert np.isnan(row["low"])
    path.with_name(EXAMPLES).write_bytes(b"no archive")
    with pytest.raises(HarnessError, match="example slices"):
        restorations([path])
    assert restorations([]).empty
