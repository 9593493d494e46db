"""RD: one minus cosine in every place, summed over three stages; the loss takes whole maps as vectors."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from uadbench.baselines.rd import Student

from tests.trainings import built
from uadbench.training.run import freeze


@pytest.fixture
def method():
    return freeze(built("rd"))


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand((3, 1, 64, 64), generator=torch.Generator().manual_seed(1))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_map_is_the_sum_of_one_minus_cosine(method, images):
    with torch.no_grad():
        ours = method.distance(images)[:, 0].numpy()
        pairs = [(a.double().numpy(), b.double().numpy()) for a, b in method.pairs(images)]
    assert [a.shape[1:] for a, _ in pairs] == [(8, 16, 16), (16, 8, 8), (32, 4, 4)]
    for index in range(3):
        # In the corners, which bilinear interpolation with aligned corners keeps as they are.
        for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
            expected = sum(1 - cosine(a[index, :, y, x], b[index, :, y, x]) for a, b in pairs)
            assert ours[index, y, x] == pytest.approx(expected, abs=1e-4)


def test_loss_is_of_whole_maps(method, images):
    with torch.no_grad():
        ours = float(method.loss(SimpleNamespace(images=images)))
        pairs = [(a.double().numpy(), b.double().numpy()) for a, b in method.pairs(images)]
    expected = sum(np.mean([1 - cosine(x.ravel(), y.ravel()) for x, y in zip(a, b, strict=True)]) for a, b in pairs)
    assert ours == pytest.approx(expected, abs=1e-4)


def test_a_perfect_student_finds_nothing(method, images):
    method.student = torch.nn.Identity()
    assert method.distance(images).max() < 1e-5


def test_slices_of_other_sizes_are_padded(method):
    images = torch.rand((1, 1, 40, 24), generator=torch.Generator().manual_seed(1))
    assert method.distance(images).shape == (1, 1, 40, 24)


def test_student_has_the_size_that_upd_study_has():
    with torch.device("meta"):
        student = Student("wide_resnet50_2", (256, 512, 1024))
        count = {key: sum(p.numel() for p in part.parameters()) for key, part in student.named_children()}
    assert count["steps"] == pytest.approx(24.9e6, rel=0.003)
    # Its bottleneck has 67.3 million, of which one 1 x 1 convolution, 4096 to 2048 channels, is never used.
    assert sum(count.values()) - count["steps"] == pytest.approx(67.3e6 - 4096 * 2048, rel=0.003)


def test_ordinary_convolutions_start_as_he_et_al_with_fan_out():
    student = Student("resnet18", (16, 32, 64))
    for convolution in (part for part in student.modules() if type(part) is torch.nn.Conv2d):
        fan_out = convolution.out_channels * convolution.kernel_size[0] ** 2
        assert float(convolution.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.15)


def test_the_student_takes_the_channels_of_a_light_teacher():
    channels = (24, 40, 112)
    features = [torch.rand(1, count, 32 // 2**level, 32 // 2**level) for level, count in enumerate(channels)]
    with torch.no_grad():
        copies = Student("efficientnet_lite0", channels).eval()(features)
    assert [copy.shape for copy in copies] == [level.shape for level in features]
