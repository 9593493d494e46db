"""Command `synthesis`: the anomalies of Figure 1 follow hyper-parameters of anomalies, whatever the network."""

import json

import numpy as np
import pytest

from tests.commands import call


def drawn(data, out, **params) -> dict[str, np.ndarray]:
    options = ["--modality", "t1", "--settings", json.dumps({"params": params}), "--out", out]
    call("synthesis", "--data", data, *options)
    with np.load(out) as arrays:
        return {name: arrays[name] for name in ("x0", "mask", "xt")}


@pytest.mark.parametrize("network", [{"widths": [8, 16]}, {"patch": 32, "batch": 4, "median": 3}])
def test_networks_do_not_matter_but_anomalies_do(tiny_cohort, tmp_path, network):
    """Widths of a method without synthetic anomalies need not fit DISYRE's groups of channels."""
    plain = drawn(tiny_cohort, tmp_path / "a.npz")
    other = drawn(tiny_cohort, tmp_path / "b.npz", **network)
    hard = drawn(tiny_cohort, tmp_path / "c.npz", soften=0.0, **network)
    assert all(np.array_equal(plain[name], other[name]) for name in plain)
    assert set(np.unique(hard["mask"])) == {0.0, 1.0} != set(np.unique(plain["mask"]))
