"""Scanners of the simulated cohorts: field strength and protocol shape contrast, and each scanner its noise."""

import numpy as np
import pytest

from uadbench.simulation.head import Mixture
from uadbench.simulation.physics import TISSUES
from uadbench.simulation.scanners import SITES, Scanner, choose, varied
from uadbench.simulation.scans import boxed
from uadbench.simulation.subjects import Acquisition

SCANNERS = {scanner.name: scanner for scanners in SITES.values() for scanner in scanners}


def test_t1_of_tissue_but_not_of_free_water_is_shorter_at_1_5_tesla() -> None:
    tissues = SCANNERS["1.5T-mprage"].tissues(TISSUES)
    assert tissues["white"].t1 == pytest.approx(880 * 0.5**0.38)  # 676 ms
    assert {name for name in tissues if tissues[name].t1 == TISSUES[name].t1} == {"fluid", "cavity"}
    assert all(tissues[name].t2 == TISSUES[name].t2 for name in TISSUES)
    assert SCANNERS["3T-mprage"].tissues(TISSUES) == TISSUES


def test_every_scanner_shows_the_contrast_of_its_sequences() -> None:
    contrasts = set()
    for scanner in SCANNERS.values():
        tissues = scanner.tissues(TISSUES)
        t1, t2, flair = (
            {name: sequence.signal(tissue) for name, tissue in tissues.items()}
            for sequence in (scanner.t1, scanner.t2, scanner.flair)
        )
        assert t1["white"] > t1["grey"] > t1["gliosis"] > t1["fluid"]
        assert t2["fluid"] > t2["oedema"] > t2["grey"] > t2["white"]
        assert flair["oedema"] > flair["grey"]
        assert flair["fluid"] < 0.1 * flair["grey"]
        contrasts.add(round(t1["white"] / t1["grey"], 2))
    assert len(contrasts) == len(SCANNERS) == 4
    assert max(contrasts) > 1.15 * min(contrasts)


@pytest.mark.parametrize("scanner", SCANNERS.values(), ids=SCANNERS)
def test_noise_is_the_scanners(scanner: Scanner) -> None:
    # Half of the box is white matter, half is air, whose noise has a Rayleigh distribution of mean 1.253 sigma.
    grid = boxed((0, 0, 0), (1, 1, 1), (40, 40, 40), 1.0)
    white = np.zeros(grid.shape, np.float32)
    white[20:] = 1
    mixture = Mixture({"white": white}, np.zeros_like(white), white, np.zeros_like(white), grid.points())
    scan = Acquisition(scanner, scanner.t1, bias=0.0).scan(np.random.default_rng(4), mixture, grid, TISSUES)
    air, tissue = scan.voxels[:20].astype(float), scan.voxels[20:].astype(float)
    measured = tissue.mean() / (air.mean() / 1.253)
    assert scanner.signal_to_noise / 1.15 * 0.98 < measured < scanner.signal_to_noise / 0.85 * 1.02


@pytest.mark.parametrize("name", ["3T-mprage", "1.5T-mprage"])
def test_a_scan_has_the_contrast_of_the_field_strength(name: str) -> None:
    """Half of the box is white matter, half is grey; protocols vary by up to 4 %."""
    scanner, grid = SCANNERS[name], boxed((0, 0, 0), (1, 1, 1), (40, 40, 40), 1.0)
    white = np.zeros(grid.shape, np.float32)
    white[20:] = 1
    mixture = Mixture({"white": white, "grey": 1 - white}, 0 * white, 1 + 0 * white, 0 * white, grid.points())
    scans = [
        Acquisition(scanner, scanner.t1, bias=0.0).scan(np.random.default_rng(seed), mixture, grid, TISSUES).voxels
        for seed in range(6)
    ]
    found = np.mean([scan[20:].mean() / scan[:20].mean() for scan in scans])
    white_signal, grey_signal = (scanner.t1.signal(scanner.tissues(TISSUES)[tissue]) for tissue in ("white", "grey"))
    assert found == pytest.approx(white_signal / grey_signal, rel=0.02)
    if scanner.tesla != 3:
        at_3_tesla = scanner.t1.signal(TISSUES["white"]) / scanner.t1.signal(TISSUES["grey"])
        assert abs(found - at_3_tesla) > 0.05


def test_protocols_vary_a_little_and_healthy_scans_come_from_one_scanner() -> None:
    rng = np.random.default_rng(0)
    mprage = SCANNERS["3T-mprage"].t1
    times = {varied(rng, mprage).tr for _ in range(20)}
    assert len(times) == 20
    assert 0.96 * 2250 <= min(times) < 2250 < max(times) <= 1.04 * 2250
    drawn = {name: {choose(rng, name).name for _ in range(60)} for name in SITES}
    assert drawn["camcan"] == {"3T-mprage"}
    assert len(drawn["atlas"]) == len(drawn["brats"]) == 3
