"""Scores that are tensors, as on a GPU: the counts and protocols of numpy arrays, to the voxel."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from uadbench.core.errors import HarnessError
from uadbench.evaluation.protocols.protocols import PROTOCOLS, Truth, protocol
from uadbench.evaluation.voxels import tensors
from uadbench.evaluation.voxels.bins import HALF, INFINITE, ONE, encode
from uadbench.evaluation.voxels.histogram import ScoreHistogram
from uadbench.evaluation.voxels.metrics import average_precision

SCORE = st.one_of(
    st.floats(0, float(np.float32(3e38)), width=32),
    st.floats(0.9990234375, 1, width=32),
    st.sampled_from([0.0, -0.0, 1.0, 0.5, 1e-45, 2.0**-24, float(np.float32(1 - 2**-24))]),
)
PARTS = st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.tuples(SCORE, st.booleans()), max_size=25)), max_size=5)


def as_tensors(scores: np.ndarray, labels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor(scores), torch.tensor(labels)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(PARTS)
def test_counts_of_tensors_are_those_of_arrays(parts):
    ours, theirs = ScoreHistogram(), ScoreHistogram()
    for subject, voxels in parts:
        scores = np.array([score for score, _ in voxels], np.float32)
        labels = np.array([label for _, label in voxels], bool)
        ours.add(subject, *as_tensors(scores, labels))
        theirs.add(subject, scores, labels)
    assert ours == theirs


def maps(rng: np.random.Generator, voxels: int) -> list[np.ndarray]:
    normal = rng.standard_normal(voxels)
    found = (abs(normal) / 20, np.maximum(normal, 0), 1 / (1 + np.exp(-3 * normal - 8)), np.exp(5 * normal))
    return [values.astype(np.float32) for values in found]


def test_many_voxels_are_counted_alike_one_by_one_and_over_all_bins():
    """Subjects of 400 and of 300,000 voxels take the two ways of counting; scikit-learn is the third."""
    rng = np.random.default_rng(0)
    for scores in maps(rng, 300_400):
        labels = rng.random(len(scores)) < 0.02 + 0.1 * (scores > np.median(scores))
        ours, theirs = ScoreHistogram(), ScoreHistogram()
        for subject, part in (("large", slice(400, None)), ("small", slice(0, 400))):
            ours.add(subject, *as_tensors(scores[part], labels[part]))
            theirs.add(subject, scores[part], labels[part])
        assert ours == theirs
        assert ours.voxels == len(scores)
        assert ours.positives == labels.sum()
        sums = [counts.sum(axis=1).tolist() for counts in ours.per_subject()]
        wanted = [
            [int((labels[part] == label).sum()) for part in (slice(400, None), slice(0, 400))] for label in (0, 1)
        ]
        assert sums == wanted
        assert average_precision(ours) == pytest.approx(average_precision_score(labels, scores), abs=1e-4)


def test_codes_of_tensors_are_those_of_arrays():
    rng = np.random.default_rng(1)
    edges = [np.arange(at - 3000, at + 3000) for at in (HALF, ONE)]
    bits = np.concatenate([rng.integers(0, INFINITE, 100_000), *edges, [0, INFINITE - 1]]).astype(np.uint32)
    codes = tensors.encode(torch.from_numpy(bits.view(np.float32)))
    np.testing.assert_array_equal(codes.numpy(), encode(bits).astype(np.int64))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, -1e-6])
def test_invalid_tensors_are_named_and_not_counted(wrong):
    histogram = ScoreHistogram("single/t=25")
    with pytest.raises(HarnessError, match=r"single/t=25 of sub-1: 1 of 3 scores are (negative|not finite)"):
        histogram.add("sub-1", torch.tensor([0.1, wrong, 0.2]), torch.zeros(3, dtype=torch.bool))
    assert histogram.voxels == 0
    with pytest.raises(ValueError, match="equally long"):
        histogram.add("sub-1", torch.zeros(3), torch.zeros(2, dtype=torch.bool))


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocols_choose_the_same_voxels_of_tensors(name):
    rng = np.random.default_rng(2)
    shape = (5, 90, 70)
    y, x = np.meshgrid(np.linspace(-1, 1, 90), np.linspace(-1, 1, 70), indexing="ij")
    brain = np.broadcast_to(y**2 + x**2 < 0.8, shape).copy()
    brain[0] = False
    score = np.where(brain, rng.gamma(1, 0.1, shape), np.nan).astype(np.float32)
    label = (4 * (rng.random(shape) < 0.1)).astype(np.uint8)
    truth = Truth("a", label, brain, (2.0, 2.0, 2.0))
    of_arrays = protocol(name).region(truth)
    of_tensors = protocol(name).region(replace(truth, device=torch.device("cpu")))
    np.testing.assert_array_equal(of_tensors.labels.numpy(), of_arrays.labels)
    scores = of_tensors.scores(torch.from_numpy(score))
    assert isinstance(scores, torch.Tensor)
    if name == "upd":  # a product of matrices, rounded otherwise
        np.testing.assert_allclose(scores.numpy(), of_arrays.scores(score), rtol=1e-5, atol=1e-7)
    else:
        np.testing.assert_array_equal(scores.numpy(), of_arrays.scores(score))
