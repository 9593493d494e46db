"""Natural order of names."""

from itertools import pairwise

import pytest

from uadbench.core.sorting import DECIMAL, WHOLE, natural


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (WHOLE, ["", "2", "10", "a", "run-2", "run-10", "run-10-b", "s-90071992547409921", "s-90071992547409922"]),
        (DECIMAL, ["@0.005", "@0.01", "single/t=9", "single/t=25"]),
        (WHOLE, ["v1.9", "v1.10"]),
        (DECIMAL, ["v1.10", "v1.9"]),
    ],
)
def test_numbers_count_by_their_value(number, names):
    keys = [natural(name, number) for name in names]
    assert all(one < other for one, other in pairwise(keys))
