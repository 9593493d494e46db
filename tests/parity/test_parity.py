"""Our networks give the outputs of the public code from the same weights: order of operations, not counts."""

import numpy as np
import pytest
import torch

from tests.parity.cases import CASES, RECORDS, thinned

TOLERANCE = 1e-6  # of the largest output


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_those_of_the_public_code(name):
    case, theirs = CASES[name], np.load(RECORDS / f"{name}.npy")
    with torch.no_grad():
        ours = thinned(case.network()(case.inputs()))
    assert ours.shape == theirs.shape
    assert abs(theirs).max() > 0.01
    assert abs(ours - theirs).max() / abs(theirs).max() < TOLERANCE


def test_every_record_is_compared():
    assert {path.stem for path in RECORDS.glob("*.npy")} == set(CASES)
