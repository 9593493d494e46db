"""AMCons: the entropy of the attention, its sign, and the eroded mask."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.stats import entropy as reference

from tests.trainings import built
from uadbench.baselines import am_cons
from uadbench.methods import registry
from uadbench.methods.base import Batch, Context
from uadbench.methods.seeds import Streams
from uadbench.methods.settings import resolve


def discs() -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 32), torch.linspace(-1, 1, 32), indexing="ij")
    values = 0.1 + 0.9 * torch.rand((4, 1, 32, 32), generator=torch.Generator().manual_seed(3))
    return values * (x**2 + y**2 < 0.7)


def test_entropy_against_scipy():
    generator = torch.Generator().manual_seed(0)
    attention = 3 * torch.randn((5, 1, 6, 7), generator=generator)
    mask = torch.rand((5, 1, 6, 7), generator=generator) < 0.6
    for image, where, value in zip(attention, mask, am_cons.entropy(attention, mask), strict=True):
        assert value.item() == pytest.approx(reference(np.exp(image[where].double().numpy())), rel=1e-5)


def test_entropy_is_largest_for_an_even_map_and_none_without_a_mask():
    mask = torch.ones((2, 1, 4, 4), dtype=torch.bool)
    mask[1] = False
    attention = torch.ones((2, 1, 4, 4), requires_grad=True)
    values = am_cons.entropy(attention, mask)
    assert values.tolist() == pytest.approx([np.log(16), 0.0])
    values.sum().backward()
    assert torch.isfinite(attention.grad).all()


@pytest.mark.parametrize("side", [1, 2, 3, 6])
def test_erosion_against_scipy(side):
    mask = np.zeros((40, 34), bool)
    mask[3:37, 0:20] = True
    mask[15, 8] = False
    expected = ndimage.binary_erosion(mask, np.ones((side, side)))
    assert np.array_equal(am_cons.eroded(torch.from_numpy(mask)[None, None], side)[0, 0].numpy(), expected)


@pytest.mark.parametrize(("name", "sign"), [("am_cons", -1), ("am_cons-upd", 1)])
def test_entropy_enters_the_loss_with_its_sign(name, sign):
    losses, params = [], registry.describe(name).params
    for weight in (0.0, 2.0):
        method = built("am_cons", **params, entropy_weight=weight).train()
        losses.append(method.loss(Batch(discs(), torch.arange(4), Streams(0), discs)))
    method = built("am_cons", **params).train()
    whole = torch.ones_like(discs(), dtype=torch.bool)
    mask = am_cons.eroded(discs() > 0, 2) if name == "am_cons" else whole
    value = am_cons.entropy(method.encoder(discs())[1], mask).mean()
    assert (losses[1] - losses[0]).item() == pytest.approx(sign * 2 * value.item(), rel=1e-3)


def test_networks_have_the_size_of_upd_study():
    """46.8 million, of which a dense layer of 32768 x 1024 is unused here; and 1.57 million."""
    method = am_cons.Baseline(resolve("am_cons", "t1").params, Context("t1", 1.0))
    sizes = [sum(p.numel() for p in network.parameters()) for network in (method.encoder, method.decoder)]
    assert (sizes[0] + 32768 * 1024 + 1024) / 1e6 == pytest.approx(46.8, abs=0.05)
    assert sizes[1] / 1e6 == pytest.approx(1.57, abs=0.005)


def test_score_is_the_attention_in_the_eroded_brain():
    method = built("am_cons", score_erosion=3).eval()
    volume = discs()[:, 0]
    with torch.no_grad():
        score = method.score(volume, Streams(0))["final"]
        attention = method.encoder(discs())[1][:, 0]
    inside = am_cons.eroded(discs() > 0, 3)[:, 0]
    torch.testing.assert_close(score, attention * inside)
    assert (score >= 0).all()
