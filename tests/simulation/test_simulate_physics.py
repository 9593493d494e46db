"""MR signal of the simulated cohort: against magnetisation step by step, values by hand and the Rice distribution."""

import numpy as np
import pytest
from scipy import stats

from uadbench.simulation import physics
from uadbench.simulation.fields import grid
from uadbench.simulation.physics import TISSUES, Mprage, SpinEcho, Tissue

T1 = Mprage(2250, 3.0, 900, 9)
T2 = SpinEcho(3500, 92)


@pytest.mark.parametrize("name", ["white", "grey", "fluid", "fat"])
def test_mprage_is_the_steady_state_of_its_pulses(name: str) -> None:
    tissue, m, signal = TISSUES[name], 1.0, 0.0

    def recover(m: float, time: float) -> float:
        return 1 + (m - 1) * np.exp(-time / tissue.t1)

    lead = T1.ti - T1.pulses / 2 * T1.echo_spacing
    for _ in range(40):  # inversions
        m = recover(-m, lead)
        for pulse in range(T1.pulses):
            if pulse == T1.pulses // 2:
                signal = abs(m) * np.sin(np.deg2rad(T1.flip))
            m = recover(m * np.cos(np.deg2rad(T1.flip)), T1.echo_spacing)
        m = recover(m, T1.tr - lead - T1.pulses * T1.echo_spacing)
    expected = tissue.pd * signal * np.exp(-T1.te / tissue.t2)
    assert T1.signal(tissue) == pytest.approx(expected, rel=1e-6)


def test_gradient_echo_by_hand() -> None:
    # sin 30° = 1/2, cos 30° = 0.866025; exp(−TR/T1) = exp(−0.1) = 0.904837; exp(−TE/T2) = exp(−0.05) = 0.951229.
    # 0.8 · 0.5 · 0.095163 / (1 − 0.783612) · 0.951229 = 0.167332
    assert physics.SpoiledGradientEcho(100, 5, 30).signal(Tissue(0.8, 1000, 100)) == pytest.approx(0.167332, abs=2e-6)


def test_spin_echo_by_hand() -> None:
    # 0.8 · (1 − exp(−2)) · exp(−1) = 0.8 · 0.864665 · 0.367879 = 0.254474
    assert SpinEcho(2000, 100).signal(Tissue(0.8, 1000, 100)) == pytest.approx(0.254474, abs=2e-6)


def test_inversion_nulls_a_tissue_at_its_inversion_time() -> None:
    tissue = Tissue(1.0, 4160, 1600)
    null = tissue.t1 * (np.log(2) - np.log1p(np.exp(-9000 / tissue.t1)))
    assert SpinEcho(9000, 120, null).signal(tissue) == pytest.approx(0, abs=1e-9)
    assert SpinEcho(9000, 120, null).signal(TISSUES["white"]) > 0.05


@pytest.mark.parametrize("seed", range(20))
def test_contrast_is_that_of_radiology_for_every_subject(seed: int) -> None:
    tissues = physics.vary(np.random.default_rng(seed))
    t1 = {name: T1.signal(tissue) for name, tissue in tissues.items()}
    t2 = {name: T2.signal(tissue) for name, tissue in tissues.items()}
    assert t1["fat"] > t1["white"] > t1["grey"] > t1["fluid"] > t1["bone"]
    assert t2["fluid"] > t2["grey"] > t2["white"] > t2["bone"]
    # Old infarct: from grey matter over gliosis to fluid. Glioma: dark on T1, bright on T2.
    assert t1["grey"] > t1["gliosis"] > t1["cavity"]
    assert t1["cavity"] < 1.6 * t1["fluid"]
    assert t1["white"] > t1["oedema"] > t1["necrosis"]
    assert t2["grey"] < t2["oedema"] < t2["fluid"]


def test_contrast_agent_brightens_t1() -> None:
    rim = TISSUES["rim"]
    # 1/1600 + 4.5e-3 · 0.5 per ms = 2.875e-3 per ms
    assert physics.with_gadolinium(rim, 0.5).t1 == pytest.approx(1 / 2.875e-3)
    assert T1.signal(physics.with_gadolinium(rim, 0.5)) > T1.signal(TISSUES["white"])


@pytest.mark.parametrize("level", [0.0, 1.0, 5.0])
def test_noise_follows_the_rice_distribution(level: float) -> None:
    sigma = 0.7
    image = physics.rician(np.random.default_rng(3), np.full(20_000, level, np.float32), sigma)
    assert stats.kstest(image, stats.rice(level / sigma, scale=sigma).cdf).pvalue > 0.01


def test_bias_field_is_smooth_positive_and_as_strong_as_asked() -> None:
    field = physics.bias_field(np.random.default_rng(0), grid(8.0), 0.1)
    assert field.min() > 0
    assert np.log(field).std() == pytest.approx(0.1, rel=0.15)
    assert np.abs(np.diff(np.log(field), axis=1)).max() < 0.1
