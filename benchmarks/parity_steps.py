"""Training steps of public code with our weights, batches and draws; run by parity.py, which stores what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tests.parity.steps import Repeated, Training, in_float64, losses, recorded

Named = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]


@dataclass
class Public:
    """A public network, its names of our tensors, and its own training step on images with the draws of ours.

    constant: what its loss leaves out of ours.
    """

    network: nn.Module
    names: Named
    step: Callable[[Tensor, Repeated], object]
    constant: float = 0.0


def record(training: Training, made: Callable[[], Public]) -> dict[str, np.ndarray]:
    """What is stored of a training."""
    with in_float64():
        ours = training.build()
        held = {key: value for key, value in ours.state_dict().items() if value.is_floating_point()}
        public = made()
        fill(public, held)
        compared = training.compared(ours).keys()
        before = {key: value.clone() for key, value in unnamed(public, held).items() if key in compared}
        with losses() as found:
            for index in range(training.steps):
                torch.manual_seed(index)
                public.step(training.images(index), Repeated(index))
        return recorded([loss + public.constant for loss in found], before, unnamed(public, held))


def fill(public: Public, ours: Mapping[str, Tensor]) -> None:
    """Put our weights in; biases before a normalisation, which ours does without, become 0."""
    state, named = public.network.state_dict(), public.names(ours)
    assert named.keys() <= state.keys(), sorted(named.keys() - state.keys())
    zeros = {key: torch.zeros_like(value) for key, value in state.items() if key.endswith("bias") and key not in named}
    public.network.load_state_dict({**state, **zeros, **named})


def unnamed(public: Public, ours: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their weights under our names: numbers of places go the way of ours."""
    state, total, places = public.network.state_dict(), 0, {}
    for key, value in ours.items():
        places[key] = torch.arange(total, total + value.numel()).reshape(value.shape)
        total += value.numel()
    values = torch.full((total,), torch.nan)
    for key, place in public.names(places).items():
        values[place] = state[key]
    assert not values.isnan().any(), "a tensor of ours has no counterpart"
    return {key: values[place] for key, place in places.items()}
