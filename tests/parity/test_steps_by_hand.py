"""Training steps of the rows without a public loop, against the formulas of their papers: DISYRE and MOOD22."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.parity.steps import UNET, Repeated, Training, corrupted, difference, in_float64, losses, recorded, strengths

STEPS = 10  # of the training, of which half are made: through the maximum of the learning rate, after 2.3 steps


def one_cycle(index: int) -> tuple[float, float]:
    """Fractions of the maximum learning rate, and beta1: up to 1 in 30 % of the steps, then down, along cosines."""
    top, last = 0.3 * (STEPS + 1) - 1, STEPS
    before, after, share = (1 / 25, 1, index / top) if index <= top else (1, 4e-6, (index - top) / (last - top))
    momentum = (0.95, 0.85) if index <= top else (0.85, 0.95)
    weight = (1 + np.cos(np.pi * share)) / 2
    return after + (before - after) * weight, momentum[1] + (momentum[0] - momentum[1]) * weight


def squared(output: Tensor, healthy: Tensor, alpha: Tensor) -> Tensor:
    return (output - healthy).square().mean()


def cross_entropy(output: Tensor, mask: Tensor, alpha: Tensor) -> Tensor:
    """Of the probability with the target alpha m."""
    target, found = alpha[:, None, None, None] * mask, 1 / (1 + (-output).exp())
    return -(target * found.log() + (1 - target) * (1 - found).log()).mean()


@pytest.mark.parametrize(("name", "loss", "timed"), [("disyre", squared, True), ("mood22", cross_entropy, False)])
def test_steps_are_those_of_the_paper(name, loss, timed):
    """Loss, AdamW with one cycle up to 1e-4, weight decay 0.01, and gradients of norm 1 at most."""
    given = {**UNET, "attention_from": 2, "steps": STEPS}
    training = Training("", "", name, given, steps=STEPS // 2, given=corrupted)
    with in_float64():
        network = training.build().unet
        parameters, clipped = list(network.parameters()), 0
        optimizer = torch.optim.AdamW(parameters, weight_decay=0.01)
        rising = 1 - (1 - torch.linspace(1e-3, 0.2, 100)).cumprod(0).sqrt()
        before = {f"unet.{key}": value.clone() for key, value in network.state_dict().items()}
        with losses() as found:
            for index in range(training.steps):
                images, alpha = training.images(index), strengths(Repeated(index), 2)
                t = 1 + (rising - alpha[:, None]).abs().argmin(1)
                optimizer.zero_grad()
                loss(network(images, t * timed).sample, images.flip(0), alpha).backward()
                norm = sum(parameter.grad.square().sum() for parameter in parameters).sqrt()
                clipped += int(norm > 1)
                for parameter in parameters:
                    parameter.grad /= max(norm + 1e-6, torch.ones(()))
                rate, beta1 = one_cycle(index)
                optimizer.param_groups[0].update(lr=1e-4 * rate, betas=(beta1, 0.999))
                optimizer.step()
        expected = recorded(found, before, {f"unet.{key}": value for key, value in network.state_dict().items()})
    assert clipped
    assert max(difference(training.run(), expected)) < 1e-7
