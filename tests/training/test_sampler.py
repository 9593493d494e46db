"""Drawing slices: subjects, places, patches, exclusion."""

import numpy as np
import pytest
import torch

from uadbench.core.errors import HarnessError
from uadbench.methods.seeds import Streams
from uadbench.methods.slices import fit, patch_shape
from uadbench.training.sampler import SliceSampler


@pytest.fixture
def volumes() -> np.ndarray:
    """Volume n has slices 2 to 6 filled with the value (n + 1) / 8."""
    images = np.zeros((5, 9, 20, 28), np.float16)
    images[:, 2:7, 2:-2, 2:-2] = (np.arange(1, 6) / 8)[:, None, None, None]
    return images


def test_draws_only_given_rows_and_filled_slices(volumes):
    sampler = SliceSampler(volumes, np.array([1, 3, 4]))
    images, subjects = sampler.draw(300, Streams(0)["batches"], patch=16)
    assert images.shape == (300, 1, 16, 16)
    assert images.dtype == torch.float32
    values = images.flatten(1).max(1).values
    assert torch.equal(values, torch.tensor([2.0, 4.0, 5.0])[subjects] / 8)
    assert torch.bincount(subjects).min() > 60


def test_small_slices_are_padded_to_the_stride(volumes):
    images, _ = SliceSampler(volumes, np.arange(5)).draw(4, Streams(0)["batches"], patch=128)
    assert images.shape == (4, 1, 24, 32)
    assert (images[..., 20:, :] == 0).all()
    assert (images[..., 28:] == 0).all()


def test_crops_are_taken_from_everywhere():
    code = np.arange(1, 33 * 47 + 1, dtype=np.float16).reshape(1, 1, 33, 47) / 2048
    sampler = SliceSampler(np.repeat(code, 2, 0), np.arange(2))
    images, _ = sampler.draw(3000, Streams(1)["batches"], patch=16)
    corners = images[:, 0, 0, 0].unique()
    assert len(corners) > 0.9 * (33 - 16 + 1) * (47 - 16 + 1)


def test_excluded_subjects_never_come_and_others_evenly(volumes):
    sampler = SliceSampler(volumes, np.arange(5))
    excluded = torch.full((4000,), 2)
    _, subjects = sampler.draw(4000, Streams(0)["foreign"], exclude=excluded, patch=16)
    assert (subjects != 2).all()
    counts = torch.bincount(subjects)
    assert counts[counts > 0].tolist() == pytest.approx([1000] * 4, rel=0.12)


def test_foreign_slices_of_a_batch_are_of_other_subjects(volumes):
    batch = SliceSampler(volumes, np.arange(5)).batch(64, Streams(0), 16)
    own, other = (images.flatten(1).max(1).values for images in (batch.images, batch.foreign))
    assert (own != other).all()
    assert batch.foreign is batch.foreign


def test_one_subject_has_no_foreign_patch(volumes):
    batch = SliceSampler(volumes, np.array([0])).batch(2, Streams(0), 16)
    with pytest.raises(HarnessError, match="second subject"):
        _ = batch.foreign


def test_no_subject_is_refused(volumes):
    with pytest.raises(HarnessError, match="no subject"):
        SliceSampler(volumes, np.array([], int))


def test_whole_slices_are_scaled_to_the_patch():
    slices, filled = fit(torch.ones((2, 1, 60, 40)), 32)
    assert filled == (32, 21)
    assert slices.shape == (2, 1, 32, 24)
    assert torch.allclose(slices[..., :21], torch.ones(()))
    assert (slices[..., 21:] == 0).all()


def test_patches_are_whole_strides():
    assert patch_shape(128, 184, 152) == (128, 128)
    assert patch_shape(128, 50, 41) == (56, 48)


def test_streams_are_independent_and_resumable():
    one, two = Streams(1), Streams(1)
    first = torch.rand(3, generator=one["batches"])
    torch.rand(5, generator=two["anomalies"])
    assert torch.equal(first, torch.rand(3, generator=two["batches"]))
    state = one.state_dict()
    ahead = torch.rand(3, generator=one["batches"])
    other = Streams(1)
    other.load_state_dict(state)
    assert torch.equal(ahead, torch.rand(3, generator=other["batches"]))
    assert not torch.equal(first, torch.rand(3, generator=Streams(2)["batches"]))
    assert not torch.equal(first, torch.rand(3, generator=Streams(1).child("a")["batches"]))
