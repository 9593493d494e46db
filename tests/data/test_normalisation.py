"""Scaling of grey values against hand-made quantiles."""

import numpy as np
import pytest

from uadbench.data.preprocessing.brain import normalisation


def test_scaling_rules_by_hand():
    image = np.array([-5.0, 0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    inside = image > 5
    values = image[inside]
    tops = {
        "max": 100.0,
        "p99_5_brain": np.quantile(values, 0.995),
        "p98": np.quantile(np.concatenate([values, np.zeros(40)]), 0.98),
    }
    assert set(tops) == set(normalisation.RULES)
    for rule, top in tops.items():
        scaled = normalisation.scale(image, inside, rule, voxels=50)
        np.testing.assert_allclose(scaled[inside], np.minimum(values / top, 1), rtol=1e-6)
        assert not scaled[~inside].any()


def test_brain_stays_above_zero_in_half_precision():
    image = np.array([-3.0, 0.0, 1e-6, 1000.0, 7.0])
    inside = np.array([True, True, True, True, False])
    scaled = normalisation.scale(image, inside, "max", voxels=5).astype(np.float16)
    assert ((scaled > 0) == inside).all()
    with pytest.raises(ValueError, match="no grey value"):
        normalisation.scale(image - 2000, inside, "max", voxels=5)
