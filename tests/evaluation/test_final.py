"""The final map alone, which healthy subjects are scored with, is that of all maps."""

from __future__ import annotations

import pytest
import torch

from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import final_map, score_volume
from uadbench.methods import registry
from uadbench.methods.base import Context, Method
from uadbench.methods.seeds import Streams, seed_everything
from uadbench.training import run


def built(name: str) -> Method:
    """A method with random weights, upon the one it requires."""
    about = registry.describe(name)
    seed_everything(3)
    context = Context("t1", 4.0, built(about.requires) if about.requires else None)
    return run.freeze(run.build(name, about.small, context))


@pytest.fixture(scope="module")
def volume(tiny_cohort) -> torch.Tensor:
    store = Store.open(tiny_cohort)
    return torch.tensor(store.images("t1")[store.rows("t1", "validation")[0]][4:6].tolist())


@pytest.mark.parametrize("name", registry.names())
def test_final_map_alone_is_that_of_score(name, volume):
    method = built(name)
    whole = score_volume(method, volume, Streams(1), name)["final"]
    assert torch.equal(final_map(method, volume, Streams(1), name), whole)
    assert whole.max() > 0


def test_an_invalid_final_map_is_told(volume, monkeypatch):
    method = built("intensity")
    monkeypatch.setattr(method, "score_slices", lambda images, rng: images - 1)
    with pytest.raises(HarnessError, match=r"intensity: map final has values that are negative"):
        final_map(method, volume, Streams(1), "intensity")
    monkeypatch.setattr(method, "score_slices", lambda images, rng: {"other": images})
    with pytest.raises(HarnessError, match=r"baselines/intensity\.py: score returns no map 'final', only other"):
        final_map(method, volume, Streams(1), "intensity")
