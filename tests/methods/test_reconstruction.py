"""What the reconstructing methods share, on a 'network' whose restorations are known."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from uadbench.methods.base import Context
from uadbench.methods.reconstruction import SquareReconstruction
from uadbench.methods.seeds import Streams


@dataclass(frozen=True)
class Params:
    patch: int = 16
    compare: str = "residual"
    score_batch: int = 2


class Doubling(SquareReconstruction):
    side = 16

    def restored(self, images: Tensor, rng: Streams) -> Tensor:
        assert images.shape[1:] == (1, 16, 16)
        return 2 * images


@pytest.fixture
def volume() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand((5, 16, 12), generator=generator)
    values[:, :2] = 0
    return values


def test_score_is_the_difference_and_restorations_stay_in_range(volume):
    method = Doubling(Params(), Context("t1", 4.0))
    torch.testing.assert_close(method.score(volume, Streams(0))["final"], volume)  # |2 x - x|
    torch.testing.assert_close(method.restore(volume, Streams(0)), (2 * volume).clamp_max(1))
