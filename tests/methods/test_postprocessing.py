"""Post-processing of the study: its filter against scipy and DAE's own, and one pass for both maps of every method."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from tests.trainings import built
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import final_map, score_volume
from uadbench.methods import registry
from uadbench.methods.base import Method
from uadbench.methods.params import own_filters, unfiltered
from uadbench.methods.postprocessing import FILTERED, Postprocessing
from uadbench.methods.scoring.filters import filtered
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve
from uadbench.training.run import freeze

ALIKE = Postprocessing(median=3, erosion=3)
BESIDE = Postprocessing(median=3, erosion=3, beside=True)


@pytest.fixture(scope="module")
def volume(tiny_cohort) -> torch.Tensor:
    store = Store.open(tiny_cohort)
    return torch.tensor(store.images("t1")[store.rows("t1", "validation")[0]][4:6].tolist())


@pytest.mark.parametrize(("median", "erosion"), [(1, 1), (3, 1), (1, 3), (3, 3), (5, 3), (7, 5)])
def test_the_filter_is_that_of_scipy(median, erosion):
    rng = np.random.default_rng(0)
    volume, scores = rng.random((20, 24, 21)), rng.random((20, 24, 21))
    volume[:, 2:-2, 3:-2] += 1
    volume = np.where(ndimage.gaussian_filter(volume, (0, 2, 2)) > 1, volume, 0)  # voxels at the border, too
    inside = np.ones((erosion, erosion))
    count = np.stack([ndimage.convolve((one > 0).astype(int), inside, mode="constant") for one in volume])
    kept = count > 0.95 * erosion**2  # of 3 x 3 all, of 5 x 5 all but one
    expected = np.stack([ndimage.median_filter(one, median, mode="mirror") for one in scores * kept]) * (volume > 0)
    if erosion < 5:
        full = ndimage.binary_erosion(volume > 0, np.ones((1, erosion, erosion)))
        np.testing.assert_array_equal(kept, full)
    chosen = Postprocessing(median=median, erosion=erosion)
    ours = filtered(torch.from_numpy(scores), torch.from_numpy(volume), chosen)
    np.testing.assert_array_equal(ours.numpy(), expected)
    assert 0 < (expected > 0).sum() <= (volume > 0).sum()


def frozen(name: str, chosen: Postprocessing | None = None) -> Method:
    """A method upon the one it requires, in a study with this post-processing."""
    required = registry.describe(name).requires
    method = freeze(built(name, frozen(required) if required else None))
    method.context = replace(method.context, postprocessing=chosen)
    if chosen and not chosen.beside:
        method.params = unfiltered(method.params)
    return method


def test_it_is_to_the_bit_what_dae_does_by_itself(volume):
    """On slices that are not scaled."""
    own = freeze(built("dae", median=3, erosion=3, patch=40))
    alike = freeze(built("dae", median=1, erosion=1, patch=40))
    alike.context = replace(alike.context, postprocessing=ALIKE)
    ours, expected = (score_volume(method, volume, Streams(1), "dae")["final"] for method in (alike, own))
    assert torch.equal(ours, expected)
    assert 0 < expected.count_nonzero() < (volume > 0).sum()


OWN = [name for name in registry.names() if own_filters(resolve(name, "t1").params)]


@pytest.mark.parametrize("name", [*OWN, "intensity"])
def test_one_pass_gives_the_published_map_and_that_filtered_alike(name, volume):
    plain, both, alike = (frozen(name, chosen) for chosen in (None, BESIDE, ALIKE))
    published, beside = (score_volume(method, volume, Streams(1), name) for method in (plain, both))
    assert beside.keys() == {*published, FILTERED}
    assert all(torch.equal(beside[key], published[key]) for key in published)
    replaced = score_volume(alike, volume, Streams(1), name)
    assert replaced.keys() == published.keys()
    assert torch.equal(beside[FILTERED], replaced["final"])
    assert torch.equal(final_map(alike, volume, Streams(1), name), replaced["final"])
    assert torch.equal(final_map(both, volume, Streams(1), name), published["final"])
    assert own_filters(both.params) == own_filters(plain.params)
    assert not torch.equal(replaced["final"], published["final"])


def test_methods_with_filters_of_their_own():
    found = {name: own_filters(resolve(name, "t1").params) for name in registry.every()}
    assert {name: values for name, values in found.items() if values} == {
        "am_cons": {"score_erosion": 6},
        "dae": {"median": 5, "erosion": 5},
        **{name: {"smoothing": 4.0} for name in ("padim", "patchcore", "rd")},
    }


def test_one_filter_for_all_replaces_those_of_methods_and_retrains_none():
    given = {"dae": {"median": 7, "erosion": 3}}
    own, alike, beside = (resolve("dae", "t1", given, postprocessing=chosen) for chosen in (None, ALIKE, BESIDE))
    assert (alike.values["median"], alike.values["erosion"]) == (1, 1)
    assert own_filters(beside.params) == given["dae"]
    assert own.training == alike.training == beside.training
    assert len({own.scoring, alike.scoring, beside.scoring}) == 3
