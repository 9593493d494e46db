"""A few steps of our trainings give the losses and weights of public code: terms, signs, weights and optimisers."""

import numpy as np
import pytest

from tests.parity.steps import STEPS, TRAININGS, difference

TOLERANCE = 1e-7  # of a loss, and of the change of a tensor


@pytest.mark.parametrize("name", TRAININGS)
def test_steps_are_those_of_the_public_code(name):
    with np.load(STEPS / f"{name}.npz") as theirs:
        losses, weights = difference(TRAININGS[name].run(), dict(theirs))
    assert losses < TOLERANCE
    assert weights < TOLERANCE


def test_every_record_is_compared():
    assert {path.stem for path in STEPS.glob("*.npz")} == set(TRAININGS)
