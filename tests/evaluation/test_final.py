"""The final map alone, which healthy subjects are scored with, is that of all maps."""

import pytest
import torch

from tests.trainings import built
from uadbench.core.errors import HarnessError
from uadbench.data.packing.store import Store
from uadbench.evaluation.inference.inference import final_map, score_volume
from uadbench.methods import registry
from uadbench.methods.base import Method
from uadbench.methods.seeds import Streams
from uadbench.training.run import freeze


def frozen(name: str) -> Method:
    """A method upon the one it requires."""
    required = registry.describe(name).requires
    return freeze(built(name, frozen(required) if required else None))


@pytest.fixture(scope="module")
def volume(tiny_cohort) -> torch.Tensor:
    store = Store.open(tiny_cohort)
    return torch.tensor(store.images("t1")[store.rows("t1", "validation")[0]][4:6].tolist())


@pytest.mark.parametrize("name", registry.names())
def test_final_map_alone_is_that_of_score(name, volume):
    method = frozen(name)
    whole = score_volume(method, volume, Streams(1), name)["final"]
    assert torch.equal(final_map(method, volume, Streams(1), name), whole)
    assert whole.max() > 0


def test_an_invalid_final_map_is_told(volume, monkeypatch):
    method = frozen("intensity")
    monkeypatch.setattr(method, "score_slices", lambda images, rng: images - 1)
    with pytest.raises(HarnessError, match=r"intensity: map final has values that are negative"):
        final_map(method, volume, Streams(1), "intensity")
    monkeypatch.setattr(method, "score_slices", lambda images, rng: {"other": images})
    with pytest.raises(HarnessError, match=r"baselines/intensity\.py: score returns no map 'final', only other"):
        final_map(method, volume, Streams(1), "intensity")
