"""Checks of baselines on their own: what they refuse, with the reason, without a training."""

from types import SimpleNamespace

import pytest
import torch

from uadbench.conformance.suite import CHECKS, Violation

BRAIN = torch.tensor([[[0.0, 0.2, 0.4], [0.0, 0.6, 0.8]]])
INSIDE = (BRAIN > 0).float()
GOOD = BRAIN.square()


def candidate(maps: dict[str, torch.Tensor], family: str = "IR") -> SimpleNamespace:
    return SimpleNamespace(volume=BRAIN, scored=(maps, BRAIN), about=SimpleNamespace(family=family))


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        ({"other": GOOD}, "no score map `final`"),
        ({"final": GOOD[:, :1]}, r"map final: shape \(1, 1, 3\), not \(1, 2, 3\)"),
        ({"final": GOOD / INSIDE}, "map final: values that are not finite"),
        ({"final": GOOD, "single": GOOD - 0.1 * INSIDE}, "map single: negative values"),
        ({"final": GOOD + 0.1}, "map final: values above 0 outside the brain"),
        ({"final": 0 * GOOD}, "map final is 0 everywhere"),
        ({"final": 0.5 * INSIDE}, "map final has one score in the whole brain"),
        ({"final": BRAIN}, "map final is the scan itself"),
    ],
)
def test_a_bad_score_map_is_refused_with_its_reason(maps, reason):
    with pytest.raises(Violation, match=reason):
        CHECKS["valid score maps"](candidate(maps))


def test_good_score_maps_pass_and_a_control_may_be_the_scan():
    CHECKS["valid score maps"](candidate({"final": GOOD, "single": BRAIN}))
    CHECKS["valid score maps"](candidate({"final": BRAIN}, family="control"))
