"""The number format of networks: which one a card gets, and what float16 does with losses and gradients."""

from contextlib import nullcontext

import pytest
import torch

from uadbench.compute import precision
from uadbench.compute.precision import Precision, chosen
from uadbench.core.errors import HarnessError

CUDA, CPU = torch.device("cuda:0"), torch.device("cpu")


@pytest.fixture
def card(monkeypatch):
    """A CUDA card of a compute capability, with or without bfloat16 of its own."""

    def make(capability, real):
        precision.best.cache_clear()
        monkeypatch.setattr(torch.cuda, "device", nullcontext)
        monkeypatch.setattr(
            torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or real
        )
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    yield make
    precision.best.cache_clear()


@pytest.mark.parametrize(
    ("capability", "real", "expected"),
    [((8, 0), True, torch.bfloat16), ((7, 5), False, torch.float16), ((6, 1), False, torch.float32)],
)
def test_a_card_gets_the_best_format_that_it_has(card, capability, real, expected):
    card(capability, real)
    assert chosen(CUDA) is expected
    assert chosen(CPU) is torch.float32


def test_a_format_may_be_named_and_a_wrong_name_is_an_error(card, monkeypatch):
    card((8, 0), True)
    monkeypatch.setenv("UADBENCH_PRECISION", "float32")
    assert chosen(CUDA) is torch.float32
    monkeypatch.setenv("UADBENCH_PRECISION", "half")
    with pytest.raises(HarnessError, match="float32, bfloat16, float16"):
        chosen(CPU)


@pytest.fixture
def float16(monkeypatch) -> Precision:
    monkeypatch.setattr(precision, "chosen", lambda device: torch.float16)
    return Precision(CPU)


def test_float16_scales_the_loss_and_clips_what_is_scaled_back(float16):
    weight = torch.nn.Parameter(torch.tensor([3.0, 4.0]))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    float16.backward((weight * torch.tensor([3.0, 4.0])).sum())
    assert weight.grad.norm() > 1000  # scaled
    assert float16.step(optimizer, clip=1.0)
    torch.testing.assert_close(weight.detach(), torch.tensor([3.0 - 0.6, 4.0 - 0.8]))


def test_a_step_with_infinite_gradients_is_left_out_and_the_scale_falls(float16):
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    before = float16.scaler.get_scale()
    float16.backward((weight * float("inf")).sum())
    assert not float16.step(optimizer)
    assert torch.equal(weight.detach(), torch.ones(2))
    assert float16.scaler.get_scale() < before
    other = Precision(CPU)
    other.load_state_dict(float16.state_dict())
    assert other.scaler.get_scale() == float16.scaler.get_scale()


def test_a_method_may_refuse_float16(monkeypatch):
    monkeypatch.setattr(precision, "chosen", lambda device: torch.float16)
    assert Precision(CPU, float16=False).name == "float32"
    assert Precision(CPU, float16=False).scaler is None
